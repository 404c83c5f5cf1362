//! A private apt root: its own configuration, sources, lists, cache and dpkg status, so that nothing of the build
//! machine's apt decides what is found, and nothing here changes the build machine.
//!
//! What is kept of the host's apt is in [`crate::host_apt`].

use super::Unavailable;
use crate::exec::{Command, ExecError, Output};
use crate::host_apt;
use crate::model::ArchiveSource;
use crate::names::Architecture;
use rustix::fs::FlockOperation;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How old lists may be before they are fetched again.
pub const FRESH: Duration = Duration::from_secs(24 * 3600);

/// How long `apt-get update` may take: 60 MB a release over a slow line.
const UPDATE_LIMIT: Duration = Duration::from_secs(600);

/// How long one run of apt's solver may take.
const SOLVE_LIMIT: Duration = Duration::from_secs(300);

/// A private apt root in a directory of its own.
#[derive(Debug)]
pub struct Root {
    directory: PathBuf,
}

/// The deb822 text (sources.list(5)) of a release's sources, on one architecture, trusted by one keyring file.
pub fn sources_text(sources: &[ArchiveSource], architecture: &Architecture, keyring: &Path) -> String {
    let mut text = String::new();
    for source in sources {
        text.push_str(&format!(
            "Types: deb\nURIs: {}\nSuites: {}\nComponents: {}\nArchitectures: {architecture}\nSigned-By: {}\n\n",
            source.uri,
            source.suite,
            source.components.join(" "),
            keyring.display(),
        ));
    }
    text
}

/// A lock on a root that the kernel releases when this is dropped, or the process dies.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code, reason = "held, not read")] fs::File);

/// Whether the host's settings of how to reach a mirror are taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostSettings {
    Kept,
    /// apt's own defaults, as on a machine that was installed today.
    Ignored,
}

impl Root {
    /// Makes the directories and the configuration. `sources` is the text of a deb822 sources file.
    pub fn create(
        directory: &Path,
        architecture: &Architecture,
        sources: &str,
        host: HostSettings,
    ) -> Result<Self, Unavailable> {
        let text = directory.to_str().filter(|text| !text.contains(['"', '\n', ';', '{', '}']));
        let Some(text) = text else {
            return Err(Unavailable::new(format!("apt can't work in {}", directory.display()))
                .help("choose a directory whose path has no quotes, semicolons or braces and is UTF-8"));
        };
        let root = Root { directory: directory.to_owned() };
        for part in ["etc/apt.conf.d", "etc/preferences.d", "etc/trusted.gpg.d", "lists/partial", "archives/partial"] {
            fs::create_dir_all(directory.join(part)).map_err(|e| Unavailable::file("create", directory, &e))?;
        }
        let mut configuration = format!(
            "Dir \"{text}/\";\n\
             Dir::State \"{text}/\";\n\
             Dir::State::lists \"{text}/lists/\";\n\
             Dir::State::status \"{text}/status\";\n\
             Dir::State::extended_states \"{text}/extended_states\";\n\
             Dir::Cache \"{text}/\";\n\
             Dir::Cache::archives \"{text}/archives/\";\n\
             Dir::Cache::srcpkgcache \"srcpkgcache.bin\";\n\
             Dir::Cache::pkgcache \"pkgcache.bin\";\n\
             Dir::Log \"{text}/\";\n\
             Dir::Etc \"{text}/etc/\";\n\
             Dir::Etc::main \"apt.conf\";\n\
             Dir::Etc::parts \"apt.conf.d\";\n\
             Dir::Etc::preferences \"preferences\";\n\
             Dir::Etc::preferencesparts \"preferences.d\";\n\
             Dir::Etc::trusted \"trusted.gpg\";\n\
             Dir::Etc::trustedparts \"trusted.gpg.d\";\n\
             Dir::Etc::sourcelist \"{text}/etc/fleet.sources\";\n\
             Dir::Etc::sourceparts \"-\";\n\
             APT::Architecture \"{architecture}\";\n\
             APT::Architectures {{ \"{architecture}\"; }};\n\
             APT::Sandbox::User \"root\";\n\
             APT::Update::Error-Mode \"any\";\n\
             Acquire::Languages \"none\";\n\
             Acquire::GzipIndexes \"false\";\n"
        );
        if host == HostSettings::Kept {
            configuration.push_str(&host_apt::settings()?);
        }
        root.write("apt.conf", &configuration)?;
        root.write("etc/fleet.sources", sources)?;
        if !root.path("status").exists() {
            root.write("status", "")?;
        }
        Ok(root)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Writes a file of the root, whole or not at all.
    pub fn write(&self, name: &str, text: &str) -> Result<(), Unavailable> {
        let path = self.path(name);
        write_whole(&path, text).map_err(|e| Unavailable::file("write", &path, &e))
    }

    /// Waits for the lock of a root's directory: alone to change lists, with others to read them. The lock's file
    /// lies beside the root's other files, so the directory is made if there is none.
    pub fn lock(directory: &Path, alone: bool) -> Result<Lock, Unavailable> {
        let open = || {
            fs::create_dir_all(directory)?;
            fs::File::options().create(true).append(true).open(directory.join("lock"))
        };
        let path = directory.join("lock");
        let file = open().map_err(|e| Unavailable::file("open", &path, &e))?;
        let operation = if alone { FlockOperation::LockExclusive } else { FlockOperation::LockShared };
        rustix::fs::flock(&file, operation).map_err(|e| Unavailable::file("lock", &path, &e.into()))?;
        Ok(Lock(file))
    }

    /// One of apt's programs with this root's configuration and nothing else.
    pub fn apt(&self, program: &str) -> Command {
        Command::new(program).env("APT_CONFIG", self.path("apt.conf")).limit(SOLVE_LIMIT)
    }

    /// `apt-get update`, every notice shown. The caller judges the output.
    pub fn update(&self) -> Result<Output, ExecError> {
        self.apt("apt-get").args(["-q=0", "update"]).limit(UPDATE_LIMIT).run()
    }

    /// The `Packages` lists that apt has for the sources; an error if one is missing.
    pub fn lists(&self) -> Result<Vec<PathBuf>, Unavailable> {
        let output = self
            .apt("apt-get")
            .args(["indextargets", "--format", "$(FILENAME)\t$(SITE) $(RELEASE) $(COMPONENT)", "Created-By: Packages"])
            .run_ok()?
            .stdout_text();
        let mut lists = Vec::new();
        for line in output.lines() {
            let (path, what) = line.split_once('\t').unwrap_or((line, line));
            if Path::new(path).is_file() {
                lists.push(PathBuf::from(path));
            } else {
                return Err(Unavailable::new(format!("apt has no package list of {what}")));
            }
        }
        Ok(lists)
    }

    /// When the lists were last fetched whole for these sources; `None` if they never were.
    pub fn fetched(&self) -> Option<SystemTime> {
        let stamp = fs::read_to_string(self.path("fetched")).ok()?;
        let (time, sources) = stamp.split_once('\n')?;
        let current = fs::read_to_string(self.path("etc/fleet.sources")).ok()?;
        (sources == current).then_some(UNIX_EPOCH + Duration::from_secs(time.parse().ok()?))
    }

    /// Notes that the lists are whole, for these sources and as of `time`.
    pub fn set_fetched(&self, time: SystemTime) -> Result<(), Unavailable> {
        let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let sources = fs::read_to_string(self.path("etc/fleet.sources"))
            .map_err(|e| Unavailable::file("read", &self.path("etc/fleet.sources"), &e))?;
        self.write("fetched", &format!("{seconds}\n{sources}"))
    }
}

/// Writes a file whole or not at all; an equal file is left as it is (apt compares times).
pub fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    if fs::read(path).is_ok_and(|old| old == text.as_bytes()) {
        return Ok(());
    }
    let mut temporary = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    temporary.write_all(text.as_bytes())?;
    temporary.persist(path)?;
    Ok(())
}

/// What apt said that a person should see: its lines that begin with `W:`, `E:` or `N:` or tell of an `Err:`, in
/// order. (`Ign:` and `Get:` are progress.)
pub fn complaints(output: &Output) -> Vec<String> {
    let all = format!("{}\n{}", output.stdout_text(), output.stderr_text());
    let mut lines: Vec<String> = Vec::new();
    for line in all.split(['\n', '\r']).map(str::trim_end) {
        // The address sink for progress on a terminal is on the same line as what it overwrites.
        let complaint = ["W:", "E:", "N:", "Err:"].iter().any(|mark| line.starts_with(mark));
        // An `Err:` line is followed by its reason, indented.
        let reason = line.starts_with("  ") && lines.last().is_some_and(|last| last.starts_with("Err:"));
        if (complaint || reason) && !lines.iter().any(|old| old == line) {
            lines.push(line.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_are_found_in_what_a_terminal_would_show() {
        let output = Output {
            status: Default::default(),
            stdout: b"Get:1 file:/x InRelease\r0% [Working]\rErr:2 http://x y\n  404  Not Found\nN: notice\n".to_vec(),
            stderr: b"W: warning\nE: error\nE: error\n".to_vec(),
            elapsed: Duration::ZERO,
        };
        assert_eq!(
            complaints(&output),
            ["Err:2 http://x y", "  404  Not Found", "N: notice", "W: warning", "E: error"]
        );
    }

    #[test]
    fn sources_are_deb822() {
        let source = ArchiveSource {
            uri: "http://deb.debian.org/debian".into(),
            suite: "bookworm".into(),
            components: vec!["main".into(), "contrib".into()],
        };
        let architecture = Architecture::parse("amd64").unwrap();
        assert_eq!(
            sources_text(&[source], &architecture, Path::new("/k.gpg")),
            "Types: deb\nURIs: http://deb.debian.org/debian\nSuites: bookworm\nComponents: main contrib\n\
             Architectures: amd64\nSigned-By: /k.gpg\n\n"
        );
    }
}
