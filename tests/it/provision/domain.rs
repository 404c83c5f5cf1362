//! `debrole provision` by a real libvirtd, from nothing to a page and back to nothing.

use super::libvirtd::Libvirtd;
use super::site::{Site, WEB};
use crate::machine::{Need, skip};

const NEEDS: [Need; 8] = [
    Need::Boot,
    Need::Program("qemu-system-x86_64"),
    Need::Program("virsh"),
    Need::Program("libvirtd"),
    Need::Program("ssh"),
    Need::Program("sshd"),
    Need::Program("socat"),
    Need::Program("ssh-keygen"),
];

/// What libvirt and its host keep of machines.
fn kept(site: &Site) -> String {
    let libvirtd = site.libvirtd.as_ref().expect("there is one");
    libvirtd.run(
        "virsh -q list --all --name; virsh -q vol-list default 2>/dev/null; \
         ls /var/lib/libvirt/images /var/lib/libvirt/qemu/nvram /var/log/libvirt/qemu /run/libvirt/qemu/*.pid 2>/dev/null | \
         grep -v -e : -e /driver.pid || :",
    )
}

#[test]
fn a_domain_of_libvirts_from_nothing_to_its_page_and_back() {
    if skip("a machine by libvirt from nothing", &NEEDS) {
        return;
    }
    let mut site = Site::new("accel = [\"tcg\"]").with_a_page().serve();
    site.libvirtd = Some(Libvirtd::start(&site.fleet.lab));
    let before = site.traces();
    // Where there is a libvirt, it is the one that is taken.
    let said = site.ok(&["provision", WEB, "--here", "--no-gate"]);
    assert!(said.contains(&format!("{WEB} is ready: tcg (qemu:///system), 192.0.2.10")), "{said}");
    assert!(said.contains("ten times slower"), "{said}");
    let libvirtd = site.libvirtd.as_ref().expect("there is one");
    assert!(libvirtd.run(&format!("virsh dumpxml {WEB}")).contains("<domain type='qemu' "));
    assert_eq!(site.ssh("hostname -f; sudo -n id -u").ok("ssh"), format!("{WEB}\n0\n"));
    let page = site.fleet.lab.run("curl -sS --retry 5 --retry-connrefused http://192.0.2.10/");
    assert!(page.stdout.contains("The Example Project"), "{}", page.all());
    let listed = site.ok(&["vm", "list"]);
    assert!(listed.contains("running") && listed.contains("libvirt at qemu:///system"), "{listed}");
    assert!(site.ok(&["vm", "log", WEB]).contains("[debrole "), "its serial log is kept");
    let console = site.on_a_terminal(&["vm", "console", WEB], &[("Escape character is", "\r"), ("login:", "\u{1d}")]);
    assert!(console.succeeded(), "{}", console.all());

    site.ok(&["deprovision", WEB, "--yes", "--keep", "--no-gate"]);
    let after = site.traces();
    assert_eq!(
        (&after.state, &after.ports, &after.processes, &after.mounts),
        (&before.state, &before.ports, &before.processes, &before.mounts)
    );
    assert_eq!(kept(&site).trim(), "");

    // The same libvirt as from another machine. A machine that does not get ready in time is taken back, there too.
    let uri = site.libvirtd.as_ref().expect("there is one").through_ssh();
    let before = site.traces();
    let late = site.run(&["provision", WEB, "--connect", &uri, "--no-gate", "--timeout", "2"]);
    let all = late.all();
    assert!(!late.succeeded(), "{all}");
    for part in [
        "was not made, at ready",
        "was not ready within 2 seconds",
        "its console",
        "is gone from its hypervisor",
        "as it was",
    ] {
        assert!(all.contains(part), "{part:?}\n{all}");
    }
    assert_eq!(site.traces(), before, "{all}");
    assert_eq!(kept(&site).trim(), "");
}
