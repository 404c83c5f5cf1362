//! The fleet tree on disk, read whole: `debrole.toml`, `ledger.toml`, `roles/`, `hosts/`, `groups/`, `users/`,
//! `packages/`, `secrets/`. Only what is read here reaches the later stages; they never look at the disk.

use crate::diagnostics::{Diagnostic, Rule, rules};
use crate::model::SitePackage;
use crate::names::{GroupName, HostName, RoleName, SecretName, UserName, is_debians};
use crate::source::{FileId, Sources};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, FileType};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest TOML file that is read, in bytes.
pub const MAX_TOML: u64 = 1 << 20;
/// The largest file that a role or host ships, in bytes.
pub const MAX_SHIPPED: u64 = 64 << 20;
/// The largest package in `packages/`, in bytes.
pub const MAX_PACKAGE: u64 = 512 << 20;
/// The most files and folders that one role or host ships.
pub const MAX_ENTRIES: usize = 20_000;

/// What was read.
#[derive(Debug)]
pub struct Tree {
    pub root: PathBuf,
    /// The texts: all TOML files, and the shipped files that are text.
    pub sources: Sources,
    /// `debrole.toml`.
    pub debrole: Option<FileId>,
    /// `roles/<role>.toml`, by the role's name (valid names only).
    pub roles: BTreeMap<String, Definition>,
    /// `hosts/<fqdn>.toml`, by the host's name (valid names only).
    pub hosts: BTreeMap<String, Definition>,
    /// `users/<user>.toml`, by the user's name (valid names only). They ship no files.
    pub users: BTreeMap<String, Definition>,
    /// `groups/<group>.toml`, likewise.
    pub groups: BTreeMap<String, Definition>,
    /// `ledger.toml`, where there is one.
    pub ledger: Option<FileId>,
    /// Files of `roles/`, `hosts/`, `users/` and `groups/` that are there but could not be read, as `roles/web`. To name
    /// them is not another error.
    pub unread: BTreeSet<String>,
    /// `packages/*.deb`, sorted by file name.
    pub packages: Vec<SitePackage>,
    /// `secrets/<name>.age`, by the secret's name (valid names only); None where there is no `secrets/`.
    pub secrets: Option<BTreeMap<SecretName, Arc<[u8]>>>,
}

/// A role or host: its TOML file, and what it ships from the folder beside it.
#[derive(Debug)]
pub struct Definition {
    pub toml: FileId,
    /// By their path relative to the folder.
    pub files: BTreeMap<PathBuf, TreeFile>,
    /// All folders in it, relative to it; the folder itself is not among them.
    pub directories: BTreeSet<PathBuf>,
}

/// A file that a role or host ships.
#[derive(Debug, Clone)]
pub struct TreeFile {
    pub bytes: Arc<[u8]>,
    /// Whether its owner may execute it.
    pub executable: bool,
    /// Where it is text (UTF-8 without NUL): as a source that spans can point into.
    pub text: Option<FileId>,
}

impl Tree {
    /// The nearest directory from `start` upwards that holds a `debrole.toml`.
    pub fn find_root(start: &Path) -> Option<PathBuf> {
        start.ancestors().find(|dir| dir.join("debrole.toml").is_file()).map(Path::to_owned)
    }

    /// Reads the tree below `root`. What can't be read is left out, with a diagnostic.
    pub fn read(root: &Path) -> (Tree, Vec<Diagnostic>) {
        let reader = Reader { root, real: fs::canonicalize(root).unwrap_or_else(|_| root.to_owned()) };
        let mut diagnostics = Vec::new();
        let mut tree = Tree {
            root: root.to_owned(),
            sources: Sources::default(),
            debrole: None,
            roles: BTreeMap::new(),
            hosts: BTreeMap::new(),
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            ledger: None,
            unread: BTreeSet::new(),
            packages: Vec::new(),
            secrets: None,
        };
        match reader.toml(Path::new("debrole.toml")) {
            Ok(text) => tree.debrole = Some(tree.sources.add("debrole.toml", text)),
            Err(diagnostic) => diagnostics.push(*diagnostic),
        }
        let ledger = Path::new("ledger.toml");
        if fs::symlink_metadata(root.join(ledger)).is_ok() {
            match reader.toml(ledger) {
                Ok(text) => tree.ledger = Some(tree.sources.add(ledger, text)),
                Err(diagnostic) => diagnostics.push(*diagnostic),
            }
        }
        let roles = reader.definitions(Folder::Roles, &mut diagnostics);
        tree.roles = tree.register(roles, &mut diagnostics);
        let hosts = reader.definitions(Folder::Hosts, &mut diagnostics);
        tree.hosts = tree.register(hosts, &mut diagnostics);
        let groups = reader.definitions(Folder::Groups, &mut diagnostics);
        tree.groups = tree.register(groups, &mut diagnostics);
        let users = reader.definitions(Folder::Users, &mut diagnostics);
        tree.users = tree.register(users, &mut diagnostics);
        tree.packages = reader.packages(&mut diagnostics);
        tree.secrets = reader.secrets(&mut diagnostics);
        (tree, diagnostics)
    }

    /// Gives the texts their place among the sources, in the order of names.
    fn register(
        &mut self,
        read: Vec<ReadDefinition>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> BTreeMap<String, Definition> {
        let register = |item: ReadDefinition| {
            diagnostics.extend(item.diagnostics);
            let Some(text) = item.text else {
                self.unread.insert(item.folder.to_string_lossy().into_owned());
                return None;
            };
            let toml = self.sources.add(item.path, text);
            let mut files = BTreeMap::new();
            for (path, content, executable) in item.files {
                let file = match content {
                    Shipped::Text(text) => {
                        let id = self.sources.add(item.folder.join(&path), text.clone());
                        TreeFile { bytes: text.into(), executable, text: Some(id) }
                    }
                    Shipped::Bytes(bytes) => TreeFile { bytes, executable, text: None },
                };
                files.insert(path, file);
            }
            Some((item.name, Definition { toml, files, directories: item.directories }))
        };
        read.into_iter().filter_map(register).collect()
    }
}

/// A folder of the tree that holds one TOML file for each of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Folder {
    Roles,
    Hosts,
    Groups,
    Users,
}

impl Folder {
    const ALL: [Folder; 4] = [Folder::Roles, Folder::Hosts, Folder::Groups, Folder::Users];

    fn name(self) -> &'static str {
        match self {
            Folder::Roles => "roles",
            Folder::Hosts => "hosts",
            Folder::Groups => "groups",
            Folder::Users => "users",
        }
    }

    /// What one of them is.
    fn noun(self) -> &'static str {
        self.name().trim_end_matches('s')
    }

    /// Whether one of them may have a folder of files beside it.
    fn ships(self) -> bool {
        matches!(self, Folder::Roles | Folder::Hosts)
    }

    /// Whether a file may be called so; the rule that it breaks otherwise.
    fn check(self, stem: &str) -> Result<(), (&'static Rule, String)> {
        let people = matches!(self, Folder::Users | Folder::Groups);
        match self {
            _ if people && is_debians(stem) => {
                Err((&rules::reserved_account_name::RULE, "Debian's own accounts and groups have such names".into()))
            }
            Folder::Roles => RoleName::parse(stem).map(|_| ()).map_err(|e| (&rules::invalid_role_name::RULE, e)),
            Folder::Hosts => HostName::parse(stem).map(|_| ()).map_err(|e| (&rules::invalid_host_name::RULE, e)),
            Folder::Groups => GroupName::parse(stem).map(|_| ()).map_err(|e| (&rules::invalid_group_name::RULE, e)),
            Folder::Users => UserName::parse(stem).map(|_| ()).map_err(|e| (&rules::invalid_user_name::RULE, e)),
        }
    }
}

/// One role or host as read, before its texts have their place among the sources.
struct ReadDefinition {
    name: String,
    /// `roles/web.toml`
    path: PathBuf,
    /// `roles/web`
    folder: PathBuf,
    text: Option<Arc<str>>,
    files: Vec<(PathBuf, Shipped, bool)>,
    directories: BTreeSet<PathBuf>,
    diagnostics: Vec<Diagnostic>,
}

enum Shipped {
    Text(Arc<str>),
    Bytes(Arc<[u8]>),
}

type Refused = Box<Diagnostic>;

/// What a path turned out to be, after symbolic links.
struct Found {
    size: u64,
    kind: FileType,
    executable: bool,
    /// Device and inode: to see a directory that holds itself.
    identity: (u64, u64),
}

/// An entry of a directory.
struct Listed {
    path: PathBuf,
    name: String,
    /// After symbolic links.
    is_dir: bool,
}

struct Reader<'a> {
    root: &'a Path,
    /// The root with symbolic links resolved.
    real: PathBuf,
}

impl Reader<'_> {
    /// All of `roles/` or `hosts/`, sorted by name.
    fn definitions(&self, kind: Folder, diagnostics: &mut Vec<Diagnostic>) -> Vec<ReadDefinition> {
        let (folder, noun) = (kind.name(), kind.noun());
        let mut names = BTreeSet::new();
        let mut folders = Vec::new();
        let mut beside = BTreeSet::new();
        for Listed { path, name, is_dir } in self.list(Path::new(folder), diagnostics) {
            if name.starts_with('.') || name.ends_with('~') || name.starts_with("README") {
                continue;
            }
            if !name.ends_with(".toml") {
                beside.insert(name.clone());
            }
            match name.strip_suffix(".toml") {
                Some(stem) if !is_dir => match kind.check(stem) {
                    Ok(()) => {
                        names.insert(stem.to_owned());
                    }
                    Err((rule, error)) => diagnostics.push(
                        Diagnostic::new(rule, format!("{} can't name a {noun}: {error}", path.display()))
                            .in_file(&path)
                            .help(suggestion(kind, stem)),
                    ),
                },
                _ if is_dir => folders.push((path, name)),
                _ => diagnostics.push(
                    Diagnostic::new(
                        &rules::stray_file::RULE,
                        format!("{} is not read: a {noun} is a file {folder}/NAME.toml", path.display()),
                    )
                    .in_file(&path)
                    .help("rename it so that it ends in .toml, or move it elsewhere"),
                ),
            }
        }
        for (path, name) in folders {
            if !kind.ships() {
                diagnostics.push(
                    Diagnostic::new(
                        &rules::stray_folder::RULE,
                        format!("nothing in {}/ is used: a {noun} ships no files", path.display()),
                    )
                    .in_file(&path)
                    .help("remove the folder; what a machine is to have belongs to a role"),
                );
            } else if !names.contains(&name) {
                let near = crate::near::nearest(&name, names.iter().map(String::as_str));
                diagnostics.push(
                    Diagnostic::new(
                        &rules::stray_folder::RULE,
                        format!("nothing in {}/ is used: there is no {}.toml", path.display(), path.display()),
                    )
                    .in_file(&path)
                    .help(match near {
                        Some(near) => format!("did you mean {folder}/{near}/?"),
                        None => format!("add {folder}/{name}.toml, or remove the folder"),
                    }),
                );
            }
        }
        let read = |name: String| {
            let ships = beside.contains(&name);
            self.definition(folder, name, ships)
        };
        names.into_par_iter().map(read).collect()
    }

    /// `ships`: there is something by its name beside the TOML file.
    fn definition(&self, folder: &'static str, name: String, ships: bool) -> ReadDefinition {
        let path = Path::new(folder).join(format!("{name}.toml"));
        let mut out = ReadDefinition {
            folder: Path::new(folder).join(&name),
            name,
            text: None,
            files: Vec::new(),
            directories: BTreeSet::new(),
            diagnostics: Vec::new(),
            path,
        };
        match self.toml(&out.path) {
            Ok(text) => out.text = Some(text.into()),
            Err(diagnostic) => out.diagnostics.push(*diagnostic),
        }
        if ships {
            let base = out.folder.clone();
            let mut trail = Vec::new();
            self.walk(&base, &base, &mut trail, &mut out);
        }
        out
    }

    /// Reads a shipped file or folder into `out`. `trail`: the folders above, by identity.
    fn walk(&self, base: &Path, path: &Path, trail: &mut Vec<(u64, u64)>, out: &mut ReadDefinition) {
        let relative = path.strip_prefix(base).unwrap_or(path).to_owned();
        let found = match self.look(path) {
            Ok(found) => found,
            Err(diagnostic) => return out.diagnostics.push(*diagnostic),
        };
        if found.kind.is_dir() {
            if trail.contains(&found.identity) {
                return out.diagnostics.push(symlink_loop(path));
            }
            if !relative.as_os_str().is_empty() {
                out.directories.insert(relative);
            }
            trail.push(found.identity);
            let entries = self.list(path, &mut out.diagnostics);
            for Listed { path: entry, name, .. } in entries {
                if name.ends_with('~') || (name.starts_with('.') && name.ends_with(".swp")) {
                    continue;
                }
                if out.files.len() + out.directories.len() >= MAX_ENTRIES {
                    let told = out.diagnostics.last().is_some_and(|d| d.rule.code == "too-many-files");
                    if !told {
                        out.diagnostics.push(
                            Diagnostic::new(
                                &rules::too_many_files::RULE,
                                format!("{} holds more than {MAX_ENTRIES} files", base.display()),
                            )
                            .in_file(base)
                            .help("put them into a Debian package of their own, in packages/, and depend on it"),
                        );
                    }
                    break;
                }
                self.walk(base, &entry, trail, out);
            }
            trail.pop();
            return;
        }
        match self.bytes(path, &found, MAX_SHIPPED) {
            Ok(bytes) => {
                let content = match String::from_utf8(bytes) {
                    Ok(text) if !text.contains('\0') => Shipped::Text(text.into()),
                    Ok(text) => Shipped::Bytes(text.into_bytes().into()),
                    Err(error) => Shipped::Bytes(error.into_bytes().into()),
                };
                out.files.push((relative, content, found.executable));
            }
            Err(diagnostic) => out.diagnostics.push(*diagnostic),
        }
    }

    fn packages(&self, diagnostics: &mut Vec<Diagnostic>) -> Vec<SitePackage> {
        let mut out = Vec::new();
        for Listed { path, name, .. } in self.list(Path::new("packages"), diagnostics) {
            if name.starts_with('.') || name.ends_with('~') || name.starts_with("README") {
                continue;
            }
            if !name.ends_with(".deb") {
                diagnostics.push(
                    Diagnostic::new(
                        &rules::stray_file::RULE,
                        format!("{} is not published: packages/ holds *.deb", path.display()),
                    )
                    .in_file(&path)
                    .help("rename it so that it ends in .deb, or move it elsewhere"),
                );
                continue;
            }
            match self.look(&path).and_then(|found| self.bytes(&path, &found, MAX_PACKAGE)) {
                Ok(bytes) => out.push(SitePackage { path, bytes: bytes.into() }),
                Err(diagnostic) => diagnostics.push(*diagnostic),
            }
        }
        out
    }

    /// The directory may be a link to one that is kept elsewhere, unlike all others: what it holds is for few eyes, though
    /// it is encrypted, and the tree may be for all.
    fn secrets(&self, diagnostics: &mut Vec<Diagnostic>) -> Option<BTreeMap<SecretName, Arc<[u8]>>> {
        let folder = Path::new("secrets");
        if !self.root.join(folder).is_dir() {
            return None;
        }
        let mut out = BTreeMap::new();
        for Listed { path, name, .. } in self.list(folder, diagnostics) {
            if name.starts_with('.') || name.ends_with('~') || name.starts_with("README") {
                continue;
            }
            let Some(stem) = name.strip_suffix(".age") else {
                diagnostics.push(
                    Diagnostic::new(
                        &rules::stray_file::RULE,
                        format!("{} is not read: a secret is a file secrets/NAME.age", path.display()),
                    )
                    .in_file(&path)
                    .help("if it is a secret, encrypt it: debrole secret set NAME <FILE; remove it from here"),
                );
                continue;
            };
            match SecretName::parse(stem) {
                Err(error) => diagnostics.push(
                    Diagnostic::new(
                        &rules::invalid_secret_name::RULE,
                        format!("{} can't name a secret: {error}", path.display()),
                    )
                    .in_file(&path)
                    .help("rename it: lower case letters, digits and \"_\""),
                ),
                Ok(name) => match self.look(&path).and_then(|found| self.bytes(&path, &found, MAX_TOML)) {
                    Ok(bytes) => {
                        out.insert(name, bytes.into());
                    }
                    Err(diagnostic) => diagnostics.push(*diagnostic),
                },
            }
        }
        Some(out)
    }

    /// The entries of a directory that have UTF-8 names, sorted; none if it isn't there.
    fn list(&self, path: &Path, diagnostics: &mut Vec<Diagnostic>) -> Vec<Listed> {
        let entries = match fs::read_dir(self.root.join(path)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                diagnostics.push(*unreadable(path, &error));
                return Vec::new();
            }
        };
        let mut out = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) => match entry.file_name().into_string() {
                    Ok(name) => {
                        let path = path.join(&name);
                        // The directory knows what is in it; only where a symbolic link leads has to be looked up.
                        let is_dir = match entry.file_type() {
                            Ok(kind) if !kind.is_symlink() => kind.is_dir(),
                            _ => self.root.join(&path).is_dir(),
                        };
                        out.push(Listed { path, name, is_dir });
                    }
                    Err(name) => diagnostics.push(
                        Diagnostic::new(
                            &rules::file_name_not_utf8::RULE,
                            format!("a file name in {} is not UTF-8: {name:?}", path.display()),
                        )
                        .in_file(path)
                        .help("rename the file; names of packages and of their files are UTF-8 (Debian Policy 10.10)"),
                    ),
                },
                Err(error) => diagnostics.push(*unreadable(path, &error)),
            }
        }
        out.sort_by(|a, b| a.name.cmp(&b.name));
        out
    }

    /// What is at a path. Symbolic links are followed as long as they stay in roles/, hosts/ and packages/.
    fn look(&self, path: &Path) -> Result<Found, Refused> {
        let full = self.root.join(path);
        let mut meta = fs::symlink_metadata(&full).map_err(|error| unreadable(path, &error))?;
        if meta.is_symlink() {
            let target = fs::read_link(&full).unwrap_or_default();
            let real = fs::canonicalize(&full).map_err(|error| match error.raw_os_error() {
                Some(code) if code == rustix::io::Errno::LOOP.raw_os_error() => Box::new(symlink_loop(path)),
                _ if error.kind() == io::ErrorKind::NotFound => Box::new(
                    Diagnostic::new(
                        &rules::dangling_symlink::RULE,
                        format!("{} points to {}, which is not there", path.display(), target.display()),
                    )
                    .in_file(path)
                    .help("put the file there, or remove the link; a link for the machine is written as [[symlink]]"),
                ),
                _ => unreadable(path, &error),
            })?;
            let folders = Folder::ALL.map(Folder::name);
            if !folders.iter().chain(&["packages"]).any(|top| real.starts_with(self.real.join(top))) {
                return Err(Box::new(
                    Diagnostic::new(
                        &rules::symlink_leaves_tree::RULE,
                        format!(
                            "{} points to {}, outside of roles/, hosts/ and packages/",
                            path.display(),
                            target.display()
                        ),
                    )
                    .in_file(path)
                    .help("copy the file into the tree; a link for the machine is written as [[symlink]]")
                    .note("what a package holds must be in the tree: elsewhere it would build something else"),
                ));
            }
            meta = fs::metadata(&full).map_err(|error| unreadable(path, &error))?;
        }
        let kind = meta.file_type();
        let special = [
            (kind.is_fifo(), "a named pipe"),
            (kind.is_socket(), "a socket"),
            (kind.is_block_device(), "a block device"),
            (kind.is_char_device(), "a character device"),
        ];
        if let Some((_, what)) = special.iter().find(|(is, _)| *is) {
            return Err(Box::new(
                Diagnostic::new(&rules::special_file::RULE, format!("{} is {what}, not a file", path.display()))
                    .in_file(path)
                    .help("remove it; what should be made on the machine belongs into `setup` or a systemd unit"),
            ));
        }
        Ok(Found {
            size: meta.size(),
            kind,
            executable: meta.permissions().mode() & 0o100 != 0,
            identity: (meta.dev(), meta.ino()),
        })
    }

    fn bytes(&self, path: &Path, found: &Found, limit: u64) -> Result<Vec<u8>, Refused> {
        if found.size > limit {
            let (size, most) = (mebibytes(found.size), mebibytes(limit));
            return Err(Box::new(
                Diagnostic::new(
                    &rules::file_too_large::RULE,
                    format!("{} is too large: {size} MiB, the limit is {most} MiB", path.display()),
                )
                .in_file(path)
                .help("data of this size belongs into a Debian package of its own, in packages/, or on a server"),
            ));
        }
        let bytes = fs::read(self.root.join(path)).map_err(|error| unreadable(path, &error))?;
        // A part of a file would be published as if it were all of it.
        if bytes.len() as u64 != found.size {
            return Err(Box::new(
                Diagnostic::new(
                    &rules::unreadable_file::RULE,
                    format!("{} was being written while it was read", path.display()),
                )
                .in_file(path)
                .help("run it again when whoever writes it has finished"),
            ));
        }
        Ok(bytes)
    }

    fn toml(&self, path: &Path) -> Result<String, Refused> {
        if path == Path::new("debrole.toml")
            && let Err(error) = fs::symlink_metadata(self.root.join(path))
            && error.kind() == io::ErrorKind::NotFound
        {
            return Err(Box::new(
                Diagnostic::new(
                    &rules::no_debrole_toml::RULE,
                    format!("there is no debrole.toml in {}", self.root.display()),
                )
                .in_file(path)
                .help("`debrole init` makes a new fleet tree; `debrole -C TREE` names another one"),
            ));
        }
        let found = self.look(path)?;
        if found.kind.is_dir() {
            return Err(unreadable(path, &io::Error::from(io::ErrorKind::IsADirectory)));
        }
        let bytes = self.bytes(path, &found, MAX_TOML)?;
        String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let bytes = error.as_bytes();
            let line = bytes[..at].iter().filter(|b| **b == b'\n').count() + 1;
            let start = bytes[..at].iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
            let column = String::from_utf8_lossy(&bytes[start..at]).chars().count() + 1;
            Box::new(
                Diagnostic::new(
                    &rules::not_utf8::RULE,
                    format!("{}:{line}:{column} is not UTF-8: there is a byte 0x{:02x}", path.display(), bytes[at]),
                )
                .in_file(path)
                .help(format!("convert it: iconv -f ISO-8859-1 -t UTF-8 {}", path.display())),
            )
        })
    }
}

fn mebibytes(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

fn unreadable(path: &Path, error: &io::Error) -> Refused {
    let reason = match error.kind() {
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        io::ErrorKind::NotADirectory => "it is not a directory".to_owned(),
        _ => error.to_string(),
    };
    let help = match error.kind() {
        io::ErrorKind::PermissionDenied => format!("let the user who builds read it: chmod u+r {}", path.display()),
        io::ErrorKind::IsADirectory => format!("{} must be a file", path.display()),
        io::ErrorKind::NotADirectory => format!("{} must be a directory", path.display()),
        _ => format!("see that {} can be read", path.display()),
    };
    Box::new(
        Diagnostic::new(&rules::unreadable_file::RULE, format!("{} can't be read: {reason}", path.display()))
            .in_file(path)
            .help(help),
    )
}

fn symlink_loop(path: &Path) -> Diagnostic {
    Diagnostic::new(
        &rules::symlink_loop::RULE,
        format!("{} is a symbolic link that leads back to itself", path.display()),
    )
    .in_file(path)
    .help("remove the link, or let it point to a file")
}

/// A valid name made of an invalid one, if there is one.
fn suggestion(kind: Folder, stem: &str) -> String {
    let folder = kind.name();
    let fixed: String =
        stem.to_lowercase()
            .chars()
            .map(|c| {
                if c.is_ascii_lowercase() || c.is_ascii_digit() || (c == '.' && kind == Folder::Hosts) {
                    c
                } else {
                    '-'
                }
            })
            .collect();
    let fixed = fixed.trim_matches(['-', '.']).to_owned();
    match kind.check(&fixed) {
        Ok(()) if fixed != stem => format!("rename it to {folder}/{fixed}.toml"),
        _ if kind == Folder::Hosts => {
            "rename it to the machine's fully qualified domain name, such as hosts/web1.example.org.toml".into()
        }
        _ if kind == Folder::Users => "rename it: lower case letters, digits and inner hyphens, a letter first".into(),
        _ => "rename it: lower case letters, digits and inner hyphens".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_while_it_is_read_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let reader = Reader { root, real: root.to_owned() };
        let path = Path::new("debrole.toml");
        fs::write(root.join(path), "schema = 1\n").unwrap();
        let found = reader.look(path).unwrap();
        assert_eq!(reader.bytes(path, &found, MAX_TOML).unwrap(), b"schema = 1\n");
        for meanwhile in ["", "schema", "schema = 1\n[fleet]\n"] {
            fs::write(root.join(path), meanwhile).unwrap();
            let told = reader.bytes(path, &found, MAX_TOML).unwrap_err();
            assert_eq!(told.message, "debrole.toml was being written while it was read", "{meanwhile:?}");
        }
    }
}
