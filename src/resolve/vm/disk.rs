//! The disks of a virtual machine.

use super::{DEFAULT_DISK, DISK, size};
use crate::diagnostics::{Diagnostic, rules};
use crate::model::vm::{Disk, FileSystem};
use crate::names::MachinePath;
use crate::resolve::monitoring::choice;
use crate::schema::{Many, Text, ast};
use crate::source::{Span, Spanned};
use std::collections::BTreeMap;

/// What is there before file systems are mounted, or is no place for one. `/usr/local` is below one of them and is.
const NO_MOUNTS: [&str; 16] = [
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/lost+found",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lock",
    "/var/run",
];

pub(super) fn disks(many: Option<&Many<ast::Disk>>, span: Span, out: &mut Vec<Diagnostic>) -> Option<Vec<Disk>> {
    let mut disks: Vec<Disk> = Vec::new();
    let mut names: BTreeMap<String, Span> = BTreeMap::new();
    let mut mounts: Vec<(String, Span)> = Vec::new();
    let mut valid = true;
    for table in many.iter().flat_map(|many| &many.0) {
        let disk = disk(table, out);
        valid &= disk.is_some();
        let Some(disk) = disk else { continue };
        let place = table.name.as_ref().map_or(table.span, |text| text.span);
        if let Some(first) = names.insert(disk.name.clone(), place) {
            valid = false;
            out.push(
                Diagnostic::new(&rules::duplicate_name::RULE, format!("two disks are called \"{}\"", disk.name))
                    .at(place, "")
                    .also(first, "the other one")
                    .help("give each disk its own name"),
            );
        }
        let (mount, place) = match &disk.mount {
            Some(path) => (path.value.as_str(), path.span),
            None => ("/", table.mount.as_ref().map_or(table.span, |text| text.span)),
        };
        let below = |a: &str, b: &str| b != "/" && a.strip_prefix(b).is_some_and(|rest| rest.starts_with('/'));
        if let Some((other, first)) =
            mounts.iter().find(|(other, _)| mount == other || below(mount, other) || below(other, mount))
        {
            valid = false;
            let message = match mount == other {
                true => format!("two disks are mounted at {mount}"),
                false => format!("of {mount} and {other} one is mounted below the other"),
            };
            out.push(
                Diagnostic::new(&rules::mount_clash::RULE, message)
                    .at(place, "")
                    .also(*first, "the other one")
                    .help("mount each disk at a place of its own; the one without `mount` is /"),
            );
        }
        mounts.push((mount.to_owned(), place));
        disks.push(disk);
    }
    if !disks.iter().any(|disk| disk.mount.is_none()) {
        if let Some(place) = names.get("root") {
            valid = false;
            out.push(
                Diagnostic::new(&rules::duplicate_name::RULE, "\"root\" is the disk at /, and this one is not")
                    .at(*place, "")
                    .help("give it another name"),
            );
        }
        let size = DEFAULT_DISK;
        disks.push(Disk { name: "root".to_owned(), size, file_system: FileSystem::Ext4, mount: None, span });
    }
    disks.sort_by_key(|disk| disk.mount.is_some());
    valid.then_some(disks)
}

fn disk(table: &ast::Disk, out: &mut Vec<Diagnostic>) -> Option<Disk> {
    let is_root = table.mount.as_ref().is_none_or(|text| text.value == "/");
    let mount = table.mount.as_ref().filter(|_| !is_root).map(|text| mount(text, out));
    let name = match &table.name {
        Some(text) => disk_name(text, out),
        None if is_root => Some("root".to_owned()),
        None => {
            out.push(
                Diagnostic::new(&rules::missing_key::RULE, "a disk that is not / needs the key \"name\"")
                    .at(table.span, "\"name\" is missing here")
                    .help("add name = \"data\""),
            );
            None
        }
    };
    let size = match &table.size {
        Some(text) => size(text, "MGT", DISK, "20G", out),
        None => Some(DEFAULT_DISK),
    };
    let file_system = choice(
        table.file_system.as_ref(),
        "ext4",
        &FileSystem::ALL.map(FileSystem::as_str),
        "a file system that disks can have",
        out,
    );
    Some(Disk {
        name: name?,
        size: size?,
        file_system: FileSystem::ALL.into_iter().find(|one| Some(one.as_str()) == file_system)?,
        mount: match mount {
            Some(known) => Some(known?),
            None => None,
        },
        span: table.span,
    })
}

/// It becomes part of a file's name, and a word of the hypervisor's.
fn disk_name(text: &Text, out: &mut Vec<Diagnostic>) -> Option<String> {
    let name = text.value.as_str();
    let valid = name.len() <= 16
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if valid {
        return Some(name.to_owned());
    }
    out.push(
        Diagnostic::new(&rules::invalid_disk_name::RULE, format!("\"{}\" can't name a disk", name.escape_debug()))
            .at(text.span, "")
            .help("write lower case letters, digits and inner hyphens, a letter first, at most 16, such as \"data\""),
    );
    None
}

fn mount(text: &Text, out: &mut Vec<Diagnostic>) -> Option<Spanned<MachinePath>> {
    let within =
        |path: &str, top: &str| path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let (why, help) = match MachinePath::parse(&text.value) {
        Err(error) => (error, "write an absolute path, such as \"/srv\"".to_owned()),
        Ok(path) => {
            let taken = NO_MOUNTS.iter().find(|top| within(path.as_str(), top));
            match taken.filter(|_| !within(path.as_str(), "/usr/local")) {
                None => return Some(Spanned::new(path, text.span)),
                Some(top) => (
                    format!("{top} belongs to the system"),
                    "mount it where data is, such as \"/srv\" or \"/var/lib/postgresql\"".to_owned(),
                ),
            }
        }
    };
    out.push(
        Diagnostic::new(
            &rules::invalid_mount::RULE,
            format!("a disk can't be mounted at \"{}\": {why}", text.value.escape_debug()),
        )
        .at(text.span, "")
        .help(help),
    );
    None
}
