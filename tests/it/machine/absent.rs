//! What the machine that the tests run on cannot do. A test that needs it says so and passes; where `CI=true`, it
//! fails, unless tests/absent.txt declares the lack (a word and the reason on a line).

use std::fmt;
use std::io::Write;
use std::process::Command;

/// What a test needs of the machine that it runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Base trees, copies of them and commands in them: root, mmdebstrap, apt-ftparchive, gpg, mount namespaces.
    Trees,
    /// Booted machines: [`Need::Trees`], systemd-nspawn, named network namespaces, a writable cgroup tree.
    Boot,
    /// A program on the path.
    Program(&'static str),
}

/// The words of tests/absent.txt.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Lack {
    word: String,
    reason: String,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.reason, self.word)
    }
}

fn program(name: &str) -> Option<Lack> {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|directory| directory.join(name).is_file()));
    (!found).then(|| Lack { word: name.to_owned(), reason: format!("there is no {name} on this machine") })
}

impl Need {
    fn lack(self) -> Option<Lack> {
        match self {
            Need::Program(name) => program(name),
            Need::Trees => root().or_else(|| {
                ["mmdebstrap", "apt-get", "apt-ftparchive", "gpg", "unshare", "chroot", "ip"]
                    .into_iter()
                    .find_map(program)
            }),
            Need::Boot => Need::Trees
                .lack()
                .or_else(|| ["systemd-nspawn", "nsenter"].into_iter().find_map(program))
                .or_else(namespaces),
        }
    }
}

fn root() -> Option<Lack> {
    (!rustix::process::geteuid().is_root())
        .then(|| Lack { word: "root".into(), reason: "the tests are not run by root".into() })
}

fn namespaces() -> Option<Lack> {
    let works = Command::new("unshare").args(["--net", "--mount", "true"]).status().is_ok_and(|s| s.success());
    (!works).then(|| Lack { word: "namespaces".into(), reason: "network and mount namespaces cannot be made".into() })
}

/// Whether this test has to be skipped; then the reason has been reported. With `CI=true` the test fails instead,
/// unless tests/absent.txt declares the lack.
#[must_use]
#[track_caller]
pub fn skip(test: &str, needs: &[Need]) -> bool {
    let Some(lack) = needs.iter().find_map(|need| need.lack()) else { return false };
    let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    let declared = declared(include_str!("../../absent.txt"));
    assert!(
        !ci || declared.iter().any(|d| d.word == lack.word),
        "{test}: {lack}. In CI nothing is skipped but what tests/absent.txt declares."
    );
    // Not eprintln!: the test harness would hold it back from a test that passes.
    drop(writeln!(std::io::stderr(), "skipped: {test}: {lack}"));
    true
}

fn declared(text: &str) -> Vec<Lack> {
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| {
            let (word, reason) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let reason = reason.trim();
            assert!(!reason.is_empty(), "tests/absent.txt: {word:?} has no reason");
            Lack { word: word.into(), reason: reason.into() }
        })
        .collect()
}

#[test]
fn every_declared_lack_has_a_reason() {
    declared(include_str!("../../absent.txt"));
    let text = "# words\n\nkvm  no hardware here\n";
    assert_eq!(declared(text), [Lack { word: "kvm".into(), reason: "no hardware here".into() }]);
    assert!(std::panic::catch_unwind(|| declared("kvm\n")).is_err());
    assert_eq!(program("no-such-program").expect("it is not there").word, "no-such-program");
    assert_eq!(program("sh"), None);
}
