//! People, their groups, what they may do, and accounts.

use crate::schema::decode::{
    Day, Decode, Decoder, Flag, Many, Named, Number, Scalars, Text, TextOrTexts, Texts, Toml, ValueTable,
};
use crate::schema::meta::{Field, Options, Table, TableMeta, schema};
use crate::source::Span;

schema! {
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
}
