//! From nothing to a machine that a person can use, and back to nothing.

use super::site::{Site, Traces, WEB};
use crate::machine::{Need, skip};

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
    let site = Site::new("accel = [\"nspawn\"]").serve();
    let before = site.traces();
    let said = site.ok(&site.provision());
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

    site.ok(&["vm", "stop", WEB]);
    assert!(site.ok(&["vm", "list"]).contains("off"));
    site.ok(&["vm", "start", WEB]);

    goes_without_a_trace(&site, &before);
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
