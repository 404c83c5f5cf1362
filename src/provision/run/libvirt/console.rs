//! The console of a machine of libvirt's.

use crate::exec::Command;
use crate::provision::console::{ConsoleLines, Heard, Lines};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::io::Read;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// A domain's console by virsh(1), which wants a terminal: it gets one of its own.
pub(super) struct Console {
    uri: String,
    name: String,
    virsh: Child,
    terminal: File,
    lines: Lines,
    ended: bool,
}

impl Console {
    pub(super) fn open(uri: &str, name: &str) -> std::io::Result<Console> {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&terminal)?;
        unlockpt(&terminal)?;
        let path = ptsname(&terminal, Vec::new())?;
        let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
        let inside = File::from(rustix::fs::open(path.as_c_str(), flags, rustix::fs::Mode::empty())?);
        let mut virsh = std::process::Command::new("virsh");
        virsh.args(["-c", uri, "console", "--force", "--domain", name]).env("LC_ALL", "C.UTF-8");
        virsh.stdin(inside.try_clone()?).stdout(inside.try_clone()?).stderr(Stdio::from(inside));
        let virsh = virsh.spawn()?;
        let terminal = File::from(terminal);
        let (uri, name) = (uri.to_owned(), name.to_owned());
        Ok(Console { uri, name, virsh, terminal, lines: Lines::default(), ended: false })
    }

    /// Reads until virsh has said that it is connected; what it says is not the machine's.
    pub(super) fn wait_until_connected(&mut self) {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            match self.read(until.saturating_duration_since(Instant::now())) {
                Heard::Line(line) if line.contains("Escape character is") => return,
                Heard::Line(_) => {}
                Heard::Silence | Heard::Gone => return,
            }
        }
    }

    fn read(&mut self, wait: Duration) -> Heard {
        let until = Instant::now() + wait;
        loop {
            if let Some(line) = self.lines.pop() {
                return Heard::Line(line);
            }
            if self.ended {
                return Heard::Gone;
            }
            let left = until.saturating_duration_since(Instant::now());
            let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
            let mut fds = [PollFd::new(&self.terminal, PollFlags::IN)];
            match poll(&mut fds, Some(&timeout)) {
                Ok(0) => return Heard::Silence,
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => self.ended = true,
            }
            let mut buffer = [0; 4096];
            match self.terminal.read(&mut buffer) {
                Ok(n) if n > 0 => self.lines.push(&buffer[..n]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                // EIO: virsh, which had the other end, is no more.
                _ => {
                    self.lines.end();
                    self.ended = true;
                }
            }
        }
    }

    /// Whether the word comes within the time: `Some(false)` where the guest ends without, `None` where nothing comes.
    pub(super) fn hears(&mut self, word: &str, limit: Duration) -> Option<bool> {
        let until = Instant::now() + limit;
        loop {
            match self.read(until.saturating_duration_since(Instant::now())) {
                Heard::Line(line) if line.contains(word) => return Some(true),
                Heard::Line(_) => {}
                Heard::Silence => return None,
                Heard::Gone => return Some(false),
            }
        }
    }
}

impl ConsoleLines for Console {
    fn next(&mut self, wait: Duration) -> Heard {
        let heard = self.read(wait);
        if heard != Heard::Gone {
            return heard;
        }
        // The connection may have been lost, and not the machine.
        let asked = Command::new("virsh").args(["-q", "-c", &self.uri, "domstate", "--domain", &self.name]).run();
        let off = asked
            .is_ok_and(|output| ["shut off", "crashed"].contains(&output.stdout_text().trim()) || !output.success());
        if off {
            return Heard::Gone;
        }
        if let Ok(mut again) = Console::open(&self.uri, &self.name) {
            again.wait_until_connected();
            *self = again;
        }
        std::thread::sleep(Duration::from_millis(200).min(wait));
        Heard::Silence
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.virsh.kill();
        let _ = self.virsh.wait();
    }
}
