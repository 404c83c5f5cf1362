//! Running a command and keeping what it said.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How a command ended, and everything that it wrote.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The exit status; 128 + the signal's number when a signal ended it; 124 when it took too long.
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Outcome {
    pub fn succeeded(&self) -> bool {
        self.status == 0
    }
    /// stdout and stderr, one after the other.
    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
    /// The standard output; the test fails with everything that was written unless the status is 0.
    #[track_caller]
    pub fn ok(self, what: &str) -> String {
        assert!(
            self.succeeded(),
            "{what}\nended with status {}\n--- stdout\n{}--- stderr\n{}",
            self.status,
            self.stdout,
            self.stderr
        );
        self.stdout
    }
}

/// Runs to the end with an empty standard input (or `input`), at most `limit` long.
pub fn run(command: &mut Command, input: Option<&[u8]>, limit: Duration) -> Outcome {
    let started = Instant::now();
    let mut limited = Command::new("timeout");
    limited.arg("--kill-after=10").arg(limit.as_secs().max(1).to_string()).arg(command.get_program());
    limited.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        limited.current_dir(directory);
    }
    limited.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    // Files, not pipes: what the command leaves running in the background may hold them as long as it likes.
    let files = [(); 2].map(|()| tempfile::tempfile().expect("a temporary file"));
    let [out, err] = files.each_ref().map(|file| file.try_clone().expect("a file"));
    limited.stdout(out).stderr(err);
    let mut child = limited.spawn().unwrap_or_else(|e| panic!("{command:?} does not start: {e}"));
    let writer = input.map(|bytes| {
        let mut pipe = child.stdin.take().expect("stdin is a pipe");
        let bytes = bytes.to_vec();
        // A command that ends without reading its input is no failure of the test.
        std::thread::spawn(move || drop(pipe.write_all(&bytes)))
    });
    let ended = child.wait().expect("our child");
    if let Some(writer) = writer {
        writer.join().expect("the writer does not panic");
    }
    use std::os::unix::process::ExitStatusExt;
    let status = ended.code().unwrap_or_else(|| 128 + ended.signal().unwrap_or(0));
    let [stdout, stderr] = files.map(written);
    Outcome { status, stdout, stderr, took: started.elapsed() }
}

fn written(mut file: File) -> String {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("what was written can be read");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `sh -c TEXT` on the machine that the tests run on; the test fails unless it succeeds.
#[track_caller]
pub fn sh(text: &str, limit: Duration) -> String {
    run(Command::new("sh").arg("-c").arg(text), None, limit).ok(text)
}
