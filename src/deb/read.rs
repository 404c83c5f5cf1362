//! Reading a .deb: what was published before, and the packages of others. The bytes may be anything; whatever is not
//! plainly a Debian package is refused with a sentence that says why.

use super::{ar, sha256, stanza::Stanza};
use std::collections::BTreeMap;
use std::io::Read;

/// The most that a control.tar may unpack to.
const CONTROL_LIMIT: u64 = 16 << 20;
/// The most that a data.tar may unpack to.
const DATA_LIMIT: u64 = 4 << 30;
/// A text of data.tar is kept (for comparison) up to this size.
const TEXT_LIMIT: u64 = 1 << 20;

/// What a .deb holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The control file, verbatim, without final newlines.
    pub control: String,
    pub stanza: Stanza,
    /// The other members of control.tar: name → text (lossy where it is not UTF-8).
    pub members: BTreeMap<String, String>,
    /// Absolute path → what is there. Without `/` itself.
    pub entries: BTreeMap<String, Found>,
}

/// An entry of data.tar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    File {
        mode: u32,
        /// Lower case hex.
        sha256: String,
        /// Where `keep` asked for it: the bytes, up to 1 MiB of them.
        bytes: Option<Vec<u8>>,
    },
    Symlink {
        target: String,
    },
    Directory {
        mode: u32,
    },
    /// A hard link, device or pipe.
    Other,
}

/// The package's control stanza alone.
pub fn stanza(bytes: &[u8]) -> Result<Stanza, String> {
    let mut package = debpkg::DebPkg::parse(bytes).map_err(|error| error.to_string())?;
    Stanza::parse(&control(&mut package)?.0)
}

/// The text of the control file without final newlines, and the other members of control.tar.
fn control(package: &mut debpkg::DebPkg<&[u8]>) -> Result<(String, BTreeMap<String, String>), String> {
    let mut control = None;
    let mut scripts = BTreeMap::new();
    let tar = package.control().map_err(|error| format!("control.tar: {error}"))?;
    let mut tar = tar::Archive::new(Limited { inner: tar.into_inner(), left: CONTROL_LIMIT });
    for entry in tar.entries().map_err(|error| format!("control.tar: {error}"))? {
        let mut entry = entry.map_err(|error| format!("control.tar: {error}"))?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let name = name.strip_prefix("./").unwrap_or(&name).to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(|error| format!("control.tar: {error}"))?;
        if name == "control" {
            let text = String::from_utf8(bytes).map_err(|_| "its control file is not UTF-8".to_string())?;
            if control.replace(text).is_some() {
                return Err("it has two control files".into());
            }
        } else {
            scripts.insert(name, String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    let control = control.ok_or("it has no control file")?;
    Ok((control.trim_end_matches('\n').to_string(), scripts))
}

/// Reads the package. `keep` says which files' bytes are wanted, by absolute path.
pub fn read(bytes: &[u8], keep: impl Fn(&str) -> bool) -> Result<Contents, String> {
    let members = ar::members(bytes)?;
    let shape = |at: usize, ok: &dyn Fn(&str) -> bool| members.get(at).is_some_and(|(name, _)| ok(name));
    if !(shape(0, &|name| name == "debian-binary")
        && shape(1, &|name| name.starts_with("control.tar"))
        && shape(2, &|name| name.starts_with("data.tar"))
        && members.len() == 3)
    {
        let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
        return Err(format!(
            "a .deb has the members debian-binary, control.tar and data.tar (deb(5)), but it has: {}",
            names.join(", ")
        ));
    }
    let mut package = debpkg::DebPkg::parse(bytes).map_err(|error| error.to_string())?;
    let (control, scripts) = control(&mut package)?;
    let stanza = Stanza::parse(&control)?;

    let mut entries = BTreeMap::new();
    let tar = package.data().map_err(|error| format!("data.tar: {error}"))?;
    let mut tar = tar::Archive::new(Limited { inner: tar.into_inner(), left: DATA_LIMIT });
    for entry in tar.entries().map_err(|error| format!("data.tar: {error}"))? {
        let mut entry = entry.map_err(|error| format!("data.tar: {error}"))?;
        let name =
            String::from_utf8(entry.path_bytes().into_owned()).map_err(|_| "a path in it is not UTF-8".to_string())?;
        let Some(path) = absolute(&name)? else { continue };
        let mode = entry.header().mode().map_err(|error| format!("{path}: {error}"))? & 0o7777;
        let kind = entry.header().entry_type();
        let found = if kind.is_dir() {
            Found::Directory { mode }
        } else if kind.is_symlink() {
            let target = entry.link_name_bytes().unwrap_or_default();
            Found::Symlink { target: String::from_utf8_lossy(&target).into_owned() }
        } else if kind.is_file() {
            if keep(&path) && entry.size() <= TEXT_LIMIT {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).map_err(|error| format!("{path}: {error}"))?;
                Found::File { mode, sha256: sha256(&bytes), bytes: Some(bytes) }
            } else {
                use sha2::Digest;
                let mut hash = sha2::Sha256::new();
                let mut buffer = [0; 32 * 1024];
                loop {
                    let count = entry.read(&mut buffer).map_err(|error| format!("{path}: {error}"))?;
                    if count == 0 {
                        break;
                    }
                    hash.update(&buffer[..count]);
                }
                Found::File { mode, sha256: base16ct::lower::encode_string(&hash.finalize()), bytes: None }
            }
        } else {
            Found::Other
        };
        if let Some(Found::File { .. } | Found::Symlink { .. } | Found::Other) = entries.insert(path.clone(), found) {
            return Err(format!("{path} is in it twice"));
        }
    }
    // Past the tar's end marker: the compressor's checksum is there.
    std::io::copy(&mut tar.into_inner(), &mut std::io::sink()).map_err(|error| format!("data.tar: {error}"))?;
    Ok(Contents { control, stanza, members: scripts, entries })
}

/// Fails, instead of seeming to end, where more comes out than may: a small archive can unpack to any size.
struct Limited<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| {
            std::io::Error::new(std::io::ErrorKind::FileTooLarge, "it unpacks to far more than a package should")
        })?;
        Ok(count)
    }
}

/// `./usr/bin/x` → `/usr/bin/x`; None for the root. Refuses what leads out of it.
fn absolute(name: &str) -> Result<Option<String>, String> {
    let inner = name.strip_prefix("./").unwrap_or(name);
    let inner = inner.strip_prefix('/').unwrap_or(inner).trim_end_matches('/');
    if inner.is_empty() || inner == "." {
        return Ok(None);
    }
    if inner.split('/').any(|part| matches!(part, "" | "." | "..")) || inner.contains(['\n', '\0']) {
        return Err(format!("it has the path {name:?}, which leads somewhere else than it seems to"));
    }
    Ok(Some(format!("/{inner}")))
}
