//! Tables of the tree that become files: kernel parameters, environment, cron jobs, system accounts, rights, and what apt
//! is told of conffiles.

use super::{Assembly, Rank};
use crate::access::format::Grants;
use crate::lower::backup;
use crate::model::{Access, Account, Content, File, FilePolicy};
use crate::names::{PackageName, UnitName};
use crate::plan::{ClaimKind, Entry};
use crate::relation::{Relation, RelationField};
use crate::source::Spanned;

impl Assembly<'_> {
    /// Kernel parameters, environment and cron jobs: tables that become files.
    pub(super) fn settings(&mut self, content: &Content) {
        let package = self.owner.package.clone();
        // Files of one directory are read in the order of their names, whatever directory they are in
        // (sysctl.d(5), environment.d(5)); profile.d has no numbers, but run-parts sorts it.
        let (number, profile) = match self.owner.rank {
            Rank::Role => (60, package.to_string()),
            Rank::Host => (70, format!("zz-{package}")),
        };
        if let Some(first) = content.sysctl.values().next() {
            let lines: Vec<String> =
                content.sysctl.iter().map(|(key, value)| format!("{key} = {}", value.value)).collect();
            if let Some(path) = self.generated(&format!("/etc/sysctl.d/{number}-{package}.conf"), first.span) {
                self.generated_file(&path, &lines.join("\n"), 0o644, first.span);
                let unit = UnitName::parse("systemd-sysctl.service").expect("a unit's name");
                self.manifest.restart.insert((path, unit));
            }
        }
        if let Some(first) = content.environment.values().next() {
            let shell: Vec<String> = content
                .environment
                .iter()
                .map(|(name, value)| format!("export {name}='{}'", value.value.replace('\'', r"'\''")))
                .collect();
            let systemd: Vec<String> = content
                .environment
                .iter()
                .map(|(name, value)| format!("{name}=\"{}\"", quoted(&value.value)))
                .collect();
            for (path, lines) in [
                (format!("/etc/profile.d/{profile}.sh"), shell),
                (format!("/etc/environment.d/{number}-{package}.conf"), systemd),
            ] {
                if let Some(path) = self.generated(&path, first.span) {
                    self.generated_file(&path, &lines.join("\n"), 0o644, first.span);
                }
            }
        }
        for job in &content.cron {
            // cron ignores names with a dot (cron(8)), and a host's package has dots in its name.
            let name = format!("{package}-{}", job.name.value).replace('.', "_");
            let Some(path) = self.generated(&format!("/etc/cron.d/{name}"), job.name.span) else { continue };
            let text = format!(
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n\n{} {} {}",
                job.schedule.value, job.user, job.command.value
            );
            self.generated_file(&path, &text, 0o644, job.name.span);
            let names = ["cron", "cron-daemon"].map(|name| PackageName::parse(name).expect("a package's name"));
            let relation = Relation(names.map(|name| Relation::on(name).0.remove(0)).into());
            self.relate(RelationField::Depends, relation);
        }
    }

    /// System accounts: sysusers.d(5) in place; the runtime has them made before it puts files there.
    pub(super) fn accounts(&mut self, content: &Content) {
        let keeper = content.backup_server.as_ref().map(|server| backup::keeper(self.owner.prefix, server));
        let accounts: Vec<&Account> = content.accounts.iter().chain(&keeper).collect();
        let Some(first) = accounts.first() else { return };
        let package = &self.owner.package;
        let Some(path) = self.generated(&format!("/usr/lib/sysusers.d/{package}.conf"), first.name.span) else {
            return;
        };
        let mut text = String::new();
        for account in &accounts {
            let Account { name, description, home, shell, groups } = account;
            text.push_str(&format!("u {} - \"{description}\" {home} {shell}\n", name.value));
            text.extend(groups.iter().map(|group| format!("m {} {group}\n", name.value)));
            self.manifest.accounts.insert(name.value.clone(), path.clone());
        }
        self.claim(&Spanned::new(path.clone(), first.name.span), ClaimKind::InPlace);
        self.entries.insert(path, Entry::File { mode: 0o644, bytes: text.into_bytes().into() });
        // As dh_installsysusers has it: systemd itself, or the program alone.
        let names = ["systemd", "systemd-standalone-sysusers", "systemd-sysusers"];
        let names = names.map(|name| PackageName::parse(name).expect("a package's name"));
        self.relate(RelationField::Depends, Relation(names.map(|name| Relation::on(name).0.remove(0)).into()));
    }

    /// Who may be there and do what: the grants for the runtime, the groups' packages, a file of sudoers(5).
    pub(super) fn access(&mut self, access: &Access) {
        if access.is_empty() {
            return;
        }
        let text = Grants::of(access).text(&self.owner.package);
        self.entries.insert(self.inside("/grants"), Entry::File { mode: 0o644, bytes: text.into_bytes().into() });
        for group in access.groups() {
            self.relate(RelationField::Depends, Relation::on(self.owner.prefix.access_package(group)));
        }
        let Some(first) = access.sudo.first() else { return };
        self.relate(RelationField::Depends, Relation::on(PackageName::parse("sudo").expect("a package's name")));
        let number = match self.owner.rank {
            Rank::Role => 60,
            Rank::Host => 70,
        };
        // sudo ignores names with a dot, without a word (sudoers(5), @includedir), and a host's package has dots.
        let name = self.owner.package.as_str().replace('.', "_");
        let Some(path) = self.generated(&format!("/etc/sudoers.d/{number}-{name}"), first.span) else { return };
        let mut lines = Vec::new();
        for rule in &access.sudo {
            lines.extend(rule.reason.iter().map(|reason| format!("# {reason}")));
            lines.push(rule.line());
        }
        self.generated_file(&path, &lines.join("\n"), 0o440, first.span);
        // The whole of it: an error anywhere takes sudo from everybody.
        self.manifest.validate.insert(path, vec!["visudo -c".to_owned()]);
    }

    /// A diverted conffile looks to unattended-upgrades like one that somebody edited: with an upstream change of it, it
    /// holds the package back, unless apt is told what becomes of edited conffiles (its `conffile_prompt`).
    pub(super) fn keep_diverted_conffiles(&mut self, content: &Content) {
        let conffile =
            |file: &&File| file.policy == FilePolicy::Divert && file.path.value.as_str().starts_with("/etc/");
        let Some(file) = content.files.iter().find(conffile) else { return };
        let package = self.owner.package.clone();
        let text = "DPkg::Options { \"--force-confdef\"; \"--force-confold\"; };";
        if let Some(path) = self.generated(&format!("/etc/apt/apt.conf.d/60{package}.conf"), file.path.span) {
            self.generated_file(&path, text, 0o644, file.path.span);
        }
    }
}

/// A value between double quotes in environment.d(5): backslashes as in the shell, and `$$` for a dollar sign.
fn quoted(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '"' | '\\' | '`' => quoted.extend(['\\', c]),
            '$' => quoted.push_str("$$"),
            _ => quoted.push(c),
        }
    }
    quoted
}
