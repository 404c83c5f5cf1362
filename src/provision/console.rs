//! The serial console of a machine, line by line.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Where a line is cut: a console may send anything, also no line's end for ever. Bytes.
const LONGEST: usize = 4096;

/// How often a console is looked at.
const PAUSE: Duration = Duration::from_millis(30);

/// What came from a console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A line without its end, control characters and terminal sequences.
    Line(String),
    /// Nothing within the time.
    Silence,
    /// The machine does not run any more, and all that it wrote has been read.
    Gone,
}

/// Follows a console.
pub trait ConsoleLines: Send {
    /// The next line; waits for it for at most this long.
    fn next(&mut self, wait: Duration) -> Heard;
}

/// Bytes as they come → lines.
#[derive(Debug, Default)]
pub struct Lines {
    partial: Vec<u8>,
    whole: VecDeque<String>,
}

impl Lines {
    pub fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                b'\n' => self.end(),
                _ => self.partial.push(byte),
            }
            if self.partial.len() >= LONGEST {
                self.end();
            }
        }
    }
    /// What is there ends a line, whatever follows.
    pub fn end(&mut self) {
        let text = plain(&self.partial);
        self.partial.clear();
        if !text.is_empty() {
            self.whole.push_back(text);
        }
    }
    pub fn pop(&mut self) -> Option<String> {
        self.whole.pop_front()
    }
}

/// The text that a person would see: without terminal sequences (ECMA-48) and control characters.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut plain = String::new();
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\u{1b}' => match characters.next() {
                // A control sequence: parameters and intermediates, then one final character.
                Some('[') => while characters.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
                // A string (title, …) up to BEL or ESC \.
                Some(']' | 'P' | 'X' | '^' | '_') => {
                    while let Some(c) = characters.next() {
                        if c == '\u{7}' || (c == '\u{1b}' && characters.next_if_eq(&'\\').is_some()) {
                            break;
                        }
                    }
                }
                Some('(' | ')' | '#' | ' ') => drop(characters.next()),
                _ => {}
            },
            '\t' => plain.push(' '),
            c if c.is_control() => {}
            c => plain.push(c),
        }
    }
    plain.trim_end().to_owned()
}

/// Follows a log that is written to by somebody else, and turned: when it is full it gets another name, and a new one
/// takes its place.
pub struct Follow {
    path: PathBuf,
    file: Option<File>,
    lines: Lines,
    running: Box<dyn Fn() -> bool + Send>,
    gone: bool,
}

impl Follow {
    /// From `from` bytes after the log's start on; `running` tells whether somebody may still write to it.
    pub fn new(path: &Path, from: u64, running: Box<dyn Fn() -> bool + Send>) -> Follow {
        let file = File::open(path).ok().and_then(|mut file| {
            use std::io::{Seek, SeekFrom};
            file.seek(SeekFrom::Start(from)).ok().map(|_| file)
        });
        Follow { path: path.to_owned(), file, lines: Lines::default(), running, gone: false }
    }

    /// Reads what is there; whether it was anything.
    fn read(&mut self) -> bool {
        let mut any = false;
        loop {
            let mut buffer = [0; 16 * 1024];
            let read = self.file.as_mut().map_or(0, |file| file.read(&mut buffer).unwrap_or(0));
            if read > 0 {
                self.lines.push(&buffer[..read]);
                any = true;
                continue;
            }
            // At its end: if another file has its name by now, that one goes on where this one ends.
            let Ok(next) = File::open(&self.path) else { return any };
            let same = |file: &File, other: &File| match (file.metadata(), other.metadata()) {
                (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
                _ => true,
            };
            match &mut self.file {
                Some(file) if same(file, &next) => return any,
                Some(file) => {
                    // What was written between the last look and the turn.
                    let mut rest = Vec::new();
                    let _ = file.read_to_end(&mut rest);
                    self.lines.push(&rest);
                    self.file = Some(next);
                }
                None => self.file = Some(next),
            }
        }
    }
}

impl ConsoleLines for Follow {
    fn next(&mut self, wait: Duration) -> Heard {
        let until = Instant::now() + wait;
        loop {
            if let Some(line) = self.lines.pop() {
                return Heard::Line(line);
            }
            if self.gone {
                return Heard::Gone;
            }
            // Asked before the last look: what was written before the end is there by then.
            let running = (self.running)();
            if self.read() {
                continue;
            }
            if !running {
                self.lines.end();
                self.gone = true;
                continue;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Heard::Silence;
            }
            std::thread::sleep(PAUSE.min(left));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn lines_are_what_a_person_would_see() {
        let mut lines = Lines::default();
        lines.push(b"\x1b[?7l\x1b[2J[  OK  ] Started \x1b[0;1;39mssh\x1b[0m.\r\npart");
        lines.push(b" two\n\n\x1b]0;title\x07login: \x1b(Bx\n");
        let seen: Vec<String> = std::iter::from_fn(|| lines.pop()).collect();
        assert_eq!(seen, ["[  OK  ] Started ssh.", "part two", "login: x"]);
        lines.push(&vec![b'x'; LONGEST + 10]);
        assert_eq!(lines.pop().map(|line| line.len()), Some(LONGEST));
    }

    #[test]
    fn a_log_is_followed_when_it_is_turned() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("console.log");
        std::fs::write(&path, "before\n").unwrap();
        let runs = Arc::new(AtomicBool::new(true));
        let asked = Arc::clone(&runs);
        let mut follow = Follow::new(&path, 7, Box::new(move || asked.load(Ordering::SeqCst)));
        assert_eq!(follow.next(Duration::ZERO), Heard::Silence);
        let mut log = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        log.write_all(b"one\ntw").unwrap();
        assert_eq!(follow.next(Duration::from_secs(5)), Heard::Line("one".into()));
        log.write_all(b"o\n").unwrap();
        std::fs::rename(&path, directory.path().join("console.log.1")).unwrap();
        std::fs::write(&path, "three\nlast words").unwrap();
        assert_eq!(follow.next(Duration::from_secs(5)), Heard::Line("two".into()));
        assert_eq!(follow.next(Duration::from_secs(5)), Heard::Line("three".into()));
        assert_eq!(follow.next(Duration::ZERO), Heard::Silence);
        runs.store(false, Ordering::SeqCst);
        assert_eq!(follow.next(Duration::ZERO), Heard::Line("last words".into()));
        assert_eq!(follow.next(Duration::ZERO), Heard::Gone);
    }
}
