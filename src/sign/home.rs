//! A GNUPGHOME of its own: never the user's. Made 0700, and left without an agent that we started.
//!
//! Several processes may use one home at the same time: builds of two trees, or a build and `key show`. Were their agent
//! one and the same, then whoever ends first would take it from the others. So each works in a [room] of its own, unless
//! somebody's own agent is there already, which may hold a passphrase.
//!
//! [room]: Place::Room

use super::SignError;
use super::agent::{self, Agent, Going, Leash, Owner};
use crate::scratch::Scratch;
use gpgme::{Context, Protocol};
use std::fmt;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

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

/// An open GNUPGHOME. On drop, the agent that was started for it is ended; one that ran before stays (it may hold a
/// passphrase that somebody has typed).
pub struct Home {
    real: PathBuf,
    place: Place,
    agent: Mutex<Work>,
}

/// How it is with the agent.
#[derive(Default)]
enum Work {
    /// Nothing needed one so far.
    #[default]
    ToCome,
    /// One that was there before us, or gpg's own.
    BySomebody,
    /// By one that we started, held by a program that ends with us.
    Ours(Leash),
    /// What there was is done, and the agent goes.
    Done(Leash, Going),
}

impl Work {
    /// An agent that goes is gone after this.
    fn finish(&mut self) {
        if let Work::Done(..) = self
            && let Work::Done(leash, going) = std::mem::take(self)
        {
            going.wait();
            drop(leash);
        }
    }
}

/// Where gpg works.
enum Place {
    /// In the home itself, by a name that is short enough.
    Itself {
        short: PathBuf,
        /// Somebody else's agent is there.
        agent_stays: bool,
        /// Holds the symlink that the short name is; removed on drop.
        _link: Option<Scratch>,
    },
    /// In a directory of our own, made when it is wanted, with symlinks to what the home holds: to sign and to export
    /// changes nothing of it. Our agent's sockets are in there.
    Room(OnceLock<Scratch>),
}

impl Home {
    /// Makes the directory (0700, with a gpg.conf) unless it is there, and opens it to make keys in it.
    pub fn create(path: &Path) -> io::Result<Home> {
        if !path.exists() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
            std::fs::write(path.join("gpg.conf"), GPG_CONF)?;
        }
        Home::open_to_change(path)
    }

    /// Opens a directory that is there, to use the keys in it.
    pub fn open(path: &Path) -> io::Result<Home> {
        let real = path.canonicalize()?;
        // (keyboxd is an agent, too, that holds the public keys.)
        let shared = real.join(KEYBOXD).is_dir()
            || agent::is_elsewhere(&real)
            || (Agent::greeted(&real).is_some() && Leash::owner(&real) == Owner::Nobody);
        if shared {
            return Home::open_to_change(path);
        }
        Ok(Home { real, place: Place::Room(OnceLock::new()), agent: Mutex::default() })
    }

    /// Opens a directory that is there, to change what is in it.
    pub fn open_to_change(path: &Path) -> io::Result<Home> {
        let real = path.canonicalize()?;
        let (short, link) = if real.as_os_str().len() > LONGEST {
            let dir = temporary_directory()?;
            let link = dir.path().join("gnupg");
            symlink(&real, &link)?;
            (link, Some(dir))
        } else {
            (real.clone(), None)
        };
        let mut agent = Agent::greeted(&short);
        if Leash::owner(&short) == Owner::Gone {
            // It would go within seconds, in the middle of what we have it do.
            if let Some(agent) = agent.take() {
                agent.end();
            }
            Leash::forget(&short);
        }
        let agent_stays = agent.is_some() || agent::is_elsewhere(&short);
        let place = Place::Itself { short, agent_stays, _link: link };
        Ok(Home { real, place, agent: Mutex::default() })
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
        let place = self.place()?;
        let open = || -> gpgme::Result<Context> {
            let mut context = context(place)?;
            context.set_offline(true);
            Ok(context)
        };
        open().map_err(|e| SignError {
            message: format!("GnuPG can't be used: {}", e.description()),
            help: "Install gpg and gpg-agent.".into(),
        })
    }

    /// Starts an agent for this home, unless one is there. gpg would start one by itself, but that one would stay when
    /// debrole is killed.
    pub(super) fn start_agent(&self) -> Result<(), SignError> {
        let place = self.place()?;
        let mut work = self.work();
        work.finish();
        if let Work::ToCome = *work {
            *work = match self.place {
                Place::Itself { agent_stays: true, .. } => Work::BySomebody,
                _ => Leash::start(place).map_or(Work::BySomebody, Work::Ours),
            };
        }
        Ok(())
    }

    /// Nothing is to be signed for now: an agent that is ours alone may end while something else is done.
    pub(super) fn dismiss_agent(&self) {
        let Place::Room(room) = &self.place else { return };
        let mut work = self.work();
        if let (Work::Ours(_), Some(room)) = (&*work, room.get())
            && let Some(agent) = Agent::greeted(room.path())
            && let Work::Ours(leash) = std::mem::take(&mut *work)
        {
            *work = Work::Done(leash, agent.dismiss());
        }
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.agent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The directory that gpg works in.
    fn place(&self) -> Result<&Path, SignError> {
        match &self.place {
            Place::Itself { short, .. } => Ok(short),
            Place::Room(room) => match room.get() {
                Some(room) => Ok(room.path()),
                None => {
                    let made = furnish(&self.real).map_err(|e| SignError {
                        message: format!("No temporary directory can be made for GnuPG: {e}"),
                        help: "Make room in the directory for temporary files.".into(),
                    })?;
                    Ok(room.get_or_init(|| made).path())
                }
            },
        }
    }
}

/// What keyboxd keeps in a home: see gpg(1), --use-keyboxd.
const KEYBOXD: &str = "public-keys.d";

/// A room: all that the home holds, but for what belongs to the agent there.
fn furnish(home: &Path) -> io::Result<Scratch> {
    let room = temporary_directory()?;
    for entry in std::fs::read_dir(home)? {
        let entry = entry?;
        let name = entry.file_name();
        let shown = name.to_string_lossy();
        let of_agent = shown.starts_with("S.") || shown == Leash::FILE;
        let lock = shown.starts_with(".#lk") || shown.ends_with(".lock");
        match &*shown {
            _ if of_agent || lock => {}
            "gpg.conf" => {}
            // Written at any time, by each process its own.
            "trustdb.gpg" | "random_seed" => match std::fs::copy(entry.path(), room.path().join(name)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            },
            _ => symlink(entry.path(), room.path().join(name))?,
        }
    }
    // gpg's own agent would stay when we are killed, in a place where nobody finds it.
    let mut conf = match std::fs::read(home.join("gpg.conf")) {
        Ok(conf) => conf,
        Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(e),
    };
    conf.extend_from_slice(b"\nno-autostart\n");
    std::fs::write(room.path().join("gpg.conf"), conf)?;
    Ok(room)
}

/// A new directory whose path is short enough for an agent's sockets.
fn temporary_directory() -> io::Result<Scratch> {
    let usual = std::env::temp_dir();
    let place = if usual.as_os_str().len() + "/debrole-123456".len() > LONGEST { Path::new("/tmp") } else { &usual };
    Scratch::below(place)
}

/// A context for this home. To be told of another home, gpgme runs `gpg --version`, and three more programs the first
/// time; so it is told of a home once, and not with each context.
fn context(home: &Path) -> gpgme::Result<Context> {
    /// The home that gpgme gives to new contexts.
    static CURRENT: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    if current.as_deref() != Some(home) {
        if current.is_none() {
            // The programs are those in PATH: gpgconf need not be asked, twice.
            gpgme::set_flag("disable-gpgconf", "1")?;
        }
        *current = None;
        gpgme::init().set_engine_home_dir(Protocol::OpenPgp, home.to_string_lossy().as_ref())?;
        *current = Some(home.to_owned());
    }
    Context::from_protocol(Protocol::OpenPgp)
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Home").field("path", &self.real).finish_non_exhaustive()
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
        match &self.place {
            Place::Itself { agent_stays: true, .. } => {}
            Place::Itself { short, .. } => {
                if let Some(agent) = Agent::greeted(short) {
                    agent.end();
                }
            }
            Place::Room(_) => {
                self.dismiss_agent();
                self.work().finish();
            }
        }
    }
}
