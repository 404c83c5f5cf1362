//! What a role or a host puts on a machine, as payload, manifest records, units in place and scripts. One way for
//! both: they differ only in names and in who wins.

mod agents;
mod tables;
mod units;

use super::machine_manifest::{FileKind, FileRecord, MachineManifest, Ownership};
use super::monitoring::agent::head;
use super::scripts;
use super::secret::{self, Out, Outs, Piece};
use crate::deb::sha256;
use crate::diagnostics::{Diagnostic, rules};
use crate::model::{Content, File, FilePolicy, FileText, Secret, Secrets, ServiceState};
use crate::names::{AccountName, Codename, MachinePath, PackageName, Prefix, SecretName, UnitName};
use crate::plan::{Claim, ClaimKind, DebContent, Entry};
use crate::relation::{Relation, RelationField};
use crate::source::{Span, Spanned};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Whose content it is, and the names that follow from it.
#[derive(Debug, Clone)]
pub struct Owner<'m> {
    pub prefix: &'m Prefix,
    pub package: PackageName,
    /// `/usr/share/<prefix>/roles/<role>` or `/usr/share/<prefix>/hosts/<fqdn>`.
    pub home: MachinePath,
    pub rank: Rank,
    pub secrets: &'m Secrets,
}

/// Where several files of a directory set one thing, the later name wins: a host is to win over its roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    Role,
    Host,
}

/// What follows from a change of a machine's own version of a generated file.
#[derive(Debug, Clone, Copy)]
pub enum Effect {
    Reload(&'static str),
    Restart(&'static str),
}

/// A file's or unit's text on one release.
#[derive(Debug, Clone)]
pub enum Text {
    Bytes(Arc<[u8]>),
    /// Only a host's package can hold it.
    HostBound,
    /// An error has been reported.
    Failed,
}

/// The texts of a content's files, units and secrets, in their order.
pub struct Texts {
    pub files: Vec<Text>,
    pub units: Vec<Text>,
    pub secrets: Vec<Text>,
}

/// A package in the making, for one release.
pub struct Assembly<'o> {
    owner: &'o Owner<'o>,
    release: &'o Codename,
    pub manifest: MachineManifest,
    entries: BTreeMap<MachinePath, Entry>,
    relations: BTreeMap<RelationField, Vec<Relation>>,
    pub claims: Vec<Claim>,
    pub diagnostics: Vec<Diagnostic>,
    answers: Vec<crate::model::DebconfAnswer>,
    units_in_place: bool,
    outs: Outs,
    /// The secrets in them, and where each is used first.
    secrets: BTreeMap<SecretName, Span>,
}

fn root() -> AccountName {
    // Valid by useradd(8).
    AccountName::parse("root").expect("root is an account's name")
}

impl<'o> Assembly<'o> {
    pub fn new(owner: &'o Owner<'o>, release: &'o Codename) -> Self {
        let mut assembly = Assembly {
            owner,
            release,
            manifest: MachineManifest::new(owner.package.clone()),
            entries: BTreeMap::new(),
            relations: BTreeMap::new(),
            claims: Vec::new(),
            diagnostics: Vec::new(),
            answers: Vec::new(),
            units_in_place: false,
            outs: Outs::new(),
            secrets: BTreeMap::new(),
        };
        assembly.relate(RelationField::Depends, Relation::on(owner.prefix.runtime_package()));
        assembly
    }

    pub fn relate(&mut self, field: RelationField, relation: Relation) {
        self.relations.entry(field).or_default().push(relation);
    }

    /// Everything that the tree says, with the texts of its files and units already made.
    pub fn add(&mut self, content: &Content, texts: &Texts) {
        for (field, relations) in &content.relations {
            for relation in relations {
                self.relate(*field, relation.value.clone());
            }
        }
        for (file, text) in content.files.iter().zip(&texts.files) {
            match text {
                Text::Bytes(bytes) => self.file(file, bytes, ClaimKind::Managed),
                Text::HostBound => self.bound(file),
                Text::Failed => {}
            }
        }
        for link in &content.symlinks {
            self.claim(&link.path, ClaimKind::Managed);
            self.manifest.links.insert(link.path.value.clone(), link.target.clone());
        }
        for directory in &content.directories {
            let ownership =
                Ownership { mode: directory.mode, owner: directory.owner.clone(), group: directory.group.clone() };
            self.directory(&directory.path, ownership);
            if directory.exclusive {
                self.manifest.exclusive.insert(directory.path.value.clone());
            }
            self.effects(&directory.path.value, &directory.reload, &directory.restart);
        }
        for absent in &content.absent {
            self.claim(&absent.path, ClaimKind::Absent);
            self.manifest.absent.insert(absent.path.value.clone());
            self.effects(&absent.path.value, &absent.reload, &absent.restart);
        }
        for (unit, text) in content.units.iter().zip(&texts.units) {
            let enabled = unit.enable
                || content
                    .services
                    .iter()
                    .any(|service| service.unit == unit.name && service.state == ServiceState::Enabled);
            match text {
                Text::Bytes(bytes) => self.unit(unit, enabled, bytes),
                Text::HostBound => self.bound_unit(unit, enabled),
                Text::Failed => {}
            }
        }
        for (secret, text) in content.secrets.iter().zip(&texts.secrets) {
            match text {
                Text::Bytes(bytes) => self.secret(secret, bytes, self.owner.directory()),
                Text::HostBound => self.bound_secret(secret),
                Text::Failed => {}
            }
        }
        self.services(content);
        self.settings(content);
        self.accounts(content);
        self.backups(content);
        self.access(&content.access);
        self.keep_diverted_conffiles(content);
        self.monitoring(content);
        self.answers = content.debconf.clone();
        if !self.answers.is_empty() {
            // The preinst calls debconf-set-selections, which no other provider of debconf-2.0 has.
            let debconf = PackageName::parse("debconf").expect("debconf is a package's name");
            self.relate(RelationField::PreDepends, Relation::on(debconf));
        }
        if let Some(setup) = &content.setup {
            self.manifest.setup = Some(self.fragment("/setup", &setup.value));
        }
        if let Some(teardown) = &content.teardown {
            self.fragment("/teardown", &teardown.value);
        }
    }

    /// A directory that the runtime makes.
    fn directory(&mut self, path: &Spanned<MachinePath>, ownership: Ownership) {
        let kind = ClaimKind::Directory {
            mode: ownership.mode,
            owner: ownership.owner.clone(),
            group: ownership.group.clone(),
        };
        self.claim(path, kind);
        self.manifest.directories.insert(path.value.clone(), ownership);
    }

    /// A managed file with its text, and what follows from a change of it.
    pub fn file(&mut self, file: &File, bytes: &Arc<[u8]>, kind: ClaimKind) {
        let path = &file.path.value;
        self.claim(&file.path, kind);
        if file.secret {
            let out = format!("{}/files{path}", self.owner.directory());
            let target = format!("/run/{}-secrets/{out}", self.owner.prefix);
            self.manifest.links.insert(path.clone(), target);
            self.out(out, &file.owner, bytes, file_span(file), [&file.reload, &file.restart], &file.validate);
            self.file_effects(file);
            return;
        }
        let kind = match file.policy {
            FilePolicy::Managed | FilePolicy::Adopt(_) => FileKind::Managed,
            FilePolicy::Initial => FileKind::Initial,
            FilePolicy::Divert => FileKind::Divert,
        };
        let ownership = Ownership { mode: file.mode, owner: file.owner.clone(), group: file.group.clone() };
        self.payload(path, bytes, ownership, kind);
        if let FilePolicy::Adopt(package) = &file.policy {
            self.manifest.adopted.insert(path.clone(), package.clone());
        }
        self.file_effects(file);
    }

    /// A secret in a file of its own, below the directory of the role or host whose it is.
    pub fn secret(&mut self, secret: &Secret, bytes: &[u8], directory: &str) {
        let out = format!("{directory}/{}", secret.name.value);
        self.out(out, &secret.owner, bytes, secret.text.span, [&secret.reload, &secret.restart], &[]);
    }

    /// A secret whose text a host's package must hold. What follows from a change of it is with the text.
    fn bound_secret(&mut self, secret: &Secret) {
        let path = format!("/run/{}-secrets/{}/{}", self.owner.prefix, self.owner.directory(), secret.name.value);
        if let Some(path) = self.generated(&path, secret.name.span) {
            self.manifest.host_bound_secrets.insert(path);
        }
    }

    /// A text with the marks of secrets, which becomes a file in /run.
    fn out(
        &mut self,
        path: String,
        owner: &AccountName,
        bytes: &[u8],
        span: Span,
        [reload, restart]: [&[Spanned<UnitName>]; 2],
        validate: &[Spanned<String>],
    ) {
        // The template engine has looked whether it can be cut.
        let pieces = secret::cut(&String::from_utf8_lossy(bytes)).unwrap_or_default();
        for piece in &pieces {
            if let Piece::Secret(name) = piece {
                self.secrets.entry(name.clone()).or_insert(span);
            }
        }
        let units = |units: &[Spanned<UnitName>]| units.iter().map(|unit| unit.value.clone()).collect();
        let validate = validate.iter().map(|command| command.value.clone()).collect();
        let out = Out { owner: owner.clone(), pieces, validate, reload: units(reload), restart: units(restart) };
        self.outs.insert(path, out);
    }

    /// The secrets that it uses, and where.
    pub fn secrets(&self) -> BTreeMap<SecretName, Span> {
        self.secrets.clone()
    }

    /// A file that a host's package must hold. Its effects are recorded here too: they are the role's.
    fn bound(&mut self, file: &File) {
        self.claim(&file.path, ClaimKind::Managed);
        self.manifest.host_bound.insert(file.path.value.clone());
        self.file_effects(file);
    }

    fn file_effects(&mut self, file: &File) {
        let path = &file.path.value;
        if !file.validate.is_empty() {
            let commands = file.validate.iter().map(|command| command.value.clone()).collect();
            self.manifest.validate.insert(path.clone(), commands);
        }
        self.effects(path, &file.reload, &file.restart);
    }

    fn effects(&mut self, path: &MachinePath, reload: &[Spanned<UnitName>], restart: &[Spanned<UnitName>]) {
        self.manifest.reload.extend(reload.iter().map(|unit| (path.clone(), unit.value.clone())));
        self.manifest.restart.extend(restart.iter().map(|unit| (path.clone(), unit.value.clone())));
    }

    fn payload(&mut self, path: &MachinePath, bytes: &Arc<[u8]>, ownership: Ownership, kind: FileKind) {
        // The mode in the package is only what is becoming there: the runtime sets the recorded one.
        let mode = if bytes.starts_with(b"#!") { 0o755 } else { 0o644 };
        let files = self.inside("/files");
        self.entries.insert(files.join(path), Entry::File { mode, bytes: bytes.clone() });
        self.manifest.files.insert(path.clone(), FileRecord { ownership, sha256: sha256(bytes), kind });
    }

    fn inside(&self, name: &str) -> MachinePath {
        self.owner.home.join(&MachinePath::parse(name).expect("a name of debrole's own"))
    }

    fn fragment(&mut self, name: &str, text: &str) -> String {
        let body = text.strip_prefix("#!/bin/sh\n").unwrap_or(text).trim_end();
        let script = format!("#!/bin/sh\nset -e\n\n{body}\n");
        let hash = sha256(script.as_bytes());
        self.entries.insert(self.inside(name), Entry::File { mode: 0o755, bytes: script.into_bytes().into() });
        hash
    }

    fn claim(&mut self, path: &Spanned<MachinePath>, kind: ClaimKind) {
        let canonical = path.value.canonical();
        self.claims.push(Claim { path: canonical, kind, releases: vec![self.release.clone()], span: path.span });
    }

    fn generated(&mut self, path: &str, span: Span) -> Option<MachinePath> {
        match MachinePath::parse(path) {
            Ok(path) => Some(path),
            Err(problem) => {
                self.diagnostics.push(
                    Diagnostic::new(&rules::generated_path::RULE, format!("this makes the path {path}: {problem}"))
                        .at(span, "")
                        .help("choose another name"),
                );
                None
            }
        }
    }

    fn generated_file(&mut self, path: &MachinePath, text: &str, mode: u32, span: Span) {
        let head = head(&self.owner.package);
        let bytes = format!("{head}{}\n", text.trim_end()).into_bytes().into();
        self.claim(&Spanned::new(path.clone(), span), ClaimKind::Managed);
        let ownership = Ownership { mode, owner: root(), group: root() };
        self.payload(path, &bytes, ownership, FileKind::Managed);
    }

    /// A machine's own version of a generated file of another package's.
    pub fn rendering(&mut self, path: &MachinePath, text: &str, effect: Effect, span: Span) {
        self.claim(&Spanned::new(path.clone(), span), ClaimKind::Rendering);
        let ownership = Ownership { mode: 0o644, owner: root(), group: root() };
        self.payload(path, &text.as_bytes().into(), ownership, FileKind::Managed);
        self.effect(path, effect);
    }

    /// A managed file of debrole's own making, and what follows from a change of it.
    pub fn own_file(&mut self, path: &MachinePath, text: &str, effect: Option<Effect>, span: Span) {
        self.generated_file(path, text, 0o644, span);
        if let Some(effect) = effect {
            self.effect(path, effect);
        }
    }

    fn effect(&mut self, path: &MachinePath, effect: Effect) {
        let unit = |name: &str| UnitName::parse(name).expect("a unit's name");
        match effect {
            Effect::Reload(name) => self.manifest.reload.insert((path.clone(), unit(name))),
            Effect::Restart(name) => self.manifest.restart.insert((path.clone(), unit(name))),
        };
    }

    /// A file of the package in place, beside what is managed.
    pub fn in_place(&mut self, path: MachinePath, entry: Entry, span: Span) {
        self.claim(&Spanned::new(path.clone(), span), ClaimKind::InPlace);
        self.entries.insert(path, entry);
    }

    /// The package, and what it claims.
    pub fn finish(
        mut self,
        summary: String,
        description: String,
        homepage: Option<String>,
    ) -> (DebContent, Vec<Claim>, Vec<Diagnostic>) {
        let manifest = self.inside("/manifest");
        let text = self.manifest.to_string().into_bytes().into();
        self.entries.insert(manifest, Entry::File { mode: 0o644, bytes: text });
        if !self.outs.is_empty() {
            self.relate(RelationField::Depends, Relation::on(PackageName::parse("age").expect("a package's name")));
            let directory = self.inside("/secrets");
            self.entries.extend(secret::entries(
                &self.outs,
                &self.owner.package,
                &directory,
                &self.owner.secrets.files,
            ));
        }
        let owner = self.owner;
        let scripts = scripts::applied(owner.prefix, &owner.package, &self.answers, self.units_in_place);
        let deb = DebContent {
            summary,
            description,
            homepage,
            relations: self.relations.into_iter().map(|(field, list)| (field, once(list))).collect(),
            fields: &[("Multi-Arch", "foreign")],
            entries: self.entries,
            scripts,
        };
        (deb, self.claims, self.diagnostics)
    }
}

impl Owner<'_> {
    /// The directory in `/run/<prefix>-secrets` for what it brings: the name of the role or host. (A role's name has no
    /// dot, a host's has one.)
    fn directory(&self) -> &str {
        self.home.as_str().rsplit('/').next().unwrap_or_default()
    }
}

/// Where the text of a file with secrets is.
fn file_span(file: &File) -> Span {
    match &file.text {
        FileText::Template(text) => text.span,
        FileText::Plain(_) => file.path.span,
    }
}

/// Each relation where it stands first.
fn once(mut relations: Vec<Relation>) -> Vec<Relation> {
    let mut seen = BTreeSet::new();
    let first: Vec<bool> = relations.iter().map(|relation| seen.insert(relation)).collect();
    let mut first = first.into_iter();
    relations.retain(|_| first.next().unwrap_or(true));
    relations.shrink_to_fit();
    relations
}
