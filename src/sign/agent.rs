//! gpg-agents (gpg-agent(1), "Agent's Assuan Protocol"): whether one is there that stays, how one begins that ends with
//! us, and its end.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long an agent may take to greet, to answer and to end: on a machine under load it is not scheduled for seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection to an agent that has greeted.
#[derive(Debug)]
pub(super) struct Agent(BufReader<UnixStream>);

impl Agent {
    /// The agent that works in this home. None where there is none.
    ///
    /// That somebody listens says little: an agent that was told to end hangs up on whoever told it, and is gone only
    /// some time later, with its sockets. Until then it can be connected to, but greets nobody any more; such a
    /// connection ends when the agent is gone, so that it is also waited for here.
    pub fn greeted(home: &Path) -> Option<Agent> {
        let stream = UnixStream::connect(home.join("S.gpg-agent")).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let mut agent = Agent(BufReader::new(stream));
        agent.line().is_ok_and(|line| line.starts_with("OK")).then_some(agent)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        Ok(line)
    }

    /// The number of its process.
    fn process(&mut self) -> Option<Pid> {
        self.0.get_mut().write_all(b"GETINFO pid\n").ok()?;
        let answer = self.line().ok()?;
        // The data, then OK.
        let number = answer.strip_prefix("D ")?.trim().parse().ok()?;
        self.line().ok()?;
        Pid::from_raw(number)
    }

    /// Ends it (what `gpgconf --kill` does by way of three programs), and waits until it is gone: it removes its sockets
    /// by their names, and would take those of its successor along.
    pub fn end(self) {
        self.dismiss().wait();
    }

    /// Tells it to end.
    pub fn dismiss(mut self) -> Going {
        let process = self.process().and_then(|process| pidfd_open(process, PidfdFlags::empty()).ok());
        let told = self.0.get_mut().write_all(b"KILLAGENT\n").is_ok();
        Going { agent: told.then_some(self), process }
    }
}

/// An agent that was told to end.
#[derive(Debug)]
pub(super) struct Going {
    /// None where it could not be told: it ends already.
    agent: Option<Agent>,
    process: Option<OwnedFd>,
}

impl Going {
    /// Until it is gone.
    pub fn wait(self) {
        let Some(mut agent) = self.agent else { return };
        // Until it has hung up.
        let _ = io::copy(&mut agent.0, &mut io::sink());
        if let Some(process) = self.process {
            let limit = PATIENCE.try_into().ok();
            let _ = poll(&mut [PollFd::new(&process, PollFlags::IN)], limit.as_ref());
        }
    }
}

/// Whether somebody has moved the sockets of this home's agent out of it (gpgconf(1), --create-socketdir).
pub(super) fn is_elsewhere(home: &Path) -> bool {
    let sockets = format!("/run/user/{}/gnupg", rustix::process::geteuid().as_raw());
    let moved = |name: &OsStr| name.as_encoded_bytes().starts_with(b"d.");
    if !std::fs::read_dir(sockets).is_ok_and(|entries| entries.flatten().any(|entry| moved(&entry.file_name()))) {
        return false;
    }
    let asked = Command::new("gpgconf").arg("--homedir").arg(home).args(["--list-dirs", "agent-socket"]).output();
    asked.is_ok_and(|said| {
        let socket = String::from_utf8_lossy(&said.stdout);
        said.status.success() && Path::new(socket.trim()).parent() != Some(home)
    })
}

/// A program that waits for the end of its input, which comes when debrole ends in whatever way: gpg-agent becomes it
/// and leaves the agent running, which looks every few seconds whether it is still there (gpg-agent(1), --daemon with
/// a command line).
#[derive(Debug)]
pub(super) struct Leash {
    child: Child,
    /// Holds the number of its process, while it is there.
    file: PathBuf,
}

/// What is known of the debrole that started the agent in a home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// None did: the agent is somebody else's, and stays.
    Nobody,
    /// It is at work, and its agent goes with it.
    AtWork,
    /// It was killed, and its agent will go within seconds.
    Gone,
}

impl Leash {
    pub const FILE: &str = "agent-of-debrole";

    /// Whose the agent in this home is.
    pub fn owner(home: &Path) -> Owner {
        let Ok(process) = std::fs::read_to_string(home.join(Leash::FILE)) else { return Owner::Nobody };
        // proc_pid_stat(5): the state comes after the name in parentheses; Z is one that is dead and not waited for.
        let lives = std::fs::read_to_string(format!("/proc/{}/stat", process.trim()))
            .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z')));
        if lives { Owner::AtWork } else { Owner::Gone }
    }

    /// Forgets an owner that is gone.
    pub fn forget(home: &Path) {
        let _ = std::fs::remove_file(home.join(Leash::FILE));
    }

    /// Starts an agent in this home.
    pub fn start(home: &Path) -> io::Result<Leash> {
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
