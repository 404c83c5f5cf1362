//! `<prefix>-nagios-config`, on the machines of roles with `[nagios_server]`: what Nagios asks all machines, who hears of
//! it, and the account by which machines exchange certificates.

mod main_file;
mod objects;
mod people;
mod services;

pub use main_file::{main_file, main_path};
pub use objects::objects;
pub use people::{contacts, reachable, used_groups};

use super::agent::{Made, Pieces, account, head, home, path, plan, text};
use super::{nagios_teardown, nagios_web};
use crate::model::monitoring::{CheckKind, EVERYTHING};
use crate::model::{Account, Content, Host, Model};
use crate::names::PackageName;
use crate::plan::PackagePlan;
use crate::relation::RelationField;
use crate::source::{Span, Spanned};
use main_file::directory;
use std::collections::{BTreeMap, BTreeSet};

/// The machines that are watched: those that there are.
pub fn watched(model: &Model) -> impl Iterator<Item = &Host> {
    model.hosts.values().filter(|host| !host.skips(EVERYTHING) && !host.is_to_come())
}

/// As `skip` of a machine names the age of a job's backups.
pub fn backup_key(job: &str) -> String {
    format!("backup/{job}")
}

/// The commands by which a backup server is asked for the age of the backups that it keeps; empty on other machines.
pub fn backup_commands(model: &Model, host: &Host) -> String {
    if !model.contents_of(host).any(|content| content.backup_server.is_some()) {
        return String::new();
    }
    let checks = crate::lower::backup::checks(model);
    let own = checks.iter().filter(|age| age.server == host.name.value);
    own.map(|age| format!("command[{}]={}\n", age.command, age.line)).collect()
}

/// Whether the machine's roles have it tell problems.
pub fn notifies(model: &Model, host: &Host) -> bool {
    model.roles_of(host).filter_map(|role| role.monitoring.nagios_server.as_ref()).any(|server| server.notify)
}

/// The keys by which the machines are known that exchange certificates, in the form of sshd(8).
fn agent_keys(model: &Model) -> String {
    let prefix = &model.fleet.prefix;
    let line = |host: &Host, key: &dyn std::fmt::Display| {
        format!("restrict,command=\"/usr/lib/{prefix}/agent accept {}\" {key}\n", host.name.value)
    };
    let lines = model.hosts.values().flat_map(|host| host.host_keys.iter().map(move |key| line(host, &key.value)));
    lines.collect()
}

/// None where no role is a server.
pub fn lower(model: &Model) -> Option<PackagePlan> {
    let server = model.roles.values().find_map(|role| role.monitoring.nagios_server.as_ref())?;
    let fleet = &model.fleet;
    let prefix = &fleet.prefix;
    let package = prefix.nagios_config_package();
    let made = made(model, &package, server.span);
    Some(plan(model, package, &made))
}

fn made(model: &Model, package: &PackageName, span: Span) -> Made {
    let fleet = &model.fleet;
    let prefix = &fleet.prefix;
    let pieces = Pieces { span };
    let own_home = home(prefix, package);
    let directory = directory(prefix);
    let main = main_path(prefix);
    let nagios = "nagios4.service";
    // All of them are read as one: whichever changed, the whole is looked at.
    let validate = format!("nagios4 -v {main} >/dev/null");
    let mut files = vec![pieces.file(main.as_str(), main_file(prefix, package, true), &validate, &[nagios], &[])];
    for (name, text) in objects(model, package) {
        files.push(pieces.file(&format!("{directory}/{name}"), text, &validate, &[nagios], &[]));
    }
    let keys = own_home.join(&path("/agents.keys"));
    files.push(pieces.file(
        &format!("/etc/ssh/sshd_config.d/20-{prefix}-agents.conf"),
        format!(
            "\
{}# By this account machines exchange certificates for NRPE; each is known by its host key.
Match User {prefix}-agents
    AuthorizedKeysFile {keys}
    AuthorizedKeysCommand none
    TrustedUserCAKeys none
    AuthorizedPrincipalsFile none
    PasswordAuthentication no
    KbdInteractiveAuthentication no
    HostbasedAuthentication no
    PubkeyAuthentication yes
Match all
",
            head(package)
        ),
        "mkdir -p /run/sshd && sshd -t",
        &["ssh.service"],
        &[],
    ));
    // Trixie's ping has no rights of its own; it goes by this, which a package sets that is only recommended.
    files.push(pieces.file(
        &format!("/etc/sysctl.d/60-{package}.conf"),
        format!("{}net.ipv4.ping_group_range = 0 2147483647\n", head(package)),
        "",
        &[],
        &["systemd-sysctl.service"],
    ));
    for (at, text) in nagios_web(prefix) {
        let reload: &[&str] = if at.starts_with("/etc/apache2/") { &["apache2.service"] } else { &[] };
        files.push(pieces.file(&at, text, "", reload, &[]));
    }
    let mut depends: BTreeSet<String> =
        ["apache2", "bsd-mailx", "monitoring-plugins-basic", "nagios-nrpe-plugin", "nagios4", "openssh-server"]
            .into_iter()
            .map(str::to_owned)
            .collect();
    depends.insert(prefix.agent_package().to_string());
    for host in watched(model) {
        for (_, check) in model.checks(host).filter(|(_, check)| matches!(check.kind, CheckKind::Active(_))) {
            depends.extend(check.packages.iter().map(PackageName::to_string));
        }
    }
    let depends: Vec<&str> = depends.iter().map(String::as_str).collect();
    let content = Content {
        relations: BTreeMap::from([(RelationField::Depends, pieces.depends(&depends))]),
        files,
        services: vec![
            pieces.enabled(
                nagios,
                // /etc/default/nagios4 would win over a variable here.
                Some(format!("[Service]\nExecStart=\nExecStart=/usr/sbin/nagios4 {main}\n")),
            ),
            pieces.enabled("apache2.service", None),
        ],
        accounts: vec![Account {
            name: Spanned::new(account(&format!("{prefix}-agents")), span),
            description: "exchange of certificates for NRPE".to_owned(),
            home: path("/nonexistent"),
            shell: path("/bin/sh"),
            // Those may write to Nagios' command file: machines tell of passive checks.
            groups: vec![account("www-data")],
        }],
        teardown: Some(Spanned::new(nagios_teardown(prefix), span)),
        ..Content::default()
    };
    Made {
        content,
        entries: BTreeMap::from([(keys, text(agent_keys(model)))]),
        summary: format!("what Nagios asks the machines of {}", fleet.label),
        description: format!(
            "This package has Nagios watch the machines of {}: each for what every machine is asked and for the checks \
             of its roles. The files are looked at by Nagios itself before they take effect; where it refuses them, it \
             goes on with those that it has. Problems are told by mail.\n\nIts web pages are at /nagios4, for the \
             administrators of this machine.",
            fleet.label
        ),
    }
}
