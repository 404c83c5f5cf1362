//! The wait for a machine: whose word counts, what a person is told, and whose SSH it is.

use super::{machine, within};
use crate::machine::{Lab, Need, skip};
use debrole::provision::console::{ConsoleLines, Heard};
use debrole::provision::ready::{NotReady, Ready, Reason, SshCheck, ready};
use debrole::provision::{Identity, Phase, Progress};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// A console that says this, then falls silent or is gone.
struct Script<'a> {
    lines: std::iter::Copied<std::slice::Iter<'a, &'static str>>,
    then: Heard,
}

impl ConsoleLines for Script<'_> {
    fn next(&mut self, wait: Duration) -> Heard {
        match self.lines.next() {
            Some(line) => Heard::Line(line.to_owned()),
            None => {
                std::thread::sleep(wait);
                self.then.clone()
            }
        }
    }
}

#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Progress for Told {
    fn phase(&self, _: Phase, _: &str) {}
    fn say(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}

fn identity(public: &str) -> Identity {
    Identity { host_key: Vec::new(), host_key_public: public.to_owned(), word: "s3cret".to_owned() }
}

fn wait(lines: &[&'static str], then: Heard, told: &Told) -> Result<Ready, NotReady> {
    let mut console = Script { lines: lines.iter().copied(), then };
    let limit = Duration::from_secs(2);
    ready(&mut console, &machine("m1.example.org", 1), &identity(""), &SshCheck::Without, limit, told)
}

#[test]
fn the_machines_own_word_is_waited_for_and_followed() {
    let told = Told::default();
    let lines = [
        "SeaBIOS (version 1.16.2)",
        "[    0.000000] Linux version 6.1.0-40-cloud-amd64",
        "Welcome to Debian GNU/Linux 12 (bookworm)!",
        "[  OK  ] Reached target network.target - Network.",
        // "begin" was missed; the kernel's words share a line with the machine's.
        "[    9.1] random: crng init done[debrole s3cret] check system OK up",
        "[debrole s3cret] check http CRITICAL connection refused",
        "[debrole s3cret] check http OK HTTP OK",
        "[debrole s3cret] check disk WARNING 81% full",
        "[debrole s3cret] ready",
    ];
    let ready = wait(&lines, Heard::Gone, &told).unwrap();
    assert_eq!((ready.warnings, ready.ssh), (vec!["disk: 81% full".to_owned()], false));
    assert_eq!(
        *told.0.lock().unwrap(),
        [
            "its firmware runs",
            "its kernel runs",
            "systemd runs",
            "its network is up",
            "system OK: up",
            "http CRITICAL: connection refused",
            "http OK: HTTP OK",
            "disk WARNING: 81% full",
        ]
    );
}

#[test]
fn forged_words_count_for_nothing_and_each_end_has_its_reason() {
    let told = Told::default();
    let forged =
        ["[debrole ] ready", "[debrole guess] ready", "ready", "[debrole s3cret]ready", "debrole s3cret ready"];
    let late = wait(&forged, Heard::Silence, &told).unwrap_err();
    assert!(matches!(late.reason, Reason::Late { .. }), "{late}");
    assert!(late.to_string().contains("was not ready within 2 seconds"), "{late}");
    assert!(!late.to_string().contains("s3cret"), "the word is told: {late}");
    assert_eq!(late.last_lines.len(), forged.len());

    let gone = wait(&["[    1.0] Kernel panic - not syncing: VFS"], Heard::Gone, &told).unwrap_err();
    assert!(gone.to_string().contains("turned itself off") && gone.to_string().contains("Kernel panic"), "{gone}");

    let lines = [
        "[debrole s3cret] begin",
        "[debrole s3cret] check units CRITICAL failed: nginx.service",
        "[debrole s3cret] failed units",
    ];
    let failed = wait(&lines, Heard::Silence, &told).unwrap_err();
    assert!(failed.to_string().contains("not well:\n  units: failed: nginx.service\n"), "{failed}");

    let many: Vec<&'static str> = std::iter::repeat_n("line", 100).collect();
    assert!(wait(&many, Heard::Gone, &told).unwrap_err().last_lines.len() < 50, "a screenful, not all");
}

fn key(directory: &Path, name: &str) -> String {
    let path = directory.join(name);
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"]).arg(&path).status();
    assert!(made.unwrap().success());
    std::fs::read_to_string(path.with_extension("pub")).unwrap().trim().to_owned()
}

#[test]
fn ssh_has_to_answer_with_the_machines_own_key() {
    if skip("a real sshd", &[Need::Boot, Need::Program("sshd"), Need::Program("ssh")]) {
        return;
    }
    let lab = Lab::new();
    let scratch = tempfile::tempdir().unwrap();
    let (own, other) = (key(scratch.path(), "own"), key(scratch.path(), "other"));
    let p = scratch.path().display();
    std::fs::write(
        scratch.path().join("config"),
        format!(
            "ListenAddress 192.0.2.1\nPort 2222\nHostKey {p}/own\nPidFile none\nUsePAM no\nPasswordAuthentication no\n"
        ),
    )
    .unwrap();
    std::fs::create_dir_all("/run/sshd").unwrap();
    let ask = |public: &str, port: u16| {
        let mut console = Script { lines: ["[debrole s3cret] ready"].iter().copied(), then: Heard::Silence };
        let at = SshCheck::At { address: "192.0.2.1".parse().unwrap(), port };
        let limit = Duration::from_secs(5);
        let m1 = machine("m1.example.org", 1);
        within(&lab, || ready(&mut console, &m1, &identity(public), &at, limit, &Told::default()))
    };
    lab.start(Command::new("/usr/sbin/sshd").arg("-D").arg("-f").arg(scratch.path().join("config")));
    // It is started meanwhile: the first answers are refused.
    assert!(ask(&own, 2222).unwrap().ssh);
    let wrong = ask(&other, 2222).unwrap_err();
    let text = wrong.to_string();
    assert!(matches!(wrong.reason, Reason::OtherKey { .. }), "{text}");
    assert!(
        text.contains(&format!("expected: {}", other.trim())) && text.contains(&format!("answered: {}", own.trim())),
        "{text}"
    );
    // Nobody listens there.
    let started = Instant::now();
    let silent = ask(&own, 2223).unwrap_err();
    assert!(matches!(silent.reason, Reason::NoSsh { .. }) && silent.to_string().contains("refused"), "{silent}");
    assert!(started.elapsed() >= Duration::from_secs(30), "it was asked more than once");
}
