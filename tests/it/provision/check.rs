//! `debrole hypervisor check`: what works on this machine, and why the rest does not.

use super::site::{DEBROLE, outcome};
use crate::machine::{Need, Outcome, skip};
use debrole::provision::Accelerator;
use debrole::provision::probe::{self, Proof};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

const QEMU: Need = Need::Program("qemu-system-x86_64");

/// A /dev without KVM, in a mount name space of its own, and no libvirt.
const WITHOUT: &str = r#"set -e
mount -t tmpfs -o mode=0755 dev "$1"
for name in null zero full random urandom tty ptmx; do cp -a "/dev/$name" "$1/$name"; done
mount --bind "$1" /dev
[ ! -d /run/libvirt ] || mount -t tmpfs tmpfs /run/libvirt
shift
exec "$@""#;

/// This machine as it is, but for its libvirt.
const AS_IT_IS: &str = r#"shift
[ ! -d /run/libvirt ] || mount -t tmpfs tmpfs /run/libvirt
exec "$@""#;

/// QEMU with this directory before all others on the path.
fn check(shell: &str, path: &Path, format: &str) -> Outcome {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", shell, "sh"]).arg(scratch.path());
    command.args([DEBROLE, "--format", format, "hypervisor", "check", "--base-cache"]).arg(scratch.path());
    let others = std::env::var("PATH").expect("a path");
    command.env("PATH", format!("{}:{others}", path.display())).stdin(Stdio::null());
    outcome(&mut command)
}

/// Line by line: what was looked at, its state, what was found.
fn sheet(outcome: &Outcome) -> Vec<(String, String, String)> {
    let document: serde_json::Value =
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|e| panic!("{e}: {}", outcome.all()));
    assert_eq!(document["machine"], "this machine");
    let text = |finding: &serde_json::Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let lines = document["sheet"].as_array().expect("a list").iter();
    lines.map(|finding| (text(finding, "what"), text(finding, "state"), text(finding, "detail"))).collect()
}

#[track_caller]
fn line<'s>(sheet: &'s [(String, String, String)], what: &str) -> (&'s str, &'s str) {
    let found = sheet.iter().find(|(name, ..)| name == what);
    found.map(|(_, state, detail)| (state.as_str(), detail.as_str())).unwrap_or_else(|| panic!("no {what}: {sheet:#?}"))
}

#[test]
fn the_sheet_of_this_machine_says_what_runs_and_why_the_rest_does_not() {
    if skip("the sheet of a hypervisor", &[Need::Boot, QEMU]) {
        return;
    }
    let nowhere = tempfile::tempdir().expect("a temporary directory");
    let none = check(WITHOUT, nowhere.path(), "json");
    let found = sheet(&none);
    assert_eq!(line(&found, "/dev/kvm"), ("warning", "is not there"));
    assert_eq!(line(&found, "guests by KVM"), ("warning", "is not there: there is no /dev/kvm"));
    let (state, detail) = line(&found, "guests by TCG");
    assert!(state == "ok" && detail.contains("ten times slower"), "{detail}");
    assert_eq!(line(&found, "containers").0, "ok");
    let text = check(WITHOUT, nowhere.path(), "text");
    assert!(text.stdout.starts_with("this machine:\n"), "{}", text.all());
    for part in
        ["  guests by KVM   warning  is not there: there is no /dev/kvm\n", "use accel = [\"tcg\"] or [\"nspawn\"]"]
    {
        assert!(text.stdout.contains(part), "{part:?}\n{}", text.all());
    }
    if !Path::new("/dev/kvm").exists() {
        return;
    }

    // The device that this machine has, whatever it is worth: it is told what became of the guests.
    let found = sheet(&check(AS_IT_IS, nowhere.path(), "json"));
    assert_eq!(line(&found, "/dev/kvm"), ("ok", "opens, which proves nothing yet"));
    let (state, detail) = line(&found, "guests by KVM");
    match probe::prove_kvm("qemu-system-x86_64", None) {
        Proof::Works => assert_eq!((state, detail), ("ok", "a boot sector and a kernel ran")),
        proof @ (Proof::Half | Proof::Missing { .. }) => assert_eq!((state, detail), ("warning", &*proof.to_string())),
        Proof::Hangs { .. } => {
            assert!(state == "bad" && detail.starts_with("hangs: a guest that takes a moment"), "{detail}")
        }
        Proof::Broken { .. } => assert!(state == "bad" && detail.starts_with("does not work: "), "{detail}"),
    }

    // A device that opens, and every guest by it hangs.
    let hangs = nowhere.path().join("qemu-system-x86_64");
    let real = "PATH=${PATH#*:} exec qemu-system-x86_64";
    let text = format!("#!/bin/sh\ncase \"$*\" in *'-accel kvm'*) exec sleep 100 ;; esac\n{real} \"$@\"\n");
    std::fs::write(&hangs, text).expect("writable");
    std::fs::set_permissions(&hangs, PermissionsExt::from_mode(0o755)).expect("ours");
    let text = check(AS_IT_IS, nowhere.path(), "text");
    let wanted = format!("  guests by KVM   bad      {}\n", Proof::Hangs { limit: std::time::Duration::from_secs(10) });
    assert!(text.stdout.contains(&wanted), "{wanted}\n{}", text.all());
    assert!(text.stdout.contains("nothing that needs KVM will run"), "{}", text.all());
    assert_eq!(Accelerator::Kvm.word(), "kvm");
}
