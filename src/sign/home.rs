//! A GNUPGHOME of its own: never the user's. Made 0700, reached by a short path (the agent's socket lives in it, and
//! a Unix socket's path has at most 108 bytes), and left without an agent that we started.

use super::SignError;
use gpgme::{Context, Protocol};
use std::cell::RefCell;
use std::fmt;
use std::io::{self, Read, Write};
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

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
pub struct Home {
    real: PathBuf,
    /// The same directory by a name that is short enough.
    short: PathBuf,
    /// Holds the symlink; removed on drop.
    _link: Option<tempfile::TempDir>,
    agent_was_there: bool,
    /// The agent that we started, held by a program that ends with us.
    agent: OnceLock<Option<Leash>>,
    /// Tells homes apart, also one that was made where another had been.
    id: u64,
}

thread_local! {
    /// Contexts of the home that this thread worked in last, not in use now: to prepare one, gpgme runs
    /// `gpg --version`. They can't go from thread to thread.
    static IDLE: RefCell<(u64, Vec<Context>)> = const { RefCell::new((0, Vec::new())) };
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
        static NEXT: AtomicU64 = AtomicU64::new(1);
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
        let mut home = Home {
            real,
            short,
            _link: link,
            agent_was_there,
            agent: OnceLock::new(),
            id: NEXT.fetch_add(1, Ordering::Relaxed),
        };
        // It would go within seconds, in the middle of what we have it do.
        if Leash::is_loose(&home.short) && agent_was_there {
            home.end_agent();
            home.agent_was_there = false;
        }
        Ok(home)
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
    pub(super) fn context(&self) -> Result<InUse, SignError> {
        let idle = IDLE.with_borrow_mut(|(id, contexts)| if *id == self.id { contexts.pop() } else { None });
        if let Some(context) = idle {
            return Ok(InUse { context: Some(context), home: self.id });
        }
        let open = || -> gpgme::Result<Context> {
            let mut context = Context::from_protocol(Protocol::OpenPgp)?;
            context.set_engine_home_dir(self.short.to_string_lossy().as_ref())?;
            context.set_offline(true);
            Ok(context)
        };
        let context = open().map_err(|e| SignError {
            message: format!("GnuPG can't be used: {}", e.description()),
            help: "Install gpg and gpg-agent.".into(),
        })?;
        Ok(InUse { context: Some(context), home: self.id })
    }

    /// Starts an agent for this home, unless one is there. gpg would start one by itself, but that one would stay when
    /// debrole is killed.
    pub(super) fn start_agent(&self) {
        self.agent.get_or_init(|| if self.agent_was_there { None } else { Leash::start(&self.short).ok() });
    }

    /// Ends the agent that works in this home, by its own protocol (what `gpgconf --kill` does by way of three
    /// programs).
    fn end_agent(&self) {
        let say = |mut agent: UnixStream| -> io::Result<()> {
            agent.set_read_timeout(Some(AGENT_TIMEOUT))?;
            agent.write_all(b"KILLAGENT\n")?;
            // Until it has hung up: then it is gone.
            io::copy(&mut agent, &mut io::sink()).map(drop)
        };
        match UnixStream::connect(self.short.join("S.gpg-agent")) {
            Ok(agent) => drop(say(agent)),
            // Somebody may have moved the sockets (gpgconf --create-socketdir).
            Err(_) if Path::new(&format!("/run/user/{}/gnupg", rustix::process::geteuid().as_raw())).is_dir() => {
                let _ = Command::new("gpgconf")
                    .arg("--homedir")
                    .arg(&self.short)
                    .args(["--kill", "gpg-agent"])
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null())
                    .status();
            }
            Err(_) => {}
        }
    }
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Home").field("path", &self.real).finish_non_exhaustive()
    }
}

/// A program that waits for the end of its input, which comes when debrole ends in whatever way: gpg-agent becomes it
/// and leaves the agent running, which looks every few seconds whether it is still there (gpg-agent(1), --daemon with
/// a command line).
struct Leash {
    child: Child,
    /// Holds the number of its process, while it is there.
    file: PathBuf,
}

impl Leash {
    const FILE: &str = "agent-of-debrole";

    /// Whether a debrole was killed that had started an agent in this home. Says so once.
    fn is_loose(home: &Path) -> bool {
        let file = home.join(Leash::FILE);
        let Ok(process) = std::fs::read_to_string(&file) else { return false };
        // proc_pid_stat(5): the state comes after the name in parentheses; Z is one that is dead and not waited for.
        let lives = std::fs::read_to_string(format!("/proc/{}/stat", process.trim()))
            .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z')));
        if !lives {
            let _ = std::fs::remove_file(file);
        }
        !lives
    }

    fn start(home: &Path) -> io::Result<Leash> {
        let mut child = Command::new("gpg-agent")
            .arg("--homedir")
            .arg(home)
            .args(["--quiet", "--daemon", "--", "sh", "-c", "echo; exec cat >/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        // It speaks once the agent listens; or ends at once, where there is no agent after all.
        let mut ready = [0];
        let _ = child.stdout.take().map(|mut out| out.read(&mut ready));
        let file = home.join(Leash::FILE);
        // Without the file an agent that is left goes all the same, only later.
        let _ = std::fs::write(&file, child.id().to_string());
        Ok(Leash { child, file })
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.file);
    }
}

/// How long an agent may take to end.
const AGENT_TIMEOUT: Duration = Duration::from_secs(2);

/// A context that can be used again when this is dropped.
pub(super) struct InUse {
    /// Some until dropped.
    context: Option<Context>,
    home: u64,
}

impl Deref for InUse {
    type Target = Context;
    fn deref(&self) -> &Context {
        self.context.as_ref().expect("there until dropped")
    }
}

impl DerefMut for InUse {
    fn deref_mut(&mut self) -> &mut Context {
        self.context.as_mut().expect("there until dropped")
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        if let Some(mut context) = self.context.take() {
            context.clear_signers();
            context.set_armor(false);
            IDLE.with_borrow_mut(|(id, contexts)| {
                if *id != self.home {
                    contexts.clear();
                    *id = self.home;
                }
                contexts.push(context);
            });
        }
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
            self.end_agent();
        }
    }
}
