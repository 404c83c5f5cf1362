//! A person at the terminal, connected with a machine's console.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{Read, Result, Write};
use std::os::unix::net::UnixStream;

/// Ctrl-], as in telnet(1) and virsh(1).
const LEAVE: u8 = 0x1d;

/// The terminal as it was, again when dropped.
struct Raw<'a> {
    terminal: &'a File,
    before: Termios,
}

impl Drop for Raw<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

/// Passes on what is typed and what the machine writes, until Ctrl-] is typed or the machine is gone.
pub(super) fn connect(machine: &UnixStream) -> Result<()> {
    let mut terminal = File::options().read(true).write(true).open("/dev/tty")?;
    let before = tcgetattr(&terminal)?;
    let mut raw = before.clone();
    raw.make_raw();
    tcsetattr(&terminal, OptionalActions::Flush, &raw)?;
    let handle = terminal.try_clone()?;
    let _raw = Raw { terminal: &handle, before };
    // Not before: what is typed until the terminal is raw is flushed.
    terminal.write_all(b"Ctrl-] leaves the console.\r\n")?;
    let mut machine: &UnixStream = machine;
    let mut buffer = [0; 4096];
    loop {
        let mut fds = [PollFd::new(&handle, PollFlags::IN), PollFd::new(machine, PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let [typed, said] = [!fds[0].revents().is_empty(), !fds[1].revents().is_empty()];
        if said {
            match machine.read(&mut buffer)? {
                0 => return Ok(()),
                n => terminal.write_all(&buffer[..n])?,
            }
        }
        if typed {
            let n = terminal.read(&mut buffer)?;
            let typed = &buffer[..n];
            let end = typed.iter().position(|&byte| byte == LEAVE);
            machine.write_all(&typed[..end.unwrap_or(n)])?;
            if end.is_some() || n == 0 {
                return terminal.write_all(b"\r\n");
            }
        }
    }
}
