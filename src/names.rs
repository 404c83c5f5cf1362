//! Names as types: what has been through one of these is valid, in the words of Debian Policy, systemd or DNS.
//! Parsing returns a sentence that says what is wrong; the caller adds the place.

use std::fmt;

macro_rules! name {
    ($(#[$meta:meta])* $name:ident, $check:path) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);
        impl $name {
            /// Checks and takes the name; the error is a sentence that says what is wrong with it.
            pub fn parse(text: &str) -> Result<Self, String> {
                $check(text)?;
                Ok($name(text.into()))
            }
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.0)
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

name!(
    /// The name of a binary package (Debian Policy 5.6.7): at least two characters, lower case letters, digits,
    /// `+`, `-`, `.`, starting with a letter or digit.
    PackageName, package_name
);
name!(
    /// The name of a role, as in `roles/<role>.toml`: lower case letters, digits and inner hyphens, 1 to 60 characters.
    RoleName, label
);
name!(
    /// A machine's fully qualified domain name, lower case (RFC 1123): at least two labels.
    HostName, host_name
);
name!(
    /// The name of a secret, as in `secrets/<name>.age` and `secret.<name>` of templates: lower case letters, digits and
    /// `_`, a letter first, 1 to 60 characters.
    SecretName, secret_name
);
name!(
    /// The prefix of every package name of the fleet: 2 to 16 lower case letters and digits, a letter first.
    Prefix, prefix
);
name!(
    /// A Debian release by its codename, such as `bookworm`.
    Codename, codename
);
name!(
    /// A Debian architecture, such as `amd64` (Debian Policy 11.1). Not `all` and not a wildcard.
    Architecture, architecture
);
name!(
    /// A systemd unit name with its type, such as `nginx.service` or `apt-daily.timer` (systemd.unit(5)).
    UnitName, unit_name
);
name!(
    /// An absolute, normal path on a machine: no `.` or `..`, no doubled or final slash, made of
    /// `A-Z a-z 0-9 . _ - + @ : , = %` and `/` (what a line of a manifest and a shell can hold unquoted).
    MachinePath, machine_path
);
name!(
    /// The name of a user or group on a machine, as in useradd(8): `[a-z_][a-z0-9_-]{0,30}\$?`.
    AccountName, account_name
);

name!(
    /// A person's account, as in `users/<user>.toml`: `^[a-z][a-z0-9-]{0,30}$`, and none that Debian has.
    UserName, user_name
);
name!(
    /// A group of people, as in `groups/<group>.toml`: as for users.
    GroupName, group_name
);

fn each(text: &str, what: &str, ok: impl Fn(char) -> bool) -> Result<(), String> {
    match text.chars().find(|&c| !ok(c)) {
        Some(c) => Err(format!("{what} may not contain {c:?}")),
        None => Ok(()),
    }
}

fn package_name(text: &str) -> Result<(), String> {
    if text.len() < 2 {
        return Err("a package name has at least two characters (Debian Policy 5.6.7)".into());
    }
    each(text, "a package name", |c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c))?;
    if !text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()) {
        return Err("a package name starts with a letter or a digit (Debian Policy 5.6.7)".into());
    }
    Ok(())
}

fn label(text: &str) -> Result<(), String> {
    if text.is_empty() || text.len() > 60 {
        return Err("a role's name has 1 to 60 characters".into());
    }
    each(text, "a role's name", |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')?;
    if text.starts_with('-') || text.ends_with('-') {
        return Err("a role's name neither starts nor ends with a hyphen".into());
    }
    Ok(())
}

fn secret_name(text: &str) -> Result<(), String> {
    if text.is_empty() || text.len() > 60 {
        return Err("a secret's name has 1 to 60 characters".into());
    }
    each(text, "a secret's name", |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')?;
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Err("a secret's name starts with a letter".into());
    }
    if text == "files" {
        return Err("\"files\" is the directory of files that hold secrets".into());
    }
    Ok(())
}

fn host_name(text: &str) -> Result<(), String> {
    if text.len() > 200 {
        return Err("a host's name has at most 200 characters here".into());
    }
    if !text.contains('.') {
        return Err("a host is named by its fully qualified domain name, such as web1.example.org".into());
    }
    for part in text.split('.') {
        if part.is_empty() || part.len() > 63 {
            return Err("each part of a host's name has 1 to 63 characters (RFC 1123)".into());
        }
        each(part, "a host's name", |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')?;
        if part.starts_with('-') || part.ends_with('-') {
            return Err("no part of a host's name starts or ends with a hyphen (RFC 1123)".into());
        }
    }
    Ok(())
}

fn prefix(text: &str) -> Result<(), String> {
    if !(2..=16).contains(&text.len()) {
        return Err("a prefix has 2 to 16 characters".into());
    }
    each(text, "a prefix", |c| c.is_ascii_lowercase() || c.is_ascii_digit())?;
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Err("a prefix starts with a letter".into());
    }
    Ok(())
}

fn codename(text: &str) -> Result<(), String> {
    if text.is_empty() || text.len() > 32 {
        return Err("a release's codename has 1 to 32 characters".into());
    }
    each(text, "a release's codename", |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')?;
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Err("a release's codename starts with a letter".into());
    }
    Ok(())
}

fn architecture(text: &str) -> Result<(), String> {
    if text == "all" || text == "any" || text == "source" {
        return Err(format!(
            "{text:?} is not a machine's architecture: name those that the fleet has, such as \"amd64\""
        ));
    }
    if text.is_empty() || text.len() > 32 {
        return Err("an architecture has 1 to 32 characters".into());
    }
    each(text, "an architecture", |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// The unit types that systemd.unit(5) lists.
pub const UNIT_TYPES: &[&str] =
    &["service", "socket", "device", "mount", "automount", "swap", "target", "path", "timer", "slice", "scope"];

fn unit_name(text: &str) -> Result<(), String> {
    if text.len() > 255 {
        return Err("a unit's name has at most 255 characters (systemd.unit(5))".into());
    }
    let Some((stem, kind)) = text.rsplit_once('.') else {
        return Err(format!("a unit's name ends in its type, such as \"{text}.service\" (systemd.unit(5))"));
    };
    if !UNIT_TYPES.contains(&kind) {
        return Err(format!("{kind:?} is not a type of unit (systemd.unit(5)): .service, .timer, .socket, …"));
    }
    if stem.is_empty() {
        return Err("a unit's name has something before its type".into());
    }
    each(stem, "a unit's name", |c| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c))
}

fn machine_path(text: &str) -> Result<(), String> {
    if !text.starts_with('/') {
        return Err("a path on a machine is absolute: it starts with \"/\"".into());
    }
    if text == "/" {
        return Err("the root directory itself can't be managed".into());
    }
    if text.len() > 1024 {
        return Err("a path has at most 1024 characters".into());
    }
    for part in text[1..].split('/') {
        match part {
            "" => return Err("a path has no doubled and no final slash".into()),
            "." | ".." => return Err(format!("a path has no {part:?} in it")),
            _ if part.len() > 255 => return Err("a file name has at most 255 bytes".into()),
            _ => {}
        }
    }
    each(text, "a path", |c| c.is_ascii_alphanumeric() || "/._-+@:,=%".contains(c))
}

fn account_name(text: &str) -> Result<(), String> {
    if text.is_empty() || text.len() > 32 {
        return Err("a user or group name has 1 to 32 characters (useradd(8))".into());
    }
    each(text, "a user or group name", |c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c))?;
    if !text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_') {
        return Err("a user or group name starts with a lower case letter or \"_\" (useradd(8))".into());
    }
    Ok(())
}

/// Users and groups of Debian's base system (base-passwd) and of packages that most machines have. Nobody may be called
/// so: the name has a meaning, and often a power.
pub const DEBIAN_ACCOUNTS: &[&str] = &[
    "adm",
    "admin",
    "audio",
    "avahi",
    "backup",
    "bin",
    "bind",
    "cdrom",
    "crontab",
    "daemon",
    "debian-spamd",
    "dialout",
    "dip",
    "disk",
    "dnsmasq",
    "docker",
    "dovecot",
    "fax",
    "floppy",
    "ftp",
    "games",
    "gdm",
    "git",
    "gnats",
    "input",
    "irc",
    "kmem",
    "kvm",
    "libvirt",
    "libvirt-qemu",
    "list",
    "lp",
    "lxd",
    "mail",
    "man",
    "messagebus",
    "munin",
    "mysql",
    "nagios",
    "netdev",
    "news",
    "nobody",
    "nogroup",
    "ntp",
    "operator",
    "plugdev",
    "polkitd",
    "postdrop",
    "postfix",
    "postgres",
    "proxy",
    "redis",
    "render",
    "root",
    "rtkit",
    "sasl",
    "sgx",
    "shadow",
    "src",
    "ssh",
    "ssl-cert",
    "sshd",
    "staff",
    "sudo",
    "sync",
    "sys",
    "tape",
    "tty",
    "users",
    "utmp",
    "uucp",
    "uuidd",
    "vcsa",
    "video",
    "voice",
    "wheel",
    "www-data",
];

/// Whether the name is one of Debian's own accounts or groups.
pub fn is_debians(name: &str) -> bool {
    DEBIAN_ACCOUNTS.contains(&name) || ["systemd-", "debian-"].iter().any(|start| name.starts_with(start))
}

fn person(text: &str, what: &str) -> Result<(), String> {
    if text.is_empty() || text.len() > 31 {
        return Err(format!("{what} has 1 to 31 characters"));
    }
    each(text, what, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')?;
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Err(format!("{what} starts with a lower case letter"));
    }
    if text.ends_with('-') {
        return Err(format!("{what} does not end in a hyphen"));
    }
    if is_debians(text) {
        return Err("Debian's own accounts and groups have such names".into());
    }
    Ok(())
}

fn user_name(text: &str) -> Result<(), String> {
    person(text, "a user's name")
}

fn group_name(text: &str) -> Result<(), String> {
    person(text, "a group's name")
}

impl Prefix {
    /// `<prefix>-runtime`: what all maintainer scripts call.
    pub fn runtime_package(&self) -> PackageName {
        PackageName(format!("{self}-runtime").into())
    }
    /// `<prefix>-archive-keyring`: the archive key and the apt source.
    pub fn keyring_package(&self) -> PackageName {
        PackageName(format!("{self}-archive-keyring").into())
    }
    pub fn role_package(&self, role: &RoleName) -> PackageName {
        PackageName(format!("{self}-role-{role}").into())
    }
    pub fn host_package(&self, host: &HostName) -> PackageName {
        PackageName(format!("{self}-host-{host}").into())
    }
    /// `<prefix>-agent`: what every monitored machine has.
    pub fn agent_package(&self) -> PackageName {
        PackageName(format!("{self}-agent").into())
    }
    /// `<prefix>-nagios-config`: what Nagios asks all machines.
    pub fn nagios_config_package(&self) -> PackageName {
        PackageName(format!("{self}-nagios-config").into())
    }
    /// `<prefix>-munin-config`: the machines that Munin asks.
    pub fn munin_config_package(&self) -> PackageName {
        PackageName(format!("{self}-munin-config").into())
    }
    /// `<prefix>-access-<group>`: the members of a group.
    pub fn access_package(&self, group: &GroupName) -> PackageName {
        PackageName(format!("{self}-access-{group}").into())
    }
    /// `<prefix>-access`: what every machine with people on it needs.
    pub fn people_package(&self) -> PackageName {
        PackageName(format!("{self}-access").into())
    }
    /// `<prefix>-known-hosts`: the machines' SSH host keys.
    pub fn known_hosts_package(&self) -> PackageName {
        PackageName(format!("{self}-known-hosts").into())
    }
    /// `<prefix>-backup`: what a machine with backup jobs needs.
    pub fn backup_package(&self) -> PackageName {
        PackageName(format!("{self}-backup").into())
    }
    /// `<prefix>-backup-config`: what a backup server needs.
    pub fn backup_config_package(&self) -> PackageName {
        PackageName(format!("{self}-backup-config").into())
    }
    /// `<prefix>-host`: the virtual package that every host package provides and conflicts with, so that a machine
    /// has one of them at most.
    pub fn any_host(&self) -> PackageName {
        PackageName(format!("{self}-host").into())
    }
}

impl MachinePath {
    /// `self` with `inner` below it: `/a` and `/etc/x` make `/a/etc/x`. The result may be longer than what a user
    /// may write.
    pub fn join(&self, inner: &MachinePath) -> MachinePath {
        MachinePath(format!("{self}{inner}").into())
    }
    /// All directories above it but the root, the nearest first.
    pub fn ancestors(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(self.as_str().rfind('/'), |&i| self.as_str()[..i].rfind('/'))
            .take_while(|&i| i > 0)
            .map(|i| &self.as_str()[..i])
    }
    /// The path with the directories that Debian merged into /usr resolved: `/lib/x` is `/usr/lib/x`. Two claims
    /// on one path are compared in this form.
    pub fn canonical(&self) -> MachinePath {
        for top in ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"] {
            if let Some(rest) = self.as_str().strip_prefix(top)
                && (rest.is_empty() || rest.starts_with('/'))
            {
                return MachinePath(format!("/usr{}", self.as_str()).into());
            }
        }
        self.clone()
    }
    /// The directory that holds it; `/` for a name directly below the root.
    pub fn parent(&self) -> &str {
        match self.as_str().rfind('/') {
            Some(0) | None => "/",
            Some(i) => &self.as_str()[..i],
        }
    }
}
