//! A GNUPGHOME of its own: never the user's. Made 0700, reached by a short path (the agent's socket lives in it, and
//! a Unix socket's path has at most 108 bytes), and left without an agent that we started.

use super::SignError;
use gpgme::{Context, Protocol};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Longer homes are reached through a symlink: `S.gpg-agent.browser` must still fit into `sun_path`.
const LONGEST: usize = 80;

/// What debrole writes into the gpg.conf of a home that it makes: SHA-512 everywhere, nothing that depends on who
/// calls.
const GPG_CONF: &str = "\
# Made by debrole. Everything that is signed here uses SHA-512.
personal-digest-preferences SHA512
cert-digest-algo SHA512
no-emit-version
no-comments
";

/// An open GNUPGHOME. On drop, the agent that gpg started for it is ended; one that ran before stays (it may hold a
/// passphrase that somebody has typed).
#[derive(Debug)]
pub struct Home {
    real: PathBuf,
    /// The same directory by a name that is short enough.
    short: PathBuf,
    /// Holds the symlink; removed on drop.
    _link: Option<tempfile::TempDir>,
    agent_was_there: bool,
}

impl Home {
    /// Makes the directory (0700, with a gpg.conf) unless it is there, and opens it.
    pub fn create(path: &Path) -> io::Result<Home> {
        if !path.exists() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
            std::fs::write(path.join("gpg.conf"), GPG_CONF)?;
        }
        Home::open(path)
    }

    /// Opens a directory that is there.
    pub fn open(path: &Path) -> io::Result<Home> {
        let real = path.canonicalize()?;
        let (short, link) = if real.as_os_str().len() > LONGEST {
            let dir = tempfile::Builder::new().prefix("debrole-").tempdir_in("/tmp")?;
            let link = dir.path().join("gnupg");
            symlink(&real, &link)?;
            (link, Some(dir))
        } else {
            (real.clone(), None)
        };
        let agent_was_there = UnixStream::connect(short.join("S.gpg-agent")).is_ok();
        Ok(Home { real, short, _link: link, agent_was_there })
    }

    /// Where it really is.
    pub fn path(&self) -> &Path {
        &self.real
    }

    /// The permission bits, when somebody beside the owner may look in, or when it is another user's.
    pub fn wrong_permissions(&self) -> io::Result<Option<WrongPermissions>> {
        let meta = std::fs::metadata(&self.real)?;
        let mode = meta.mode() & 0o777;
        let owner = meta.uid();
        let us = rustix::process::geteuid().as_raw();
        Ok((mode & 0o077 != 0 || owner != us).then_some(WrongPermissions { mode, owner, us }))
    }

    /// A GnuPG context in this home that never asks on a terminal.
    pub(super) fn context(&self) -> Result<Context, SignError> {
        let open = || -> gpgme::Result<Context> {
            let mut context = Context::from_protocol(Protocol::OpenPgp)?;
            context.set_engine_home_dir(self.short.to_string_lossy().as_ref())?;
            context.set_offline(true);
            Ok(context)
        };
        open().map_err(|e| SignError {
            message: format!("GnuPG can't be used: {}", e.description()),
            help: "Install gpg and gpg-agent.".into(),
        })
    }
}

/// What [`Home::wrong_permissions`] found.
#[derive(Debug, Clone, Copy)]
pub struct WrongPermissions {
    pub mode: u32,
    pub owner: u32,
    pub us: u32,
}

impl Drop for Home {
    fn drop(&mut self) {
        if !self.agent_was_there {
            // A home in which no agent was started is told so too: gpgconf then does nothing.
            let _ = Command::new("gpgconf")
                .arg("--homedir")
                .arg(&self.short)
                .args(["--kill", "all"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
        }
    }
}
