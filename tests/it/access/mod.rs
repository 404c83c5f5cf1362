//! People: from users/, groups/ and [access] to what packages carry, who may do what where, and what is refused.

mod commands;
mod packages;
mod program;
mod refused;

use debrole::access::guard;
use debrole::diagnostics::Diagnostic;
use debrole::lower::{Keyring, lower};
use debrole::plan::{DebContent, Entry, PackagePlan};
use debrole::resolve::resolve;
use debrole::tree::Tree;
use std::fs;
use std::path::Path;

/// 2026-11-22 00:00 UTC.
pub const TODAY: i64 = 1_795_305_600;

/// A valid Ed25519 key of 32 equal bytes.
pub fn key(byte: u8) -> String {
    let blob: Vec<u8> = b"\0\0\0\x0bssh-ed25519\0\0\0\x20".iter().copied().chain([byte; 32]).collect();
    format!("ssh-ed25519 {}", debrole::ssh_key::encode(&blob))
}

pub fn user(uid: u32, name: &str, rest: &str) -> String {
    let first = name.as_bytes()[0];
    format!("uid = {uid}\nname = \"{name}\"\n{rest}\n[[key]]\nkey = \"{} {}\"\n", key(first), name.to_lowercase())
}

/// Two people, two groups, two roles, three machines: alice administers all of them, bob edits the web site.
pub fn fleet() -> Vec<(&'static str, String)> {
    let host = |role: &str, release: &str| format!("roles = [\"{role}\"]\nrelease = \"{release}\"\n");
    vec![
        ("debrole.toml", crate::ui::debrole_toml("[fleet]\n[release.bookworm]\n[release.trixie]\n")),
        ("ledger.toml", "[users]\n2001 = \"alice\"\n2002 = \"bob\"\n[groups]\n3001 = \"sysadmins\"\n3002 = \"webteam\"\n".into()),
        ("users/alice.toml", user(2001, "Alice", "email = \"alice@example.org\"\n")),
        ("users/bob.toml", user(2002, "Bob", "shell = \"/usr/bin/zsh\"\nexpires = 2027-06-30\nhome = \"archive\"\n")),
        ("groups/sysadmins.toml", "gid = 3001\ndescription = \"Administrators\"\nmembers = [\"alice\"]\n".into()),
        ("groups/webteam.toml", "gid = 3002\ndescription = \"Editors of the web site\"\nmembers = [\"bob\"]\napproval = \"the lead's word\"\n".into()),
        (
            "roles/base.toml",
            "summary = \"Base\"\n[access]\nlogin = [\"sysadmins\"]\n[[access.sudo]]\ngroup = \"sysadmins\"\ncommands = [\"ALL\"]\nreason = \"administrators of all machines\"\n".into(),
        ),
        (
            "roles/web.toml",
            "summary = \"Web\"\nincludes = [\"base\"]\n[access]\nlogin = [\"webteam\"]\n[[access.sudo]]\ngroup = \"webteam\"\ncommands = [\"RELOAD\", \"/usr/bin/id\"]\n\
             [access.alias.RELOAD]\ncommands = [\"/usr/bin/systemctl reload nginx.service\"]\n"
                .into(),
        ),
        ("hosts/db1.example.org.toml", host("base", "trixie")),
        ("hosts/web1.example.org.toml", host("web", "bookworm")),
        ("hosts/web2.example.org.toml", host("web", "trixie")),
    ]
}

/// The fleet with some files changed; an empty text: without the file.
pub fn with(changes: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let mut files = fleet();
    for (path, text) in changes {
        files.retain(|(name, _)| name != path);
        if !text.is_empty() {
            files.push((path, (*text).to_owned()));
        }
    }
    files
}

pub fn write(root: &Path, files: &[(&'static str, String)]) {
    for (name, text) in files {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// What a tree means, and everything that is wrong with it.
pub struct Read {
    pub plans: Vec<PackagePlan>,
    pub diagnostics: Vec<Diagnostic>,
}

pub fn read(files: &[(&'static str, String)], time: i64) -> Read {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), files);
    let (mut tree, mut diagnostics) = Tree::read(dir.path());
    let (model, more) = resolve(&mut tree);
    diagnostics.extend(more);
    let mut plans = Vec::new();
    if let Some(model) = &model {
        let lowered = lower(model, &Keyring::default());
        plans = lowered.0;
        diagnostics.extend(lowered.1);
        diagnostics.extend(guard::check(model, time));
    }
    Read { plans, diagnostics }
}

impl Read {
    pub fn codes(&self) -> Vec<&'static str> {
        self.diagnostics.iter().map(|d| d.rule.code).collect()
    }
    #[track_caller]
    pub fn right(self) -> Self {
        assert!(self.diagnostics.is_empty(), "{:#?}", self.diagnostics);
        self
    }
    #[track_caller]
    pub fn deb(&self, name: &str, release: &str) -> &DebContent {
        let plan = self.plans.iter().find(|plan| plan.name.as_str() == name);
        let plan = plan.unwrap_or_else(|| panic!("no {name}"));
        let variant = plan.variants.iter().find(|v| v.releases.iter().any(|r| r.as_str() == release));
        &variant.unwrap_or_else(|| panic!("{name} is not on {release}")).deb
    }
    #[track_caller]
    pub fn text(&self, name: &str, path: &str) -> String {
        match self.deb(name, "bookworm").entries.get(path) {
            Some(Entry::File { bytes, .. }) => String::from_utf8(bytes.to_vec()).unwrap(),
            other => panic!("{name}: {path} is {other:?}"),
        }
    }
    #[track_caller]
    pub fn relations(&self, name: &str) -> Vec<String> {
        self.deb(name, "bookworm").relations.values().flatten().map(ToString::to_string).collect()
    }
}
