//! Running other programs: output captured, the environment cleaned, a time limit, and "not installed" told apart
//! from "failed". Prints nothing.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};
use std::ffi::{OsStr, OsString};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a program may run unless [`Command::limit`] says otherwise.
pub const DEFAULT_LIMIT: Duration = Duration::from_secs(120);

/// What of the caller's environment a program gets to see: where things are, and how this site reaches the network
/// (proxies, its own certificate authority). The locale is always C.UTF-8, so that messages can be read by a program.
const KEPT: &[&str] = &[
    "HOME",
    "LOGNAME",
    "USER",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "all_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "FTP_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    // By which the processes of a run are known that has to be taken back (provision::undo::RUN).
    "DEBROLE_RUN",
];

/// The administration tools' directories, which the `PATH` of an ordinary user lacks.
const ADMIN_DIRECTORIES: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// The Debian package that has a program, for the programs that debrole runs.
pub fn package_of(program: &str) -> Option<&'static str> {
    Some(match program {
        "age" => "age",
        "apt-get" | "apt-cache" | "apt-config" | "apt-mark" => "apt",
        "apt-ftparchive" => "apt-utils",
        "aptly" => "aptly",
        "chroot" | "cp" | "dd" | "env" | "rm" | "sha256sum" => "coreutils",
        "curl" => "curl",
        "dash" | "sh" => "dash",
        "debsums" => "debsums",
        "dpkg" | "dpkg-deb" | "dpkg-query" => "dpkg",
        "dpkg-scanpackages" => "dpkg-dev",
        "mcopy" | "mformat" | "mmd" => "mtools",
        "mke2fs" => "e2fsprogs",
        "mkfs.btrfs" => "btrfs-progs",
        "mkfs.xfs" | "xfs_db" => "xfsprogs",
        "sfdisk" => "fdisk",
        "git" => "git",
        "gpg" => "gpg",
        "gpg-agent" => "gpg-agent",
        "gpgconf" => "gpgconf",
        "flock" | "nsenter" | "setsid" | "unshare" => "util-linux",
        "gpgv" => "gpgv",
        "ip" => "iproute2",
        "lintian" => "lintian",
        "mmdebstrap" => "mmdebstrap",
        "mount" | "umount" => "mount",
        "perl" => "perl-base",
        "qemu-system-x86_64" => "qemu-system-x86",
        "reprepro" => "reprepro",
        "shellcheck" => "shellcheck",
        "sqv" => "sqv",
        "ssh" | "ssh-keygen" | "ssh-keyscan" => "openssh-client",
        "strace" => "strace",
        "systemctl" => "systemd",
        "systemd-nspawn" => "systemd-container",
        "virsh" => "libvirt-clients",
        "visudo" => "sudo",
        "xz" => "xz-utils",
        _ => return None,
    })
}

/// A program to run.
#[derive(Debug, Clone)]
pub struct Command {
    program: OsString,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    directory: Option<PathBuf>,
    input: Vec<u8>,
    limit: Duration,
}

/// What a program that was run left behind, whatever its exit status.
#[derive(Debug, Clone)]
pub struct Output {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub elapsed: Duration,
}

impl Output {
    pub fn success(&self) -> bool {
        self.status.success()
    }
    /// Standard output as text; what is not UTF-8 is replaced.
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    #[error("{program} is not installed{}", hint(*.package))]
    NotInstalled { program: String, package: Option<&'static str> },
    /// It ran and said no ([`Command::run_ok`] only).
    #[error("{program} failed ({}){}", status_text(.output.status), last_words(&.output.stderr))]
    Failed { program: String, output: Box<Output> },
    #[error("{program} was stopped: it ran for longer than {} seconds{}", limit.as_secs(), last_words(.stderr))]
    TimedOut { program: String, limit: Duration, stderr: Vec<u8> },
    #[error("{program} could not be run: {source}")]
    Io { program: String, source: std::io::Error },
}

fn hint(package: Option<&str>) -> String {
    package.map(|package| format!("; install it with: apt-get install {package}")).unwrap_or_default()
}

fn status_text(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => status.to_string(),
    }
}

/// The last lines of what it wrote to standard error: enough to see why, not a screenful.
fn last_words(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    match lines.len() {
        0 => String::new(),
        n => format!(": {}", lines[n.saturating_sub(5)..].join("\n")),
    }
}

impl ExecError {
    /// Whether the program isn't there, as against not doing what it should.
    pub fn is_not_installed(&self) -> bool {
        matches!(self, ExecError::NotInstalled { .. })
    }
}

impl Command {
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Command {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            directory: None,
            input: Vec::new(),
            limit: DEFAULT_LIMIT,
        }
    }
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }
    /// Sets a variable in addition to the few that are kept.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }
    /// The working directory.
    pub fn directory(mut self, path: impl AsRef<Path>) -> Self {
        self.directory = Some(path.as_ref().to_owned());
        self
    }
    /// What it reads from standard input; without this, standard input is empty.
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self
    }
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    fn name(&self) -> String {
        self.program.to_string_lossy().into_owned()
    }

    /// Runs it to its end. Any exit status is `Ok`.
    pub fn run(&self) -> Result<Output, ExecError> {
        let started = Instant::now();
        let io = |source| ExecError::Io { program: self.name(), source };
        let mut command = self.prepared();
        command.stdin(if self.input.is_empty() { Stdio::null() } else { Stdio::piped() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.spawn(&mut command)?;
        let mut captured = Captured::default();
        match converse(&mut child, &self.input, started + self.limit, &mut captured) {
            Ok(true) => {
                let status = child.wait().map_err(io)?;
                Ok(Output { status, stdout: captured.stdout, stderr: captured.stderr, elapsed: started.elapsed() })
            }
            Ok(false) => {
                end(&mut child);
                Err(ExecError::TimedOut { program: self.name(), limit: self.limit, stderr: captured.stderr })
            }
            Err(source) => {
                end(&mut child);
                Err(io(source))
            }
        }
    }

    /// Starts it in a session of its own, without input and output, to run on when this program has ended. The time
    /// limit does not concern it.
    pub fn detach(&self) -> Result<Child, ExecError> {
        let mut detached = self.clone();
        detached.arguments.insert(0, std::mem::replace(&mut detached.program, "setsid".into()));
        let mut command = detached.prepared();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        detached.spawn(&mut command)
    }

    fn prepared(&self) -> std::process::Command {
        let mut command = std::process::Command::new(&self.program);
        command.args(&self.arguments).env_clear();
        for name in KEPT {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("PATH", search_path(std::env::var_os("PATH"))).env("LC_ALL", "C.UTF-8");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command
    }

    fn spawn(&self, command: &mut std::process::Command) -> Result<Child, ExecError> {
        command.spawn().map_err(|source| match source.kind() {
            // A missing working directory gives the same error number as a missing program.
            ErrorKind::NotFound if self.directory.as_ref().is_none_or(|d| d.is_dir()) => {
                ExecError::NotInstalled { program: self.name(), package: package_of(&self.name()) }
            }
            _ => ExecError::Io { program: self.name(), source },
        })
    }

    /// Runs it to its end; any exit status but 0 is an error.
    pub fn run_ok(&self) -> Result<Output, ExecError> {
        let output = self.run()?;
        if output.success() {
            Ok(output)
        } else {
            Err(ExecError::Failed { program: self.name(), output: Box::new(output) })
        }
    }
}

/// The caller's search path with the administration tools' directories at its end.
fn search_path(path: Option<OsString>) -> OsString {
    let path = path.filter(|p| !p.is_empty()).unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let mut directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    for directory in ADMIN_DIRECTORIES {
        if !directories.iter().any(|d| d == Path::new(directory)) {
            directories.push(directory.into());
        }
    }
    std::env::join_paths(directories).unwrap_or(path)
}

#[derive(Default)]
struct Captured {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// Feeds the child and reads it until it exits (true) or the time is up (false). A grandchild that keeps the pipes
/// open (a daemon that was started) is not waited for.
fn converse(child: &mut Child, input: &[u8], until: Instant, captured: &mut Captured) -> std::io::Result<bool> {
    let exit = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let (mut stdin, mut stdout, mut stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    for fd in [stdin.as_ref().map(AsFd::as_fd), stdout.as_ref().map(AsFd::as_fd), stderr.as_ref().map(AsFd::as_fd)] {
        let Some(fd) = fd else { continue };
        let flags = rustix::fs::fcntl_getfl(fd)?;
        rustix::fs::fcntl_setfl(fd, flags | rustix::fs::OFlags::NONBLOCK)?;
    }
    let mut written = 0;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
        let mut fds = vec![PollFd::new(&exit, PollFlags::IN)];
        fds.extend(stdin.as_ref().map(|fd| PollFd::new(fd, PollFlags::OUT)));
        fds.extend(stdout.as_ref().map(|fd| PollFd::new(fd, PollFlags::IN)));
        fds.extend(stderr.as_ref().map(|fd| PollFd::new(fd, PollFlags::IN)));
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let exited = !fds[0].revents().is_empty();
        drop(fds);
        if let Some(pipe) = &mut stdin {
            match pipe.write(&input[written..]) {
                Ok(n) => written += n,
                Err(e) if e.kind() == ErrorKind::BrokenPipe => written = input.len(),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(e) => return Err(e),
            }
            if written == input.len() {
                stdin = None;
            }
        }
        drain(&mut stdout, &mut captured.stdout)?;
        drain(&mut stderr, &mut captured.stderr)?;
        if exited {
            return Ok(true);
        }
    }
}

/// Reads what is there without blocking; at the end of the file the pipe is closed.
fn drain<R: Read>(pipe: &mut Option<R>, into: &mut Vec<u8>) -> std::io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    while let Some(open) = pipe {
        match open.read(&mut buffer) {
            Ok(0) => *pipe = None,
            Ok(n) => into.extend_from_slice(&buffer[..n]),
            Err(e) if e.kind() == ErrorKind::WouldBlock => break,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Asks the child to end, then ends it. Only the child itself: what apt and gpg start ends with them.
fn end(child: &mut Child) {
    let pid = Pid::from_child(child);
    // Errors here mean that it has already gone.
    let _ = rustix::process::kill_process(pid, Signal::TERM);
    let patience = Instant::now() + Duration::from_secs(2);
    while Instant::now() < patience {
        if let Ok(Some(_)) | Err(_) = child.try_wait() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_status_and_input() {
        let output = Command::new("sh").args(["-c", "cat; echo no >&2; exit 3"]).input("in").run().unwrap();
        assert_eq!((output.stdout_text().as_str(), output.stderr_text().as_str()), ("in", "no\n"));
        assert_eq!(output.status.code(), Some(3));
    }

    #[test]
    fn large_input_and_output_do_not_block() {
        let input = vec![b'x'; 3 << 20];
        let output = Command::new("cat").input(input.clone()).run_ok().unwrap();
        assert!(output.stdout == input);
        Command::new("true").input(input).run_ok().unwrap();
    }

    #[test]
    fn environment_is_cleaned() {
        let output = Command::new("env").env("OWN", "1").run_ok().unwrap().stdout_text();
        assert!(output.contains("LC_ALL=C.UTF-8\n") && output.contains("OWN=1\n"), "{output}");
        assert!(!output.contains("CARGO"), "{output}");
        let path = output.lines().find_map(|l| l.strip_prefix("PATH=")).unwrap().to_owned();
        assert!(path.split(':').any(|d| d == "/usr/sbin"), "{path}");
    }

    #[test]
    fn not_installed_is_told_apart_from_failed() {
        let error = Command::new("no-such-program").run().unwrap_err();
        assert!(error.is_not_installed());
        assert_eq!(error.to_string(), "no-such-program is not installed");
        let error = ExecError::NotInstalled { program: "sqv".into(), package: package_of("sqv") };
        assert_eq!(error.to_string(), "sqv is not installed; install it with: apt-get install sqv");
        let error = Command::new("sh").args(["-c", "echo why >&2; exit 7"]).run_ok().unwrap_err();
        assert!(!error.is_not_installed());
        assert_eq!(error.to_string(), "sh failed (exit status 7): why");
        let error = Command::new("true").directory("/no/such/directory").run().unwrap_err();
        assert!(!error.is_not_installed(), "{error}");
    }

    #[test]
    fn the_time_limit_ends_it() {
        let started = Instant::now();
        let error = Command::new("sleep").arg("60").limit(Duration::from_millis(100)).run().unwrap_err();
        assert!(matches!(error, ExecError::TimedOut { .. }), "{error}");
        assert!(started.elapsed() < Duration::from_secs(30));
        let stubborn = Command::new("sh").args(["-c", "trap '' TERM; echo here >&2; while :; do sleep 0.1; done"]);
        let error = stubborn.limit(Duration::from_secs(2)).run().unwrap_err();
        assert!(error.to_string().contains("here"), "{error}");
    }

    #[test]
    fn a_daemon_that_keeps_the_pipes_is_not_waited_for() {
        let started = Instant::now();
        let output = Command::new("sh").args(["-c", "sleep 8 & echo started"]).run_ok().unwrap();
        assert_eq!(output.stdout_text(), "started\n");
        assert!(started.elapsed() < Duration::from_secs(7));
    }
}
