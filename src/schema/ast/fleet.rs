//! debrole.toml.

use super::{Monitoring, Network};
use crate::schema::decode::{Decode, Decoder, Flag, Named, Number, One, Text, Texts, Toml, ValueTable};
use crate::schema::meta::{Field, Options, Table, TableMeta, schema};
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
        /// The networks that virtual machines are in.
        network: Named<Network>,
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
        /// The keyring file, on the machine where debrole runs, of the keys that `mirror` and `security` are signed with:
        /// for a mirror that signs its own state, as aptly's and reprepro's do. Without it, both are signed by Debian.
        /// Where one is and the other is not, the file holds the keys of both. Machines that are provisioned get a copy of it
        /// in /etc/apt/keyrings.
        signed_by: Text {
            default: "\"/usr/share/keyrings/debian-archive-keyring.gpg\"",
            example: "\"/etc/apt/keyrings/mirror.gpg\"", source: "sources.list(5), `Signed-By`"
        },
        /// The archive areas that the fleet uses.
        components: Texts { default: "[\"main\"]", example: "[\"main\", \"contrib\"]", source: "Debian Policy 2.2" },
    }
}
