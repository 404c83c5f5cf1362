//! apt from outside of the tree that it works on: a private root of lists and configuration beside the base trees, with
//! this machine's own ways to the mirrors (proxies, passwords, certificate authorities) and nothing else of its apt.
//! Nothing that says how this site reaches a mirror gets into a tree that way, and the tree's own apt needs no network.

use super::Source;
use crate::exec::{Command, ExecError};
use crate::host_apt;
use sha2::{Digest, Sha256};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long `apt-get update` may take: 60 MB a release over a slow line.
const UPDATE_LIMIT: Duration = Duration::from_secs(600);

/// How long the packages of a machine may take to download and install: a gigabyte over a slow line, under emulation.
pub const INSTALL_LIMIT: Duration = Duration::from_secs(3600);

/// A private apt root: a directory with apt.conf, sources, lists.
#[derive(Debug, Clone)]
pub struct Apt {
    directory: PathBuf,
}

/// Why apt's root could not be made or used.
#[derive(Debug, thiserror::Error)]
pub enum AptError {
    #[error("can't write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("apt can't work in {}: choose a directory whose path is UTF-8 without quotes, semicolons and braces", .0.display())]
    Path(PathBuf),
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// The sources can't be fetched, with apt's own words.
    #[error(
        "apt can't fetch the package lists from {uris}: {words}; check the mirror in debrole.toml and this machine's way \
         to it (apt's proxy settings apply)"
    )]
    Update { uris: String, words: String },
}

/// Which packages there are, in deb822 (sources.list(5)): trusted by one keyring where one is named.
pub fn sources_text(sources: &[Source], architecture: Option<&str>, keyring: &Path) -> String {
    let mut text = String::new();
    for source in sources {
        let restriction = architecture.map(|name| format!("Architectures: {name}\n")).unwrap_or_default();
        text.push_str(&format!(
            "Types: deb\nURIs: {}\nSuites: {}\nComponents: {}\n{restriction}Signed-By: {}\n\n",
            source.uri,
            source.suite,
            source.components.join(" "),
            keyring.display(),
        ));
    }
    text
}

impl Apt {
    /// Makes the root, or brings it up to date. `status`: the dpkg status that it solves for; `archives`: where it
    /// downloads packages to.
    pub fn create(directory: &Path, architecture: &str, status: &Path, archives: &Path) -> Result<Self, AptError> {
        let text = |path: &Path| {
            let text = path.to_str().filter(|text| !text.contains(['"', '\n', ';', '{', '}']));
            text.map(str::to_owned).ok_or_else(|| AptError::Path(path.to_owned()))
        };
        let write = |path: PathBuf| move |source| AptError::Write { path, source };
        for part in ["etc/apt.conf.d", "etc/preferences.d", "etc/trusted.gpg.d", "etc/sources.list.d", "lists/partial"]
        {
            fs::create_dir_all(directory.join(part)).map_err(write(directory.join(part)))?;
        }
        fs::create_dir_all(archives.join("partial")).map_err(write(archives.join("partial")))?;
        let (root, status, archives) = (text(directory)?, text(status)?, text(archives)?);
        let configuration = format!(
            "Dir \"{root}/\";\n\
             Dir::State \"{root}/\";\n\
             Dir::State::lists \"{root}/lists/\";\n\
             Dir::State::status \"{status}\";\n\
             Dir::State::extended_states \"{root}/extended_states\";\n\
             Dir::Cache \"{root}/\";\n\
             Dir::Cache::archives \"{archives}/\";\n\
             Dir::Log \"{root}/\";\n\
             Dir::Etc \"{root}/etc/\";\n\
             Dir::Etc::main \"apt.conf\";\n\
             Dir::Etc::parts \"apt.conf.d\";\n\
             Dir::Etc::preferences \"preferences\";\n\
             Dir::Etc::preferencesparts \"preferences.d\";\n\
             Dir::Etc::trusted \"trusted.gpg\";\n\
             Dir::Etc::trustedparts \"trusted.gpg.d\";\n\
             Dir::Etc::sourcelist \"sources.list\";\n\
             Dir::Etc::sourceparts \"sources.list.d\";\n\
             APT::Architecture \"{architecture}\";\n\
             APT::Architectures {{ \"{architecture}\"; }};\n\
             APT::Sandbox::User \"root\";\n\
             APT::Update::Error-Mode \"any\";\n\
             APT::Get::Assume-Yes \"true\";\n\
             Acquire::Languages \"none\";\n\
             {}",
            host_apt::settings()?
        );
        let apt = Apt { directory: directory.to_owned() };
        apt.write("apt.conf", &configuration)?;
        Ok(apt)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// A file of the root. One that says the same already is left alone: apt compares times.
    pub fn write(&self, name: &str, text: &str) -> Result<(), AptError> {
        let path = self.path(name);
        if fs::read(&path).is_ok_and(|old| old == text.as_bytes()) {
            return Ok(());
        }
        fs::write(&path, text).map_err(|source| AptError::Write { path, source })
    }

    /// One of apt's programs with this root's configuration and nothing else.
    pub fn command(&self, program: &str) -> Command {
        Command::new(program).env("APT_CONFIG", self.path("apt.conf")).env("DEBIAN_FRONTEND", "noninteractive")
    }

    /// Fetches what is new of `sources`, which stand in `etc/sources.list.d/NAME` by now: conditional requests, one a
    /// suite, where nothing is.
    pub fn update(&self, sources: &[Source], name: &str) -> Result<(), AptError> {
        let list = format!("Dir::Etc::sourcelist={}", self.path("etc/sources.list.d").join(name).display());
        let output = self
            .command("apt-get")
            .args([
                "-q=0",
                "-o",
                &list,
                "-o",
                "Dir::Etc::sourceparts=/dev/null",
                "-o",
                "APT::Get::List-Cleanup=0",
                "update",
            ])
            .limit(UPDATE_LIMIT)
            .run()?;
        if output.success() {
            return Ok(());
        }
        let mut uris: Vec<&str> = sources.iter().map(|source| source.uri.as_str()).collect();
        uris.dedup();
        let all = format!("{}\n{}", output.stdout_text(), output.stderr_text());
        Err(AptError::Update { uris: uris.join(", "), words: complaints(&all) })
    }

    /// What of all suites is signed, as one hash: it changes whenever one of them moves.
    pub fn state(&self) -> Result<String, AptError> {
        let lists = self.path("lists");
        let read = |source| AptError::Write { path: lists.clone(), source };
        let mut names: Vec<PathBuf> = fs::read_dir(&lists).map_err(read)?.flatten().map(|entry| entry.path()).collect();
        names.retain(|path| path.to_string_lossy().ends_with("Release"));
        names.sort();
        let mut hash = Sha256::new();
        for path in names {
            hash.update(fs::read(&path).map_err(read)?);
        }
        Ok(hex(&hash.finalize()))
    }
}

/// The lines of apt's that begin with `W:` or `E:`, once each; without apt's own advice to ignore them.
pub fn complaints(output: &str) -> String {
    let mut lines: Vec<&str> = Vec::new();
    for line in output.split(['\n', '\r']).map(str::trim) {
        let Some(text) = ["E: ", "W: "].iter().find_map(|mark| line.strip_prefix(mark)) else { continue };
        if !lines.contains(&text) && !text.starts_with("Some index files failed to download") {
            lines.push(text);
        }
    }
    lines.join("; ")
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_told_once() {
        let output = "Get:1 x\rErr:2 y\n  404\nE: The repository 'x' does not have a Release file.\nW: w\nW: w\n\
            E: Some index files failed to download. They have been ignored, or old ones used instead.\n";
        assert_eq!(complaints(output), "The repository 'x' does not have a Release file.; w");
    }
}
