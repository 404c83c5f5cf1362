//! From nothing to a machine that a person can use, and back to nothing.

use super::site::{Site, Traces, WEB};
use crate::machine::{Need, skip};
use std::io::Write;

/// What a person of the tree finds on it.
#[track_caller]
fn is_as_the_role_says(site: &Site) {
    assert_eq!(site.ssh("hostname -f").ok("ssh"), format!("{WEB}\n"));
    assert_eq!(site.ssh("sudo -n id -u").ok("sudo"), "0\n");
    assert_eq!(site.ssh("sudo -n pg-runtime status | grep -ci mark || :").ok("status").trim(), "0");
    // Nobody gets in by a password, root not at all.
    assert!(
        site.ssh("sudo -n getent shadow root").ok("shadow").starts_with("root:*")
            || site.ssh("sudo -n getent shadow root").ok("shadow").starts_with("root:!")
    );
    let page = site.fleet.lab.run("curl -sS --retry 5 --retry-connrefused http://192.0.2.10/");
    assert!(page.stdout.contains("The Example Project"), "{}", page.all());
    let id = site.ssh("cat /etc/machine-id").ok("machine-id");
    assert_eq!(id.trim().len(), 32, "{id}");
}

#[test]
fn a_container_from_nothing_and_back() {
    if skip("a container from nothing", &[Need::Boot, Need::Program("socat"), Need::Program("ssh-keygen")]) {
        return;
    }
    let site = Site::new("accel = [\"nspawn\"]");
    let sealed = has_a_secret(&site);
    let site = site.serve();
    let before = site.traces();
    let said = site.ok(&site.provision());
    // The secret is encrypted anew, to a key that did not exist before.
    assert_ne!(secret(&site), sealed);
    assert_eq!(site.ssh("sudo -n cat /run/pg-secrets/vault/token").ok("secret"), SECRET);
    assert_eq!(site.ssh("cat /run/pg-secrets/vault/token").status, 1, "others can't");
    assert!(said.contains("with the kernel of its hypervisor"), "{said}");
    for step in ["publish", "base", "install", "place", "start", "ready"] {
        assert!(said.contains(&format!("  {step} ")), "{step}: {said}");
    }
    is_as_the_role_says(&site);
    let listed = site.ok(&["vm", "list"]);
    assert!(listed.contains(WEB) && listed.contains("running"), "{listed}");
    assert!(site.ok(&["vm", "log", WEB]).lines().count() > 3);
    let again = site.run(&site.provision());
    assert!(again.all().contains("is there already: make it anew with `debrole vm rebuild"), "{}", again.all());

    // Root's shell, on a terminal.
    let talk = [("#", "echo \"it is $(hostname -f) on $(tty | cut -c1-9)\"\r"), (" on /dev/pts", "exit\r")];
    let console = site.on_a_terminal(&["vm", "console", WEB], &talk);
    assert!(console.succeeded() && console.stdout.contains(&format!("it is {WEB} on /dev/pts")), "{}", console.all());
    let stopped = site.on_a_terminal(&["vm", "stop", WEB], &[]);
    assert!(stopped.succeeded() && stopped.stdout.contains(&format!("{WEB} is off")), "{}", stopped.all());
    assert!(site.ok(&["vm", "list"]).contains("off"));
    let console = site.on_a_terminal(&["vm", "console", WEB], &[]);
    assert!(!console.succeeded() && console.stdout.contains(&format!("debrole vm start {WEB}")), "{}", console.all());
    let started = site.on_a_terminal(&["vm", "start", WEB], &[]);
    assert!(started.succeeded() && started.stdout.contains(&format!("{WEB} is started")), "{}", started.all());

    // Who types another name has changed nothing.
    let deprovision = ["deprovision", WEB, "--no-gate", "--keep"];
    let wrong = site.on_a_terminal(&deprovision, &[("Type its name", "web2.example.org\r")]);
    assert!(!wrong.succeeded() && wrong.stdout.contains("nothing was changed"), "{}", wrong.all());
    assert!(site.ok(&["vm", "list"]).contains("running"));
    let right = site.on_a_terminal(&deprovision, &[("Type its name", &format!("{WEB}\r"))]);
    assert!(right.succeeded() && right.stdout.contains("is kept"), "{}", right.all());
    let after = site.traces();
    assert_eq!(
        (&after.state, &after.ports, &after.processes, &after.mounts),
        (&before.state, &before.ports, &before.processes, &before.mounts)
    );
}

const SECRET: &str = "correct-horse-battery-staple";

/// The machine gets a role with a secret, which is set before there is a key of the machine's; the file that has it.
fn has_a_secret(site: &Site) -> Vec<u8> {
    let role = "summary = \"Needs a token\"\n\n[[secret]]\nname = \"token\"\n";
    site.fleet.write("roles/vault.toml", role);
    site.fleet.edit(&format!("hosts/{WEB}.toml"), "[\"web\"]", "[\"web\", \"vault\"]");
    let mut set = site.command(&["secret", "set", "token"]);
    let mut child = set.stdin(std::process::Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().expect("piped").write_all(SECRET.as_bytes()).expect("it reads");
    assert!(child.wait().expect("our child").success());
    secret(site)
}

fn secret(site: &Site) -> Vec<u8> {
    std::fs::read(site.fleet.tree().join("secrets/token.age")).expect("a secret")
}

#[test]
fn a_rack_of_containers_is_made_at_once() {
    if skip("a rack of containers", &[Need::Boot, Need::Program("socat"), Need::Program("ssh-keygen")]) {
        return;
    }
    let site = Site::new("accel = [\"nspawn\"]");
    let others = [("web2.example.org", "192.0.2.11"), (WEB, "192.0.2.10")];
    site.write_host(others[0].0, others[0].1, "accel = [\"nspawn\"]");
    let site = site.with_a_page().serve();
    let before = site.traces();
    // Without --accel: what the tree allows.
    let said = site.ok(&["provision", "--all", "--jobs", "2", "--here", "--no-gate"]);
    for (name, address) in others {
        assert!(said.contains(&format!("{name} is ready: nspawn (nspawn), {address}; made in ")), "{said}");
        for step in ["base", "install", "place", "start", "ready"] {
            assert!(said.contains(&format!("{name}: {step} ")), "{name} {step}: {said}");
        }
        assert_eq!(site.ssh_to(name, address, "hostname -f").ok("ssh"), format!("{name}\n"));
        let page = site.fleet.lab.run(&format!("curl -sS --retry 5 --retry-connrefused http://{address}/"));
        assert!(page.stdout.contains("The Example Project"), "{}", page.all());
    }
    let listed = site.ok(&["vm", "list"]);
    assert_eq!(listed.matches(" running ").count(), 2, "{listed}");
    let again = site.ok(&["provision", "--all", "--here", "--no-gate"]);
    assert!(again.contains("every machine with [vm] is there already"), "{again}");
    for (name, _) in others {
        site.ok(&["deprovision", name, "--yes", "--keep", "--no-gate"]);
    }
    let after = site.traces();
    assert_eq!(
        (&after.state, &after.ports, &after.processes, &after.mounts),
        (&before.state, &before.ports, &before.processes, &before.mounts)
    );
}

/// The machine is deprovisioned, and nothing of it is left.
#[track_caller]
fn goes_without_a_trace(site: &Site, before: &Traces) {
    // It is asked before anything is destroyed, and nobody is there to answer.
    let asked = site.run(&["deprovision", WEB, "--no-gate"]);
    assert!(!asked.succeeded() && asked.all().contains("--yes"), "{}", asked.all());
    site.ok(&["deprovision", WEB, "--yes", "--no-gate"]);
    let after = site.traces();
    assert_eq!(
        (&after.state, &after.ports, &after.processes, &after.mounts),
        (&before.state, &before.ports, &before.processes, &before.mounts)
    );
    assert!(!site.fleet.tree().join(format!("hosts/{WEB}.toml")).exists());
}

#[test]
fn a_virtual_machine_from_nothing_made_anew_and_back() {
    let needs = [Need::Boot, Need::Program("socat"), Need::Program("ssh-keygen"), Need::Program("qemu-system-x86_64")];
    if skip("a virtual machine from nothing", &needs) {
        return;
    }
    let mut site = Site::new("accel = [\"tcg\"]").serve();
    site.without_libvirt = true;
    let before = site.traces();
    let said = site.ok(&["provision", WEB, "--here", "--accel", "tcg", "--no-gate"]);
    for step in ["publish", "base", "install", "image", "place", "start", "ready"] {
        assert!(said.contains(&format!("  {step} ")), "{step}: {said}");
    }
    is_as_the_role_says(&site);
    // It is a machine: it has a kernel and a disk of its own.
    assert_eq!(site.ssh("findmnt -no FSTYPE /").ok("findmnt"), "ext4\n");
    assert!(site.ssh("uname -r").ok("uname").contains("cloud"));

    // Its console takes what is typed, until Ctrl-].
    let talk = [("Ctrl-] leaves the console.", "\r"), ("login:", "\u{1d}")];
    let console = site.on_a_terminal(&["vm", "console", WEB], &talk);
    assert!(console.succeeded(), "{}", console.all());
    assert!(site.ok(&["vm", "log", WEB]).contains("[debrole "));

    let (old_key, old_id) = (site.host_key(), site.ssh("cat /etc/machine-id").ok("machine-id"));
    site.ok(&["vm", "rebuild", WEB, "--yes", "--no-gate"]);
    assert_ne!(site.host_key(), old_key);
    assert_ne!(site.ssh("cat /etc/machine-id").ok("machine-id"), old_id);
    let host = std::fs::read_to_string(site.fleet.tree().join(format!("hosts/{WEB}.toml"))).expect("a host");
    let retired = host.lines().find(|line| line.starts_with("retired_ssh_host_key")).expect("a retired key");
    assert!(retired.contains(&old_key), "{host}");
    let machines = site.state().join("qemu");
    assert_eq!(std::fs::read_dir(&machines).expect("machines").flatten().filter(|e| e.path().is_dir()).count(), 1);
    goes_without_a_trace(&site, &before);
}
