//! What stands in the way, and who is ended before the end: the cause and the remedy are told, and nothing is left.

use super::site::{Site, Traces, WEB, outcome};
use crate::machine::{Need, skip};
use debrole::provision::Accelerator;
use debrole::provision::run::{Form, Hypervisor, State as Runs, nspawn::Nspawn};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const NEEDS: &[Need] = &[Need::Boot, Need::Program("socat"), Need::Program("ssh-keygen")];

/// It fails with these words, and all is as it was.
#[track_caller]
fn refused(site: &Site, arguments: &[&str], words: &[&str], before: &Traces) {
    let outcome = site.run(arguments);
    let all = outcome.all();
    assert!(!outcome.succeeded(), "{arguments:?} succeeded\n{all}");
    for word in words {
        assert!(all.contains(word), "{word:?} is not told\n{all}");
    }
    assert_eq!(&site.traces(), before, "{all}");
}

#[test]
fn what_stands_in_the_way_is_told_before_anything_is_made() {
    if skip("what stands in the way of a machine", NEEDS) {
        return;
    }
    let site = Site::new("accel = [\"nspawn\"]").serve();
    let provision = site.provision();
    let before = site.traces();
    refused(
        &site,
        &["provision", "web9.example.org"],
        &["there is no machine web9.example.org", "web1.example.org?"],
        &before,
    );

    site.fleet.lab.run("ip address add 192.0.2.10/32 dev br0").ok("ip");
    refused(&site, &provision, &["something answers at 192.0.2.10", "give the host another address"], &before);
    site.fleet.lab.run("ip address delete 192.0.2.10/32 dev br0").ok("ip");

    site.fleet.edit("debrole.toml", "bridge = \"br0\"", "bridge = \"br7\"");
    let other = site.traces();
    refused(&site, &provision, &["no bridge \"br7\"", "there are: br0"], &other);
    site.fleet.edit("debrole.toml", "bridge = \"br7\"", "bridge = \"br0\"");
    assert_eq!(site.traces(), before);

    // Whoever is at the machine has it alone.
    let lock = debrole::provision::record::State::new(site.state()).lock(WEB, "a test").expect("nobody has it");
    let busy = site.run(&provision).all();
    assert!(busy.contains(&format!("{WEB} is in use: a test (process {})", std::process::id())), "{busy}");
    drop(lock);
    assert_eq!(site.traces(), before);
}

/// A run in the background, up to the line of its progress that tells that this step has ended.
fn until(site: &Site, arguments: &[&str], step: &str) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut command = site.command(arguments);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut all = String::new();
    let begins = format!("  {step} ");
    while !all.lines().last().is_some_and(|line| line.starts_with(&begins)) {
        if said.read_line(&mut all).expect("text") == 0 {
            let status = child.wait();
            panic!("it ended before {step} ({status:?}):\n{all}");
        }
    }
    (child, said)
}

fn kill(pid: u32, signal: &str) {
    let killed = Command::new("kill").args([signal, &pid.to_string()]).status();
    assert!(killed.is_ok_and(|status| status.success()), "kill {signal} {pid}");
}

/// The process that takes back, of a run.
fn guard(site: &Site) -> u32 {
    let state = site.state().to_string_lossy().into_owned();
    let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
    let found = entries.filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let line = String::from_utf8_lossy(&std::fs::read(entry.path().join("cmdline")).ok()?).replace('\0', " ");
        (line.contains(" guard ") && line.contains(&state)).then_some(pid)
    });
    found.last().expect("a second process")
}

#[test]
fn whoever_is_killed_nothing_is_left() {
    if skip("killed while a machine is made", NEEDS) {
        return;
    }
    let site = Site::new("accel = [\"nspawn\"]").serve();
    let before = site.traces();
    // Each step but the last has ended by then: it is killed in the base tree, while packages are installed, while the
    // container is placed, is started, gets ready.
    for (step, signal, status) in [
        ("publish", "-KILL", None),
        ("base", "-KILL", None),
        ("base", "-TERM", Some(143)),
        ("install", "-KILL", None),
        ("place", "-KILL", None),
        ("start", "-KILL", None),
    ] {
        killed(&site, &site.provision(), (step, signal, status), &before);
    }
    // Both are killed: the next command finds what they left.
    let (mut child, mut said) = until(&site, &site.provision(), "base");
    kill(guard(&site), "-KILL");
    kill(child.id(), "-KILL");
    drop(child.wait());
    assert_ne!(site.traces().tree, before.tree);
    let taken = site.ok(&["deprovision", WEB, "--yes", "--no-gate"]);
    assert!(taken.contains("did not come to its end; first that is taken back"), "{taken}");
    drop(said.read_to_string(&mut String::new()));
    assert_eq!(site.traces(), before, "{taken}");
}

/// A run that is ended once this step is done, by this signal, with this status: all is as before.
#[track_caller]
fn killed(site: &Site, arguments: &[&str], (step, signal, status): (&str, &str, Option<i32>), before: &Traces) {
    let (mut child, mut said) = until(site, arguments, step);
    kill(child.id(), signal);
    let mut rest = String::new();
    // To the end of all that writes there: the second process is done by then.
    said.read_to_string(&mut rest).expect("text");
    assert_eq!(child.wait().expect("our child").code(), status, "{rest}");
    assert!(rest.contains("taken back"), "{rest}");
    assert_eq!(&site.traces(), before, "{step} {signal}\n{rest}");
}

#[test]
fn a_virtual_machine_whose_maker_is_killed_leaves_nothing() {
    if skip("killed while a virtual machine is made", &[NEEDS, &[Need::Program("qemu-system-x86_64")]].concat()) {
        return;
    }
    let mut site = Site::new("accel = [\"tcg\"]").with_a_page().serve();
    site.without_libvirt = true;
    let before = site.traces();
    // While its disks are made, while they are placed, while QEMU is started, while it boots.
    for step in ["install", "image", "place", "start"] {
        killed(&site, &["provision", WEB, "--here", "--no-gate"], (step, "-KILL", None), &before);
    }
}

#[test]
fn who_comes_second_leaves_the_first_alone() {
    if skip("two that make one machine", NEEDS) {
        return;
    }
    let site = Site::new("accel = [\"nspawn\"]").serve();
    let before = site.traces();
    let (mut child, mut said) = until(&site, &site.provision(), "publish");
    // However slow the others are, it is not done before them.
    kill(child.id(), "-STOP");
    let during = site.traces().tree;
    for arguments in [site.provision(), vec!["deprovision", WEB, "--yes", "--no-gate"]] {
        let second = site.run(&arguments);
        let (all, busy) = (second.all(), format!("{WEB} is in use: debrole provision (process {})", child.id()));
        assert!(!second.succeeded() && all.contains(&busy), "{busy}\n{all}");
        assert_eq!(site.traces().tree, during, "{all}");
    }
    kill(child.id(), "-TERM");
    kill(child.id(), "-CONT");
    let mut rest = String::new();
    said.read_to_string(&mut rest).expect("text");
    assert_eq!(child.wait().expect("our child").code(), Some(143), "{rest}");
    assert_eq!(site.traces(), before, "{rest}");
}

/// A small file system, while this is there.
struct Small<'a>(&'a Path);

impl<'a> Small<'a> {
    fn mount(at: &'a Path, options: &str) -> Small<'a> {
        std::fs::create_dir_all(at).expect("writable");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at).status();
        assert!(mounted.is_ok_and(|status| status.success()), "mount");
        Small(at)
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(self.0).status());
    }
}

/// A disk that is full, a mirror that is not reached and a name that somebody else has.
#[test]
fn what_goes_wrong_on_the_way_is_told_and_taken_back() {
    if skip("what goes wrong while a machine is made", NEEDS) {
        return;
    }
    let site = Site::new("accel = [\"nspawn\"]").serve();
    let provision = site.provision();
    let state = site.state();
    {
        let _small = Small::mount(&state, "size=64m");
        let before = site.traces();
        refused(&site, &provision, &["GiB", &*state.to_string_lossy()], &before);
    }
    {
        // Blocks enough are free, and few inodes: that is only found out by filling it.
        let _small = Small::mount(&state, "size=64g,nr_inodes=1000");
        let before = site.traces();
        refused(&site, &provision, &["was not made, at install", "No space left on device", "taken back"], &before);
    }

    let before = site.traces();
    let nothing = site.directory.path().join("no-base");
    let mut command = site.command(&provision);
    let unreached = outcome(command.env("DEBROLE_BASE_CACHE", &nothing).env("http_proxy", "http://127.0.0.1:9"));
    let all = unreached.all();
    assert!(!unreached.succeeded() && all.contains("was not made, at base") && all.contains("taken back"), "{all}");
    assert_eq!(site.traces(), before, "{all}");

    let tree = site.directory.path().join("tree");
    std::fs::create_dir(&tree).expect("writable");
    let mut theirs = super::machine(WEB, 7);
    theirs.networks.clear();
    let others = Nspawn::new(&state.join("nspawn"), "Others (http://apt.example.net)");
    others.place(&theirs, Accelerator::Nspawn, &Form::Tree(tree), &super::Silent).expect("it is placed");
    let before = site.traces();
    let words = ["there is already a machine", WEB, "it is not of this fleet: give the host another name"];
    refused(&site, &provision, &words, &before);
    assert_eq!(others.state(WEB).expect("it is asked"), Runs::Off);
    others.remove(WEB).expect("it is removed");
}
