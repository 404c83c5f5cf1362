//! What every hypervisor has to do, done with each of them.

use super::{Silent, disk, machine, within};
use crate::machine::{Lab, Need, skip};
use debrole::provision::console::{ConsoleLines, Heard};
use debrole::provision::probe::guest::{boot_disk, boot_disk_that_stays};
use debrole::provision::run::{Hypervisor, RunError, State, Stop, qemu::Qemu};
use debrole::provision::{Accelerator, Machine};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const FLEET: &str = "pg Example";
const WORD: &str = "[debrole w] begin";

/// Reads the console until a line has `word`, for at most two minutes.
#[track_caller]
fn hear(console: &mut dyn ConsoleLines, word: &str) {
    let mut heard = Vec::new();
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(120) {
        match console.next(Duration::from_secs(1)) {
            Heard::Line(line) if line.contains(word) => return,
            Heard::Line(line) => heard.push(line),
            Heard::Silence => {}
            Heard::Gone => break,
        }
    }
    panic!("the console never said {word:?}, but: {heard:#?}");
}

/// Reads the console until the machine is gone.
#[track_caller]
fn hear_it_go(console: &mut dyn ConsoleLines) {
    let started = Instant::now();
    while console.next(Duration::from_secs(1)) != Heard::Gone {
        assert!(started.elapsed() < Duration::from_secs(120), "the console does not end");
    }
}

/// The messages of all that stands in the way.
fn reasons(hypervisor: &dyn Hypervisor, machine: &Machine) -> Vec<String> {
    hypervisor.free(machine).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[track_caller]
fn no<T>(result: Result<T, RunError>) -> String {
    match result {
        Ok(_) => panic!("it should have been refused"),
        Err(error) => error.to_string(),
    }
}

fn empty(directory: &Path) -> bool {
    std::fs::read_dir(directory).map_or(true, |mut entries| entries.next().is_none())
}

/// What names, bridges and addresses that are taken say, with one machine placed by `hypervisor`.
fn says_what_is_taken(hypervisor: &dyn Hypervisor, placed: &Machine) {
    let again = reasons(hypervisor, placed);
    assert!(
        again.len() == 1 && again[0].contains("there is already a machine") && again[0].contains("rebuild"),
        "{again:?}"
    );
    let mut other = machine("other.example.org", 2);
    other.networks[0].mac = placed.networks[0].mac.clone();
    other.networks[0].addresses = vec!["192.0.2.1".parse().unwrap()];
    other.networks.push(debrole::provision::Network {
        bridge: "br7".into(),
        mac: "52:54:00:00:00:99".into(),
        addresses: vec![],
    });
    other.disks[0].size = 1 << 60;
    let all = reasons(hypervisor, &other);
    for part in [
        "there is no bridge \"br7\"",
        "(there are: br0)",
        "in use",
        "by \"m1.example.org\"",
        "answers at 192.0.2.1",
        "GiB",
    ] {
        assert!(all.iter().any(|reason| reason.contains(part)), "{part:?} is not in {all:#?}");
    }
    assert_eq!(all.len(), 4, "{all:#?}");
}

#[test]
fn qemu_runs_a_machine_from_its_disks_and_takes_it_away() {
    if skip("machines by QEMU", &[Need::Boot, Need::Program("qemu-system-x86_64")]) {
        return;
    }
    let lab = Lab::new();
    let scratch = tempfile::tempdir().unwrap();
    let machines = scratch.path().join("machines");
    within(&lab, || {
        let qemu = Qemu::new(&machines, FLEET);
        let m1 = machine("m1.example.org", 1);
        let name = m1.name.as_str();
        assert_eq!(reasons(&qemu, &m1), [""; 0]);
        assert_eq!(qemu.state(name).unwrap(), State::Absent);
        let form = disk(scratch.path(), &boot_disk_that_stays(WORD));
        qemu.place(&m1, Accelerator::Tcg, &form, &Silent).unwrap();
        assert_eq!(qemu.state(name).unwrap(), State::Off);
        says_what_is_taken(&qemu, &m1);

        let mut console = qemu.start(name).unwrap();
        hear(&mut *console, WORD);
        assert_eq!(qemu.state(name).unwrap(), State::Running);
        let ports = lab.run("bridge link show").stdout;
        assert!(ports.contains("master br0"), "{ports}");
        let entries = qemu.list().unwrap();
        assert_eq!((entries.len(), entries[0].name.as_str(), entries[0].state), (1, name, State::Running));
        // Started again, nothing happens; the guest does not hear the power button.
        drop(qemu.start(name).unwrap());
        let refused = no(qemu.stop(name, Stop::Gracefully { limit: Duration::from_secs(1) }));
        assert!(refused.contains("still runs") && refused.contains("--now"), "{refused}");

        // Another fleet in the same directory neither sees it nor can touch it.
        let others = Qemu::new(&machines, "xy Other");
        assert_eq!(others.state(name).unwrap(), State::Absent);
        assert!(others.list().unwrap().is_empty());
        for refused in [
            no(others.remove(name)),
            no(others.stop(name, Stop::AtOnce)),
            no(others.set_aside(name)),
            no(others.start(name)),
        ] {
            assert!(refused.contains("not a machine of this fleet"), "{refused}");
        }
        assert!(reasons(&others, &m1)[0].contains("not of this fleet"));
        assert_eq!(qemu.state(name).unwrap(), State::Running);

        // Its plug is pulled; then it is killed.
        qemu.stop(name, Stop::AtOnce).unwrap();
        assert_eq!(qemu.state(name).unwrap(), State::Off);
        hear_it_go(&mut *console);
        let mut console = qemu.start(name).unwrap();
        hear(&mut *console, WORD);
        let process = std::fs::read_to_string(machines.join(name).join("process")).unwrap();
        let kill = Command::new("kill").args(["-KILL", process.split(' ').next().unwrap()]).status();
        assert!(kill.unwrap().success());
        hear_it_go(&mut *console);
        assert_eq!(qemu.state(name).unwrap(), State::Off);
        let mut console = qemu.start(name).unwrap();
        hear(&mut *console, WORD);

        // Another takes its place, and it comes back.
        qemu.stop(name, Stop::AtOnce).unwrap();
        qemu.set_aside(name).unwrap();
        assert_eq!((qemu.state(name).unwrap(), qemu.list().unwrap().len()), (State::Absent, 0));
        assert_eq!(reasons(&qemu, &m1), [""; 0]);
        let form = disk(scratch.path(), &boot_disk("[debrole w] another"));
        qemu.place(&m1, Accelerator::Tcg, &form, &Silent).unwrap();
        let mut console = qemu.start(name).unwrap();
        hear(&mut *console, "another");
        // That guest turns itself off.
        hear_it_go(&mut *console);
        assert_eq!((qemu.state(name).unwrap(), qemu.list().unwrap().len()), (State::Off, 1));
        assert!(no(qemu.bring_back(name)).contains("already a machine"));
        qemu.remove(name).unwrap();
        qemu.bring_back(name).unwrap();
        let mut console = qemu.start(name).unwrap();
        hear(&mut *console, WORD);
        qemu.drop_aside(name).unwrap();

        qemu.remove(name).unwrap();
        qemu.remove(name).unwrap();
        assert_eq!(qemu.state(name).unwrap(), State::Absent);
        assert!(empty(&machines), "{:?}", std::fs::read_dir(&machines).unwrap().collect::<Vec<_>>());
        let ports = lab.run("bridge link show").stdout;
        assert_eq!(ports, "", "its interface is still there");
    });
}

#[test]
fn what_qemu_says_when_it_does_not_start_is_told_and_nothing_runs() {
    if skip("machines by QEMU", &[Need::Boot, Need::Program("qemu-system-x86_64")]) {
        return;
    }
    let lab = Lab::new();
    let scratch = tempfile::tempdir().unwrap();
    within(&lab, || {
        let qemu = Qemu::new(&scratch.path().join("machines"), FLEET);
        let mut m1 = machine("m1.example.org", 1);
        m1.networks[0].bridge = "br7".into();
        qemu.place(&m1, Accelerator::Tcg, &disk(scratch.path(), &boot_disk(WORD)), &Silent).unwrap();
        let refused = no(qemu.start(&m1.name));
        assert!(refused.contains("does not start on QEMU") && refused.contains("br7"), "{refused}");
        assert_eq!(qemu.state(&m1.name).unwrap(), State::Off);
        let refused = no(qemu.place(&m1, Accelerator::Nspawn, &disk(scratch.path(), b""), &Silent));
        assert!(refused.contains("\"kvm\", \"tcg\""), "{refused}");
    });
}

#[test]
fn a_full_disk_leaves_nothing_half_placed() {
    if skip("a small file system", &[Need::Boot]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let machines = scratch.path().join("machines");
    std::fs::create_dir(&machines).unwrap();
    let mount = ["-t", "tmpfs", "-o", "size=256k", "debrole-test"];
    assert!(Command::new("mount").args(mount).arg(&machines).status().unwrap().success());
    let outcome = std::panic::catch_unwind(|| {
        let qemu = Qemu::new(&machines, FLEET);
        let content: Vec<u8> = (0..2 << 20).map(|n: u32| (n % 251) as u8).collect();
        let m1 = machine("m1.example.org", 1);
        let refused = no(qemu.place(&m1, Accelerator::Tcg, &disk(scratch.path(), &content), &Silent));
        assert!(refused.contains("No space left on device"), "{refused}");
        assert!(empty(&machines), "{:?}", std::fs::read_dir(&machines).unwrap().collect::<Vec<_>>());
        assert_eq!(qemu.state(&m1.name).unwrap(), State::Absent);
    });
    assert!(Command::new("umount").arg("--lazy").arg(&machines).status().unwrap().success());
    outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}
