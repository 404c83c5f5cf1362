//! What machines are made of: a small fleet that is published by the real program, and Debian's own mirror as this
//! machine reaches it.

use crate::machine::{Release, Scratch, cache_directory, debian_sources};
use debrole::provision::base::{self, Base, BaseRequest};
use debrole::provision::{
    Accelerator, Disk, FileSystem, Firmware, Identity, Machine, Phase, Progress, Release as Suite, Repository, Source,
};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{LazyLock, Mutex};

pub const HOST: &str = "made1.example.org";
/// The word of its console.
pub const WORD: &str = "f00dface";

/// Keeps what is said.
#[derive(Default)]
pub struct Heard(Mutex<Vec<String>>);

impl Progress for Heard {
    fn phase(&self, phase: Phase, detail: &str) {
        self.say(&format!("{phase:?}: {detail}"));
    }
    fn say(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}

impl Heard {
    pub fn all(&self) -> String {
        self.0.lock().unwrap().join("\n")
    }
}

/// A published fleet of one machine and one role.
pub struct Fleet {
    directory: Scratch,
}

const TREE: &[(&str, &str)] = &[
    (
        "debrole.toml",
        "schema = 1\n[fleet]\nprefix = \"mk\"\norigin = \"Making\"\nlabel = \"Making\"\nmaintainer = \"M <m@example.org>\"\n\
         uri = \"http://apt.example.org\"\narchitectures = [\"amd64\"]\n[release.bookworm]\n",
    ),
    (
        "roles/made.toml",
        "summary = \"A page of its own\"\ndepends = [\"less\", \"cron\"]\nrecommends = [\"tree\"]\n[[file]]\npath = \"/srv/page/index.txt\"\ncontent = \"\"\"\nmade\n\"\"\"\n\
         [[unit]]\nname = \"made.service\"\ncontent = \"\"\"\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n\
         [Install]\nWantedBy=multi-user.target\n\"\"\"\nenable = true\n",
    ),
    ("hosts/made1.example.org.toml", "roles = [\"made\"]\nrelease = \"bookworm\"\n"),
];

pub static FLEET: LazyLock<Fleet> = LazyLock::new(|| {
    // Not a temporary directory: what is static is not dropped, and the next run clears this one's.
    let directory = Scratch::new();
    for (path, text) in TREE {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let fleet = Fleet { directory };
    fleet.debrole(&["key", "init"]);
    fleet.debrole(&["build", "--first-publish"]);
    fleet
});

impl Fleet {
    fn debrole(&self, arguments: &[&str]) {
        let output = Command::new(env!("CARGO_BIN_EXE_debrole"))
            .arg("-C")
            .arg(self.directory.path())
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    pub fn repository(&self) -> Repository {
        let directory = self.directory.path().join("repo-out");
        Repository {
            keyring: directory.join("mk-archive-keyring-bookworm.deb"),
            directory,
            packages: vec![format!("mk-host-{HOST}")],
            prefix: "mk".to_owned(),
        }
    }
}

/// A machine of the fleet, with the disks that are named.
pub fn machine(firmware: Firmware, disks: &[(&str, u64, FileSystem, &str)]) -> Machine {
    let sources = debian_sources(Release::Bookworm);
    let source = |(uri, suite)| Source { uri, suite, components: vec!["main".to_owned()] };
    let disk = |&(name, mib, file_system, mount): &(&str, u64, FileSystem, &str)| Disk {
        name: name.to_owned(),
        size: mib << 20,
        file_system,
        mount: mount.to_owned(),
    };
    Machine {
        name: HOST.to_owned(),
        release: Suite {
            codename: "bookworm".to_owned(),
            sources: sources.into_iter().map(source).collect(),
            keyring: None,
        },
        architecture: "amd64".to_owned(),
        cpus: 2,
        memory: 1024,
        disks: disks.iter().map(disk).collect(),
        networks: Vec::new(),
        firmware,
        accelerators: vec![Accelerator::Tcg],
        autostart: false,
    }
}

pub fn identity() -> Identity {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "root@made1", "-f"])
        .arg(&path)
        .status();
    assert!(made.unwrap().success());
    Identity {
        host_key: std::fs::read(&path).unwrap(),
        host_key_public: std::fs::read_to_string(path.with_extension("pub")).unwrap(),
        word: WORD.to_owned(),
    }
}

/// Where bases are kept from one run of the tests to the next.
pub fn cache() -> PathBuf {
    cache_directory().join("bases")
}

/// The machine's base out of the tests' cache.
pub fn base_of(machine: &Machine) -> Base {
    base::base(&cache(), &BaseRequest::of(machine, false), &Heard::default()).unwrap_or_else(|e| panic!("{e}"))
}
