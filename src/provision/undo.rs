//! What is to be taken back if what was begun does not reach its end.
//!
//! Each act is written down, and on the disk, before it is done: a journal that is found tells what may have happened,
//! however the process ended that wrote it. Taking an act back that never happened does nothing.
//!
//! A journal never has anything secret: paths, texts of the tree, where a machine is placed.

use super::record::{self, Place};
use crate::exec;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The variable by which the processes of a run are known, with whatever they start ([`exec`] hands it on): its value is
/// the run's own.
pub const RUN: &str = "DEBROLE_RUN";

/// Something that is about to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case")]
pub enum Act {
    /// A file gets another content. It is taken back only where it still has what was written; None: no file.
    Edit {
        path: PathBuf,
        #[serde(with = "hex")]
        before: Option<Vec<u8>>,
        #[serde(with = "hex")]
        after: Option<Vec<u8>>,
    },
    /// A file or directory is made: it goes, with all that is in it.
    Make { path: PathBuf },
    /// A machine is given to its hypervisor: it is stopped and forgotten there.
    Put { name: String, place: Place },
    /// A machine is stopped and put out of the way of another of its name: it is brought back, and started where it ran.
    Withdraw { name: String, place: Place, running: bool },
    /// The tree is published as it is now: it is published again as it was. `host_keys`: those that are published for
    /// machines which do not exist yet, as type and key.
    Publish { host_keys: Vec<String> },
    /// So many acts, from the first on, are what is left to take back: those after them are. Some acts may be taken back
    /// once only.
    TakenTo { acts: usize },
    /// The machine is there. Nothing is taken back any more, but what stood aside for it goes.
    Arrived { name: String, place: Place },
}

/// How the acts of a file are written: bytes in hexadecimal, so that any file fits.
mod hex {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
        bytes.as_ref().map(|bytes| base16ct::lower::encode_string(bytes)).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
        let text: Option<String> = Option::deserialize(from)?;
        text.map(|text| base16ct::lower::decode_vec(text).map_err(serde::de::Error::custom)).transpose()
    }
}

/// The first line of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The machine.
    pub name: String,
    /// What is done: `debrole provision`.
    pub what: String,
    /// The tree that it is done for.
    pub tree: PathBuf,
    /// Where that is published.
    pub out: PathBuf,
    /// The word that the run's processes have in their environment ([`RUN`]).
    pub run: String,
}

/// What is to be taken back, as long as it is not [`Journal::done`].
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
}

#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("can't write down what is to be taken back ({}): {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error(
        "{} can't be read (line {line}: {why}): what it was for is not taken back by itself; see what it names, and remove it",
        path.display()
    )]
    Damaged { path: PathBuf, line: usize, why: String },
}

impl Journal {
    /// A new journal. There is none for the machine yet: whoever holds its lock has seen to that.
    pub fn begin(path: &Path, head: &Head) -> Result<Journal, Fault> {
        let io = |source| Fault::Io { path: path.to_owned(), source };
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path).map_err(io)?;
        let mut journal = Journal { path: path.to_owned(), file };
        journal.line(head)?;
        folder_on_disk(path).map_err(io)?;
        Ok(journal)
    }

    /// Says what is done next. It is on the disk when this returns.
    pub fn will(&mut self, act: &Act) -> Result<(), Fault> {
        self.line(act)
    }

    fn line(&mut self, line: &impl Serialize) -> Result<(), Fault> {
        let mut text = serde_json::to_string(line).expect("an act is plain data, which JSON can hold");
        text.push('\n');
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        written.map_err(|source| Fault::Io { path: self.path.clone(), source })
    }

    /// Changes a file, and has said so before.
    pub fn edit(&mut self, path: &Path, before: Option<&[u8]>, after: Option<&[u8]>) -> Result<(), Fault> {
        self.will(&Act::Edit {
            path: path.to_owned(),
            before: before.map(<[u8]>::to_vec),
            after: after.map(<[u8]>::to_vec),
        })?;
        put(path, after).map_err(|source| Fault::Io { path: path.to_owned(), source })
    }

    /// The end is reached: nothing is to be taken back any more.
    pub fn done(self) -> Result<(), Fault> {
        remove(&self.path)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn remove(path: &Path) -> Result<(), Fault> {
    let io = |source| Fault::Io { path: path.to_owned(), source };
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    folder_on_disk(path).map_err(io)
}

fn folder_on_disk(path: &Path) -> std::io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// What a journal says; None where there is none. A last line that was cut off is no act: it was never begun.
pub fn read(path: &Path) -> Result<Option<(Head, Vec<Act>)>, Fault> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Fault::Io { path: path.to_owned(), source }),
    };
    let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let mut lines = text[..whole].split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).enumerate();
    let damaged = |line: usize, why: String| Fault::Damaged { path: path.to_owned(), line: line + 1, why };
    let Some((_, first)) = lines.next() else {
        // Killed before anything was done.
        return Ok(Some((Head::nothing(), Vec::new())));
    };
    let head: Head = serde_json::from_slice(first).map_err(|error| damaged(0, error.to_string()))?;
    let acts = lines.map(|(at, line)| serde_json::from_slice(line).map_err(|error| damaged(at, error.to_string())));
    Ok(Some((head, acts.collect::<Result<_, _>>()?)))
}

impl Head {
    fn nothing() -> Head {
        Head { name: String::new(), what: String::new(), tree: PathBuf::new(), out: PathBuf::new(), run: String::new() }
    }
}

/// What can't be done with files alone.
pub trait Hands {
    /// Stops a machine and has its hypervisor forget it, with its disks; fine where it isn't there.
    fn remove(&self, name: &str, place: &Place) -> Result<(), String>;
    /// Makes a machine that was put out of the way the one of this name again, and starts it if it ran; fine where it
    /// was not out of the way yet.
    fn bring_back(&self, name: &str, place: &Place, running: bool) -> Result<(), String>;
    /// Removes a machine that was put out of the way; fine where there is none.
    fn drop_aside(&self, name: &str, place: &Place) -> Result<(), String>;
    /// Publishes a tree as it is. `withdrawn`: host keys that were published for machines which never came to be.
    fn publish(&self, tree: &Path, out: &Path, withdrawn: &[String]) -> Result<(), String>;
}

/// What came of taking something back.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// What was taken back, in words, for people.
    pub back: Vec<String>,
    /// What somebody has changed since, and was left: for a person to look at.
    pub left: Vec<String>,
    /// What could not be taken back now. The journal stays, and the next command tries again.
    pub failed: Vec<String>,
}

impl Taken {
    pub fn is_whole(&self) -> bool {
        self.failed.is_empty()
    }
}

/// Takes back what a journal says, the last act first; the journal goes when nothing is left to do. The caller holds
/// the machine's lock.
pub fn back(path: &Path, hands: &dyn Hands) -> Result<Taken, Fault> {
    let mut taken = Taken::default();
    let Some((head, acts)) = read(path)? else { return Ok(taken) };
    let mut edited = false;
    let mut published: Option<Vec<String>> = None;
    let left = acts.iter().rev().find_map(|act| if let Act::TakenTo { acts } = act { Some(*acts) } else { None });
    for (at, act) in acts.iter().enumerate().take(left.unwrap_or(acts.len())).rev() {
        match act {
            Act::Arrived { name, place } => {
                match hands.drop_aside(name, place) {
                    Ok(()) => taken.back.push(format!("{name} is there: only what stood aside for it was to go")),
                    Err(why) => taken.failed.push(format!("what stood aside for {name} may still be there: {why}")),
                }
                published = None;
                edited = false;
                break;
            }
            Act::TakenTo { .. } => {}
            Act::Edit { path, before, after } => match current(path) {
                Ok(now) if now == *before => {}
                Ok(now) if now == *after => match put(path, before.as_deref()) {
                    Ok(()) => {
                        edited = true;
                        taken.back.push(match before {
                            None => format!("{} is removed", path.display()),
                            Some(_) => format!("{} is as it was", path.display()),
                        });
                    }
                    Err(error) => taken.failed.push(format!("{} is not as it was: {error}", path.display())),
                },
                Ok(now) => taken.left.push(differs(path, now.as_deref(), after.as_deref())),
                Err(error) => taken.failed.push(format!("{} is not as it was: {error}", path.display())),
            },
            Act::Make { path } => match clear(path) {
                Ok(false) => {}
                Ok(true) => taken.back.push(format!("{} is removed", path.display())),
                Err(error) => taken.failed.push(format!("{} is still there: {error}", path.display())),
            },
            Act::Put { name, place } => match hands.remove(name, place) {
                // Another of its name may be brought back next, and that one is not to be removed by a second try.
                Ok(()) => match note(path, &Act::TakenTo { acts: at }) {
                    Ok(()) => taken.back.push(format!("{name} is gone from its hypervisor")),
                    Err(fault) => {
                        taken.failed.push(fault.to_string());
                        return Ok(taken);
                    }
                },
                Err(why) => taken.failed.push(format!("{name} may still be on its hypervisor: {why}")),
            },
            Act::Withdraw { name, place, running } => match hands.bring_back(name, place, *running) {
                Ok(()) => taken.back.push(format!("{name} is there again as it was")),
                Err(why) => taken.failed.push(format!("{name} is not there again: {why}")),
            },
            Act::Publish { host_keys } => published.get_or_insert_default().extend(host_keys.iter().cloned()),
        }
    }
    if let Some(withdrawn) = published
        && (edited || taken.failed.is_empty())
    {
        match hands.publish(&head.tree, &head.out, &withdrawn) {
            Ok(()) => taken.back.push("the tree is published again as it was".to_owned()),
            Err(why) => taken.failed.push(format!("the tree is not published again as it was: {why}")),
        }
    }
    if taken.is_whole() {
        remove(path)?;
    }
    Ok(taken)
}

/// Adds to a journal that somebody else began.
fn note(path: &Path, act: &Act) -> Result<(), Fault> {
    let io = |source| Fault::Io { path: path.to_owned(), source };
    let mut file = OpenOptions::new().append(true).open(path).map_err(io)?;
    // What was cut off is no line, and stays none.
    let cut = fs::read(path).map_err(io)?.last().is_some_and(|&last| last != b'\n');
    if cut {
        let whole = fs::read(path).map_err(io)?.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64).map_err(io)?;
    }
    let mut text = serde_json::to_string(act).expect("an act is plain data, which JSON can hold");
    text.push('\n');
    file.write_all(text.as_bytes()).and_then(|()| file.sync_data()).map_err(io)
}

fn current(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Gives a file this content, whole or not at all, and its owner and mode as they were; None: it goes.
fn put(path: &Path, bytes: Option<&[u8]>) -> std::io::Result<()> {
    let Some(bytes) = bytes else {
        return match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => folder_on_disk(path),
        };
    };
    let there = fs::metadata(path).ok();
    record::replace(path, bytes, there.as_ref().map_or(0o644, |meta| meta.permissions().mode() & 0o7777))?;
    if let Some(meta) = there {
        // Root edits somebody's checkout: it stays theirs. Who is not root could not have given it away before either.
        let _ = std::os::unix::fs::chown(path, Some(meta.uid()), Some(meta.gid()));
    }
    Ok(())
}

/// What somebody has changed meanwhile: the first line of it.
fn differs(path: &Path, now: Option<&[u8]>, wrote: Option<&[u8]>) -> String {
    let shown = path.display();
    let (now, wrote) = match (now, wrote) {
        (None, _) => return format!("{shown} was removed meanwhile, and is left so"),
        (Some(_), None) => return format!("{shown} was made anew meanwhile, and is left so"),
        (Some(now), Some(wrote)) => (String::from_utf8_lossy(now), String::from_utf8_lossy(wrote)),
    };
    let mut lines = now.lines().zip(wrote.lines()).enumerate();
    let at = lines.find(|(_, (now, wrote))| now != wrote).map(|(at, _)| at);
    let at = at.unwrap_or_else(|| now.lines().count().min(wrote.lines().count()));
    let line = |text: &str| text.lines().nth(at).map_or_else(|| "no line".to_owned(), |line| format!("\"{line}\""));
    format!(
        "{shown} was changed meanwhile, and is left so: line {} is {}, where {} was written",
        at + 1,
        line(&now),
        line(&wrote)
    )
}

/// Removes a file, or a directory with all that is in it; whether it was there. What is mounted below is unmounted
/// first, and nothing is removed through a mount.
pub fn clear(path: &Path) -> std::io::Result<bool> {
    let meta = match path.symlink_metadata() {
        Ok(meta) => meta,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if !meta.is_dir() {
        fs::remove_file(path)?;
        return Ok(true);
    }
    for point in mounts(path)?.iter().rev() {
        let unmount = exec::Command::new("umount").args(["--lazy", "--"]).arg(point).run();
        unmount.map_err(std::io::Error::other)?;
    }
    if let Some(point) = mounts(path)?.first() {
        return Err(std::io::Error::other(format!("{} is mounted there", point.display())));
    }
    let removed = exec::Command::new("rm").args(["-rf", "--one-file-system", "--"]).arg(path).limit(REMOVAL).run_ok();
    removed.map_err(std::io::Error::other)?;
    Ok(true)
}

/// A tree of some hundred thousand files on a slow disk.
const REMOVAL: Duration = Duration::from_secs(900);

/// What is mounted at a directory or below it, the outermost first.
fn mounts(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let path = fs::canonicalize(path)?;
    let table = fs::read_to_string("/proc/self/mountinfo")?;
    // mountinfo(5): the fifth field, blanks and the like as \ooo.
    let points = table.lines().filter_map(|line| line.split(' ').nth(4)).map(unescaped);
    let mut points: Vec<PathBuf> = points.filter(|point| point.starts_with(&path)).collect();
    points.sort();
    Ok(points)
}

fn unescaped(text: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        let octal = (first == b'\\').then(|| after.get(..3)).flatten();
        let octal = octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        (bytes, rest) = match octal {
            Some(byte) => ([bytes, vec![byte]].concat(), &after[3..]),
            None => ([bytes, vec![first]].concat(), after),
        };
    }
    std::ffi::OsString::from_vec(bytes).into()
}

/// Ends the processes that have a run's word in their environment, and waits until they are gone: what a killed run
/// had started would otherwise go on writing. This process is not one of them, nor is any that was started without it.
pub fn end_run(run: &str) {
    if run.is_empty() {
        return;
    }
    let word = format!("{RUN}={run}");
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until {
        let ours = processes(word.as_bytes());
        if ours.is_empty() {
            return;
        }
        for pid in ours {
            // It may have ended by itself.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn processes(word: &[u8]) -> Vec<rustix::process::Pid> {
    let own = std::process::id();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).filter(|&pid| pid != own);
    let marked = pids.filter(|pid| {
        // (The environment of a zombie is empty.)
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|variable| variable == word)
    });
    marked.filter_map(|pid| rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::record::Form;
    use super::*;
    use std::cell::RefCell;

    #[derive(Default)]
    struct Told(RefCell<Vec<String>>);

    impl Hands for Told {
        fn remove(&self, name: &str, _: &Place) -> Result<(), String> {
            self.0.borrow_mut().push(format!("remove {name}"));
            Ok(())
        }
        fn bring_back(&self, name: &str, _: &Place, running: bool) -> Result<(), String> {
            self.0.borrow_mut().push(format!("bring back {name} {running}"));
            Ok(())
        }
        fn drop_aside(&self, name: &str, _: &Place) -> Result<(), String> {
            self.0.borrow_mut().push(format!("drop {name}"));
            Ok(())
        }
        fn publish(&self, tree: &Path, _: &Path, withdrawn: &[String]) -> Result<(), String> {
            self.0.borrow_mut().push(format!("publish {} without {withdrawn:?}", tree.display()));
            Ok(())
        }
    }

    fn head() -> Head {
        Head { name: "a".into(), what: "a test".into(), tree: "/tree".into(), out: "/out".into(), run: "word".into() }
    }

    fn place() -> Place {
        Place { form: Form::Nspawn, uri: None, pool: None, owner: "Example".into() }
    }

    #[test]
    fn all_of_it_the_last_first() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("host.toml"), "old\n").unwrap();
        fs::set_permissions(at("host.toml"), fs::Permissions::from_mode(0o640)).unwrap();
        let mut journal = Journal::begin(&at("journal"), &head()).unwrap();
        journal.edit(&at("host.toml"), Some(b"old\n"), Some(b"new\n")).unwrap();
        journal.edit(&at("new.toml"), None, Some(b"new\n")).unwrap();
        journal.will(&Act::Publish { host_keys: vec!["ssh-ed25519 A".into()] }).unwrap();
        let path = at("machine");
        journal.will(&Act::Withdraw { name: "a".into(), place: place(), running: true }).unwrap();
        journal.will(&Act::Make { path: path.clone() }).unwrap();
        fs::create_dir_all(path.join("new/deep")).unwrap();
        journal.will(&Act::Put { name: "a".into(), place: place() }).unwrap();
        drop(journal);

        let hands = Told::default();
        let taken = back(&at("journal"), &hands).unwrap();
        assert!(taken.is_whole() && taken.left.is_empty(), "{taken:?}");
        assert_eq!(
            hands.0.into_inner(),
            ["remove a", "bring back a true", "publish /tree without [\"ssh-ed25519 A\"]"]
        );
        assert_eq!(fs::read_to_string(at("host.toml")).unwrap(), "old\n");
        assert_eq!(fs::metadata(at("host.toml")).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(!at("new.toml").exists() && !path.exists() && !at("journal").exists());
        // A second time there is nothing to do.
        assert_eq!(back(&at("journal"), &Told::default()).unwrap(), Taken::default());
    }

    #[test]
    fn what_somebody_changed_meanwhile_is_left_and_told() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let mut journal = Journal::begin(&at("journal"), &head()).unwrap();
        journal.edit(&at("a"), None, Some(b"one\ntwo\n")).unwrap();
        fs::write(at("a"), "one\nthree\n").unwrap();
        let taken = back(&at("journal"), &Told::default()).unwrap();
        assert!(taken.left[0].ends_with("line 2 is \"three\", where \"two\" was written"), "{taken:?}");
        assert_eq!(fs::read_to_string(at("a")).unwrap(), "one\nthree\n");
        assert!(!at("journal").exists());
    }

    #[test]
    fn an_act_that_never_happened_is_no_trouble() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let mut journal = Journal::begin(&at("journal"), &head()).unwrap();
        journal.will(&Act::Make { path: at("never") }).unwrap();
        let edit = Act::Edit { path: at("b"), before: None, after: Some(b"text".to_vec()) };
        journal.will(&edit).unwrap();
        // Killed within a line: that act was not begun.
        journal.file.write_all(b"{\"act\":\"make\",\"path\":\"/").unwrap();
        assert_eq!(read(&at("journal")).unwrap().unwrap().1.len(), 2);
        assert_eq!(back(&at("journal"), &Told::default()).unwrap(), Taken::default());
    }

    #[test]
    fn a_damaged_journal_takes_nothing_back() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("kept"), "").unwrap();
        let mut journal = Journal::begin(&at("journal"), &head()).unwrap();
        journal.will(&Act::Make { path: at("kept") }).unwrap();
        journal.file.write_all(b"nonsense\n").unwrap();
        let fault = back(&at("journal"), &Told::default()).unwrap_err().to_string();
        assert!(fault.contains("line 3: expected"), "{fault}");
        assert!(at("kept").exists() && at("journal").exists());
        // One that was begun and not written is of nothing.
        fs::write(at("empty"), "").unwrap();
        assert!(back(&at("empty"), &Told::default()).unwrap().is_whole());
        assert!(!at("empty").exists());
    }

    /// A rebuild: what was brought back is not removed by a second try.
    #[test]
    fn what_was_taken_back_once_is_not_taken_back_again() {
        struct Unwilling(Told);
        impl Hands for Unwilling {
            fn remove(&self, name: &str, place: &Place) -> Result<(), String> {
                self.0.remove(name, place)
            }
            fn bring_back(&self, _: &str, _: &Place, _: bool) -> Result<(), String> {
                Err("it does not start".into())
            }
            fn drop_aside(&self, name: &str, place: &Place) -> Result<(), String> {
                self.0.drop_aside(name, place)
            }
            fn publish(&self, _: &Path, _: &Path, _: &[String]) -> Result<(), String> {
                Ok(())
            }
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let mut journal = Journal::begin(&path, &head()).unwrap();
        journal.will(&Act::Withdraw { name: "a".into(), place: place(), running: true }).unwrap();
        journal.will(&Act::Put { name: "a".into(), place: place() }).unwrap();
        journal.file.write_all(b"{\"act\":\"ma").unwrap();
        let hands = Unwilling(Told::default());
        let taken = back(&path, &hands).unwrap();
        assert_eq!(taken.failed, ["a is not there again: it does not start"]);
        assert_eq!(hands.0.0.into_inner(), ["remove a"]);
        let hands = Told::default();
        assert!(back(&path, &hands).unwrap().is_whole());
        assert_eq!(hands.0.into_inner(), ["bring back a true"]);
        assert!(!path.exists());
    }

    #[test]
    fn a_machine_that_arrived_stays() {
        let directory = tempfile::tempdir().unwrap();
        let (path, file) = (directory.path().join("journal"), directory.path().join("file"));
        let mut journal = Journal::begin(&path, &head()).unwrap();
        journal.edit(&file, None, Some(b"text")).unwrap();
        journal.will(&Act::Publish { host_keys: vec!["ssh-ed25519 A".into()] }).unwrap();
        journal.will(&Act::Withdraw { name: "a".into(), place: place(), running: true }).unwrap();
        journal.will(&Act::Put { name: "a".into(), place: place() }).unwrap();
        journal.will(&Act::Arrived { name: "a".into(), place: place() }).unwrap();
        let hands = Told::default();
        assert!(back(&path, &hands).unwrap().is_whole());
        assert_eq!(hands.0.into_inner(), ["drop a"]);
        assert!(file.exists() && !path.exists());
    }

    #[test]
    fn a_run_s_processes_end_and_no_others() {
        let run = format!("undo-test-{}", std::process::id());
        let start = |run: &str| {
            let mut command = std::process::Command::new("sleep");
            command.arg("600").env(RUN, run).spawn().unwrap()
        };
        let (mut ours, mut other) = (start(&run), start("undo-test-other"));
        let waiting = std::thread::spawn(move || ours.wait().unwrap());
        end_run(&run);
        assert!(!waiting.join().unwrap().success());
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
