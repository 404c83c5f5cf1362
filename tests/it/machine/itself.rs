//! That the test machines are what the tests take them for.

use super::{Lab, Machine, Need, Release, Services, Tree, skip};
use std::sync::Arc;

#[test]
fn a_tree_is_private_and_its_commands_end_with_all_they_started() {
    if skip("trees", &[Need::Trees]) {
        return;
    }
    let tree = Tree::new(Release::Bookworm);
    tree.write("/etc/motd", "hello\n");
    assert_eq!(tree.ok("cat /etc/motd"), "hello\n");
    assert_eq!(tree.run("exit 7").status, 7);
    assert_eq!(tree.run_with("cat", Some(b"given")).stdout, "given");
    assert_eq!(tree.run("sleep 1000 & echo started").stdout, "started\n");
    let interfaces = tree.ok("ls /sys/class/net");
    assert_eq!(interfaces, "lo\n", "no way out of the machine");
    tree.ok("mv /etc/skel /etc/skel-moved && ln /etc/passwd /etc/passwd.link");
    tree.services(Services::Denied);
    assert_eq!(tree.run("/usr/sbin/policy-rc.d").status, 101);
    let other = Tree::new(Release::Bookworm);
    assert!(!other.exists("/etc/motd-none") && other.exists("/etc/skel") && !other.exists("/usr/sbin/policy-rc.d"));
    let path = tree.path("/");
    drop(tree);
    assert!(!path.exists(), "{} is left behind", path.display());
}

#[test]
fn debian_packages_install_from_the_pool_without_a_word() {
    if skip("the pool", &[Need::Trees]) {
        return;
    }
    for release in Release::ALL {
        let tree = Tree::new(release).with_debian();
        tree.services(Services::Denied);
        let update = tree.run("apt-get -q=0 update");
        for mark in ["W:", "E:", "N:"] {
            assert!(!update.all().lines().any(|l| l.starts_with(mark)), "{}", update.all());
        }
        tree.ok("apt-get -y install nginx");
        assert!(tree.ok("nginx -t 2>&1").contains("successful"));
    }
}

#[test]
fn machines_boot_reach_each_other_and_leave_nothing() {
    if skip("booted machines", &[Need::Boot]) {
        return;
    }
    let lab = Arc::new(Lab::new());
    let mut machines = Vec::new();
    for (number, release) in [(11, Release::Bookworm), (12, Release::Trixie)] {
        let tree = Tree::new(release);
        tree.name(
            &format!("m{number}.example.org"),
            &[("192.0.2.11", "m11.example.org"), ("192.0.2.12", "m12.example.org")],
        );
        machines.push(Machine::boot(&lab, tree, number));
    }
    for machine in &machines {
        assert!(machine.ok("cat /etc/os-release").contains(machine.tree().release().codename()));
        assert_eq!(machine.ok("cat /proc/1/comm"), "systemd\n");
    }
    assert_eq!(machines[0].ok("hostname"), "m11\n");
    assert_eq!(machines[0].ok("hostname -f"), "m11.example.org\n");
    machines[0].ok("ip -4 addr show host0 | grep 192.0.2.11");
    machines[0].ok("perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(Listen => 1, LocalPort => 7) or die; exit if fork; my $c = $s->accept; print $c \"reached\\n\"'");
    let heard =
        machines[1].ok("perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(q(m11.example.org:7))->getline'");
    assert_eq!(heard, "reached\n");
    machines[0].ok("touch /root/before");
    machines[0].reboot();
    machines[0].ok("test -e /root/before");
    let name = lab.name().to_owned();
    let path = machines[1].tree().path("/");
    drop(machines);
    drop(lab);
    assert!(!path.exists() && !std::path::Path::new("/run/netns").join(name).exists());
}
