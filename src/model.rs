//! The fleet as it is meant: names resolved, relations parsed, every reference checked. What [`crate::resolve`]
//! makes and [`crate::lower`] reads. Collections are sorted, so that whatever is made from them is too.

pub mod monitoring;
pub mod vm;

use crate::age;
use crate::names::{
    AccountName, Architecture, Codename, GroupName, HostName, MachinePath, PackageName, Prefix, RoleName, SecretName,
    UnitName, UserName,
};
use crate::relation::{Relation, RelationField};
use crate::source::{Span, Spanned};
use crate::ssh_key::PublicKey;
use jiff::civil::Date;
use monitoring::{Check, CheckKind, HostMonitoring, Monitoring, MuninPlugin, RoleMonitoring};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// The whole tree.
#[derive(Debug, Clone)]
pub struct Model {
    pub fleet: Fleet,
    pub roles: BTreeMap<RoleName, Role>,
    pub hosts: BTreeMap<HostName, Host>,
    pub people: People,
    pub secrets: Secrets,
    /// `packages/*.deb`, sorted by file name: published as they are.
    pub site_packages: Vec<SitePackage>,
}

/// debrole.toml.
#[derive(Debug, Clone)]
pub struct Fleet {
    pub prefix: Prefix,
    /// `Origin` of the Release files. Frozen from the first publish on: apt refuses a change.
    pub origin: String,
    /// `Label` of the Release files. Frozen likewise.
    pub label: String,
    /// `Maintainer` of the packages: `Name <mail@address>`.
    pub maintainer: String,
    /// Where machines fetch `repo-out/` from, without a final slash.
    pub uri: Spanned<String>,
    pub homepage: Option<String>,
    /// Sorted, never empty.
    pub architectures: BTreeSet<Architecture>,
    /// Sorted by version, oldest first; never empty.
    pub releases: Vec<Release>,
    /// How long after its signature a Release file is valid, in seconds.
    pub valid_for: u64,
    /// Packages of the site's own that may take the place of Debian's.
    pub pin_allow: Vec<Spanned<PackageName>>,
    /// How often machines ask for what is new.
    pub refresh: Refresh,
    /// Full fingerprint of the archive's primary key, upper case hex, where the tree pins one.
    pub key: Option<Spanned<String>>,
    pub drift: Drift,
    pub monitoring: Monitoring,
    /// The networks that virtual machines are in, by name.
    pub networks: BTreeMap<String, vm::Network>,
    /// The first and the last number that users and groups of the fleet get.
    pub uids: (u32, u32),
    /// `fleet.NAME` in templates.
    pub values: Values,
    /// Defaults of `host.NAME` for the whole fleet.
    pub host_values: Values,
    /// Where debrole.toml begins: for what has no better place.
    pub span: Span,
    pub places: FleetPlaces,
}

/// Where debrole.toml says what can't change once it is published.
#[derive(Debug, Clone, Copy)]
pub struct FleetPlaces {
    pub prefix: Span,
    pub origin: Span,
    pub label: Span,
}

/// The longest time, in seconds, after which a machine has what was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refresh {
    /// The keyring and the access packages.
    pub keyring: u64,
    /// All packages.
    pub roles: u64,
}

impl Default for Refresh {
    /// 10 minutes and 4 hours.
    fn default() -> Refresh {
        Refresh { keyring: 600, roles: 14_400 }
    }
}

/// `[drift]`: what machines do about what is no longer as their packages say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// Whether the daily timer repairs what it finds.
    pub repair: bool,
    /// How many copies of one path are kept; 1 to 1000.
    pub copies: u32,
    /// For how many days they are kept; 1 to 3650.
    pub copy_days: u32,
}

impl Default for Drift {
    fn default() -> Self {
        Drift { repair: true, copies: 10, copy_days: 180 }
    }
}

/// A Debian release that the fleet runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    pub codename: Spanned<Codename>,
    /// The number after `debian_version`: 12 for bookworm. In versions as `+deb12`.
    pub version: u32,
    /// apt sources of Debian itself, for the archive check and for provisioning.
    pub sources: Vec<ArchiveSource>,
    /// The keyring file that they are signed by; None: Debian's own.
    pub keyring: Option<PathBuf>,
}

/// One deb822 source of Debian packages.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArchiveSource {
    pub uri: String,
    pub suite: String,
    pub components: Vec<String>,
}

impl Fleet {
    pub fn release(&self, codename: &Codename) -> Option<&Release> {
        self.releases.iter().find(|r| r.codename.value == *codename)
    }
}

pub type Values = BTreeMap<String, Spanned<Value>>;

/// A value for templates.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    String(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Array(Vec<Value>),
    Table(BTreeMap<String, Value>),
}

/// `roles/<role>.toml`.
#[derive(Debug, Clone)]
pub struct Role {
    pub name: Spanned<RoleName>,
    /// One line, no final full stop (Debian Policy 3.4.1).
    pub summary: String,
    /// Paragraphs of plain text, without control-file markup; may be empty.
    pub description: String,
    /// Direct includes, in the order written. Free of cycles.
    pub includes: Vec<Spanned<RoleName>>,
    /// Defaults of the `host.NAME` values that its templates use.
    pub values: Values,
    pub monitoring: RoleMonitoring,
    /// What it is on each release that it exists for: the common part with that release's part merged in. Releases
    /// without a part of their own share one.
    pub contents: BTreeMap<Codename, Arc<Content>>,
}

/// `hosts/<fqdn>.toml`.
#[derive(Debug, Clone)]
pub struct Host {
    pub name: Spanned<HostName>,
    pub summary: Option<String>,
    pub roles: Vec<Spanned<RoleName>>,
    pub release: Spanned<Codename>,
    pub addresses: Vec<Spanned<IpAddr>>,
    /// The machine's SSH host keys.
    pub host_keys: Vec<Spanned<PublicKey>>,
    /// Those that it had before.
    pub retired_host_keys: Vec<Spanned<PublicKey>>,
    pub values: Values,
    pub monitoring: HostMonitoring,
    /// `[backup_job."ROLE/JOB"]`: what jobs of its roles are on this machine, whole; by role and name.
    pub backup_jobs: BTreeMap<(RoleName, String), Spanned<Backup>>,
    /// That it is a virtual machine.
    pub vm: Option<vm::Vm>,
    /// That virtual machines can be on it.
    pub hypervisor: Option<vm::Hypervisor>,
    /// What is particular to this machine (a host may have all tables of a role).
    pub content: Content,
}

impl Host {
    /// Whether it is a virtual machine that was never made: it has no host key yet. Nobody misses it: it is not monitored,
    /// no backups of it are expected, and secrets are encrypted to it when it has one.
    pub fn is_to_come(&self) -> bool {
        self.vm.is_some() && self.host_keys.is_empty()
    }

    /// What a job of a role's is on this machine, where that is something else.
    pub fn own_backup(&self, role: &RoleName, backup: &Backup) -> Option<&Backup> {
        // (Asked for all jobs of all machines: most have none.)
        if self.backup_jobs.is_empty() {
            return None;
        }
        self.backup_jobs.get(&(role.clone(), backup.name.value.clone())).map(|own| &own.value)
    }
}

impl Model {
    /// All roles that a machine with these roles has: them and what they include, each once, sorted.
    pub fn closure<'a>(&'a self, roles: impl IntoIterator<Item = &'a RoleName>) -> BTreeSet<&'a RoleName> {
        closure(&self.roles, roles)
    }

    /// All backup jobs of a machine as they are there, each with the role whose it is; last those of its own.
    pub fn backups<'m>(&'m self, host: &'m Host) -> impl Iterator<Item = (Option<&'m RoleName>, &'m Backup)> {
        let roles = self.roles_of(host).filter_map(|role| Some((role, role.contents.get(&host.release.value)?)));
        let of_roles = roles.flat_map(move |(role, content)| {
            let role = &role.name.value;
            content.backups.iter().map(move |backup| (Some(role), host.own_backup(role, backup).unwrap_or(backup)))
        });
        of_roles.chain(host.content.backups.iter().map(|backup| (None, backup)))
    }
}

/// These roles and what they include, each once, sorted.
pub fn closure<'a>(
    roles: &'a BTreeMap<RoleName, Role>,
    names: impl IntoIterator<Item = &'a RoleName>,
) -> BTreeSet<&'a RoleName> {
    let mut seen = BTreeSet::new();
    let mut todo: Vec<&RoleName> = names.into_iter().collect();
    while let Some(name) = todo.pop() {
        if seen.insert(name)
            && let Some(role) = roles.get(name)
        {
            todo.extend(role.includes.iter().map(|r| &r.value));
        }
    }
    seen
}

/// What a role is on one release, or a host on its own.
#[derive(Debug, Clone, Default)]
pub struct Content {
    pub relations: BTreeMap<RelationField, Vec<Spanned<Relation>>>,
    pub files: Vec<File>,
    pub symlinks: Vec<Symlink>,
    pub directories: Vec<Directory>,
    pub services: Vec<Service>,
    pub units: Vec<Unit>,
    /// Kernel parameter → value, such as `net.ipv4.ip_forward` → `1` (sysctl.d(5)).
    pub sysctl: BTreeMap<String, Spanned<String>>,
    pub cron: Vec<CronJob>,
    pub environment: BTreeMap<String, Spanned<String>>,
    pub debconf: Vec<DebconfAnswer>,
    pub absent: Vec<Absent>,
    pub accounts: Vec<Account>,
    pub secrets: Vec<Secret>,
    pub access: Access,
    pub backups: Vec<Backup>,
    pub backup_server: Option<BackupServer>,
    pub checks: Vec<Check>,
    pub munin: Vec<MuninPlugin>,
    /// A POSIX sh fragment, run by `apply` after files and before services, when it changed or never succeeded.
    pub setup: Option<Spanned<String>>,
    /// A POSIX sh fragment, run when the package is removed, before its files go.
    pub teardown: Option<Spanned<String>>,
}

impl Content {
    /// Whether something of it is for the agent: a command of NRPE, a plugin of Munin, or a report of its own.
    pub fn needs_agent(&self) -> bool {
        !self.munin.is_empty() || self.checks.iter().any(|check| !matches!(check.kind, CheckKind::Active(_)))
    }
}

/// `[[file]]`: one managed file. (A whole directory arrives here as one `File` for each file in it.)
#[derive(Debug, Clone)]
pub struct File {
    pub path: Spanned<MachinePath>,
    pub text: FileText,
    /// Permission bits, at most 0o7777.
    pub mode: u32,
    pub owner: AccountName,
    pub group: AccountName,
    /// Commands (run by `sh -c` in the private view of /etc) that must succeed before the file takes effect.
    pub validate: Vec<Spanned<String>>,
    pub reload: Vec<Spanned<UnitName>>,
    pub restart: Vec<Spanned<UnitName>>,
    pub policy: FilePolicy,
    /// Secrets are set into it on the machine, in /run; its mode is 0400.
    pub secret: bool,
}

/// Whose a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilePolicy {
    /// Ours: what is changed is changed back.
    Managed,
    /// Put there if nothing is, then the machine's own, as a conffile is; purged with the package.
    Initial,
    /// In the place of a file of another package's, which is diverted (dpkg-divert(1)) while that is installed.
    Divert,
    /// In the place of a file that this package's maintainer scripts made, while it is installed.
    Adopt(PackageName),
}

#[derive(Debug, Clone)]
pub enum FileText {
    Plain(Arc<[u8]>),
    /// Rendered when compiled. The span is that of the whole template text, so that `span.within(range)` marks a
    /// place in it (true for `source` files, which are registered as sources; for `content` it is the TOML value's
    /// span and is exact only for literal and multi-line strings without escapes).
    Template(Spanned<Arc<str>>),
}

#[derive(Debug, Clone)]
pub struct Symlink {
    pub path: Spanned<MachinePath>,
    /// Any target, absolute or relative; not followed.
    pub target: String,
}

#[derive(Debug, Clone)]
pub struct Directory {
    pub path: Spanned<MachinePath>,
    pub mode: u32,
    pub owner: AccountName,
    pub group: AccountName,
    /// Nothing but what packages put there may be in it: foreign files are moved away.
    pub exclusive: bool,
    pub reload: Vec<Spanned<UnitName>>,
    pub restart: Vec<Spanned<UnitName>>,
}

/// `[[service]]`: the state of a unit, ours or another package's.
#[derive(Debug, Clone)]
pub struct Service {
    pub unit: Spanned<UnitName>,
    pub state: ServiceState,
    /// Text of a systemd drop-in, `/etc/systemd/system/<unit>.d/50-<package>.conf`.
    pub drop_in: Option<Spanned<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceState {
    /// Enabled and started.
    Enabled,
    /// Disabled and stopped.
    Disabled,
    /// Masked and stopped: nothing can start it.
    Masked,
    /// As it is: only its drop-in is ours.
    Unchanged,
}

/// `[[unit]]`: a unit of the role's own, shipped in /usr/lib/systemd/system.
#[derive(Debug, Clone)]
pub struct Unit {
    pub name: Spanned<UnitName>,
    pub text: FileText,
    /// Enabled and started when installed.
    pub enable: bool,
}

/// `[[cron]]`: becomes `/etc/cron.d/<package>-<name>`.
#[derive(Debug, Clone)]
pub struct CronJob {
    /// `[a-z0-9-]+`: cron ignores names with a dot.
    pub name: Spanned<String>,
    /// Five fields or an `@word` (crontab(5)).
    pub schedule: Spanned<String>,
    pub user: AccountName,
    /// One line; `%` is a newline to cron, so it must be written `\%`.
    pub command: Spanned<String>,
}

/// `[[debconf]]`: seeded before the package is installed.
#[derive(Debug, Clone)]
pub struct DebconfAnswer {
    pub package: Spanned<PackageName>,
    pub question: Spanned<String>,
    /// `string`, `boolean`, `select`, `multiselect`, `note`, `password`, `text` (debconf-devel(7)).
    pub kind: String,
    /// One line.
    pub value: Spanned<String>,
}

/// `[[absent]]`: a path that is kept away (and put back when the role goes).
#[derive(Debug, Clone)]
pub struct Absent {
    pub path: Spanned<MachinePath>,
    pub reload: Vec<Spanned<UnitName>>,
    pub restart: Vec<Spanned<UnitName>>,
}

/// `[[account]]`: a system account that the role's software runs as (sysusers.d(5)).
#[derive(Debug, Clone)]
pub struct Account {
    pub name: Spanned<AccountName>,
    /// The comment field: one line without `:` and `"`.
    pub description: String,
    pub home: MachinePath,
    pub shell: MachinePath,
    /// Other groups that it is in.
    pub groups: Vec<AccountName>,
}

/// `[[backup]]`: what is backed up together.
#[derive(Debug, Clone)]
pub struct Backup {
    /// Lower case letters, digits and inner hyphens.
    pub name: Spanned<String>,
    pub paths: Vec<Spanned<MachinePath>>,
    /// Patterns of restic, a line each.
    pub exclude: Vec<Spanned<String>>,
    pub dumps: Vec<Dump>,
    pub before: Option<Spanned<String>>,
    pub after: Option<Spanned<String>>,
    /// systemd's OnCalendar=.
    pub schedule: String,
    pub keep: Keep,
    /// Seconds; the first is less than the second.
    pub warn_after: u64,
    pub critical_after: u64,
    /// Bytes.
    pub at_least: Option<u64>,
}

/// For how many seconds, counted back from the newest backup, the server keeps which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    pub all: u64,
    pub daily: u64,
    pub weekly: u64,
    pub monthly: u64,
}

/// `[[backup.dump]]`: a file that a command writes.
#[derive(Debug, Clone)]
pub struct Dump {
    pub file: Spanned<String>,
    pub command: Spanned<String>,
    pub user: AccountName,
}

/// `[backup_server]`.
#[derive(Debug, Clone)]
pub struct BackupServer {
    pub directory: Spanned<MachinePath>,
    /// For how many seconds the backups of who has left are kept.
    pub keep_left: u64,
}

/// `[access]`: who may be on the machine, and do what there.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Groups whose members may log in.
    pub login: Vec<Spanned<GroupName>>,
    pub sudo: Vec<SudoRule>,
}

impl Access {
    pub fn is_empty(&self) -> bool {
        self.login.is_empty() && self.sudo.is_empty()
    }
    /// All groups that it names, each once.
    pub fn groups(&self) -> BTreeSet<&GroupName> {
        self.login.iter().map(|g| &g.value).chain(self.sudo.iter().map(|rule| &rule.group.value)).collect()
    }
}

/// `[[access.sudo]]`, with its aliases put in.
#[derive(Debug, Clone)]
pub struct SudoRule {
    pub group: Spanned<GroupName>,
    /// As it is written in sudoers(5), special characters escaped.
    pub commands: Vec<Spanned<String>>,
    /// Users of the machine, or `ALL`. Never empty.
    pub run_as: Vec<String>,
    pub password: bool,
    pub noexec: bool,
    pub reason: Option<String>,
    pub span: Span,
}

impl SudoRule {
    /// Whether it makes an administrator: everything, as root, without a password that nobody has.
    pub fn is_everything(&self) -> bool {
        let root = self.run_as.iter().any(|user| user == "root" || user == "ALL");
        root && !self.password && !self.noexec && self.commands.iter().any(|command| command.value == "ALL")
    }

    /// The line of sudoers(5).
    pub fn line(&self) -> String {
        let tags = format!(
            "{}{}",
            if self.password { "PASSWD: " } else { "NOPASSWD: " },
            if self.noexec { "NOEXEC: " } else { "" }
        );
        let commands: Vec<&str> = self.commands.iter().map(|command| command.value.as_str()).collect();
        format!("%{} ALL=({}) {tags}{}", self.group.value, self.run_as.join(", "), commands.join(", "))
    }
}

/// `[[secret]]`: a file in `/run/<prefix>-secrets` that its owner alone reads.
#[derive(Debug, Clone)]
pub struct Secret {
    pub name: Spanned<SecretName>,
    /// A template.
    pub text: Spanned<Arc<str>>,
    pub owner: AccountName,
    pub reload: Vec<Spanned<UnitName>>,
    pub restart: Vec<Spanned<UnitName>>,
}

/// `secrets/` and `[secrets]`.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// Whether the tree has the directory: it is kept apart where the tree is published.
    pub here: bool,
    pub files: BTreeMap<SecretName, SecretFile>,
    /// Keys that can decrypt each of them.
    pub recipients: Vec<Spanned<PublicKey>>,
    /// Groups whose members can, by their keys.
    pub groups: Vec<Spanned<GroupName>>,
}

/// `secrets/<name>.age`.
#[derive(Debug, Clone)]
pub struct SecretFile {
    /// What age(1) wrote.
    pub bytes: Arc<[u8]>,
    /// Those who can decrypt it, as its header has them.
    pub recipients: Vec<age::Recipient>,
}

/// `users/`, `groups/` and `ledger.toml`.
#[derive(Debug, Clone, Default)]
pub struct People {
    pub users: BTreeMap<UserName, User>,
    pub groups: BTreeMap<GroupName, Group>,
    /// Users that have left: number → names that the account had, the last one last, and what becomes of the home.
    pub departed: BTreeMap<u32, Departed>,
}

/// `users/<user>.toml`.
#[derive(Debug, Clone)]
pub struct User {
    pub name: Spanned<UserName>,
    pub uid: Spanned<u32>,
    /// The comment field of passwd(5): one line without `:` and `,`.
    pub full_name: String,
    pub email: Option<String>,
    pub shell: MachinePath,
    /// The package that brings the shell, where it is none of the base system.
    pub shell_package: Option<PackageName>,
    /// The last day of access.
    pub expires: Option<Spanned<Date>>,
    pub home: HomePolicy,
    pub keys: Vec<UserKey>,
    pub adopt: Vec<Adopt>,
}

/// What happens with the home directory of who has no access to a machine any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum HomePolicy {
    #[default]
    Keep,
    Archive,
    Remove,
}

impl HomePolicy {
    pub const ALL: [HomePolicy; 3] = [HomePolicy::Keep, HomePolicy::Archive, HomePolicy::Remove];

    pub fn as_str(self) -> &'static str {
        match self {
            HomePolicy::Keep => "keep",
            HomePolicy::Archive => "archive",
            HomePolicy::Remove => "remove",
        }
    }
}

/// `[[key]]` of a user.
#[derive(Debug, Clone)]
pub struct UserKey {
    pub key: Spanned<PublicKey>,
    /// The last day on which it is good.
    pub expires: Option<Spanned<Date>>,
    /// Patterns of sshd's `from`; empty: from everywhere.
    pub from: Vec<String>,
    /// Empty: on all machines.
    pub hosts: BTreeSet<HostName>,
}

/// `[[adopt]]`: an account that was there before debrole.
#[derive(Debug, Clone)]
pub struct Adopt {
    pub name: AccountName,
    pub uid: u32,
    /// None where the numbers are the same.
    pub files: Option<AdoptFiles>,
    /// Empty: all.
    pub hosts: BTreeSet<HostName>,
    pub span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdoptFiles {
    Home,
    All,
}

impl AdoptFiles {
    pub fn as_str(self) -> &'static str {
        match self {
            AdoptFiles::Home => "home",
            AdoptFiles::All => "all",
        }
    }
}

/// `groups/<group>.toml`.
#[derive(Debug, Clone)]
pub struct Group {
    pub name: Spanned<GroupName>,
    pub gid: Spanned<u32>,
    pub description: String,
    pub approval: Option<String>,
    /// Those who are there; sorted.
    pub members: BTreeMap<UserName, Span>,
}

/// Somebody who has left, from the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departed {
    /// The account's name; where it was renamed, the last one last. Never empty.
    pub names: Vec<UserName>,
    /// None: as the file said that they had.
    pub home: Option<HomePolicy>,
}

/// A .deb of the site's own under packages/.
#[derive(Debug, Clone)]
pub struct SitePackage {
    /// Relative to the tree's root.
    pub path: std::path::PathBuf,
    pub bytes: Arc<[u8]>,
}
