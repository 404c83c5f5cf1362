//! Backups: `<prefix>-backup` for the machines that have jobs, `<prefix>-backup-config` for those that keep them, and what
//! a role's or a host's own package brings for either. All of it comes from the same list of jobs, so that what is backed
//! up, what a server expects and what monitoring asks for are one.

use super::access::{content, file, package, plan};
use super::scripts;
use super::secret::{administrators, machine_key};
use crate::deb::gzip;
use crate::diagnostics::{Diagnostic, rules};
use crate::model::{Account, Backup, BackupServer, Content, FileText, Host, Keep, Model, Unit};
use crate::names::{AccountName, HostName, MachinePath, Prefix, RoleName, UnitName};
use crate::plan::{Entry, PackageKind, PackagePlan};
use crate::source::{Span, Spanned};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What runs jobs on the machine that is backed up.
pub const CLIENT: &str = include_str!("backup/client.sh");
/// What a machine may do on a server: sshd runs it.
pub const SERVE: &str = include_str!("backup/serve.sh");
/// What a server does with the backups: perl-base alone.
pub const SERVER: &str = include_str!("backup/server.pl");
/// The plugin that tells monitoring of one job.
pub const CHECK: &str = include_str!("backup/check.sh");
const CLIENT_SERVICE: &str = include_str!("backup/job.service");
const CLIENT_TIMER: &str = include_str!("backup/job.timer");
const WATCH_SERVICE: &str = include_str!("backup/watch.service");
const WATCH_TIMER: &str = include_str!("backup/watch.timer");
const CLIENT_MANUAL: &str = include_str!("backup/pg-backup.8");
const SERVER_MANUAL: &str = include_str!("backup/pg-backup-server.8");
const SSHD: &str = include_str!("backup/sshd.conf");

fn set(prefix: &Prefix, text: &str) -> String {
    text.replace("@PREFIX@", prefix.as_str())
}

/// The account that keeps the backups on a server.
pub fn account(prefix: &Prefix) -> AccountName {
    AccountName::parse(&format!("{prefix}-backup")).expect("a prefix makes a valid name")
}

/// The same as an account that the runtime makes.
pub fn keeper(prefix: &Prefix, server: &BackupServer) -> Account {
    Account {
        name: Spanned::new(account(prefix), server.directory.span),
        description: "Backups of the machines".to_owned(),
        home: server.directory.value.clone(),
        // It runs what sshd is told to, and nothing that a machine asks for.
        shell: MachinePath::parse("/bin/sh").expect("a path"),
        groups: Vec::new(),
    }
}

/// A job's name on machines: `web_www` of a role, `machine_www` of a host.
pub fn job_name(role: Option<&RoleName>, backup: &Backup) -> String {
    format!("{}_{}", role.map_or("machine", RoleName::as_str), backup.name.value)
}

const HEAD: &str = "debrole-backup-job 1\n";

fn excludes(backup: &Backup) -> impl Iterator<Item = String> {
    backup.exclude.iter().map(|pattern| format!("exclude {}\n", pattern.value))
}

/// What a machine leaves out of a role's job, where that is not what the role does.
pub fn own_excludes(usual: &Backup, own: &Backup) -> Option<String> {
    let values = |backup: &Backup| backup.exclude.iter().map(|pattern| pattern.value.clone()).collect::<Vec<_>>();
    (values(usual) != values(own)).then(|| excludes(own).fold(HEAD.to_owned(), |text, line| text + &line))
}

/// What the package ships of a job: name, mode and text of each file.
pub fn job_files(backup: &Backup) -> Vec<(String, u32, String)> {
    let name = &backup.name.value;
    let mut text = HEAD.to_owned();
    text.extend(backup.paths.iter().map(|path| format!("path {}\n", path.value)));
    text.extend(excludes(backup));
    for dump in &backup.dumps {
        text.push_str(&format!("dump {} {} {}\n", dump.file.value, dump.user, dump.command.value.trim()));
    }
    let mut files = vec![(name.clone(), 0o644, text)];
    for (when, fragment) in [("before", &backup.before), ("after", &backup.after)] {
        if let Some(fragment) = fragment {
            let body = fragment.value.strip_prefix("#!/bin/sh\n").unwrap_or(&fragment.value).trim_end();
            files.push((format!("{name}.{when}"), 0o755, format!("#!/bin/sh\nset -e\n\n{body}\n")));
        }
    }
    files
}

fn unit(name: String, text: String, enable: bool, span: Span) -> Unit {
    let bytes: Arc<[u8]> = text.into_bytes().into();
    let name = UnitName::parse(&name).expect("a job's name makes a unit's");
    Unit { name: Spanned::new(name, span), text: FileText::Plain(bytes), enable }
}

/// The timer of a job; `span` is where it is written.
pub fn timer(prefix: &Prefix, job: &str, backup: &Backup, span: Span) -> Unit {
    let text = set(prefix, CLIENT_TIMER).replace("@JOB@", job).replace("@SCHEDULE@", &backup.schedule);
    unit(format!("{prefix}-backup-{job}.timer"), text, true, span)
}

/// What a server's role says to the programs there.
pub fn server_record(server: &BackupServer) -> String {
    format!("directory {}\nkeep-left {}\n", server.directory.value, server.keep_left)
}

/// The units of a server.
pub fn server_units(prefix: &Prefix, server: &BackupServer) -> Vec<Unit> {
    let of = |name: &str, text, enable| {
        unit(format!("{prefix}-backup-{name}"), set(prefix, text), enable, server.directory.span)
    };
    vec![of("watch.service", WATCH_SERVICE, false), of("watch.timer", WATCH_TIMER, true)]
}

/// A job of a machine.
#[derive(Debug, Clone)]
pub struct Job<'m> {
    pub client: &'m Host,
    pub name: String,
    pub backup: &'m Backup,
}

/// All jobs of all machines that there are, sorted by machine and name.
pub fn jobs(model: &Model) -> Vec<Job<'_>> {
    let mut jobs = Vec::new();
    for host in model.hosts.values().filter(|host| !host.is_to_come()) {
        let mut own: BTreeMap<String, &Backup> = BTreeMap::new();
        own.extend(model.backups(host).map(|(role, backup)| (job_name(role, backup), backup)));
        jobs.extend(own.into_iter().map(|(name, backup)| Job { client: host, name, backup }));
    }
    jobs
}

/// The machines that keep backups.
pub fn servers(model: &Model) -> Vec<&Host> {
    let keeps = |host: &&Host| model.contents_of(host).any(|content| content.backup_server.is_some());
    model.hosts.values().filter(keeps).collect()
}

/// What monitoring is to ask a server: whether one job's backups are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgeCheck {
    /// Where it is asked.
    pub server: HostName,
    /// Whose backups are meant.
    pub client: HostName,
    pub job: String,
    /// The NRPE command's name on the server.
    pub command: String,
    /// What it runs, as any user.
    pub line: String,
}

/// Every job, on every server that keeps it: sorted by server, machine and job.
pub fn checks(model: &Model) -> Vec<AgeCheck> {
    let prefix = &model.fleet.prefix;
    let jobs = jobs(model);
    let mut checks = Vec::new();
    for server in servers(model) {
        for job in jobs.iter().filter(|job| job.client.name.value != server.name.value) {
            let (client, job) = (&job.client.name.value, &job.name);
            checks.push(AgeCheck {
                server: server.name.value.clone(),
                client: client.clone(),
                job: job.clone(),
                command: format!("backup_{client}_{job}"),
                line: format!("/usr/lib/{prefix}/check-backup {client} {job}"),
            });
        }
    }
    checks
}

/// Every content of the tree, of roles and hosts.
fn everything(model: &Model) -> impl Iterator<Item = &Content> {
    let roles = model.roles.values().flat_map(|role| role.contents.values()).map(|content| &**content);
    roles.chain(model.hosts.values().map(|host| &host.content))
}

/// The packages that roles with jobs and roles of servers need.
pub fn lower(model: &Model) -> Vec<PackagePlan> {
    let mut plans = Vec::new();
    if everything(model).any(|content| !content.backups.is_empty()) {
        plans.push(client(model));
    }
    if everything(model).any(|content| content.backup_server.is_some()) {
        plans.push(server(model));
    }
    plans
}

fn script(prefix: &Prefix, text: &str) -> Entry {
    Entry::File { mode: 0o755, bytes: set(prefix, text).into_bytes().into() }
}

fn manual(prefix: &Prefix, text: &str) -> Entry {
    let text = gzip::compress(set(prefix, text).as_bytes(), gzip::Level::Best);
    Entry::File { mode: 0o644, bytes: text.into() }
}

/// To whom each machine's key is encrypted: the servers and the administrators.
fn recipients(model: &Model) -> String {
    let servers = servers(model);
    let servers = servers.iter().filter_map(|host| Some(format!("{} {}\n", bare(machine_key(host)?), host.name.value)));
    let people = administrators(model).into_iter().map(|(who, key)| format!("{} {who}\n", bare(key)));
    let mut text =
        "# To whom the key of each machine's backups is encrypted: the servers and the administrators.\n".to_owned();
    text.extend(servers.chain(people));
    text
}

fn bare(key: &crate::ssh_key::PublicKey) -> String {
    format!("{} {}", key.kind(), key.base64())
}

fn client(model: &Model) -> PackagePlan {
    let fleet = &model.fleet;
    let prefix = &fleet.prefix;
    let name = prefix.backup_package();
    let mut depends = BTreeSet::from(["age", "openssh-client", "restic"].map(package));
    depends.insert(prefix.runtime_package());
    if model.hosts.values().any(|host| !host.host_keys.is_empty() || !host.retired_host_keys.is_empty()) {
        depends.insert(prefix.known_hosts_package());
    }
    let servers: String = servers(model).iter().map(|host| format!("{}\n", host.name.value)).collect();
    let deb = content(
        model,
        format!("runs the backup jobs of the roles of {}", fleet.label),
        format!(
            "Roles with backup jobs need this package. Their timers have it back up what they name, by restic through SSH, \
             to the machines of {} that keep backups. This machine is known to them by its SSH host key. It can add backups \
             and read its own, and neither change nor remove any.\n\nThe password of its repository is made on this machine \
             and is in no package; the servers have it encrypted to themselves and to the administrators.",
            fleet.label
        ),
        depends,
        vec![
            (format!("/usr/sbin/{name}"), script(prefix, CLIENT)),
            (format!("/usr/share/{prefix}/backup/servers"), file(servers)),
            (format!("/usr/share/{prefix}/backup/recipients"), file(recipients(model))),
            (format!("/usr/lib/systemd/system/{prefix}-backup@.service"), file(set(prefix, CLIENT_SERVICE))),
            (format!("/usr/share/man/man8/{name}.8.gz"), manual(prefix, CLIENT_MANUAL)),
        ],
        scripts::backup_client(prefix),
    );
    plan(model, name, PackageKind::Backup, None, deb)
}

fn server(model: &Model) -> PackagePlan {
    let fleet = &model.fleet;
    let prefix = &fleet.prefix;
    let name = prefix.backup_config_package();
    let mut depends = BTreeSet::from(["age", "openssh-server", "rclone", "restic"].map(package));
    depends.insert(prefix.runtime_package());
    let home = format!("/usr/share/{prefix}/backup-server");
    let deb = content(
        model,
        format!("what a machine needs to keep the backups of {}", fleet.label),
        format!(
            "Roles of backup servers need this package. It has the list of the machines of {} whose backups are expected, job \
             by job, and lets each of them in by its SSH host key, to its own backups and to nothing else. What arrives is \
             looked at every ten minutes: whether it is there, recent, and large enough; what need not be kept any more is \
             removed, and every month a sample is restored. {prefix}-backup-server lists and restores backups.\n\nRemoving \
             this package lets nobody in any more. The backups stay.",
            fleet.label
        ),
        depends,
        vec![
            (format!("/usr/sbin/{prefix}-backup-server"), script(prefix, SERVER)),
            (format!("/usr/lib/{prefix}/backup-serve"), script(prefix, SERVE)),
            (format!("/usr/lib/{prefix}/check-backup"), script(prefix, CHECK)),
            (format!("{home}/expected"), file(expected(model))),
            (format!("{home}/keys"), file(keys(model))),
            (format!("{home}/recipients"), file(recipients(model))),
            (format!("{home}/sshd.conf"), file(set(prefix, SSHD))),
            (format!("/etc/ssh/sshd_config.d/10-{name}.conf"), Entry::Symlink { target: format!("{home}/sshd.conf") }),
            (format!("/usr/share/man/man8/{prefix}-backup-server.8.gz"), manual(prefix, SERVER_MANUAL)),
        ],
        scripts::backup_server(prefix),
    );
    plan(model, name, PackageKind::Backup, None, deb)
}

/// What servers expect:
///
/// ```text
/// debrole-backup 1
/// client FQDN
/// job FQDN JOB WARN CRITICAL LEAST ALL DAILY WEEKLY MONTHLY        seconds, but for LEAST: bytes
/// ```
fn expected(model: &Model) -> String {
    let mut text = "debrole-backup 1\n".to_owned();
    let mut client = None;
    for Job { client: host, name, backup } in jobs(model) {
        let fqdn = &host.name.value;
        if client.replace(fqdn) != Some(fqdn) {
            text.push_str(&format!("client {fqdn}\n"));
        }
        let Backup { warn_after, critical_after, at_least, keep, .. } = backup;
        let Keep { all, daily, weekly, monthly } = keep;
        let least = at_least.unwrap_or(0);
        text.push_str(&format!(
            "job {fqdn} {name} {warn_after} {critical_after} {least} {all} {daily} {weekly} {monthly}\n"
        ));
    }
    text
}

/// sshd(8), AUTHORIZED_KEYS FILE FORMAT: each machine by its host key, and one program.
fn keys(model: &Model) -> String {
    let prefix = &model.fleet.prefix;
    let clients: BTreeMap<&HostName, &Host> =
        jobs(model).into_iter().map(|job| (&job.client.name.value, job.client)).collect();
    let lines = clients.into_iter().filter_map(|(fqdn, host)| {
        let key = bare(machine_key(host)?);
        Some(format!("restrict,command=\"/usr/lib/{prefix}/backup-serve {fqdn}\" {key} {fqdn}\n"))
    });
    lines.collect()
}

/// Two jobs of a machine that everybody would take for one.
fn same_name(model: &Model, host: &Host, out: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<String, &Backup> = BTreeMap::new();
    for (role, backup) in model.backups(host) {
        let Some(other) = seen.insert(job_name(role, backup), backup) else { continue };
        let name = &backup.name.value;
        out.push(
            Diagnostic::new(
                &rules::backup_job_twice::RULE,
                format!(
                    "{} has two backup jobs machine_{name}: one of the role machine and one of its own",
                    host.name.value
                ),
            )
            .at(backup.name.span, "the machine's own")
            .also(other.name.span, "of the role machine")
            .help("give one of them another name"),
        );
    }
}

/// Whether it is the clash of the units of two jobs whose names clash.
pub fn is_told(diagnostic: &Diagnostic, told: &[Diagnostic]) -> bool {
    let places =
        |of: &Diagnostic| -> BTreeSet<_> { of.primary.iter().chain(&of.secondary).map(|label| label.span).collect() };
    diagnostic.rule.code == rules::path_claimed_twice::RULE.code
        && told
            .iter()
            .any(|other| other.rule.code == rules::backup_job_twice::RULE.code && places(other) == places(diagnostic))
}

/// What is wrong between the jobs, the servers and their keys.
pub fn check(model: &Model) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for host in model.hosts.values() {
        same_name(model, host, &mut out);
    }
    let jobs = jobs(model);
    let Some(first) = jobs.first() else { return out };
    let servers = servers(model);
    if servers.is_empty() {
        out.push(
            Diagnostic::new(
                &rules::no_backup_server::RULE,
                format!("{} has the backup job {}, and no machine keeps backups", first.client.name.value, first.name),
            )
            .at(
                first.backup.name.span,
                match jobs.len() {
                    1 => "this job".to_owned(),
                    count => format!("one of {count} jobs"),
                },
            )
            .help("give a machine a role with [backup_server]"),
        );
        return out;
    }
    let key = |host: &Host, what: &str, used: &Backup, out: &mut Vec<Diagnostic>| {
        if machine_key(host).is_none() {
            out.push(
                Diagnostic::new(
                    &rules::backup_without_host_key::RULE,
                    format!("{} {what}, and has no Ed25519 host key to be known by", host.name.value),
                )
                .at(host.name.span, "ssh_host_key is missing here")
                .also(used.name.span, "a job of it")
                .help("write it: ssh_host_key = \"ssh-ed25519 …\", as in /etc/ssh/ssh_host_ed25519_key.pub of the machine"),
            );
        }
    };
    let mut seen = BTreeSet::new();
    for job in &jobs {
        if seen.insert(&job.client.name.value) {
            key(job.client, "is backed up", job.backup, &mut out);
        }
        if let [only] = servers[..]
            && only.name.value == job.client.name.value
        {
            out.push(
                Diagnostic::new(
                    &rules::backup_only_at_home::RULE,
                    format!(
                        "{} is the only backup server: its own job {} has nowhere to go",
                        only.name.value, job.name
                    ),
                )
                .at(job.backup.name.span, "this job")
                .also(only.name.span, "of this machine")
                .help("give another machine a role with [backup_server], or take the job from this one"),
            );
        }
    }
    for server in &servers {
        if !seen.contains(&server.name.value) {
            key(server, "keeps backups", first.backup, &mut out);
        }
    }
    if administrators(model).is_empty() {
        out.push(
            Diagnostic::new(
                &rules::backup_without_recovery::RULE,
                "no administrator could read the backups: without their server nobody could",
            )
            .at(first.backup.name.span, "backed up here")
            .help("name who can in debrole.toml: [secrets] with groups = [\"sysadmins\"], or the keys as recipients"),
        );
    }
    out
}
