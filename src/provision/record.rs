//! What this machine knows of the machines that it made, and who is at one of them just now.
//!
//! ```text
//! <state>/machines/NAME.json       the record: there when the machine is made whole
//! <state>/machines/NAME.journal    what is to be taken back, while something is under way ([`super::undo`])
//! <state>/machines/NAME.lock       held by flock(2) while something is under way; goes with its holder's work
//! <state>/machines/NAME/           disks or the tree, and the log of the serial console
//! ```
//!
//! A record tells where a machine is; it never decides that one is destroyed. One that can't be read is left, with what
//! it may stand for, until a person has looked.

use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The form of the records that this debrole writes and reads.
const FORM: u32 = 1;

/// The directory in which a machine that makes others keeps what it knows of them, and their disks.
#[derive(Debug, Clone)]
pub struct State {
    directory: PathBuf,
}

/// Whose machine it is: two trees may have a machine of one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fleet {
    /// `origin` of debrole.toml, which never changes once it is published.
    pub origin: String,
    /// The tree's directory, with all symbolic links resolved.
    pub tree: PathBuf,
    /// The SHA-256 of each public archive key, in lower case hexadecimal.
    pub keys: Vec<String>,
}

impl Fleet {
    /// Whether both are one fleet: the same origin, and the same directory or a key in common. (A tree may be moved, and
    /// a key be replaced; hardly both between two runs.)
    pub fn is(&self, other: &Fleet) -> bool {
        self.origin == other.origin && (self.tree == other.tree || self.keys.iter().any(|key| other.keys.contains(key)))
    }
}

/// How a machine is run, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// What runs it.
    pub form: Form,
    /// libvirt's address of the hypervisor: `qemu:///system`, `qemu+ssh://root@kvm1.example.org/system`. None where
    /// this machine runs it without libvirt.
    pub uri: Option<String>,
    /// libvirt's storage pool.
    pub pool: Option<String>,
    /// What the hypervisor calls the fleet: it keeps machines of several apart by that.
    pub owner: String,
}

/// What runs machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// A domain of libvirt's.
    Libvirt,
    /// A QEMU of debrole's own.
    Qemu,
    /// A container.
    Nspawn,
}

impl Form {
    pub fn as_str(self) -> &'static str {
        match self {
            Form::Libvirt => "libvirt",
            Form::Qemu => "qemu",
            Form::Nspawn => "nspawn",
        }
    }
}

/// A machine that was made here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    form: u32,
    /// Fully qualified domain name.
    pub name: String,
    pub fleet: Fleet,
    pub place: Place,
    /// `kvm`, `tcg` or `nspawn`.
    pub accelerator: String,
    /// The Debian release that it was made with.
    pub release: String,
    /// When it was made. Seconds since 1970 UTC.
    pub made: i64,
    /// The public half of the host key that it was made with.
    pub host_key: String,
    pub addresses: Vec<String>,
    /// The bridges that it is plugged into.
    pub bridges: Vec<String>,
}

/// A record as it is made; [`State::write`] gives it its form.
pub struct Known {
    pub name: String,
    pub fleet: Fleet,
    pub place: Place,
    pub accelerator: String,
    pub release: String,
    pub made: i64,
    pub host_key: String,
    pub addresses: Vec<String>,
    pub bridges: Vec<String>,
}

impl From<Known> for Record {
    fn from(known: Known) -> Record {
        let Known { name, fleet, place, accelerator, release, made, host_key, addresses, bridges } = known;
        Record { form: FORM, name, fleet, place, accelerator, release, made, host_key, addresses, bridges }
    }
}

/// A machine in the list of all.
pub struct Listed {
    pub name: String,
    pub record: Result<Record, Fault>,
}

/// Why the state can't be used as asked.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error(
        "the record {} can't be read: {why}: nothing is done to the machine; see what is in {}, and remove the record once nothing is",
        path.display(),
        path.with_extension("").display()
    )]
    Damaged { path: PathBuf, why: String },
    #[error("{name} is in use: {holder} is at it; wait until that has ended")]
    Busy { name: String, holder: String },
    #[error("can't {what} {}: {source}", path.display())]
    Io { what: &'static str, path: PathBuf, source: std::io::Error },
}

fn io<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Fault + 'a {
    move |source| Fault::Io { what, path: path.to_owned(), source }
}

impl State {
    /// Nothing is made before it is needed.
    pub fn new(directory: impl Into<PathBuf>) -> State {
        State { directory: directory.into() }
    }

    /// `/var/lib/debrole` for root, `$XDG_STATE_HOME/debrole` for others, given their environment.
    pub fn usual(root: bool, state_home: Option<PathBuf>, home: Option<PathBuf>) -> PathBuf {
        match (root, state_home, home) {
            (true, ..) => PathBuf::from("/var/lib/debrole"),
            (false, Some(state), _) if state.is_absolute() => state.join("debrole"),
            (false, _, Some(home)) => home.join(".local/state/debrole"),
            (false, _, None) => std::env::temp_dir().join("debrole-state"),
        }
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn machines(&self) -> PathBuf {
        self.directory.join("machines")
    }

    /// The directory of a machine's disks or tree, and of its console's log.
    pub fn home(&self, name: &str) -> PathBuf {
        self.machines().join(name)
    }

    fn beside(&self, name: &str, suffix: &str) -> PathBuf {
        self.machines().join(format!("{name}.{suffix}"))
    }

    /// Where what is to be taken back is written down.
    pub fn journal(&self, name: &str) -> PathBuf {
        self.beside(name, "journal")
    }

    /// Where the record is.
    pub fn record_path(&self, name: &str) -> PathBuf {
        self.beside(name, "json")
    }

    /// Makes the directories. Nobody but their owner looks into them: machines' disks have their host keys.
    pub fn prepare(&self) -> Result<(), Fault> {
        let machines = self.machines();
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(&self.directory)
            .map_err(io("make", &self.directory))?;
        fs::DirBuilder::new().recursive(true).mode(0o711).create(&machines).map_err(io("make", &machines))
    }

    /// What is known of a machine; None where nothing is.
    pub fn record(&self, name: &str) -> Result<Option<Record>, Fault> {
        let path = self.record_path(name);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io("read", &path)(error)),
        };
        understood(name, &text).map(Some).map_err(|why| Fault::Damaged { path, why })
    }

    /// All that is known, by name; a record that can't be read keeps its place.
    pub fn records(&self) -> Result<Vec<Listed>, Fault> {
        let names = self.names("json")?;
        let listed = |name: String| Some(Listed { record: self.record(&name).transpose()?, name });
        Ok(names.into_iter().filter_map(listed).collect())
    }

    /// The machines with a journal: something was under way that has not come to its end.
    pub fn unfinished(&self) -> Result<Vec<String>, Fault> {
        self.names("journal")
    }

    fn names(&self, suffix: &str) -> Result<Vec<String>, Fault> {
        let machines = self.machines();
        let entries = match fs::read_dir(&machines) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io("read", &machines)(error)),
        };
        let end = format!(".{suffix}");
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names
            .filter(|name| !name.starts_with('.'))
            .filter_map(|name| Some(name.strip_suffix(&end)?.into()))
            .collect();
        names.sort();
        Ok(names)
    }

    /// A record as it is written.
    pub fn text(record: &Record) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(record).expect("a record is plain data, which JSON can hold");
        text.push(b'\n');
        text
    }

    /// Writes the record, whole or not at all.
    pub fn write(&self, record: &Record) -> Result<(), Fault> {
        self.prepare()?;
        let path = self.record_path(&record.name);
        replace(&path, &State::text(record), 0o644).map_err(io("write", &path))
    }

    /// Removes the record, if there is one.
    pub fn forget(&self, name: &str) -> Result<(), Fault> {
        let path = self.record_path(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(io("remove", &path)(error)),
            _ => Ok(()),
        }
    }

    /// Takes a machine for oneself; `what` says to others what is done with it, such as `debrole provision`.
    pub fn lock(&self, name: &str, what: &str) -> Result<Lock, Fault> {
        self.prepare()?;
        let path = self.beside(name, "lock");
        loop {
            let mut options = OpenOptions::new();
            let file = options.read(true).write(true).create(true).truncate(false).mode(0o644).open(&path);
            let mut file = file.map_err(io("write", &path))?;
            match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    let mut holder = String::new();
                    // What can't be read tells less; that it is held is told all the same.
                    let _ = file.read_to_string(&mut holder);
                    let holder = match holder.trim() {
                        "" => "another process".to_owned(),
                        told => told.to_owned(),
                    };
                    return Err(Fault::Busy { name: name.to_owned(), holder });
                }
                Err(error) => return Err(io("lock", &path)(error.into())),
            }
            // Who had it before has removed the file: what we locked is not what others will find.
            let ours = file.metadata().map_err(io("read", &path))?;
            match fs::metadata(&path) {
                Ok(there) if (there.dev(), there.ino()) == (ours.dev(), ours.ino()) => {}
                _ => continue,
            }
            let told = format!("{what} (process {})\n", std::process::id());
            file.set_len(0).and_then(|()| file.write_all(told.as_bytes())).map_err(io("write", &path))?;
            return Ok(Lock { path, _file: file });
        }
    }
}

fn understood(name: &str, text: &[u8]) -> Result<Record, String> {
    let record: Record = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    if record.form != FORM {
        return Err(format!("it is of form {}, and this debrole knows form {FORM}", record.form));
    }
    if record.name != name {
        return Err(format!("it is of {}", record.name));
    }
    Ok(record)
}

/// Puts a file in place whole, on the disk before anything refers to it.
pub(super) fn replace(path: &Path, bytes: &[u8], mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::Builder::new().prefix(".debrole-").tempfile_in(folder)?;
    new.write_all(bytes)?;
    fs::set_permissions(new.path(), fs::Permissions::from_mode(mode))?;
    new.as_file().sync_all()?;
    new.persist(path)?;
    File::open(folder)?.sync_all()
}

/// A machine that nobody else works at. Ends when dropped, or with the process.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    _file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is held: who opens it later makes a new one, who has opened it finds that it is not that one.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet(tree: &str, keys: &[&str]) -> Fleet {
        Fleet { origin: "Example".into(), tree: tree.into(), keys: keys.iter().map(|&k| k.to_owned()).collect() }
    }

    fn record(name: &str) -> Record {
        let place = Place { form: Form::Nspawn, uri: None, pool: None, owner: "Example".into() };
        Known {
            name: name.into(),
            fleet: fleet("/a", &["1"]),
            place,
            accelerator: "nspawn".into(),
            release: "bookworm".into(),
            made: 1_700_000_000,
            host_key: "ssh-ed25519 AAAA".into(),
            addresses: vec!["192.0.2.1".into()],
            bridges: vec!["br0".into()],
        }
        .into()
    }

    #[test]
    fn a_record_comes_back_and_a_damaged_one_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let state = State::new(directory.path().join("state"));
        assert_eq!(state.record("a.example.org").unwrap(), None);
        assert!(state.records().unwrap().is_empty());
        state.write(&record("a.example.org")).unwrap();
        assert_eq!(state.record("a.example.org").unwrap(), Some(record("a.example.org")));

        fs::write(state.record_path("b.example.org"), "{\"form\": 1, \"na").unwrap();
        fs::copy(state.record_path("a.example.org"), state.record_path("c.example.org")).unwrap();
        let text = fs::read_to_string(state.record_path("a.example.org")).unwrap();
        fs::write(
            state.record_path("d.example.org"),
            text.replace("\"form\": 1", "\"form\": 2").replace("a.ex", "d.ex"),
        )
        .unwrap();
        let told: Vec<String> = state
            .records()
            .unwrap()
            .into_iter()
            .map(|Listed { name, record }| record.map_or_else(|fault| fault.to_string(), |_| format!("{name} is well")))
            .collect();
        assert_eq!(told[0], "a.example.org is well");
        assert!(told[1].contains("b.example.org.json can't be read: EOF"), "{told:?}");
        assert!(told[2].contains("it is of a.example.org"), "{told:?}");
        assert!(told[3].contains("it is of form 2, and this debrole knows form 1"), "{told:?}");
        assert_eq!(told.len(), 4);
    }

    #[test]
    fn a_fleet_is_known_by_its_origin_and_its_place_or_a_key() {
        let one = fleet("/a", &["1", "2"]);
        assert!(one.is(&fleet("/a", &["3"])));
        assert!(one.is(&fleet("/b", &["2", "3"])));
        assert!(!one.is(&fleet("/b", &["3"])));
        assert!(!one.is(&Fleet { origin: "Other".into(), ..one.clone() }));
    }

    #[test]
    fn a_machine_is_one_process_s_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let state = State::new(directory.path());
        let lock = state.lock("a.example.org", "debrole provision").unwrap();
        let busy = state.lock("a.example.org", "debrole deprovision").unwrap_err().to_string();
        let told = format!("debrole provision (process {})", std::process::id());
        assert!(busy.contains("a.example.org is in use") && busy.contains(&told), "{busy}");
        state.lock("b.example.org", "debrole provision").unwrap();
        drop(lock);
        state.lock("a.example.org", "debrole deprovision").unwrap();
        assert!(fs::read_dir(state.machines()).unwrap().next().is_none(), "no lock is left");
    }

    #[test]
    fn many_take_turns() {
        let directory = tempfile::tempdir().unwrap();
        let state = State::new(directory.path());
        let inside = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        if let Ok(_lock) = state.lock("a", "a test") {
                            assert_eq!(inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                            inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                        }
                    }
                });
            }
        });
    }
}
