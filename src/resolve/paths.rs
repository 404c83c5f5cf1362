//! Paths on a machine, their modes, and paths in the tree.

use super::content::Site;
use crate::diagnostics::{Diagnostic, rules};
use crate::names::MachinePath;
use crate::schema::{Flag, Text};
use crate::source::Spanned;
use std::path::{Component, Path, PathBuf};

/// What below these is not for a role to manage, and why.
const FORBIDDEN_TREES: &[(&str, &str)] = &[
    ("/proc", "the kernel makes it"),
    ("/sys", "the kernel makes it"),
    ("/dev", "the kernel and udev make it"),
    ("/run", "it is emptied at every boot; systemd-tmpfiles (tmpfiles.d(5)) makes what belongs there"),
    ("/var/run", "it is /run, which is emptied at every boot; tmpfiles.d(5) makes what belongs there"),
    ("/var/lock", "it is /run/lock, which is emptied at every boot"),
    ("/tmp", "it is emptied at every boot, and everybody may write there"),
    ("/var/tmp", "everybody may write there"),
    ("/var/lib/dpkg", "it is dpkg's own"),
    ("/var/lib/apt", "it is apt's own"),
    ("/var/cache/apt", "it is apt's own"),
    ("/etc/alternatives", "it is update-alternatives' own; call that in `setup`"),
    ("/lost+found", "it is the file system's own"),
];

/// Files that accounts and other programs keep; whoever else writes them loses entries.
const FORBIDDEN_FILES: &[(&str, &str)] = &[
    ("/etc/passwd", "accounts are made with adduser or sysusers.d(5)"),
    ("/etc/group", "groups are made with addgroup or sysusers.d(5)"),
    ("/etc/shadow", "accounts are made with adduser or sysusers.d(5)"),
    ("/etc/gshadow", "groups are made with addgroup or sysusers.d(5)"),
    ("/etc/passwd-", "it is passwd's own"),
    ("/etc/group-", "it is passwd's own"),
    ("/etc/shadow-", "it is passwd's own"),
    ("/etc/gshadow-", "it is passwd's own"),
    ("/etc/subuid", "useradd keeps it"),
    ("/etc/subgid", "useradd keeps it"),
    ("/etc/mtab", "it is a link to the kernel's list"),
    ("/etc/machine-id", "it is another on every machine (machine-id(5))"),
    ("/etc/ld.so.cache", "ldconfig makes it"),
];

/// Directories of Debian's base system: neither replaced nor given another mode by a role.
const BASE_DIRECTORIES: &[&str] = &[
    "/bin",
    "/boot",
    "/etc",
    "/home",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/root",
    "/sbin",
    "/usr",
    "/var",
    "/usr/bin",
    "/usr/games",
    "/usr/include",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/local",
    "/usr/local/bin",
    "/usr/local/lib",
    "/usr/local/sbin",
    "/usr/local/share",
    "/usr/sbin",
    "/usr/share",
    "/usr/share/doc",
    "/usr/src",
    "/var/backups",
    "/var/cache",
    "/var/lib",
    "/var/log",
    "/var/mail",
    "/var/spool",
    "/etc/apt",
    "/etc/cron.d",
    "/etc/systemd",
    "/etc/systemd/system",
    "/etc/default",
    "/etc/ssh",
    "/etc/profile.d",
    "/usr/lib/systemd",
    "/usr/lib/systemd/system",
];

/// Directories that are a role's to give a mode and owner, but not to replace by a file.
const SITE_DIRECTORIES: &[&str] = &["/srv", "/opt", "/mnt", "/media"];

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A file, link or absent path.
    File,
    Directory,
    /// Below which files land: may be any directory.
    Parent,
}

/// Checks a path on a machine.
pub fn machine(text: &Text, usage: Use, site: &Site<'_>, out: &mut Vec<Diagnostic>) -> Option<Spanned<MachinePath>> {
    let value = text.value.as_str();
    if !value.starts_with('/') {
        let help = match value {
            "" => "write where it is on the machine, such as \"/etc/motd\"".to_owned(),
            _ => format!("write \"/{}\"", value.trim_start_matches("./").trim_start_matches("~/").escape_debug()),
        };
        out.push(
            Diagnostic::new(
                &rules::relative_path::RULE,
                format!("\"{}\" is relative: a path on a machine begins with \"/\"", value.escape_debug()),
            )
            .at(text.span, "")
            .help(help),
        );
        return None;
    }
    let mut at = 0;
    for (i, part) in value.split('/').enumerate() {
        let doubled = part.is_empty() && i > 0 && value.len() > 1;
        if doubled || part == "." || part == ".." {
            let what = match part {
                "" if at == value.len() => "it ends in a slash".to_owned(),
                "" => "it has two slashes in a row".to_owned(),
                _ => format!("it has \"{part}\" in it"),
            };
            let from = if part.is_empty() { at.saturating_sub(1) } else { at };
            let mut diagnostic = Diagnostic::new(
                &rules::path_not_normal::RULE,
                format!("\"{}\" is not written in its shortest form: {what}", value.escape_debug()),
            )
            .at(text.part(from..at + part.len()), "");
            diagnostic = match normal(value) {
                Some(normal) => diagnostic.help(format!("write \"{}\"", normal.escape_debug())),
                None => diagnostic.help("write the path that is meant"),
            };
            out.push(diagnostic);
            return None;
        }
        at += part.len() + 1;
    }
    let path = match MachinePath::parse(value) {
        Ok(path) => path,
        Err(error) => {
            let bad = value.char_indices().find(|(_, c)| !(c.is_ascii_alphanumeric() || "/._-+@:,=%".contains(*c)));
            let (rule, range) = match bad {
                Some((at, c)) => (&rules::path_characters::RULE, at..at + c.len_utf8()),
                None if value == "/" => (&rules::forbidden_path::RULE, 0..value.len()),
                None => (&rules::path_characters::RULE, 0..value.len()),
            };
            out.push(
                Diagnostic::new(rule, format!("\"{}\" can't be managed: {error}", value.escape_debug()))
                    .at(text.part(range), "")
                    .help("choose a path of letters, digits and . _ - + @ : , = %"),
            );
            return None;
        }
    };
    if usage != Use::Parent
        && let Some(why) = forbidden(&path, usage, site)
    {
        out.push(
            Diagnostic::new(&rules::forbidden_path::RULE, format!("{path} is not a role's or host's to manage"))
                .at(text.span, "")
                .help("choose another path")
                .note(why),
        );
        return None;
    }
    Some(Spanned::new(path, text.span))
}

/// Why a path is none to manage.
pub fn forbidden(path: &MachinePath, usage: Use, site: &Site<'_>) -> Option<String> {
    let canonical = path.canonical();
    let path = path.as_str();
    let below = |top: &str| path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if let Some((_, why)) = FORBIDDEN_TREES.iter().find(|(top, _)| below(top)) {
        return Some((*why).to_owned());
    }
    if let Some((_, why)) = FORBIDDEN_FILES.iter().find(|(file, _)| below(file)) {
        return Some((*why).to_owned());
    }
    if let Some(prefix) = &site.facts.prefix {
        for top in ["/usr/share", "/var/lib", "/var/backups"] {
            if below(&format!("{top}/{prefix}")) {
                return Some(format!("{top}/{prefix} is {prefix}-runtime's own"));
            }
        }
        if path.starts_with(&format!("/usr/share/doc/{prefix}-")) {
            return Some("the generated packages have their changelogs there".to_owned());
        }
    }
    let base = BASE_DIRECTORIES.iter().any(|dir| *dir == path || *dir == canonical.as_str());
    if base || (usage == Use::File && SITE_DIRECTORIES.contains(&path)) {
        return Some(format!("{path} is a directory of Debian's base system"));
    }
    None
}

/// The path without `.`, `..` and doubled slashes; None if it leads above the root.
fn normal(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| format!("/{}", parts.join("/")))
}

/// Permission bits. Such as hand out power need `special = true`.
pub fn mode(
    text: Option<&Text>,
    special: Option<&Flag>,
    default: u32,
    directory: bool,
    out: &mut Vec<Diagnostic>,
) -> u32 {
    let Some(text) = text else { return default };
    let valid = (3..=4).contains(&text.value.len()) && text.value.bytes().all(|b| (b'0'..=b'7').contains(&b));
    let Some(mode) = u32::from_str_radix(&text.value, 8).ok().filter(|_| valid) else {
        out.push(
            Diagnostic::new(
                &rules::invalid_mode::RULE,
                format!("\"{}\" is not a file mode", text.value.escape_debug()),
            )
            .at(text.span, "")
            .help("write three or four octal digits, such as \"0644\" (chmod(1))"),
        );
        return default;
    };
    if special.is_some_and(|flag| flag.value) {
        return mode;
    }
    let sticky = mode & 0o1000 != 0;
    let powers = [
        (mode & 0o4000 != 0, "setuid: whoever runs it acts as its owner"),
        (mode & 0o2000 != 0 && !directory, "setgid: whoever runs it acts as its group"),
        (mode & 0o2000 != 0 && directory, "setgid: what is made in it belongs to its group"),
        (mode & 0o002 != 0 && !(directory && sticky), "writable by everybody"),
    ];
    if let Some((_, what)) = powers.iter().find(|(is, _)| *is) {
        out.push(
            Diagnostic::new(&rules::special_mode::RULE, format!("mode {} is special: {what}", text.value))
                .at(text.span, "")
                .help(format!(
                    "write mode = \"{:04o}\", or add special = true if it is meant",
                    mode & !0o6000 & if directory && sticky { 0o7777 } else { !0o002 }
                )),
        );
    }
    mode
}

/// A path in the folder of a role or host, as written in `source` or `directory`.
pub fn in_folder(text: &Text, site: &Site<'_>, out: &mut Vec<Diagnostic>) -> Option<PathBuf> {
    let path = Path::new(&text.value);
    let inside = path.components().all(|c| matches!(c, Component::Normal(_)));
    let normal: PathBuf = path.components().collect();
    if inside && !text.value.is_empty() && !text.value.contains('\0') && normal.as_os_str() == path.as_os_str() {
        return Some(normal);
    }
    let prefix = format!("{}/", site.folder);
    let help = match text.value.strip_prefix(&prefix) {
        Some(rest) => format!("it is relative to {prefix}: write \"{rest}\""),
        None => format!("put the file into {prefix} and write its path there"),
    };
    let message = if text.value.is_empty() {
        "the path of the source is empty".to_owned()
    } else if path.is_absolute() {
        format!("\"{}\" is an absolute path: a source is in {prefix}", text.value.escape_debug())
    } else if inside {
        format!("\"{}\" is not written in its shortest form", text.value.escape_debug())
    } else {
        format!("\"{}\" leads out of {prefix}", text.value.escape_debug())
    };
    out.push(Diagnostic::new(&rules::source_outside::RULE, message).at(text.span, "").help(help));
    None
}
