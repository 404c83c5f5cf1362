//! The lower stage: from small fleet trees to package plans.

mod clashes;
pub mod judges;
mod machine;
mod plans;
mod scripts;
mod templates;

use debrole::diagnostics::Diagnostic;
use debrole::lower::Keyring;
use debrole::lower::machine_manifest::MachineManifest;
use debrole::model::Model;
use debrole::names::MachinePath;
use debrole::plan::{DebContent, Entry, PackagePlan};
use debrole::source::{Sources, Span};
use std::fmt::Write;
use std::path::Path;

/// A fleet of both releases.
pub const DEBROLE: &str = r#"
schema = 1
[fleet]
prefix = "pg"
origin = "Example Project"
label = "Example Project"
maintainer = "Example Sysadmins <sysadmins@example.org>"
uri = "http://apt.example.org"
homepage = "https://example.org"
architectures = ["amd64"]
[release.bookworm]
[release.trixie]
[values]
admin = "root@example.org"
[host_values]
workers = 2
"#;

/// A tree that has been through resolve and lower.
pub struct Lowered {
    pub model: Model,
    pub sources: Sources,
    pub plans: Vec<PackagePlan>,
    pub diagnostics: Vec<Diagnostic>,
}

/// A tree of these files (path, text) and, unless they have one, [`DEBROLE`]. It must resolve without an error.
pub fn lower(files: &[(&str, &str)]) -> Lowered {
    let directory = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("debrole.toml", DEBROLE);
    for (path, text) in files {
        write(path, text);
    }
    lower_directory(directory.path())
}

pub fn lower_directory(root: &Path) -> Lowered {
    let (mut tree, mut problems) = debrole::tree::Tree::read(root);
    let (model, more) = debrole::resolve::resolve(&mut tree);
    problems.extend(more);
    let errors: Vec<_> = problems.iter().filter(|d| d.is_error()).map(|d| describe(&tree.sources, d)).collect();
    assert!(errors.is_empty(), "the tree is wrong before it is lowered:\n{}", errors.join("\n"));
    let model = model.expect("a model where there is no error");
    let keyring = Keyring { binary: b"\x98binary key".to_vec(), armored: b"-----BEGIN".to_vec() };
    let (plans, diagnostics) = debrole::lower::lower(&model, &keyring);
    Lowered { model, sources: tree.sources, plans, diagnostics }
}

impl Lowered {
    /// The tree must be right.
    #[track_caller]
    pub fn right(self) -> Self {
        assert!(self.diagnostics.is_empty(), "{}", self.report());
        self
    }
    /// All diagnostics as text.
    pub fn report(&self) -> String {
        self.diagnostics.iter().map(|d| describe(&self.sources, d)).collect::<Vec<_>>().join("\n")
    }
    pub fn codes(&self) -> Vec<&'static str> {
        self.diagnostics.iter().map(|d| d.rule.code).collect()
    }
    #[track_caller]
    pub fn plan(&self, name: &str) -> &PackagePlan {
        let names: Vec<_> = self.plans.iter().map(|plan| plan.name.as_str()).collect();
        self.plans.iter().find(|plan| plan.name.as_str() == name).unwrap_or_else(|| panic!("no {name} among {names:?}"))
    }
    /// The package's content on a release.
    #[track_caller]
    pub fn deb(&self, name: &str, release: &str) -> &DebContent {
        let variants = &self.plan(name).variants;
        let found = variants.iter().find(|v| v.releases.iter().any(|r| r.as_str() == release));
        &found.unwrap_or_else(|| panic!("{name} is not on {release}")).deb
    }
    /// The manifest in the package, on bookworm.
    #[track_caller]
    pub fn manifest(&self, name: &str) -> MachineManifest {
        let deb = self.deb(name, "bookworm");
        let path = deb.entries.keys().find(|path| path.as_str().ends_with("/manifest")).expect("a manifest");
        MachineManifest::parse(&text(deb, path.as_str())).expect("a manifest that can be read")
    }
    /// The payload's text for a path of the machine, on bookworm.
    #[track_caller]
    pub fn payload(&self, name: &str, path: &str) -> String {
        let deb = self.deb(name, "bookworm");
        let tail = format!("/files{path}");
        let path = deb.entries.keys().find(|p| p.as_str().ends_with(&tail)).unwrap_or_else(|| panic!("no {path}"));
        text(deb, path.as_str())
    }
}

/// The text of a file of the package.
#[track_caller]
pub fn text(deb: &DebContent, path: &str) -> String {
    match deb.entries.get(&MachinePath::parse(path).unwrap()) {
        Some(Entry::File { bytes, .. }) => String::from_utf8_lossy(bytes).into_owned(),
        other => panic!("{path} is {other:?}"),
    }
}

fn place(sources: &Sources, span: Span) -> String {
    let (line, column) = sources.line_column(span.file, span.start);
    let snippet = sources.snippet(span).replace('\n', "\\n");
    format!("{}:{line}:{column} `{snippet}`", sources.path(span.file).display())
}

/// One diagnostic as text: code, message, places with the marked source, help.
pub fn describe(sources: &Sources, diagnostic: &Diagnostic) -> String {
    let mut out = format!("{}: {}\n", diagnostic.rule.code, diagnostic.message);
    for (mark, label) in
        diagnostic.primary.iter().map(|l| ("at", l)).chain(diagnostic.secondary.iter().map(|l| ("and", l)))
    {
        let _ = writeln!(out, "  {mark} {} {}", place(sources, label.span), label.text);
    }
    for help in &diagnostic.help {
        let _ = writeln!(out, "  help: {help}");
    }
    for note in &diagnostic.notes {
        let _ = writeln!(out, "  note: {note}");
    }
    out
}

/// A plan as text: control-like fields, the listing, scripts and small files whole.
pub fn show(plan: &PackagePlan) -> String {
    let mut out = String::new();
    for variant in &plan.variants {
        let releases: Vec<_> = variant.releases.iter().map(|r| r.as_str()).collect();
        let deb = &variant.deb;
        let _ = writeln!(out, "=== {} on {}", plan.name, releases.join(", "));
        for (field, relations) in &deb.relations {
            let relations: Vec<_> = relations.iter().map(|r| r.to_string()).collect();
            let _ = writeln!(out, "{}: {}", field.control_name(), relations.join(", "));
        }
        for (name, value) in deb.fields {
            let _ = writeln!(out, "{name}: {value}");
        }
        let _ = writeln!(out, "Description: {}\n{}", deb.summary, deb.description);
        for (path, entry) in &deb.entries {
            match entry {
                Entry::File { mode, bytes } => {
                    let _ = writeln!(out, "--- {mode:04o} {path}");
                    // The runtime's own text is its part's business.
                    if bytes.len() < 4000 && !path.as_str().starts_with("/usr/sbin/") {
                        out.push_str(&String::from_utf8_lossy(bytes));
                    }
                }
                Entry::Symlink { target } => {
                    let _ = writeln!(out, "--- {path} -> {target}");
                }
                Entry::Directory { mode } => {
                    let _ = writeln!(out, "--- {mode:04o} {path}/");
                }
            }
        }
        for (member, text) in &deb.scripts {
            let _ = writeln!(out, "--- {}\n{text}", member.file_name());
        }
    }
    out
}

/// A role that uses every table there is.
pub const EVERYTHING: &str = include_str!("everything.toml");

pub const BASE: &str = "summary = \"What every machine has\"\n";
