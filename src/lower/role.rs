//! A role → its package, on each release that it exists for.

use super::content::{Assembly, Owner, Rank, Text, Texts};
use super::description;
use super::template::{Compiled, Engine, Rendered, RoleScope};
use crate::diagnostics::Diagnostic;
use crate::model::{Content, FileText, Model, Role};
use crate::names::{Codename, MachinePath, PackageName, SecretName};
use crate::plan::{Claim, DebContent, PackageKind, PackagePlan, SecretUse, Variant};
use crate::relation::{Relation, RelationField};
use crate::source::{Span, Spanned};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A role's package, and its templates for the hosts that have it.
pub struct LoweredRole<'e> {
    pub plan: PackagePlan,
    /// Of the releases where it has any.
    pub templates: BTreeMap<&'e Codename, ReleaseTemplates<'e>>,
    pub diagnostics: Vec<Diagnostic>,
}

/// The templates of a role on one release that a machine's values may change.
pub struct ReleaseTemplates<'e> {
    pub scope: RoleScope,
    pub templates: Vec<HostTemplate<'e>>,
}

pub struct HostTemplate<'e> {
    pub part: Part,
    pub compiled: Compiled<'e>,
    /// What machines without a host package get; None where there is no such rendering.
    pub default: Option<Arc<[u8]>>,
}

/// Which part of the content a template is: an index into its files, units or secrets.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    File(usize),
    Unit(usize),
    Secret(usize),
}

/// Lowers one role. `None` for the package where it exists on no release of the fleet.
pub fn lower<'e, 'm: 'e>(model: &'m Model, engine: &'e Engine<'m>, role: &'m Role) -> Option<LoweredRole<'e>> {
    let prefix = &model.fleet.prefix;
    let owner = Owner {
        prefix,
        package: prefix.role_package(&role.name),
        home: MachinePath::parse(&format!("/usr/share/{prefix}/roles/{}", role.name.value)).ok()?,
        rank: Rank::Role,
        secrets: &model.secrets,
    };
    let mut variants = Variants::default();
    let mut templates = BTreeMap::new();
    let mut diagnostics = Vec::new();
    // The content that was lowered last without rendering anything, and its release.
    let mut lowered: Option<(&Arc<Content>, &Codename)> = None;
    for release in &model.fleet.releases {
        let codename = &release.codename.value;
        let Some(content) = role.contents.get(codename) else { continue };
        if let Some((same, like)) = lowered
            && Arc::ptr_eq(same, content)
        {
            variants.also(codename, like);
            continue;
        }
        lowered = is_plain(content).then_some((content, codename));
        let scope = engine.role_scope(Some(role), release);
        let (texts, hosts) = render(engine, &scope, content, &mut diagnostics);
        let mut assembly = Assembly::new(&owner, codename);
        assembly.add(content, &texts);
        if role.monitoring.nagios_server.is_some() {
            assembly.relate(RelationField::Depends, Relation::on(prefix.nagios_config_package()));
        }
        if role.monitoring.munin_server.is_some() {
            assembly.relate(RelationField::Depends, Relation::on(prefix.munin_config_package()));
        }
        for included in &role.includes {
            assembly.relate(RelationField::Depends, Relation::on(prefix.role_package(&included.value)));
        }
        let description = describe(model, role, content, &assembly);
        let secrets = assembly.secrets();
        let (deb, claims, problems) = assembly.finish(role.summary.clone(), description, model.fleet.homepage.clone());
        diagnostics.extend(problems);
        variants.add(codename, deb, claims);
        variants.uses(codename, secrets);
        if !hosts.is_empty() {
            templates.insert(codename, ReleaseTemplates { scope, templates: hosts });
        }
    }
    if variants.variants.is_empty() {
        return None;
    }
    let plan = variants.into_plan(owner.package.clone(), PackageKind::Role, Some(role.name.span));
    Some(LoweredRole { plan, templates, diagnostics })
}

/// Whether nothing in it is rendered: then it is the same on every release that has it.
fn is_plain(content: &Content) -> bool {
    let mut texts = content.files.iter().map(|file| &file.text).chain(content.units.iter().map(|unit| &unit.text));
    content.secrets.is_empty() && texts.all(|text| matches!(text, FileText::Plain(_)))
}

fn describe(model: &Model, role: &Role, content: &Content, assembly: &Assembly<'_>) -> String {
    let mut opening =
        format!("This package gives a machine the role \"{}\" of {}.", role.name.value, model.fleet.label);
    match role.includes.len() {
        0 => {}
        1 => opening.push_str(&format!(" It includes the role \"{}\".", role.includes[0].value)),
        _ => {
            let names: Vec<_> = role.includes.iter().map(|role| format!("\"{}\"", role.value)).collect();
            opening.push_str(&format!(" It includes the roles {}.", names.join(", ")));
        }
    }
    description::of(&role.description, opening, content, &assembly.manifest)
}

/// The texts of all files, units and secrets of a content; `template` makes those of templates, and is told whether
/// secrets may be in it.
pub fn texts<'m>(content: &'m Content, mut template: impl FnMut(Part, &'m Spanned<Arc<str>>, bool) -> Text) -> Texts {
    let mut text = |part, text: &'m FileText, secret| match text {
        FileText::Plain(bytes) => Text::Bytes(bytes.clone()),
        FileText::Template(source) => template(part, source, secret),
    };
    let files = content.files.iter().enumerate();
    let files = files.map(|(i, file)| text(Part::File(i), &file.text, file.secret)).collect();
    let units = content.units.iter().enumerate().map(|(i, unit)| text(Part::Unit(i), &unit.text, false)).collect();
    let secrets = content.secrets.iter().enumerate();
    let secrets = secrets.map(|(i, secret)| template(Part::Secret(i), &secret.text, true)).collect();
    Texts { files, units, secrets }
}

/// The texts with the defaults of `host.` values, and the templates that a machine's values may change.
fn render<'e, 'm: 'e>(
    engine: &'e Engine<'m>,
    scope: &RoleScope,
    content: &'m Content,
    diagnostics: &mut Vec<Diagnostic>,
) -> (Texts, Vec<HostTemplate<'e>>) {
    let mut hosts = Vec::new();
    let texts = texts(content, |part, source, secret| {
        let rendered = engine.compile(source, secret).map(|compiled| (engine.render(&compiled, scope, None), compiled));
        match rendered {
            Ok((Rendered::Text { text, asks_host }, compiled)) => {
                let bytes: Arc<[u8]> = text.into_bytes().into();
                if asks_host {
                    hosts.push(HostTemplate { part, compiled, default: Some(bytes.clone()) });
                }
                Text::Bytes(bytes)
            }
            Ok((Rendered::NeedsHost, compiled)) => {
                hosts.push(HostTemplate { part, compiled, default: None });
                Text::HostBound
            }
            Ok((Rendered::Failed(diagnostic), _)) | Err(diagnostic) => {
                diagnostics.push(*diagnostic);
                Text::Failed
            }
        }
    });
    (texts, hosts)
}

/// Collects a package's content release by release; equal ones become one variant.
#[derive(Default)]
pub struct Variants {
    variants: Vec<Variant>,
    claims: Vec<Claim>,
    /// Where the claim on a path that was written at a place stands.
    places: BTreeMap<(MachinePath, Span), usize>,
    secrets: Vec<SecretUse>,
}

impl Variants {
    pub fn add(&mut self, release: &Codename, deb: DebContent, claims: Vec<Claim>) {
        match self.variants.iter_mut().find(|variant| *variant.deb == deb) {
            Some(variant) => variant.releases.push(release.clone()),
            None => {
                self.variants.reserve_exact(1);
                self.variants.push(Variant { releases: vec![release.clone()], deb: Arc::new(deb) });
            }
        }
        for claim in claims {
            let place = *self.places.entry((claim.path.clone(), claim.span)).or_insert(self.claims.len());
            match self.claims.get_mut(place) {
                // A second one on the same release is a clash of the package with itself.
                Some(same) if same.kind == claim.kind && !same.releases.contains(release) => {
                    same.releases.push(release.clone());
                }
                _ => self.claims.push(claim),
            }
        }
    }

    /// The secrets that it uses on a release.
    pub fn uses(&mut self, release: &Codename, secrets: BTreeMap<SecretName, Span>) {
        for (name, span) in secrets {
            match self.secrets.iter_mut().find(|known| known.name == name) {
                Some(known) => known.releases.push(release.clone()),
                None => self.secrets.push(SecretUse { name, releases: vec![release.clone()], span }),
            }
        }
    }

    /// Another release with the content and the claims of `like`, which was added before it.
    pub fn also(&mut self, release: &Codename, like: &Codename) {
        let variants = self.variants.iter_mut().map(|variant| &mut variant.releases);
        for releases in variants.chain(self.claims.iter_mut().map(|claim| &mut claim.releases)) {
            if releases.contains(like) {
                releases.reserve_exact(1);
                releases.push(release.clone());
            }
        }
    }

    pub fn into_plan(mut self, name: PackageName, kind: PackageKind, span: Option<Span>) -> PackagePlan {
        self.claims.shrink_to_fit();
        PackagePlan { name, kind, span, variants: self.variants, claims: self.claims, secrets: self.secrets }
    }
}
