//! Roles and hosts, and what both may have.

use super::{Absent, Cron, Debconf, Directory, File, Secret, Service, Symlink, Unit};
use super::{Access, Account};
use super::{Backup, BackupJob, BackupServer};
use super::{Check, HostMonitoring, Munin, MuninServer, NagiosServer, RoleMonitoring};
use super::{Hypervisor, Vm};
use crate::schema::decode::{Decode, Decoder, Many, Named, One, Scalars, Text, TextOrTexts, Texts, Toml, ValueTable};
use crate::schema::meta::{Field, Options, Table, TableMeta, schema};
use crate::source::Span;

schema! {
    /// A role: what a machine is for. `roles/web.toml` becomes the package `pg-role-web`. The files that it ships
    /// are in `roles/web/`. A role's name is lower case letters, digits and inner hyphens.
    table Role("a role") {
        /// One line that says what the role is: the package's synopsis. No final full stop, at most 80 characters.
        summary: Text { required: true, example: "\"Public web front end\"", source: "Debian Policy 3.4.1" },
        /// Paragraphs of plain text, an empty line between them: the package's extended description.
        description: Text { default: "the summary", example: "\"nginx behind varnish.\"", source: "Debian Policy 3.4.2" },
        /// Other roles that a machine with this role has, too: the package depends on theirs. No cycles.
        includes: Texts { default: "[]", example: "[\"base\"]" },
        /// The releases that the role is for. Machines of another release can't have it.
        releases: Texts { default: "all of the fleet's", example: "[\"bookworm\"]" },
        /// Defaults of the `host.NAME` values that the role's templates use. With a default for each, the role's
        /// package alone makes the file; without, it needs the machine's `pg-host-…` package.
        values: ValueTable { example: "{ workers = 4 }" },
        /// What monitoring says of its machines.
        monitoring: One<RoleMonitoring>,
        /// Makes its machines ask all others, by Nagios.
        nagios_server: One<NagiosServer>,
        /// Makes its machines ask all others, by Munin.
        munin_server: One<MuninServer>,
        /// What differs on one release. Lists are added to the common ones; a `[[file]]` and so on with the same
        /// path, unit or name takes the place of the common one.
        release: Named<RoleRelease>,
        ..content: Content,
    }

    /// What a role has only on one Debian release: any of the keys below.
    table RoleRelease("[release.NAME] of a role") {
        ..content: Content,
    }

    /// A machine, named by its fully qualified domain name: `hosts/web1.example.org.toml` becomes the package
    /// `pg-host-web1.example.org`. The files that it ships are in `hosts/web1.example.org/`.
    table Host("a host") {
        /// One line that says what the machine is.
        summary: Text { default: "the machine's name and roles", example: "\"First web front end\"", source: "Debian Policy 3.4.1" },
        /// The machine's roles. May be empty.
        roles: Texts { required: true, example: "[\"web\"]" },
        /// The Debian release that the machine runs, one of debrole.toml's.
        release: Text { required: true, example: "\"bookworm\"" },
        /// The machine's IP addresses: in templates `host.addresses` is the list, `host.ipv4` and `host.ipv6` are the
        /// first of each kind. No two machines have the same.
        addresses: Texts { default: "[]", example: "[\"192.0.2.10\", \"2001:db8::10\"]", source: "RFC 4291 for IPv6" },
        /// The machine's public SSH host keys, as in `/etc/ssh/ssh_host_*_key.pub`. All machines of the fleet know it by
        /// them (`pg-known-hosts`): nobody who logs in from one to another is asked. Once published, another key is an
        /// error until the old one is listed as retired.
        ssh_host_key: TextOrTexts { example: "\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPUzq3WuJtLpo5rRa28VbMFSI3fhiXMT8vKQSa7knPRP\"", source: "sshd(8), SSH_KNOWN_HOSTS FILE FORMAT" },
        /// Host keys that the machine had before: whoever answers with one of them is refused.
        retired_ssh_host_key: TextOrTexts { example: "\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPUzq3WuJtLpo5rRa28VbMFSI3fhiXMT8vKQSa7knPRP\"", source: "sshd(8), @revoked" },
        /// `host.NAME` for the templates of the machine and of its roles.
        values: ValueTable { example: "{ workers = 16 }" },
        /// What is particular to its monitoring.
        monitoring: One<HostMonitoring>,
        /// What is particular to a backup job of one of its roles, by `"ROLE/JOB"`.
        backup_job: Named<BackupJob>,
        /// That it is a virtual machine, and what of it there is to be.
        vm: One<Vm>,
        /// That virtual machines can be on it.
        hypervisor: One<Hypervisor>,
        ..content: Content,
    }

    /// What a role and a host have in common.
    ///
    /// Relations are lists of strings, each in the syntax of Debian's control files: a package's name, alternatives
    /// separated by `|`, a version in parentheses (`nginx (>= 1.22)`), an architecture qualifier (`python3:any`).
    table Content("a role or host") {
        /// Packages that must be configured before this one is unpacked. Rarely needed.
        pre_depends: Texts { default: "[]", example: "[\"debconf (>= 0.5)\"]", source: "Debian Policy 7.2" },
        /// The software: what apt installs with the role.
        depends: Texts { default: "[]", example: "[\"nginx (>= 1.22) | apache2\", \"python3:any\"]", source: "Debian Policy 7.2" },
        /// Packages that are installed with the role, but may be removed without it.
        recommends: Texts { default: "[]", example: "[\"logrotate\"]", source: "Debian Policy 7.2" },
        /// Packages that go well with the role; not installed with it.
        suggests: Texts { default: "[]", example: "[\"goaccess\"]", source: "Debian Policy 7.2" },
        /// Packages that are more useful with this one.
        enhances: Texts { default: "[]", example: "[\"nginx\"]", source: "Debian Policy 7.2" },
        /// Packages (of these versions) that stop working when this one is unpacked. No alternatives.
        breaks: Texts { default: "[]", example: "[\"nginx (<< 1.22)\"]", source: "Debian Policy 7.3; deb-control(5)" },
        /// Packages that can't be installed together with this one. No alternatives.
        conflicts: Texts { default: "[]", example: "[\"apache2\"]", source: "Debian Policy 7.4" },
        /// Packages whose files this one may take over. No alternatives.
        replaces: Texts { default: "[]", example: "[\"old-web (<< 2)\"]", source: "Debian Policy 7.6" },
        /// Virtual packages that this one is. No alternatives; of the version operators only `=`.
        provides: Texts { default: "[]", example: "[\"httpd\"]", source: "Debian Policy 7.5" },
        /// A fragment of POSIX sh for what no table covers. Run as root, with `set -e`, after files are in place and
        /// before services start, when it changed or has not succeeded yet. It must be idempotent: running it twice
        /// does what running it once does. Where files or directories wait for a user or group that is not there yet,
        /// it runs before them, too: it may make the account.
        setup: Text { example: "\"update-ca-certificates\"", source: "Debian Policy 10.4" },
        /// A fragment of POSIX sh, run as root before the role's files go: what undoes `setup`.
        teardown: Text { example: "\"rm -rf /var/cache/web\"", source: "Debian Policy 10.4" },
        /// Kernel parameters, each name in quotes: `"net.ipv4.ip_forward" = 1`. Becomes
        /// `/etc/sysctl.d/60-PACKAGE.conf`. When the role goes, the kernel keeps the value until the next boot.
        sysctl: Scalars { example: "{ \"net.ipv4.ip_forward\" = 1 }", source: "sysctl.d(5)" },
        /// Environment variables of logins and of systemd's user services. Becomes `/etc/profile.d/PACKAGE.sh` and
        /// `/etc/environment.d/60-PACKAGE.conf`.
        environment: Scalars { example: "{ EDITOR = \"vim\" }", source: "environment.d(5)" },
        /// Files that are put on the machine.
        file: Many<File>,
        /// Symbolic links.
        symlink: Many<Symlink>,
        /// Directories, with their mode and owner.
        directory: Many<Directory>,
        /// The state of systemd units, of the role's own or of other packages.
        service: Many<Service>,
        /// systemd units of the role's own.
        unit: Many<Unit>,
        /// Cron jobs. A timer in `[[unit]]` is the other way.
        cron: Many<Cron>,
        /// Answers to questions of other packages, given before those are installed.
        debconf: Many<Debconf>,
        /// Paths that are kept away.
        absent: Many<Absent>,
        /// Secrets that services of the machine need.
        secret: Many<Secret>,
        /// System accounts that the software needs, made before files are put in place.
        account: Many<Account>,
        /// Who may log in to the machine, and what they may do there as somebody else.
        access: One<Access>,
        /// What of the machine is backed up, and when.
        backup: Many<Backup>,
        /// That the machine keeps the backups of the others.
        backup_server: One<BackupServer>,
        /// What Nagios asks about machines with this role.
        check: Many<Check>,
        /// Plugins of Munin on machines with this role.
        munin: Many<Munin>,
    }
}
