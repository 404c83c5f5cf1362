//! The tables of the schema, with the documentation that the reference page and editors show.

use super::decode::{
    Day, Decode, Decoder, Flag, Many, Measure, Named, Number, One, Scalars, Text, TextOrTexts, Texts, Toml, ValueTable,
};
use super::meta::{Field, Options, Table, TableMeta, schema};
use crate::source::Span;

schema! {
    /// The fleet: what is common to all its machines. One file, at the root of the tree.
    table Debrole("debrole.toml") {
        /// The version of this schema. A later debrole that changes the meaning of a key will use another number
        /// and still read this one.
        schema: Number { required: true, example: "1", range: Some((1, 1)) },
        /// Who runs the fleet, how its packages are named, and where machines fetch them.
        fleet: One<Fleet> { required: true },
        /// A Debian release that machines of the fleet run; one table for each, at least one. The repository gets a
        /// suite of the same name. `[release.bookworm]` alone is enough for a release of Debian.
        release: Named<Release> { required: true },
        /// How soon machines have what is published.
        refresh: One<Refresh>,
        /// Which packages of the site's own may take the place of Debian's.
        pin: One<Pin>,
        /// What happens on machines that are no longer as their packages say.
        drift: One<Drift>,
        /// The administrators, who can decrypt every secret.
        secrets: One<Secrets>,
        /// What holds for all that is monitored: who hears of it, when, and from what on.
        monitoring: One<Monitoring>,
        /// Values that templates of every role and host read as `fleet.NAME`. Strings, numbers, booleans, lists and
        /// tables. A name is letters, digits and `_`, and is none of the keys of `[fleet]`.
        values: ValueTable { example: "{ smarthost = \"mail.example.org\" }" },
        /// Defaults of `host.NAME` for templates, for every machine. A role's `[values]` and a host's `[values]`
        /// take precedence, the host's most of all.
        host_values: ValueTable { example: "{ timezone = \"UTC\" }" },
    }

    /// The fleet itself.
    table Fleet("[fleet]") {
        /// What the names of all packages of the fleet begin with: `pg` makes `pg-role-web`, `pg-runtime`,
        /// `/usr/share/pg`. Choose it once: another prefix makes another fleet.
        prefix: Text {
            required: true, example: "\"pg\"", pattern: "^[a-z][a-z0-9]{1,15}$",
            source: "Debian Policy 5.6.7 (package names); 2 to 16 characters, so that generated names stay short"
        },
        /// `Origin` of the repository's Release files; unattended-upgrades and apt pinning select the fleet's
        /// packages by it. It can't change once published: apt on every machine refuses a repository whose origin
        /// changed.
        origin: Text {
            required: true, example: "\"Example Project\"", pattern: "^[^\\x00-\\x1f:,]{1,100}$",
            source: "apt-secure(8); `:` and `,` separate the parts of unattended-upgrades' patterns"
        },
        /// `Label` of the repository's Release files. As lasting as `origin`.
        label: Text {
            required: true, example: "\"Example Project\"", pattern: "^[^\\x00-\\x1f:,]{1,100}$",
            source: "apt-secure(8)"
        },
        /// `Maintainer` of all generated packages: a name and a mail address that reach the people behind them.
        maintainer: Text {
            required: true, example: "\"Example Sysadmins <sysadmins@example.org>\"",
            source: "Debian Policy 5.6.2"
        },
        /// Where machines fetch `repo-out/` from. A final slash is dropped.
        uri: Text {
            required: true, example: "\"http://apt.example.org\"", pattern: "^(https?|file)://?[^ ]+$",
            source: "sources.list(5); RFC 3986"
        },
        /// The fleet's home page, `Homepage` of all generated packages.
        homepage: Text { example: "\"https://example.org\"", source: "Debian Policy 5.6.23" },
        /// The architectures of the fleet's machines. The generated packages are `Architecture: all`; they are
        /// indexed for each of these.
        architectures: Texts { required: true, example: "[\"amd64\"]", source: "Debian Policy 11.1; `dpkg-architecture -L`" },
        /// How long after it was signed the repository is valid: after that, machines refuse it, so that nobody can
        /// hold them on an old state. Rebuild (a timer does) well before. A number and `h`, `d` or `w`.
        valid_for: Text {
            default: "\"10d\"", example: "\"10d\"", pattern: "^[0-9]+[hdw]$",
            source: "apt-secure(8), `Valid-Until`; at least 1d, at most 90d"
        },
        /// Fingerprint of the key that signs the repository: 40 hexadecimal digits; spaces don't count. Without it,
        /// the only secret key below `keys/` signs.
        key: Text { example: "\"0123 4567 89AB CDEF 0123 4567 89AB CDEF 0123 4567\"", source: "RFC 9580 5.5.4.2" },
        /// The numbers that people and their groups get: uids and gids of one band, which nothing else uses. An
        /// account's own group has the account's number, so that users and groups share the band. adduser(8) gives
        /// numbers from 1000 on to accounts that are made by hand.
        uids: Text {
            default: "\"2000-59999\"", example: "\"2000-59999\"", pattern: "^[0-9]+-[0-9]+$",
            source: "Debian Policy 9.2.2; within 1000-59999"
        },
    }

    /// How soon machines have what is published. `PREFIX-runtime` brings two timers that upgrade what a machine has of
    /// the fleet's packages, with new dependencies from Debian and nothing else; each machine fires at times of its
    /// own. A role that masks `PREFIX-refresh.timer` leaves upgrades to unattended-upgrades.
    ///
    /// ```toml
    /// [refresh]
    /// keyring = "10m"
    /// roles   = "4h"
    /// ```
    table Refresh("[refresh]") {
        /// The keyring package, after at most this time. A number and `m`, `h` or `d`.
        keyring: Text {
            default: "\"10m\"", example: "\"10m\"", pattern: "^[0-9]+[mhd]$",
            source: "systemd.timer(5), `PREFIX-refresh-keyring.timer`; at least 1m, at most 1d"
        },
        /// All packages of the fleet, after at most this time.
        roles: Text {
            default: "\"4h\"", example: "\"4h\"", pattern: "^[0-9]+[mhd]$",
            source: "systemd.timer(5), `PREFIX-refresh.timer`; at least 1m, at most 7d"
        },
    }

    /// Drift: a managed file that somebody edited, removed or re-owned. A timer of every machine verifies daily
    /// (`pg-runtime verify`) and writes what it found to `/var/lib/pg/drift`.
    table Drift("[drift]") {
        /// Whether the timer repairs what it finds. Either way each transaction of apt that has to do with the
        /// fleet's packages does, and a path that is held (`pg-runtime hold`) is left alone.
        repair: Flag { default: "true", example: "false" },
        /// How many copies of one path `/var/backups/pg` keeps: what somebody had changed and we replaced.
        copies: Number { default: "10", example: "3", range: Some((1, 1000)) },
        /// For how many days it keeps them.
        copy_days: Number { default: "180", example: "30", range: Some((1, 3650)) },
    }

    /// Which packages of the site's own may take the place of Debian's. On machines, apt takes the fleet's generated
    /// packages from its archive, and those in `packages/` as long as Debian has none of that name: Debian's wins, in
    /// whatever version. Here are the exceptions.
    table Pin("[pin]") {
        /// Names of packages in `packages/` that replace Debian's where their version is higher.
        allow: Texts { default: "[]", example: "[\"nginx\"]", source: "apt_preferences(5)" },
    }

    /// Secrets: passwords, tokens and private keys that services on machines need. `secrets/NAME.age` holds one, encrypted
    /// by age(1) to the SSH host keys of the machines that need it and to the administrators; `debrole secret set NAME`
    /// writes it. `secrets/` need not be published with the tree: it may be a directory of another repository, or a
    /// symbolic link to one. Only a `[[secret]]` and files with `secret = true` can use a secret; `SECURITY.md` says who is
    /// kept from what.
    ///
    /// ```toml
    /// [secrets]
    /// groups = ["sysadmins"]
    /// ```
    table Secrets("[secrets]") {
        /// Groups whose members can decrypt every secret, by each of their Ed25519 and RSA keys.
        groups: Texts { default: "[]", example: "[\"sysadmins\"]" },
        /// Other SSH keys that can: one that lies in a safe, or people's where the tree has no `users/`. Ed25519 or RSA.
        recipients: Texts { default: "[]", example: "[\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPUzq3WuJtLpo5rRa28VbMFSI3fhiXMT8vKQSa7knPRP\"]", source: "age(1), RECIPIENTS AND IDENTITIES" },
    }

    /// What holds for all that is monitored. The machines with a role that has `[nagios_server]` ask all machines of the
    /// fleet, each for its roles' `[[check]]` and for what every machine is asked: nrpe, disk, load, memory, kernel,
    /// updates, patcher, refresh, drift, units and clock.
    ///
    /// ```toml
    /// [monitoring]
    /// contacts = ["sysadmins"]
    ///
    /// [monitoring.thresholds.disk]
    /// warning  = 15
    /// critical = 5
    ///
    /// [[monitoring.escalation]]
    /// after    = 3
    /// contacts = ["oncall"]
    /// ```
    table Monitoring("[monitoring]") {
        /// Groups whose members hear of problems, by mail to their `email`, where neither the check nor its role nor the
        /// machine names others. Required where a role has `[nagios_server]`, unless each of those names its own.
        contacts: Texts { default: "[]", example: "[\"sysadmins\"]" },
        /// How often a check is made. A number and `m` or `h`.
        interval: Text { default: "\"5m\"", example: "\"5m\"", pattern: "^[0-9]+[mh]$", source: "Nagios, check_interval; at least 1m, at most 24h" },
        /// How soon a check that found a problem is made again, until the problem is certain. A number and `m` or `h`.
        retry: Text { default: "\"1m\"", example: "\"1m\"", pattern: "^[0-9]+[mh]$", source: "Nagios, retry_interval; at least 1m, at most 24h" },
        /// After so many checks that found it a problem is certain, and told.
        attempts: Number { default: "4", example: "4", range: Some((1, 20)), source: "Nagios, max_check_attempts" },
        /// How often a problem that lasts is told again. A number and `m`, `h` or `d`; `0m`: told once.
        repeat: Text { default: "\"4h\"", example: "\"12h\"", pattern: "^[0-9]+[mhd]$", source: "Nagios, notification_interval; at most 30d" },
        /// When problems are told: the name of a `[monitoring.periods.NAME]`.
        period: Text { default: "always", example: "\"workhours\"", source: "Nagios, notification_period" },
        /// Whether a service that changes its state again and again is told once as flapping, instead of each time.
        flapping: Flag { default: "true", example: "false", source: "Nagios, flap_detection_enabled" },
        /// From what on the checks that every machine has find a problem, by the check's name. A role's and a host's
        /// `[monitoring]` take precedence, the host's most of all.
        thresholds: Named<Thresholds>,
        /// Who hears of a problem that lasts.
        escalation: Many<Escalation>,
        /// Times of the week, by a name.
        periods: Named<Period>,
    }

    /// From what on a check finds a problem.
    ///
    /// ```toml
    /// [monitoring.thresholds.disk]
    /// warning  = 15
    /// critical = 5
    /// ```
    table Thresholds("[monitoring.thresholds.NAME]") {
        /// From this on it is WARNING.
        warning: Measure { default: "what held before", example: "15" },
        /// From this on it is CRITICAL.
        critical: Measure { default: "what held before", example: "5" },
    }

    /// Who hears of a problem that lasts, besides those who did from the start.
    ///
    /// ```toml
    /// [[monitoring.escalation]]
    /// after    = 3
    /// contacts = ["oncall"]
    /// repeat   = "30m"
    /// ```
    table Escalation("[[monitoring.escalation]]") {
        /// From which notification on: the first is 1.
        after: Number { required: true, example: "3", range: Some((1, 1000)), source: "Nagios, first_notification" },
        /// The groups that hear of it, in the place of those that did before: name these again to keep them.
        contacts: Texts { required: true, example: "[\"sysadmins\", \"oncall\"]" },
        /// How often it is told from then on. A number and `m`, `h` or `d`.
        repeat: Text { default: "[monitoring]'s", example: "\"30m\"", pattern: "^[0-9]+[mhd]$", source: "Nagios, notification_interval" },
        /// Only in this period: the name of a `[monitoring.periods.NAME]`.
        period: Text { default: "always", example: "\"nights\"", source: "Nagios, escalation_period" },
    }

    /// Times of the week, in the time zone of the monitoring machine.
    ///
    /// ```toml
    /// [monitoring.periods.workhours]
    /// days = ["monday-friday 09:00-17:30"]
    /// ```
    table Period("[monitoring.periods.NAME]") {
        /// A day or several days in a row, and the times on each: `monday-friday 09:00-12:00,13:00-17:30`.
        days: Texts { required: true, example: "[\"monday-friday 09:00-17:30\", \"saturday 10:00-12:00\"]", source: "Nagios, timeperiod" },
    }

    /// What a role says of the monitoring of its machines.
    ///
    /// ```toml
    /// [monitoring]
    /// contacts = ["webteam"]
    /// ```
    table RoleMonitoring("[monitoring] of a role") {
        /// Groups that hear of problems of the role's checks.
        contacts: Texts { default: "the fleet's", example: "[\"webteam\"]" },
        /// From what on the checks that every machine has find a problem on machines with this role.
        thresholds: Named<Thresholds>,
    }

    /// What is particular to the monitoring of a machine.
    ///
    /// ```toml
    /// [monitoring]
    /// parents = ["kvm1.example.org"]
    ///
    /// [monitoring.thresholds."web/http"]
    /// critical = 20
    ///
    /// [[monitoring.skip]]
    /// check  = "updates"
    /// reason = "frozen until the vendor has moved"
    /// until  = 2027-01-31
    /// ```
    table HostMonitoring("[monitoring] of a host") {
        /// Groups that hear of problems of the machine itself: that it can't be reached, and of the checks that every
        /// machine has.
        contacts: Texts { default: "the fleet's", example: "[\"sysadmins\"]" },
        /// Machines without which this one can't be reached, such as a virtual machine's hypervisor: while they are down,
        /// it is not told that this one is.
        parents: Texts { default: "[]", example: "[\"kvm1.example.org\"]", source: "Nagios, parents" },
        /// From what on a check finds a problem on this machine: a check that every machine has by its name, a role's
        /// as `"ROLE/CHECK"`.
        thresholds: Named<Thresholds>,
        /// Checks that this machine does without for a time.
        skip: Many<Skip>,
    }

    /// A check that a machine does without for a time.
    ///
    /// ```toml
    /// [[monitoring.skip]]
    /// check  = "updates"
    /// reason = "frozen until the vendor has moved"
    /// until  = 2027-01-31
    /// ```
    table Skip("[[monitoring.skip]]") {
        /// The check's name; a role's is `ROLE/CHECK`. `all`: the machine is not monitored.
        check: Text { required: true, example: "\"updates\"" },
        /// Why the machine can do without it for a while.
        reason: Text { required: true, example: "\"frozen until the vendor has moved\"" },
        /// The last day, in UTC. From then on `debrole check` says that it has ended, until somebody removes it or
        /// writes a later day.
        until: Day { required: true, example: "2027-01-31" },
    }

    /// Makes a role one of monitoring servers: its package depends on `pg-nagios-config`, which has Nagios ask all
    /// machines of the fleet. The machines need an address and a host key.
    ///
    /// ```toml
    /// [nagios_server]
    /// ```
    table NagiosServer("[nagios_server]") {
        /// Whether it tells problems. A second server that only watches has false; one of the fleet's roles has to.
        notify: Flag { default: "true", example: "false", source: "Nagios, enable_notifications" },
    }

    /// Makes a role one of servers of Munin: its package depends on `pg-munin-config`, which has Munin ask all machines
    /// of the fleet. The machines need an address.
    ///
    /// ```toml
    /// [munin_server]
    /// ```
    table MuninServer("[munin_server]") {
    }

    /// One Debian release.
    table Release("[release.NAME] of debrole.toml") {
        /// The number of the release: its packages' versions carry it (`+deb12`) where they differ between
        /// releases. Known for bookworm (12), trixie (13) and forky (14); any other needs it. Two releases can't
        /// have the same.
        version: Number { default: "what Debian says, for the releases that it has", example: "12", range: Some((1, 9999)) },
        /// Debian's archive for this release: NAME and NAME-updates are read from it.
        mirror: Text { default: "\"http://deb.debian.org/debian\"", example: "\"http://deb.debian.org/debian\"", source: "sources.list(5)" },
        /// Debian's security archive: NAME-security is read from it. An empty string: there is none.
        security: Text {
            default: "\"http://security.debian.org/debian-security\"",
            example: "\"http://security.debian.org/debian-security\"", source: "sources.list(5)"
        },
        /// The archive areas that the fleet uses.
        components: Texts { default: "[\"main\"]", example: "[\"main\", \"contrib\"]", source: "Debian Policy 2.2" },
    }

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

    /// A backup job: what is backed up together, and how often. Each machine with the role runs it by a timer, by restic(1)
    /// through SSH, to every machine that has a role with `[backup_server]`, encrypted before it leaves. The machine can
    /// add backups and read its own; it can't remove or change any. The servers look whether backups arrive, thin them out as `keep` says, and restore a
    /// sample of them monthly.
    ///
    /// ```toml
    /// [[backup]]
    /// name    = "www"
    /// paths   = ["/srv/www"]
    /// exclude = ["/srv/www/cache"]
    ///
    /// [[backup]]
    /// name = "cluster"
    /// dump = [{ file = "all.sql", command = "pg_dumpall", user = "postgres" }]
    /// ```
    table Backup("[[backup]]") {
        /// The job's name, with the role's in front: `www` of the role web is the job `web_www`; of a host it is `machine_www`.
        /// Lower case letters, digits and inner hyphens.
        name: Text { required: true, example: "\"www\"", pattern: "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$" },
        /// Files and directories, with all that is below them.
        paths: Texts { default: "[]", example: "[\"/srv/www\"]" },
        /// What is left out: patterns of restic(1), each a path or a name with `*`, `?` and `**`.
        exclude: Texts { default: "[]", example: "[\"/srv/www/cache\", \"*.tmp\"]", source: "restic(1), excluding files" },
        /// What commands write, such as a dump of a database: backed up together with the paths. When one fails, the job
        /// does, and nothing arrives that looks like a backup.
        dump: Many<Dump>,
        /// A fragment of POSIX sh that is run as root before anything is read. When it fails, the job does.
        before: Text { example: "\"systemctl stop app.service\"", source: "Debian Policy 10.4" },
        /// A fragment of POSIX sh that is run as root afterwards, whatever came of the rest.
        after: Text { example: "\"systemctl start app.service\"", source: "Debian Policy 10.4" },
        /// When it is run: `hourly`, `daily`, `weekly` or `monthly`, or days of the week, a date and a time of
        /// systemd.time(7). Each machine begins up to an hour later, always at the same time.
        schedule: Text { default: "\"daily\"", example: "\"Mon..Fri *-*-* 22:30\"", source: "systemd.time(7), CALENDAR EVENTS" },
        /// For how long the server keeps every backup, counted back from the newest. A number and `d`, `w` or `y`.
        keep: Text { default: "\"7d\"", example: "\"2d\"", pattern: "^[0-9]+[dwy]$" },
        /// For how long it keeps the last backup of each day on which one arrived.
        keep_daily: Text { default: "\"30d\"", example: "\"14d\"", pattern: "^[0-9]+[dwy]$" },
        /// For how long it keeps the last of each week.
        keep_weekly: Text { default: "\"12w\"", example: "\"8w\"", pattern: "^[0-9]+[dwy]$" },
        /// For how long it keeps the last of each month.
        keep_monthly: Text { default: "\"1y\"", example: "\"2y\"", pattern: "^[0-9]+[dwy]$" },
        /// The age of the newest backup at which monitoring warns. A number and `h`, `d` or `w`.
        warn_after: Text { default: "the schedule's longest pause and a sixth of it: 28h where it is daily", example: "\"28h\"", pattern: "^[0-9]+[hdw]$" },
        /// The age at which it is critical. A backup that never came is from the beginning.
        critical_after: Text { default: "three times that pause: 72h where it is daily", example: "\"72h\"", pattern: "^[0-9]+[hdw]$" },
        /// The size below which a backup is too small to be one: monitoring warns. Without it, less than half of the largest
        /// of the last two weeks is. A number and `K`, `M`, `G` or `T`.
        at_least: Text { example: "\"100M\"", pattern: "^[0-9]+[KMGT]$" },
    }

    /// What a command writes on its standard output, as a file of a backup: below `/var/lib/PREFIX-backup/JOB/`, for root
    /// alone. The file is replaced when the command has succeeded.
    table Dump("[[backup.dump]]") {
        /// The file's name: letters, digits, `.`, `_` and `-`.
        file: Text { required: true, example: "\"all.sql\"", pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$" },
        /// One line, run by /bin/sh.
        command: Text { required: true, example: "\"pg_dumpall\"" },
        /// The user that runs it.
        user: Text { default: "\"root\"", example: "\"postgres\"", source: "runuser(1)" },
    }

    /// A role with this table makes a machine a backup server: the jobs of all machines of the fleet go there, each
    /// machine's into a repository of its own. With several servers they go to each of them.
    ///
    /// ```toml
    /// [backup_server]
    /// directory = "/srv/backup"
    /// ```
    table BackupServer("[backup_server]") {
        /// Where the backups are: in a directory for each machine, by its name. Made where it is not there.
        directory: Text { default: "\"/srv/backup\"", example: "\"/srv/backup\"" },
        /// For how long the backups of a machine or a job are kept that has left the tree, counted from the day on which
        /// the server heard of it. A number and `d`, `w` or `y`.
        keep_left: Text { default: "\"1y\"", example: "\"90d\"", pattern: "^[0-9]+[dwy]$" },
    }

    /// Who may be on a machine, and do what there. A person has an account on a machine where a group of theirs has a
    /// login; nowhere else.
    ///
    /// ```toml
    /// [access]
    /// login = ["webteam"]
    /// sudo  = [{ group = "webteam", commands = ["/usr/bin/systemctl reload nginx.service"] }]
    /// ```
    table Access("[access]") {
        /// Groups whose members may log in. The package depends on theirs (`pg-access-GROUP`).
        login: Texts { default: "[]", example: "[\"webteam\"]" },
        /// What the members of a group may run by sudo.
        sudo: Many<Sudo>,
        /// Names for lists of commands, used in `sudo` in the place of a command. Upper case letters, digits and `_`.
        alias: Named<CommandAlias>,
    }

    /// A rule of sudo.
    ///
    /// ```toml
    /// [[access.sudo]]
    /// group    = "sysadmins"
    /// commands = ["ALL"]
    /// reason   = "administrators of all machines"
    /// ```
    table Sudo("[[access.sudo]]") {
        /// The group whose members may.
        group: Text { required: true, example: "\"webteam\"" },
        /// What they may run: the absolute path of a command with its arguments, `sudoedit` and a path, the name of an
        /// alias, or `ALL`. A path alone means the command without arguments; a final ` *` means any arguments.
        commands: Texts { required: true, example: "[\"/usr/bin/systemctl reload nginx.service\"]", source: "sudoers(5)" },
        /// As whom: users of the machine, or `ALL`.
        run_as: TextOrTexts { default: "\"root\"", example: "\"postgres\"", source: "sudoers(5), Runas_Spec" },
        /// Whether sudo asks for a password. Accounts have none unless somebody sets one on the machine, so with true
        /// the rule allows nothing until then.
        password: Flag { default: "false", example: "true", source: "sudoers(5), PASSWD" },
        /// Whether the command is kept from starting others, such as the shell that a pager offers.
        noexec: Flag { default: "false", example: "true", source: "sudoers(5), NOEXEC" },
        /// Why. Required where commands are `ALL`.
        reason: Text { example: "\"administrators of all machines\"" },
    }

    /// A list of commands with a name.
    ///
    /// ```toml
    /// [access.alias.RELOAD]
    /// commands = ["/usr/bin/systemctl reload nginx.service", "/usr/bin/systemctl reload varnish.service"]
    /// ```
    table CommandAlias("[access.alias.NAME]") {
        /// The commands, as in a rule.
        commands: Texts { required: true, example: "[\"/usr/bin/systemctl reload nginx.service\"]", source: "sudoers(5)" },
    }

    /// What Nagios asks about each machine with the role. On the machine it is a command of NRPE, `ROLE_NAME` (a host's
    /// own: `host_NAME`), in Nagios the service `ROLE: NAME`.
    ///
    /// ```toml
    /// [[check]]
    /// name     = "http"
    /// command  = "/usr/lib/nagios/plugins/check_http -H localhost -w {warning} -c {critical}"
    /// warning  = 2
    /// critical = 10
    /// ```
    table Check("[[check]]") {
        /// Its name: lower case letters, digits and inner hyphens, at most 40.
        name: Text { required: true, example: "\"http\"", pattern: "^[a-z][a-z0-9]*(-[a-z0-9]+)*$" },
        /// nrpe: the machine itself runs the command when it is asked. active: the monitoring server runs it.
        /// passive: the machine tells by itself
        /// (`/usr/lib/PREFIX/agent report ROLE/NAME STATE TEXT`, as root), and is missed when it does not.
        kind: Text { default: "\"nrpe\"", example: "\"active\"", values: &["nrpe", "active", "passive"] },
        /// A plugin's absolute path and its arguments, separated by blanks; an argument with blanks or other
        /// characters in it in quotes. No shell: what needs one is a script that the role ships (`[[file]]`).
        /// `{warning}` and `{critical}` are the thresholds; in an active one `{address}` and `{fqdn}` are the machine's.
        /// A plugin of Debian's monitoring-plugins brings its package; of another one, name it in `depends`.
        command: Text { example: "\"/usr/lib/nagios/plugins/check_procs -C nginx -c {critical}\"", source: "Nagios plugin API" },
        /// Whether the command is run on the machine as this user, by sudo. Without: as nagios.
        user: Text { default: "\"nagios\"", example: "\"postgres\"", source: "sudoers(5)" },
        /// Packages that the command needs: on the machine itself, of an active one on the monitoring server.
        depends: Texts { default: "[]", example: "[\"monitoring-plugins-contrib\"]", source: "Debian Policy 7.2" },
        /// What `{warning}` is. A number, a list of numbers with commas, or a range of the plugin's. A host's
        /// `[monitoring.thresholds."ROLE/NAME"]` takes precedence.
        warning: Measure { example: "2" },
        /// What `{critical}` is.
        critical: Measure { example: "10" },
        /// Whether a higher or a lower number is worse. (A range says so itself.)
        worse: Text { default: "\"higher\"", example: "\"lower\"", values: &["higher", "lower"] },
        /// Of a passive one: after this time without a word it is CRITICAL. A number and `m`, `h` or `d`.
        freshness: Text { example: "\"26h\"", pattern: "^[0-9]+[mhd]$", source: "Nagios, freshness_threshold; at least 1m, at most 90d" },
        /// Groups that hear of its problems.
        contacts: Texts { default: "the role's, else the fleet's", example: "[\"webteam\"]" },
        /// How often it is made. A number and `m` or `h`.
        interval: Text { default: "the fleet's", example: "\"15m\"", pattern: "^[0-9]+[mh]$", source: "Nagios, check_interval; at least 1m, at most 24h" },
        /// What whoever is told should know or do: in the mail, and in the web pages.
        notes: Text { example: "\"systemctl status nginx; the runbook is at …\"" },
    }

    /// A plugin of Munin.
    ///
    /// ```toml
    /// [[munin]]
    /// plugin = "nginx_request"
    /// env    = { url = "http://localhost/nginx_status" }
    /// ```
    table Munin("[[munin]]") {
        /// The plugin's name in `/usr/share/munin/plugins`, or the absolute path of another.
        plugin: Text { required: true, example: "\"nginx_request\"" },
        /// Its name on the machine. Required for a plugin whose name ends in `_`: `if_eth0` of `if_`.
        name: Text { default: "the plugin's", example: "\"if_eth0\"", pattern: "^[A-Za-z0-9][A-Za-z0-9_.-]*$" },
        /// Packages that it needs.
        depends: Texts { default: "[]", example: "[\"libwww-perl\"]", source: "Debian Policy 7.2" },
        /// The user that runs it.
        user: Text { default: "\"munin\"", example: "\"root\"", source: "munin-node, plugin-conf.d" },
        /// The group that it runs with.
        group: Text { example: "\"adm\"", source: "munin-node, plugin-conf.d" },
        /// Its settings.
        env: Scalars { example: "{ url = \"http://localhost/nginx_status\" }", source: "munin-node, plugin-conf.d" },
    }

    /// A system account that the role's software runs as. Made where it isn't there, from `/usr/lib/sysusers.d`, before
    /// the role's files are put in place; it stays when the role goes, as what it owns may.
    ///
    /// ```toml
    /// [[account]]
    /// name        = "git"
    /// description = "Git repositories"
    /// home        = "/srv/git"
    /// shell       = "/usr/bin/git-shell"
    /// ```
    table Account("[[account]]") {
        /// The account's name; its group has the same.
        name: Text { required: true, example: "\"git\"", source: "useradd(8), sysusers.d(5)" },
        /// What it is for.
        description: Text { required: true, example: "\"Git repositories\"", source: "sysusers.d(5), GECOS" },
        /// Its home directory, which is not made.
        home: Text { default: "\"/nonexistent\"", example: "\"/srv/git\"", source: "sysusers.d(5)" },
        /// Its login shell.
        shell: Text { default: "\"/usr/sbin/nologin\"", example: "\"/usr/bin/git-shell\"", source: "sysusers.d(5)" },
        /// Groups of the machine that it is in, too.
        groups: Texts { default: "[]", example: "[\"ssl-cert\"]", source: "sysusers.d(5)" },
    }

    /// A person: `users/alice.toml` is the account alice on the machines where a group of hers has a login. Removing
    /// the file takes the account out of use everywhere. A name is lower case letters, digits and hyphens.
    ///
    /// ```toml
    /// uid   = 2001
    /// name  = "Alice Example"
    /// email = "alice@example.org"
    ///
    /// [[key]]
    /// key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPUzq3WuJtLpo5rRa28VbMFSI3fhiXMT8vKQSa7knPRP alice@laptop"
    /// ```
    table User("a user") {
        /// The account's number on all machines, and its own group's. In the fleet's band, and in ledger.toml: a
        /// number is never given to somebody else, and who comes back gets their old one. `debrole user add` chooses.
        uid: Number { required: true, example: "2001", source: "Debian Policy 9.2.2" },
        /// The person's full name.
        name: Text { required: true, example: "\"Alice Example\"", source: "passwd(5), the comment field" },
        /// Where the person is reached.
        email: Text { example: "\"alice@example.org\"", source: "RFC 5322 3.4.1" },
        /// The login shell. Its package comes with the group's.
        shell: Text { default: "\"/bin/bash\"", example: "\"/usr/bin/zsh\"", source: "shells(5)" },
        /// The last day of the person's access, in UTC. Machines act on it by themselves.
        expires: Day { default: "never", example: "2027-12-31" },
        /// What happens with the home directory when the person has no access to a machine any more. keep: it stays as
        /// it is. archive: it is packed into a file that only root reads, then removed. remove: it is removed.
        home: Text { default: "\"keep\"", example: "\"archive\"", values: &["keep", "archive", "remove"] },
        /// The person's SSH keys. Nobody logs in without.
        key: Many<Key>,
        /// Accounts of the person that were on machines before debrole.
        adopt: Many<Adopt>,
    }

    /// A public SSH key of a person.
    ///
    /// ```toml
    /// [[key]]
    /// key     = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPUzq3WuJtLpo5rRa28VbMFSI3fhiXMT8vKQSa7knPRP alice@laptop"
    /// expires = 2027-12-31
    /// from    = ["192.0.2.0/24"]
    /// ```
    table Key("[[key]]") {
        /// The line of `~/.ssh/id_….pub`: type, key, comment; no options before it. Ed25519, ECDSA, either on a
        /// security key, or RSA of at least 3072 bits.
        key: Text { required: true, example: "\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPUzq3WuJtLpo5rRa28VbMFSI3fhiXMT8vKQSa7knPRP\"", source: "sshd(8), AUTHORIZED_KEYS FILE FORMAT" },
        /// The last day on which the key is good, in UTC.
        expires: Day { default: "never", example: "2027-12-31", source: "sshd(8), expiry-time" },
        /// Addresses, networks and host name patterns from which it is good.
        from: Texts { default: "everywhere", example: "[\"192.0.2.0/24\"]", source: "sshd(8), from" },
        /// The machines to which it is good.
        hosts: Texts { default: "all that the person may log in to", example: "[\"web1.example.org\"]" },
    }

    /// An account that was on machines before debrole, taken over as the person's. Without it, an account of the same
    /// name or number is reported and left alone.
    ///
    /// ```toml
    /// [[adopt]]
    /// uid   = 1000
    /// files = "home"
    /// ```
    table Adopt("[[adopt]]") {
        /// The account's name there.
        name: Text { default: "the person's", example: "\"asmith\"", source: "useradd(8)" },
        /// The account's number there.
        uid: Number { default: "the person's", example: "1000" },
        /// What is given to the person's number where the account has another one. home: what it owns in its home
        /// directory, its mail and its jobs. all: what it owns on the machine's own file systems.
        files: Text { default: "none: required where the numbers differ", example: "\"home\"", values: &["home", "all"] },
        /// The machines on which it is.
        hosts: Texts { default: "all", example: "[\"web1.example.org\"]" },
    }

    /// People who get access together: `groups/webteam.toml` becomes the package `pg-access-webteam`, and the group
    /// webteam on machines. Alone it lets nobody in: roles and hosts do, by `[access]`.
    ///
    /// ```toml
    /// gid         = 3001
    /// description = "Editors of the web site"
    /// members     = ["alice", "bob"]
    /// ```
    table Group("a group") {
        /// The group's number on all machines, of the band that users have, too. `debrole group add` chooses.
        gid: Number { required: true, example: "3001", source: "Debian Policy 9.2.2" },
        /// What the people in it have in common; one line.
        description: Text { required: true, example: "\"Editors of the web site\"" },
        /// The names of users.
        members: Texts { required: true, example: "[\"alice\", \"bob\"]" },
        /// Who decides about membership, or where the decision is written down.
        approval: Text { example: "\"the web team's lead, by mail to sysadmins@example.org\"" },
    }

    /// Every number that a person or a group of the fleet ever had, so that none is given twice: files of who left keep
    /// their owner. `debrole user add`, `debrole group add` and `debrole ledger` write it; no line is ever removed.
    ///
    /// ```toml
    /// [users]
    /// 2001 = "alice"
    /// 2002 = ["robert", "bob"]
    ///
    /// [groups]
    /// 3001 = "webteam"
    /// ```
    table Ledger("ledger.toml") {
        /// Number → the person's account name; a list where it was renamed, the present one last. No `users/NAME.toml`
        /// for it: who had it has left.
        users: ValueTable { example: "{ 2001 = \"alice\" }" },
        /// Number → the group's name, likewise.
        groups: ValueTable { example: "{ 3001 = \"webteam\" }" },
        /// Number → what is to become of the home directory of somebody who has left, where it is not what their file
        /// said: keep, archive or remove.
        home: Scalars { example: "{ 2001 = \"archive\" }" },
    }

    /// A file on the machine. What was there before is kept aside and put back when the role goes.
    ///
    /// A file that belongs to another package is never altered. Look for its drop-in directory first (`conf.d/`); for a
    /// daemon's options `drop_in` of `[[service]]` is the way. Where there is none, `policy = "divert"` takes the place
    /// of a file that dpkg installed, `adopt` that of one which maintainer scripts made, and `[[absent]]` keeps one away.
    ///
    /// ```toml
    /// [[file]]
    /// path     = "/etc/nginx/conf.d/pg-web.conf"
    /// source   = "pg-web.conf"
    /// template = true
    /// validate = "nginx -t"
    /// reload   = ["nginx.service"]
    /// ```
    table File("[[file]]") {
        /// Where it is on the machine: absolute, without `.`, `..` and doubled slashes. With `directory`, the
        /// directory below which the files land.
        path: Text { required: true, example: "\"/etc/nginx/conf.d/pg-web.conf\"", pattern: "^/[A-Za-z0-9._+@:,=%/-]+$", source: "Debian Policy 9.1" },
        /// What is in it, as text. Exactly one of `content`, `source` and `directory` is given.
        content: Text { example: "\"hello\\n\"" },
        /// The file in `roles/ROLE/` (a host: `hosts/FQDN/`) that it is a copy of. Any bytes, at most 64 MiB.
        source: Text { example: "\"pg-web.conf\"" },
        /// A folder in `roles/ROLE/`: every file in it lands below `path`.
        directory: Text { example: "\"site\"" },
        /// Whether the text is a template, rendered when the package is made: `{{ fleet.origin }}`,
        /// `{{ host.fqdn }}`. A value that isn't there is an error.
        template: Flag { default: "false", example: "true", source: "https://docs.rs/minijinja (Jinja2's syntax)" },
        /// Permissions, as an octal number in quotes.
        mode: Text { default: "\"0644\", or \"0755\" where the source is executable", example: "\"0640\"", pattern: "^[0-7]{3,4}$", source: "chmod(1), Debian Policy 10.9" },
        /// Has to be true for a mode that hands out power: setuid, setgid, or writable by everybody.
        special: Flag { default: "false", example: "true", source: "Debian Policy 10.9" },
        /// The user that owns it. It must exist on the machine when the file is put there.
        owner: Text { default: "\"root\"", example: "\"www-data\"", source: "useradd(8)" },
        /// The group that owns it.
        group: Text { default: "\"root\"", example: "\"adm\"", source: "groupadd(8)" },
        /// Commands that must succeed before the file takes effect. They see an /etc with all new files in place.
        /// Where one fails, the machine keeps its old configuration and says so.
        validate: TextOrTexts { example: "\"nginx -t\"" },
        /// Whether secrets are in it: `{{ secret.db_password }}`. It is a template then; the secrets are set in on the
        /// machine, in memory alone, and `path` is a symbolic link to `/run/PREFIX-secrets/…`. Its mode is 0400: only
        /// `owner` reads it. Not for what is read before sysinit.target.
        secret: Flag { default: "false", example: "true" },
        /// Units that are reloaded when the file changed, appeared or went.
        reload: Texts { default: "[]", example: "[\"nginx.service\"]", source: "systemctl(1), reload" },
        /// Units that are restarted when the file changed, appeared or went.
        restart: Texts { default: "[]", example: "[\"postgresql.service\"]", source: "systemctl(1), restart" },
        /// `managed`: what somebody changes is changed back. `initial`: put there if nothing is; from then on it is the
        /// machine's own, also where it is edited or removed, and goes only when the package is purged, as Debian's
        /// conffiles do. `divert`: in the place of a file that another package installed, which is diverted
        /// (dpkg-divert) while that package is there and put back when the role goes; never an Essential package's.
        /// Below /etc, apt is told then to keep changed conffiles (`--force-confold`), else unattended-upgrades
        /// would hold that package back.
        policy: Text { default: "\"managed\"", example: "\"initial\"", source: "Debian Policy 10.7, 3.9", values: &["managed", "initial", "divert"] },
        /// The package whose maintainer scripts make this file: `postfix` for `/etc/postfix/main.cf`. While it is
        /// installed the file is managed. What the scripts made is put back when the role goes, and is gone when that
        /// package was purged. Until the package is there, the file waits.
        adopt: Text { example: "\"postfix\"", source: "Debian Policy 10.7.3" },
    }

    /// A symbolic link.
    ///
    /// ```toml
    /// [[symlink]]
    /// path   = "/etc/nginx/sites-enabled/web"
    /// target = "../sites-available/web"
    /// ```
    table Symlink("[[symlink]]") {
        /// Where the link is.
        path: Text { required: true, example: "\"/etc/nginx/sites-enabled/web\"", source: "Debian Policy 10.5" },
        /// What it points to, absolute or relative to the link. Need not exist.
        target: Text { required: true, example: "\"../sites-available/web\"", source: "symlink(7)" },
    }

    /// A directory. Made if it isn't there; removed with the role if it is empty then.
    ///
    /// ```toml
    /// [[directory]]
    /// path  = "/srv/www"
    /// owner = "www-data"
    /// ```
    table Directory("[[directory]]") {
        /// Where it is.
        path: Text { required: true, example: "\"/srv/www\"", source: "Debian Policy 9.1" },
        /// Permissions, as an octal number in quotes.
        mode: Text { default: "\"0755\"", example: "\"0750\"", pattern: "^[0-7]{3,4}$", source: "chmod(1), Debian Policy 10.9" },
        /// Has to be true for a mode that hands out power: setuid, setgid, or writable by everybody without the
        /// sticky bit.
        special: Flag { default: "false", example: "true", source: "Debian Policy 10.9" },
        /// The user that owns it. It must exist on the machine when the directory is put there.
        owner: Text { default: "\"root\"", example: "\"www-data\"", source: "useradd(8)" },
        /// The group that owns it.
        group: Text { default: "\"root\"", example: "\"adm\"", source: "groupadd(8)" },
        /// Whether nothing may be in it but what packages put there, Debian's or the fleet's. A foreign file, at any
        /// depth, is moved away and put back when the role goes. Below /etc only.
        exclusive: Flag { default: "false", example: "true" },
        /// Units that are reloaded when the directory changed or a foreign file was moved away.
        reload: Texts { default: "[]", example: "[\"nginx.service\"]", source: "systemctl(1), reload" },
        /// Units that are restarted when the directory changed or a foreign file was moved away.
        restart: Texts { default: "[]", example: "[\"postgresql.service\"]", source: "systemctl(1), restart" },
    }

    /// The state of a systemd unit. What it was before is put back when the role goes.
    ///
    /// ```toml
    /// [[service]]
    /// unit    = "nginx.service"
    /// enable  = true
    /// drop_in = """
    /// [Service]
    /// LimitNOFILE=65536
    /// """
    /// ```
    table Service("[[service]]") {
        /// The unit's name with its type.
        unit: Text { required: true, example: "\"nginx.service\"", source: "systemd.unit(5)" },
        /// true: enabled and started. false: disabled and stopped. Absent: left as it is.
        enable: Flag { example: "true", source: "systemctl(1), enable" },
        /// true: masked, so that nothing can start it. Not together with `enable`.
        mask: Flag { default: "false", example: "true", source: "systemctl(1), mask" },
        /// Text of a drop-in that changes the unit; it has a section such as `[Service]`.
        drop_in: Text { example: "\"[Service]\\nLimitNOFILE=65536\\n\"", source: "systemd.unit(5)" },
    }

    /// A systemd unit of the role's own, in `/usr/lib/systemd/system`.
    ///
    /// ```toml
    /// [[unit]]
    /// name    = "pg-report.timer"
    /// enable  = true
    /// content = """
    /// [Timer]
    /// OnCalendar=daily
    ///
    /// [Install]
    /// WantedBy=timers.target
    /// """
    /// ```
    table Unit("[[unit]]") {
        /// The unit's name with its type.
        name: Text { required: true, example: "\"pg-report.service\"", source: "systemd.unit(5)" },
        /// The unit file's text. Exactly one of `content` and `source` is given.
        content: Text { example: "\"[Service]\\nExecStart=/usr/bin/true\\n\"", source: "systemd.syntax(7)" },
        /// The file in `roles/ROLE/` that holds the text.
        source: Text { example: "\"pg-report.service\"" },
        /// Whether the text is a template; see `[[file]]`.
        template: Flag { default: "false", example: "true" },
        /// Whether it is enabled and started. Needs an `[Install]` section.
        enable: Flag { default: "false", example: "true", source: "systemctl(1), enable" },
    }

    /// A cron job: becomes `/etc/cron.d/PACKAGE-NAME`, and the package depends on `cron | cron-daemon`.
    ///
    /// ```toml
    /// [[cron]]
    /// name     = "rotate"
    /// schedule = "17 3 * * *"
    /// user     = "www-data"
    /// command  = "/usr/local/bin/rotate"
    /// ```
    table Cron("[[cron]]") {
        /// Part of the file's name: lower case letters, digits and hyphens. (cron ignores files with a dot.)
        name: Text { required: true, example: "\"rotate\"", pattern: "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", source: "cron(8), /etc/cron.d" },
        /// Five fields – minute, hour, day of month, month, day of week – or `@daily` and the like.
        schedule: Text { required: true, example: "\"17 3 * * *\"", source: "crontab(5)" },
        /// The user that runs it.
        user: Text { default: "\"root\"", example: "\"www-data\"", source: "crontab(5)" },
        /// One line, run by /bin/sh. A `%` is written `\%`, in double quotes `\\%`: cron makes a newline of a
        /// bare one.
        command: Text { required: true, example: "\"/usr/local/bin/rotate\"", source: "crontab(5)" },
    }

    /// The answer to a debconf question, given before the package is installed, so that it isn't asked.
    ///
    /// ```toml
    /// [[debconf]]
    /// package  = "postfix"
    /// question = "postfix/main_mailer_type"
    /// type     = "select"
    /// value    = "Internet Site"
    /// ```
    table Debconf("[[debconf]]") {
        /// The package that asks.
        package: Text { required: true, example: "\"postfix\"", source: "Debian Policy 5.6.7" },
        /// The question's name.
        question: Text { required: true, example: "\"postfix/main_mailer_type\"", source: "debconf-devel(7)" },
        /// The question's type, as in the package's templates.
        kind as "type": Text {
            default: "\"string\"", example: "\"select\"", source: "debconf-devel(7)",
            values: &["string", "boolean", "select", "multiselect", "note", "password", "text"]
        },
        /// The answer, one line. For a boolean `true` or `false`.
        value: Text { required: true, example: "\"Internet Site\"", source: "debconf-set-selections(1)" },
    }

    /// A secret that a service needs, in a file of its own: `/run/PREFIX-secrets/ROLE/NAME` (of a host:
    /// `…/FQDN/NAME`). The packages hold it encrypted to the machines that have the role; each decrypts it with its SSH
    /// host key when the package is installed and at boot, before services start, into memory and never to a disk. Only
    /// `owner` can read it. A service whose user is made when it starts (`DynamicUser=`) gets it by
    /// `LoadCredential=` of systemd.
    ///
    /// ```toml
    /// [[secret]]
    /// name    = "db_password"
    /// owner   = "www-data"
    /// restart = ["app.service"]
    /// ```
    table Secret("[[secret]]") {
        /// The file's name: lower case letters, digits and `_`.
        name: Text { required: true, example: "\"db_password\"", pattern: "^[a-z][a-z0-9_]{0,59}$" },
        /// What is in the file: a template, in which `secret.NAME` is what `secrets/NAME.age` holds. No filter can be
        /// applied to it, since it is set in on the machine.
        content: Text { default: "the secret of that name", example: "\"*:*:*:app:{{ secret.db_password }}\\n\"" },
        /// The user that may read it; the mode is 0400.
        owner: Text { default: "\"root\"", example: "\"www-data\"", source: "useradd(8)" },
        /// Units that are reloaded when it changed.
        reload: Texts { default: "[]", example: "[\"nginx.service\"]", source: "systemctl(1), reload" },
        /// Units that are restarted when it changed.
        restart: Texts { default: "[]", example: "[\"app.service\"]", source: "systemctl(1), restart" },
    }

    /// A path that is kept away: moved aside while the role is installed, put back when it goes.
    ///
    /// ```toml
    /// [[absent]]
    /// path   = "/etc/nginx/sites-enabled/default"
    /// reload = ["nginx.service"]
    /// ```
    table Absent("[[absent]]") {
        /// The file or link.
        path: Text { required: true, example: "\"/etc/nginx/sites-enabled/default\"" },
        /// Units that are reloaded when it went or came back.
        reload: Texts { default: "[]", example: "[\"nginx.service\"]", source: "systemctl(1), reload" },
        /// Units that are restarted when it went or came back.
        restart: Texts { default: "[]", example: "[\"postgresql.service\"]", source: "systemctl(1), restart" },
    }
}
