//! What every hypervisor has to do, done with each of them.

use super::libvirtd::Libvirtd;
use super::{Silent, disk, machine, within};
use crate::machine::{Lab, Need, Release, Tree, skip};
use debrole::provision::console::{ConsoleLines, Heard};
use debrole::provision::probe::guest::{boot_disk, boot_disk_that_stays};
use debrole::provision::probe::{Proof, trial};
use debrole::provision::run::{Form, Hypervisor, RunError, State, Stop, libvirt::Libvirt, nspawn::Nspawn, qemu::Qemu};
use debrole::provision::{Accelerator, Firmware, Machine};
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

/// The whole life of a machine that is made of disks. `kill` kills its QEMU; `name` is what messages call the hypervisor.
fn life(lab: &Lab, hypervisor: &dyn Hypervisor, others: &dyn Hypervisor, kill: &dyn Fn()) {
    let scratch = tempfile::tempdir().unwrap();
    let m1 = machine("m1.example.org", 1);
    let name = m1.name.as_str();
    assert_eq!(reasons(hypervisor, &m1), [""; 0]);
    assert_eq!(hypervisor.state(name).unwrap(), State::Absent);
    let form = disk(scratch.path(), &boot_disk_that_stays(WORD));
    hypervisor.place(&m1, Accelerator::Tcg, &form, &Silent).unwrap();
    assert_eq!(hypervisor.state(name).unwrap(), State::Off);
    assert!(empty(scratch.path()), "the image was not taken over");
    says_what_is_taken(hypervisor, &m1);

    let mut console = hypervisor.start(name).unwrap();
    hear(&mut *console, WORD);
    assert_eq!(hypervisor.state(name).unwrap(), State::Running);
    let ports = lab.run("bridge link show").stdout;
    assert!(ports.contains("master br0"), "{ports}");
    let entries = hypervisor.list().unwrap();
    assert_eq!((entries.len(), entries[0].name.as_str(), entries[0].state), (1, name, State::Running));
    assert_eq!((entries[0].accelerator, entries[0].cpus, entries[0].memory), (Accelerator::Tcg, 1, 256));
    // Started again, nothing happens; the guest does not hear the power button.
    drop(hypervisor.start(name).unwrap());
    let refused = no(hypervisor.stop(name, Stop::Gracefully { limit: Duration::from_secs(1) }));
    assert!(refused.contains("still runs") && refused.contains("--now"), "{refused}");

    // Another fleet in the same place neither sees it nor can touch it.
    assert_eq!(others.state(name).unwrap(), State::Absent);
    assert!(others.list().unwrap().is_empty());
    let touched = [
        no(others.remove(name)),
        no(others.stop(name, Stop::AtOnce)),
        no(others.set_aside(name)),
        no(others.start(name)),
        no(others.attach(name)),
    ];
    for refused in touched {
        assert!(refused.contains("not a machine of this fleet"), "{refused}");
    }
    assert!(reasons(others, &m1)[0].contains("not of this fleet"));
    assert_eq!(hypervisor.state(name).unwrap(), State::Running);

    // Its plug is pulled; then it is killed.
    hypervisor.stop(name, Stop::AtOnce).unwrap();
    assert_eq!(hypervisor.state(name).unwrap(), State::Off);
    hear_it_go(&mut *console);
    let mut console = hypervisor.start(name).unwrap();
    hear(&mut *console, WORD);
    kill();
    hear_it_go(&mut *console);
    assert_eq!(hypervisor.state(name).unwrap(), State::Off);
    let mut console = hypervisor.start(name).unwrap();
    hear(&mut *console, WORD);

    // Another takes its place, and it comes back.
    hypervisor.stop(name, Stop::AtOnce).unwrap();
    hypervisor.set_aside(name).unwrap();
    assert_eq!((hypervisor.state(name).unwrap(), hypervisor.list().unwrap().len()), (State::Absent, 0));
    assert_eq!(reasons(hypervisor, &m1), [""; 0]);
    let form = disk(scratch.path(), &boot_disk("[debrole w] another"));
    hypervisor.place(&m1, Accelerator::Tcg, &form, &Silent).unwrap();
    let mut console = hypervisor.start(name).unwrap();
    hear(&mut *console, "another");
    // That guest turns itself off.
    hear_it_go(&mut *console);
    assert_eq!((hypervisor.state(name).unwrap(), hypervisor.list().unwrap().len()), (State::Off, 1));
    assert!(no(hypervisor.bring_back(name)).contains("already a machine"));
    hypervisor.remove(name).unwrap();
    hypervisor.bring_back(name).unwrap();
    let mut console = hypervisor.start(name).unwrap();
    hear(&mut *console, WORD);
    hypervisor.drop_aside(name).unwrap();

    hypervisor.remove(name).unwrap();
    hypervisor.remove(name).unwrap();
    assert_eq!(hypervisor.state(name).unwrap(), State::Absent);
    let ports = lab.run("bridge link show").stdout;
    assert_eq!(ports, "", "its interface is still there");
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
        let kill = || {
            let process = std::fs::read_to_string(machines.join("m1.example.org/process")).unwrap();
            let kill = Command::new("kill").args(["-KILL", process.split(' ').next().unwrap()]).status();
            assert!(kill.unwrap().success());
        };
        life(&lab, &Qemu::new(&machines, FLEET), &Qemu::new(&machines, "xy Other"), &kill);
        assert!(empty(&machines), "{:?}", std::fs::read_dir(&machines).unwrap().collect::<Vec<_>>());
    });
}

const LIBVIRT: [Need; 4] =
    [Need::Boot, Need::Program("qemu-system-x86_64"), Need::Program("virsh"), Need::Program("libvirtd")];

#[test]
fn libvirt_runs_a_machine_and_leaves_alone_what_is_not_ours() {
    if skip("machines by libvirt", &LIBVIRT) {
        return;
    }
    let lab = Lab::new();
    let libvirtd = Libvirtd::start(&lab);
    let foreign = "<domain type='qemu'><name>other.example.com</name><memory>65536</memory><os><type>hvm</type></os>\
                   <devices><interface type='bridge'><mac address='52:54:00:00:00:AA'/><source bridge='br0'/></interface></devices></domain>";
    libvirtd
        .run(&format!("echo \"{foreign}\" >/tmp/foreign.xml; virsh -q define /tmp/foreign.xml; rm /tmp/foreign.xml"));
    within(&lab, || {
        libvirtd.share_logs();
        let libvirt = Libvirt::new(&libvirtd.here(), "default", FLEET);
        let kill = || drop(libvirtd.run("kill -KILL $(cat /run/libvirt/qemu/m1.example.org.pid)"));
        life(&lab, &libvirt, &Libvirt::new(&libvirtd.here(), "default", "xy Other"), &kill);
        // A domain without any mark is nobody's: not seen, not touched, and in the way.
        let mut other = machine("other.example.com", 3);
        assert_eq!(libvirt.state(&other.name).unwrap(), State::Absent);
        assert!(no(libvirt.remove(&other.name)).contains("not a machine of this fleet"));
        assert!(reasons(&libvirt, &other)[0].contains("not of this fleet"));
        other.name = "m3.example.org".into();
        other.networks[0].mac = "52:54:00:00:00:aa".into();
        assert!(reasons(&libvirt, &other)[0].contains("by \"other.example.com\""));
    });
    assert_eq!(libvirtd.run("virsh -q list --all --name").trim(), "other.example.com");
    let left = |directory: &str| -> Vec<String> {
        let entries = std::fs::read_dir(libvirtd.own(directory)).unwrap().flatten();
        entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
    };
    for directory in ["/var/lib/libvirt/images", "/var/log/libvirt/qemu"] {
        assert_eq!(left(directory), [""; 0], "{directory}");
    }
}

#[test]
fn libvirt_through_ssh_does_the_same_with_uefi_too() {
    let ssh = [Need::Program("ssh"), Need::Program("sshd")];
    if skip("machines by libvirt through SSH", &[&LIBVIRT[..], &ssh].concat()) {
        return;
    }
    let lab = Lab::new();
    let libvirtd = Libvirtd::start(&lab);
    within(&lab, || {
        let libvirt = Libvirt::new(&libvirtd.through_ssh(), "default", FLEET);
        assert_eq!(libvirt.describe(), "libvirt at qemu+ssh://root@192.0.2.1/system");
        let scratch = tempfile::tempdir().unwrap();
        let mut m1 = machine("m1.example.org", 1);
        m1.networks.push(debrole::provision::Network {
            bridge: "br7".into(),
            mac: "52:54:00:00:00:02".into(),
            addresses: vec![],
        });
        let wrong = reasons(&libvirt, &m1);
        assert!(wrong.len() == 1 && wrong[0].contains("no bridge \"br7\"") && wrong[0].contains("br0"), "{wrong:?}");
        m1.networks.pop();
        libvirt.place(&m1, Accelerator::Tcg, &disk(scratch.path(), &boot_disk_that_stays(WORD)), &Silent).unwrap();
        hear(&mut *libvirt.start(&m1.name).unwrap(), WORD);
        assert!(libvirt.log(&m1.name).ends_with(".console.log on root@192.0.2.1"));
        let log = libvirt.log(&m1.name).replace(" on root@192.0.2.1", "");
        assert!(libvirtd.run(&format!("cat '{log}'")).contains(WORD), "libvirt keeps the console, too");
        libvirt.remove(&m1.name).unwrap();

        // There is nothing to start from for UEFI on that disk: its firmware says so, and its variables go with it.
        m1.firmware = Firmware::Uefi;
        assert_eq!(reasons(&libvirt, &m1), [""; 0]);
        libvirt.place(&m1, Accelerator::Tcg, &disk(scratch.path(), &boot_disk(WORD)), &Silent).unwrap();
        hear(&mut *libvirt.start(&m1.name).unwrap(), "BdsDxe");
        assert_eq!(libvirtd.run("ls /var/lib/libvirt/qemu/nvram | grep -c m1.example.org-").trim(), "1");
        libvirt.remove(&m1.name).unwrap();
        assert_eq!(
            libvirtd
                .run("ls /var/lib/libvirt/qemu/nvram /var/lib/libvirt/images /var/log/libvirt/qemu | grep -c m1 || :")
                .trim(),
            "0"
        );
    });
}

#[test]
fn what_libvirt_refuses_leaves_no_disk_behind() {
    if skip("machines by libvirt", &LIBVIRT) {
        return;
    }
    let lab = Lab::new();
    let libvirtd = Libvirtd::start(&lab);
    within(&lab, || {
        let libvirt = Libvirt::new(&libvirtd.here(), "default", FLEET);
        let scratch = tempfile::tempdir().unwrap();
        let mut m1 = machine("m1.example.org", 1);
        m1.networks[0].mac = "not a MAC address".into();
        let refused = no(libvirt.place(&m1, Accelerator::Tcg, &disk(scratch.path(), &boot_disk(WORD)), &Silent));
        assert!(refused.contains("can't define \"m1.example.org\""), "{refused}");
        assert_eq!(libvirt.state(&m1.name).unwrap(), State::Absent);
        assert!(empty(&libvirtd.own("/var/lib/libvirt/images")));
        // A wrong bridge is libvirt's to find where nobody looked before.
        let mut m2 = machine("m2.example.org", 2);
        m2.networks[0].bridge = "br7".into();
        libvirt.place(&m2, Accelerator::Tcg, &disk(scratch.path(), &boot_disk(WORD)), &Silent).unwrap();
        let refused = no(libvirt.start(&m2.name));
        assert!(refused.contains("does not start") && refused.contains("br7"), "{refused}");
        assert_eq!(libvirt.state(&m2.name).unwrap(), State::Off);
        libvirt.remove(&m2.name).unwrap();
    });
    let nowhere = Libvirt::new("qemu:///system?socket=/nonexistent/socket", "default", FLEET);
    let wrong = reasons(&nowhere, &machine("m1.example.org", 1));
    assert!(wrong.len() == 1 && wrong[0].contains("libvirt at qemu:///system"), "{wrong:?}");
}

#[test]
fn libvirts_proof_of_kvm_ends_whatever_the_device_is_worth_and_leaves_nothing() {
    if skip("the proof of KVM by libvirt", &LIBVIRT) {
        return;
    }
    let lab = Lab::new();
    let libvirtd = Libvirtd::start(&lab);
    let proof = within(&lab, || Libvirt::new(&libvirtd.here(), "default", FLEET).prove_kvm(None));
    match &proof {
        Proof::Missing { why } => {
            assert!(why.contains("libvirt at qemu:///system offers none"), "{why}");
            assert!(!Path::new("/dev/kvm").exists(), "there is a device, and libvirt does not see it");
        }
        // Not for anything that is ours: QEMU alone has to fail in the same way.
        Proof::Broken { .. } => {
            let alone = trial("qemu-system-x86_64", Accelerator::Kvm, None).proof();
            assert!(matches!(alone, Proof::Broken { .. }), "{proof}; but by QEMU: {alone}");
        }
        // The guest's word, or none within the time.
        Proof::Half | Proof::Hangs { .. } => {}
        Proof::Works => panic!("there was no kernel to try"),
    }
    assert_eq!(libvirtd.run("virsh -q list --all --name").trim(), "");
    assert!(empty(&libvirtd.own("/var/lib/libvirt/images")));
    assert_eq!(libvirtd.run("ls /proc/[0-9]*/exe -l | grep -c qemu-system || :").trim(), "0");
}

/// A copy of the cached tree that says its word when it is up, and takes its address.
fn tree(directory: &Path) -> Form {
    let made = Tree::new(Release::Bookworm);
    made.write("/etc/hostname", "m1\n");
    let service = format!(
        "[Unit]\nDescription=Word\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c \
         'ip link set host0 up; ip addr add 192.0.2.77/24 dev host0; echo; echo \"{WORD}\" >/dev/console'\n"
    );
    made.write("/etc/systemd/system/word.service", &service);
    made.ok("mkdir -p /etc/systemd/system/multi-user.target.wants; ln -s ../word.service /etc/systemd/system/multi-user.target.wants/");
    let into = directory.join("tree");
    let copied = Command::new("cp").arg("-a").arg(made.path("/")).arg(&into).status();
    assert!(copied.unwrap().success());
    Form::Tree(into)
}

#[test]
fn a_container_runs_from_its_tree_and_outlives_its_nspawn() {
    if skip("containers", &[Need::Boot]) {
        return;
    }
    let lab = Lab::new();
    let scratch = tempfile::tempdir().unwrap();
    let (machines, elsewhere) = (scratch.path().join("machines"), scratch.path().join("elsewhere"));
    within(&lab, || {
        let nspawn = Nspawn::new(&machines, FLEET);
        let mut m1 = machine("m1.example.org", 1);
        m1.accelerators = vec![Accelerator::Nspawn];
        let name = m1.name.as_str();
        assert_eq!(reasons(&nspawn, &m1), [""; 0]);
        nspawn.place(&m1, Accelerator::Nspawn, &tree(scratch.path()), &Silent).unwrap();
        assert_eq!(nspawn.state(name).unwrap(), State::Off);
        says_what_is_taken(&nspawn, &m1);
        let mut console = nspawn.start(name).unwrap();
        hear(&mut *console, WORD);
        assert_eq!(nspawn.state(name).unwrap(), State::Running);
        assert_eq!(nspawn.list().unwrap()[0].accelerator, Accelerator::Nspawn);
        // Its interface has the address and the MAC address that were asked for.
        let mut same = machine("m2.example.org", 2);
        // (It may speak before its interface is up.)
        crate::fleet::wait_until(|| !reasons(&nspawn, &same).is_empty());
        let taken = reasons(&nspawn, &same);
        assert!(
            taken.len() == 1 && taken[0].contains("answers at 192.0.2.77") && taken[0].contains("52:54:00:00:00:01"),
            "{taken:?}"
        );
        same.networks.clear();

        // One of the same name in another directory is another machine.
        let other = Nspawn::new(&elsewhere, FLEET);
        let mut twin = machine(name, 9);
        twin.networks.clear();
        other.place(&twin, Accelerator::Nspawn, &tree(scratch.path()), &Silent).unwrap();
        hear(&mut *other.start(name).unwrap(), WORD);
        other.stop(name, Stop::AtOnce).unwrap();
        assert_eq!((other.state(name).unwrap(), nspawn.state(name).unwrap()), (State::Off, State::Running));
        other.remove(name).unwrap();
        assert!(empty(&elsewhere));
        assert!(no(Nspawn::new(&machines, "xy Other").remove(name)).contains("not a machine of this fleet"));

        // Its nspawn is killed: it runs on, is stopped in good order, and starts again.
        let find = format!(
            "for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline 2>/dev/null | grep -q '^systemd-nspawn .*--machine={name} ' && [ $(readlink $p/cwd) = {} ] && kill -KILL ${{p#/proc/}}; done; :",
            machines.join(name).display()
        );
        assert!(Command::new("sh").args(["-c", &find]).status().unwrap().success());
        let started = Instant::now();
        while std::fs::read_to_string(machines.join(name).join("start.log"))
            .is_ok_and(|_| !lock_is_free(&machines.join(name)))
        {
            assert!(started.elapsed() < Duration::from_secs(60), "nspawn was not killed");
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(nspawn.state(name).unwrap(), State::Running);
        nspawn.stop(name, Stop::Gracefully { limit: Duration::from_secs(90) }).unwrap();
        assert_eq!(nspawn.state(name).unwrap(), State::Off);
        hear_it_go(&mut *console);
        let mut console = nspawn.start(name).unwrap();
        hear(&mut *console, WORD);
        nspawn.set_aside(name).unwrap();
        assert_eq!(nspawn.state(name).unwrap(), State::Absent);
        nspawn.bring_back(name).unwrap();
        hear(&mut *nspawn.start(name).unwrap(), WORD);
        let log = std::fs::read_to_string(nspawn.log(name)).unwrap();
        assert!(log.matches(WORD).count() >= 3, "{log}");
        nspawn.remove(name).unwrap();
        nspawn.remove(name).unwrap();
        assert!(empty(&machines));
    });
    let left = lab.run("ip -o link show type veth; ip netns list | grep -c m1.example || :").stdout;
    assert_eq!(left.trim(), "0");
    let cgroups =
        Command::new("find").args(["/sys/fs/cgroup", "-maxdepth", "2", "-name", "debrole-*-m1.example.org"]).output();
    assert_eq!(String::from_utf8_lossy(&cgroups.unwrap().stdout), "");
}

fn lock_is_free(machine: &Path) -> bool {
    let lock = std::fs::File::open(machine.join("lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockShared).is_ok()
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
