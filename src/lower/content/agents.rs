//! What the agents of monitoring and backups are told.

use super::{Assembly, Effect, Rank};
use crate::lower::backup;
use crate::lower::machine_manifest::Ownership;
use crate::lower::monitoring::agent::head;
use crate::lower::monitoring::role as monitoring;
use crate::model::monitoring::Place;
use crate::model::{Backup, Content, FileText};
use crate::names::{MachinePath, PackageName, RoleName};
use crate::plan::Entry;
use crate::relation::{Relation, RelationField};
use crate::source::{Span, Spanned};

impl Assembly<'_> {
    /// Its checks and plugins: commands of NRPE, rules of sudo for them, the list of plugins and their settings.
    pub(super) fn monitoring(&mut self, content: &Content) {
        if !content.needs_agent() {
            return;
        }
        self.relate(RelationField::Depends, Relation::on(self.owner.prefix.agent_package()));
        for package in monitoring::packages(content) {
            self.relate(RelationField::Depends, Relation::on(package));
        }
        let package = self.owner.package.clone();
        let (number, role) = match self.owner.rank {
            Rank::Role => (60, RoleName::parse(self.owner.directory()).ok()),
            Rank::Host => (70, None),
        };
        let place = role.as_ref().map_or(Place::Host, Place::Role);
        let commands = monitoring::commands(place, content, |check| check.thresholds.clone());
        if let Some(first) = content.checks.first().filter(|_| !commands.is_empty()) {
            let path = checks_path(number, &package);
            self.generated_file(&path, &commands, 0o644, first.name.span);
            self.manifest.restart.insert((path, monitoring::nrpe_service()));
            let sudoers = monitoring::sudoers(content);
            if !sudoers.is_empty() {
                self.relate(
                    RelationField::Depends,
                    Relation::on(PackageName::parse("sudo").expect("a package's name")),
                );
                // (sudo ignores names with a dot.)
                let name = package.as_str().replace('.', "_");
                if let Some(path) = self.generated(&format!("/etc/sudoers.d/{number}-{name}-checks"), first.name.span) {
                    self.generated_file(&path, &sudoers, 0o440, first.name.span);
                    self.manifest.validate.insert(path, vec!["visudo -c".to_owned()]);
                }
            }
        }
        let links = content.munin.iter().map(|plugin| (plugin.name.value.clone(), plugin.target.clone()));
        if let Some(list) = monitoring::munin_list(&package, links) {
            self.entries.insert(self.inside("/munin"), Entry::File { mode: 0o644, bytes: list.into_bytes().into() });
        }
        let settings = monitoring::munin_settings(content);
        if let Some(first) = content.munin.first().filter(|_| !settings.is_empty())
            && let Some(path) = self.generated(&format!("/etc/munin/plugin-conf.d/{number}-{package}"), first.name.span)
        {
            self.generated_file(&path, &settings, 0o644, first.name.span);
            self.manifest.restart.insert((path, monitoring::munin_service()));
        }
    }

    /// Backup jobs: what each is, for the program that runs it, and a timer.
    pub(super) fn backups(&mut self, content: &Content) {
        for backup in &content.backups {
            for (name, mode, text) in backup::job_files(backup) {
                let path = self.inside(&format!("/backup/{name}"));
                self.entries.insert(path, Entry::File { mode, bytes: text.into_bytes().into() });
            }
            let role = match self.owner.rank {
                Rank::Role => RoleName::parse(self.owner.directory()).ok(),
                Rank::Host => None,
            };
            let job = backup::job_name(role.as_ref(), backup);
            let unit = backup::timer(self.owner.prefix, &job, backup, backup.name.span);
            if let FileText::Plain(bytes) = &unit.text {
                self.unit(&unit, true, bytes);
            }
            self.relate(RelationField::Depends, Relation::on(self.owner.prefix.backup_package()));
        }
        let Some(server) = &content.backup_server else { return };
        let text = backup::server_record(server).into_bytes().into();
        self.entries.insert(self.inside("/backup-server"), Entry::File { mode: 0o644, bytes: text });
        let account = backup::account(self.owner.prefix);
        let ownership = Ownership { mode: 0o700, owner: account.clone(), group: account };
        self.directory(&server.directory, ownership);
        for unit in backup::server_units(self.owner.prefix, server) {
            if let FileText::Plain(bytes) = &unit.text {
                self.unit(&unit, unit.enable, bytes);
            }
        }
        self.relate(RelationField::Depends, Relation::on(self.owner.prefix.backup_config_package()));
    }

    /// What a job of a role's is on this machine: what is left out, and when it is run.
    pub fn own_job(&mut self, role: &RoleName, usual: &Backup, own: &Spanned<Backup>) {
        let job = backup::job_name(Some(role), usual);
        if let Some(text) = backup::own_excludes(usual, own) {
            let path = self.inside(&format!("/backup-jobs/{job}"));
            self.entries.insert(path, Entry::File { mode: 0o644, bytes: text.into_bytes().into() });
        }
        if own.schedule != usual.schedule {
            let unit = backup::timer(self.owner.prefix, &job, own, own.span);
            if let FileText::Plain(bytes) = &unit.text {
                self.rendered_unit(&unit, bytes);
            }
        }
    }

    /// The commands by which a backup server is asked.
    pub fn backup_checks(&mut self, commands: &str, span: Span) {
        let path = format!("/etc/nagios/nrpe.d/80-{}-backup.cfg", self.owner.prefix);
        if let Some(path) = self.generated(&path, span) {
            self.generated_file(&path, commands, 0o644, span);
            self.manifest.restart.insert((path, monitoring::nrpe_service()));
        }
    }

    /// A machine's own version of the commands of a role of its own, with its thresholds.
    pub fn rendered_checks(&mut self, package: &PackageName, commands: &str, span: Span) {
        let path = checks_path(60, package);
        self.rendering(
            &path,
            &format!("{}{commands}", head(&self.owner.package)),
            Effect::Restart("nagios-nrpe-server.service"),
            span,
        );
    }
}

/// The file with a package's commands of NRPE.
fn checks_path(number: u32, package: &PackageName) -> MachinePath {
    MachinePath::parse(&format!("/etc/nagios/nrpe.d/{number}-{package}.cfg")).expect("a package's name in a path")
}
