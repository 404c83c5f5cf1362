//! The command line's grammar. What each command does is in [`crate::commands`].

mod machines;

pub use machines::*;

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Compiles a tree of TOML into signed Debian packages and an apt repository.
#[derive(Debug, Parser)]
#[command(
    name = "debrole",
    version,
    max_term_width = 100,
    after_help = "Exit status: 0 done; 1 the tree or the request is wrong; 2 the environment or debrole is."
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The fleet tree [default: the nearest directory upwards that has a debrole.toml]
    #[arg(short = 'C', long = "tree", value_name = "TREE", global = true)]
    pub tree: Option<PathBuf>,
    /// Where the repository is published [default: TREE/repo-out]
    #[arg(long, value_name = "DIR", global = true)]
    pub out: Option<PathBuf>,
    /// Text for people, or one JSON document on standard output for programs
    #[arg(long, value_enum, default_value_t = Format::Text, global = true)]
    pub format: Format,
    /// When to colour: auto does where standard error is a terminal and NO_COLOR is not set
    #[arg(long, value_enum, default_value_t = Colour::Auto, global = true, value_name = "WHEN")]
    pub color: Colour,
    /// Say only what went wrong
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a new fleet tree with a first role
    Init(Init),
    /// Report everything that is wrong with the tree, without building
    Check(Check),
    /// Compile the tree and publish the repository
    Build(Build),
    /// Show what `build` would change, package by package
    Plan(Plan),
    /// Show what a role or a host compiles to, or what a person may do where
    Show(Show),
    /// Show who may do what on which machine, by which group and role
    Access(Access),
    /// The people of the fleet: who comes, goes, and is called otherwise
    #[command(subcommand)]
    User(User),
    /// Groups of people, to which access is given
    #[command(subcommand)]
    Group(Group),
    /// Secrets that services on machines need, encrypted to those machines and to the administrators
    #[command(subcommand)]
    Secret(Secret),
    /// The backups of machines, on the servers that keep them
    #[command(subcommand)]
    Backup(Backup),
    /// Make machines from the tree: from nothing to a running one whose checks are OK
    Provision(Provision),
    /// End a machine: its disks, its place in the tree, and with that monitoring, known hosts and access
    Deprovision(Deprovision),
    /// The virtual machines and containers that were made from here
    #[command(subcommand)]
    Vm(Vm),
    /// Machines that run others
    #[command(subcommand)]
    Hypervisor(Hypervisor),
    #[command(hide = true)]
    Guard(Guard),
    /// Write down the numbers of users and groups that ledger.toml does not have yet
    Ledger,
    /// Explain a diagnostic's code
    Explain(Explain),
    /// Serve the repository over HTTP
    Serve(Serve),
    /// The archive's signing key
    #[command(subcommand)]
    Key(Key),
    /// Machines that exist already
    #[command(subcommand)]
    Host(Host),
    /// Print a shell's completions
    Completions(Completions),
    /// Write the reference of the tree's tables, the JSON schemas for editors and the manual pages
    Reference(Reference),
}

#[derive(Debug, Args)]
pub struct Init {
    /// The new tree's directory; made if it does not exist, and must be empty
    pub directory: PathBuf,
    /// Prefix of all package names: 2 to 16 lower case letters and digits
    #[arg(long, default_value = "pg")]
    pub prefix: String,
    /// Origin and Label of the archive (frozen once published)
    #[arg(long, default_value = "Example")]
    pub origin: String,
    /// Maintainer of the packages, `Name <mail@address>` [default: from DEBFULLNAME and DEBEMAIL, as for dch(1)]
    #[arg(long)]
    pub maintainer: Option<String>,
    /// Where machines will fetch the repository
    #[arg(long, default_value = "http://apt.example.org")]
    pub uri: String,
}

#[derive(Debug, Args)]
pub struct Check {
    /// Have apt's own solver install every role and host on each release (needs apt and the releases' lists)
    #[arg(long)]
    pub archive: bool,
    #[command(flatten)]
    pub archive_cache: ArchiveCache,
    /// Warnings fail too
    #[arg(long)]
    pub strict: bool,
}

#[derive(Debug, Clone, Args)]
pub struct ArchiveCache {
    /// Where the releases' package lists are kept [default: $XDG_CACHE_HOME/debrole/archive]
    #[arg(long, value_name = "DIR")]
    pub archive_cache: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Build {
    /// Sign again even though nothing changed and the signature is younger than a day
    #[arg(long)]
    pub refresh: bool,
    /// Publish without the gate (a real apt-get update and simulated installs against the staged repository)
    #[arg(long)]
    pub no_gate: bool,
    /// The public copy at fleet.uri does not exist yet: start at generation 1 without looking there
    #[arg(long)]
    pub first_publish: bool,
    /// If another build holds the lock, wait for it instead of failing
    #[arg(long)]
    pub wait: bool,
    /// The time to build at, in seconds since 1970 UTC [default: SOURCE_DATE_EPOCH, else now]
    #[arg(long, value_name = "EPOCH", env = "SOURCE_DATE_EPOCH")]
    pub time: Option<i64>,
    /// The time may be more than a day ahead of the clock (nothing more can be published until it has come)
    #[arg(long)]
    pub future: bool,
    #[command(flatten)]
    pub archive_cache: ArchiveCache,
}

#[derive(Debug, Args)]
pub struct Plan {
    /// The public copy at fleet.uri does not exist yet: compare with nothing instead of looking there
    #[arg(long)]
    pub first_publish: bool,
    /// The time to plan at, in seconds since 1970 UTC [default: SOURCE_DATE_EPOCH, else now]
    #[arg(long, value_name = "EPOCH", env = "SOURCE_DATE_EPOCH")]
    pub time: Option<i64>,
}

#[derive(Debug, Args)]
pub struct Show {
    /// A role (`web`), a host (`web1.example.org`), a person (`alice`), a group (`webteam`) or a package (`pg-role-web`)
    pub name: String,
    /// For this release only
    #[arg(long)]
    pub release: Option<String>,
    /// Print one file as it would be on a machine, by its path
    #[arg(long, value_name = "PATH")]
    pub file: Option<String>,
}

#[derive(Debug, Args)]
pub struct Access {
    /// Of this person only
    #[arg(long)]
    pub user: Option<String>,
    /// On this machine only, by its fully qualified domain name
    #[arg(long)]
    pub host: Option<String>,
    /// By this group only
    #[arg(long)]
    pub group: Option<String>,
    /// A list for people or a table for spreadsheets (RFC 4180)
    #[arg(long, value_enum, default_value_t = AccessFormat::Text, value_name = "FORMAT")]
    pub output: AccessFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AccessFormat {
    Text,
    Csv,
}

#[derive(Debug, Subcommand)]
pub enum User {
    /// Make users/NAME.toml, with a number that nobody ever had; who comes back gets the old one
    Add(UserAdd),
    /// Take somebody's access away everywhere: the file and the memberships go, the number stays theirs
    Retire {
        name: String,
        /// What becomes of the home directory on machines [default: what the person's file says]
        #[arg(long, value_parser = ["keep", "archive", "remove"])]
        home: Option<String>,
    },
    /// Call an account otherwise; its number and files stay
    Rename { name: String, new: String },
    /// Take over an account of the person that was on machines before debrole
    Adopt(UserAdopt),
    /// List the people, or those who have left
    List {
        /// Who has left, with the number that stays theirs
        #[arg(long)]
        departed: bool,
    },
    /// Show a person's keys, groups, and what they may do where
    Show { name: String },
}

#[derive(Debug, Args)]
pub struct UserAdd {
    /// The account's name: lower case letters, digits and hyphens
    pub name: String,
    /// The person's full name
    #[arg(long = "name", value_name = "FULL NAME")]
    pub full_name: String,
    #[arg(long)]
    pub email: Option<String>,
    /// A public key, or the file that holds it; may be given more than once
    #[arg(long = "key", value_name = "KEY|FILE")]
    pub keys: Vec<String>,
    /// A group to join; may be given more than once
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<String>,
    /// The last day of access, such as 2027-12-31
    #[arg(long, value_name = "DATE")]
    pub expires: Option<String>,
    /// The login shell [default: /bin/bash]
    #[arg(long)]
    pub shell: Option<String>,
    /// The account's number [default: the next of the fleet's band]
    #[arg(long)]
    pub uid: Option<u32>,
}

#[derive(Debug, Args)]
pub struct UserAdopt {
    /// The person
    pub name: String,
    /// The account's name on machines, where it is another
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// The account's number on machines, where it is another
    #[arg(long)]
    pub uid: Option<u32>,
    /// What of the old number's files is given to the person: the home directory's, or all on the machine
    #[arg(long, value_parser = ["home", "all"])]
    pub files: Option<String>,
    /// A machine on which the account is; without, all
    #[arg(long = "host", value_name = "FQDN")]
    pub hosts: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub enum Group {
    /// Make groups/NAME.toml
    Add(GroupAdd),
    /// Remove a group that nothing lets in any more
    Retire { name: String },
    /// Add people to a group
    AddMember {
        group: String,
        #[arg(required = true)]
        users: Vec<String>,
    },
    /// Take people out of a group
    RemoveMember {
        group: String,
        #[arg(required = true)]
        users: Vec<String>,
    },
    /// List the groups
    List,
    /// Show a group's members, and what lets it in where
    Show { name: String },
}

#[derive(Debug, Args)]
pub struct GroupAdd {
    /// The group's name: lower case letters, digits and hyphens
    pub name: String,
    /// What the people in it have in common
    #[arg(long)]
    pub description: String,
    /// Who is in it; may be given more than once
    #[arg(long = "member", value_name = "USER")]
    pub members: Vec<String>,
    /// Who decides about membership
    #[arg(long)]
    pub approval: Option<String>,
    /// The group's number [default: the next of the fleet's band]
    #[arg(long)]
    pub gid: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub enum Secret {
    /// Read a secret from standard input and write secrets/NAME.age
    ///
    /// A single line loses its newline; several lines stay as they are.
    Set { name: String },
    /// Change a secret with an editor ($VISUAL, $EDITOR), in memory only
    Edit {
        name: String,
        #[command(flatten)]
        identities: Identities,
    },
    /// List the secrets: what uses each, who can decrypt it, whether it is to be encrypted anew
    List,
    /// Encrypt secrets anew, to those who need them now
    Rekey {
        /// [default: those that are encrypted to others than they should be]
        names: Vec<String>,
        /// All of them
        #[arg(long, conflicts_with = "names")]
        all: bool,
        #[command(flatten)]
        identities: Identities,
    },
}

#[derive(Debug, Subcommand)]
pub enum Backup {
    /// List what the backup servers have, of the machines that left the fleet too
    ///
    /// With --format json: `machines`, each with host, server, kept_until, alarms and refused; and `jobs`, each with host,
    /// job, server, state (ok, warning, critical or unknown, as monitoring hears; left: nothing is expected any more),
    /// message, kept_until, last_arrival, size and snapshots (id, arrived, size). Sizes are bytes, times RFC 3339 in UTC;
    /// what there is not is null.
    List {
        /// Of this machine only, by its fully qualified domain name
        host: Option<String>,
        #[command(flatten)]
        servers: BackupServers,
    },
    /// Restore a backup, or a part of it, into a directory of this machine
    Restore(BackupRestore),
}

#[derive(Debug, Args)]
pub struct BackupServers {
    /// The backup server to ask, by its fully qualified domain name [default: each of the tree's]
    #[arg(long, value_name = "FQDN")]
    pub server: Option<String>,
    /// How to reach it, as root or by sudo without a password: [user@]host, as for ssh(1) [default: its name]
    #[arg(long, value_name = "DESTINATION", requires = "server")]
    pub ssh: Option<String>,
}

#[derive(Debug, Args)]
pub struct BackupRestore {
    /// The machine that was backed up
    pub host: String,
    /// The job, such as web_www
    pub job: String,
    /// The directory to restore into; made if it does not exist, and must be empty
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// The backup's id, as `list` shows it [default: the newest]
    #[arg(long, value_name = "ID")]
    pub snapshot: Option<String>,
    /// This file or directory of the machine only
    #[arg(long, value_name = "PATH")]
    pub path: Option<String>,
    #[command(flatten)]
    pub servers: BackupServers,
}

#[derive(Debug, Args)]
pub struct Identities {
    /// A private SSH key that decrypts the secrets; may be given more than once [default: ~/.ssh/id_ed25519 and ~/.ssh/id_rsa]
    #[arg(short, long = "identity", value_name = "FILE", env = "DEBROLE_IDENTITY")]
    pub identities: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Explain {
    /// The code, such as unknown-key; without one, all codes are listed
    pub code: Option<String>,
}

#[derive(Debug, Args)]
pub struct Serve {
    /// Address and port to listen on, or a port alone for this machine only; may be given more than once
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8000", value_parser = debrole::serve::parse_address)]
    pub listen: Vec<SocketAddr>,
}

#[derive(Debug, Subcommand)]
pub enum Key {
    /// Make the archive's signing key under keys/
    Init(KeyInit),
    /// Show the key: fingerprint, algorithm, expiry, subkeys, and what is wrong with it
    Show,
    /// Write the public key
    Export(KeyExport),
}

#[derive(Debug, Args)]
pub struct KeyInit {
    /// The key's user ID [default: `<origin> archive key <mail address of the maintainer>`]
    #[arg(long)]
    pub user_id: Option<String>,
    /// When it expires: a number and d, w, m or y
    #[arg(long, default_value = "3y")]
    pub expires: String,
    /// Keep the primary key off this machine: its secret part is written to FILE, only the signing subkey stays
    #[arg(long, value_name = "FILE")]
    pub offline_primary: Option<PathBuf>,
    /// Ask for a passphrase (through gpg-agent and its pinentry); without it the key has none
    #[arg(long)]
    pub passphrase: bool,
    /// Do nothing, successfully, where there is a key already
    #[arg(long)]
    pub if_missing: bool,
}

#[derive(Debug, Args)]
pub struct KeyExport {
    /// Where to write it; standard output without it
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Binary instead of ASCII armour
    #[arg(long)]
    pub binary: bool,
    /// Write keys/*.gpg and keys/*.asc anew from keys/private, as after its expiry was changed
    #[arg(long, conflicts_with_all = ["output", "binary"])]
    pub renew: bool,
}

#[derive(Debug, Subcommand)]
pub enum Host {
    /// Take an existing machine into the tree: see what is there and what would change, and write hosts/FQDN.toml
    Adopt(Adopt),
    /// Print the script that reads what is on a machine, for `host adopt --stdin`
    Collector,
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("from").required(true).args(["ssh", "root", "stdin"])))]
pub struct Adopt {
    /// The machine's name in the tree, in full
    pub name: String,
    /// Ask the machine itself, as root or by sudo without a password: [user@]host, as for ssh(1)
    #[arg(long, value_name = "DESTINATION")]
    pub ssh: Option<String>,
    /// Look at a machine's tree that is mounted here
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Read what the collector's script wrote on the machine
    #[arg(long)]
    pub stdin: bool,
    /// A role that the machine gets; may be given more than once [default: those whose software is there]
    #[arg(long, value_name = "ROLE")]
    pub role: Vec<String>,
    /// Only show; write nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct Completions {
    /// bash, zsh, fish, elvish or powershell
    pub shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub struct Reference {
    /// The directory to write reference.md, diagnostics.md, schema/*.json and man/*.1 to
    pub directory: PathBuf,
    /// Write nothing; fail if a file there differs from what would be written
    #[arg(long)]
    pub check: bool,
}
