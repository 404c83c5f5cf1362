//! Host packages: they override roles, belong to one machine, and bring what host-bound roles wait for.

use super::{Host, host_package, role};
use crate::machine::{Need, skip};

fn named(fqdn: &str) -> Host {
    let host = Host::new();
    host.tree.name(fqdn, &[]);
    host
}

#[test]
fn a_host_overrides_its_roles_and_gives_back() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = named("m1.example.org");
    let web = role("web", "20260102.1").file("/etc/app", "role\n").file("/etc/role", "role\n").make(&host);
    let own = host_package("m1.example.org", "20260101.1").file_as("/etc/app", "0600 root root", "host\n").make(&host);
    host.dpkg("-i", &[&web, &own]);
    assert_eq!(host.ok("cat /etc/app; stat -c %a /etc/app"), "host\n600\n");
    host.assert_settled();
    host.dpkg("-r", &["pg-host-m1.example.org"]);
    assert_eq!(host.ok("cat /etc/app; stat -c %a /etc/app"), "role\n644\n");
    host.assert_settled();
    host.dpkg("-P", &["pg-role-web"]);
    assert!(!host.tree.exists("/etc/app"));
}

#[test]
fn a_hosts_file_has_to_please_the_roles_validator() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = named("m1.example.org");
    host.dpkg(
        "-i",
        &[&role("web", "20260102.1")
            .file("/etc/app", "good\n")
            .line("validate /etc/app grep good /etc/app")
            .make(&host)],
    );
    host.dpkg("-i", &[&host_package("m1.example.org", "20260101.1").file("/etc/app", "bad\n").make(&host)]);
    assert_eq!(host.tree.read("/etc/app"), "good\n");
    assert!(host.mark("pg-host-m1.example.org").starts_with("validate: "));
    assert_eq!(host.mark("pg-role-web"), "");
}

#[test]
fn a_machine_of_another_name_gets_nothing_of_it() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = named("m1.example.org");
    let web = role("web", "20260101.1").file("/etc/app", "role\n").make(&host);
    for other in ["m2.example.org", "m1.example.net", "m1.sub.example.org"] {
        let package = host_package(other, "20260101.1").file("/etc/app", "host\n").setup("echo >/root/no").make(&host);
        host.dpkg("-i", &[&web, &package]);
        let mark = host.mark(&format!("pg-host-{other}"));
        assert_eq!(
            mark,
            format!("host: this machine is m1.example.org, the package is for {other}: nothing of it is applied\n")
        );
        assert_eq!(host.ok("cat /etc/app; test ! -e /root/no"), "role\n", "the role's own is applied");
        host.dpkg("-P", &[&format!("pg-host-{other}")]);
        assert_eq!(host.ok("ls /var/lib/pg/marks"), "");
    }
    // The name may be written in full, or short without a domain anywhere.
    let package = host_package("m1.example.org", "20260101.1").file("/etc/app", "host\n").make(&host);
    for (hostname, hosts, applies) in [
        ("m1.example.org", "127.0.0.1 localhost", true),
        ("m1", "127.0.0.1 localhost", true),
        ("m1", "127.0.1.1 m1.example.org m1 # this one", true),
        ("m1", "127.0.1.1 m1.example.com m1", false),
        ("m1.example.com", "127.0.1.1 m1.example.org m1", false),
        ("m10", "127.0.0.1 localhost", false),
    ] {
        host.tree.write("/etc/hostname", format!("{hostname}\n"));
        host.tree.write("/etc/hosts", format!("{hosts}\n"));
        host.dpkg("-i", &[&package]);
        assert_eq!(host.tree.read("/etc/app") == "host\n", applies, "{hostname:?} {hosts:?}");
        assert_eq!(host.mark("pg-host-m1.example.org").is_empty(), applies, "{hostname:?} {hosts:?}");
        host.dpkg("-P", &["pg-host-m1.example.org"]);
    }
}

#[test]
fn a_renamed_machine_keeps_what_was_applied_and_says_so() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = named("m1.example.org");
    let web = role("web", "20260101.1").file("/etc/app", "role\n").make(&host);
    let own =
        host_package("m1.example.org", "20260101.1").file("/etc/app", "host\n").file("/etc/own", "own\n").make(&host);
    host.dpkg("-i", &[&web, &own]);
    host.tree.name("m7.example.org", &[]);
    assert_eq!(host.run("pg-runtime apply").status, 1);
    assert_eq!(host.ok("cat /etc/app /etc/own"), "host\nown\n");
    assert!(host.mark("pg-host-m1.example.org").contains("this machine is m7.example.org"));
    host.dpkg("-P", &["pg-host-m1.example.org"]);
    assert_eq!(host.ok("cat /etc/app; test ! -e /etc/own"), "role\n");
    host.assert_settled();
}

#[test]
fn a_host_bound_role_waits_with_its_services() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = named("m1.example.org");
    host.pretend_systemd();
    host.ok("touch /root/active/app.service");
    let bound = role("bound", "20260101.1")
        .file("/etc/app/common", "c\n")
        .line("host-bound /etc/app/address")
        .line("reload /etc/app/common app.service")
        .own_unit("bound-job.service", "enabled", "[Service]\nExecStart=true\n[Install]\nWantedBy=multi-user.target\n")
        .setup("cat /etc/app/address >>/root/log")
        .make(&host);
    host.dpkg("-i", &[&bound]);
    assert_eq!(
        host.mark("pg-role-bound"),
        "host: /etc/app/address comes with this machine's host package, its services wait: \
         apt-get install pg-host-m1.example.org\n"
    );
    assert_eq!(
        host.ok("cat /etc/app/common; test ! -e /root/log; systemctl is-enabled bound-job.service || true"),
        "c\ndisabled\n"
    );
    assert_eq!(host.calls(), [""; 0]);
    // A name without its domain is not the package's: apt is asked for it.
    host.tree.name("m1", &[]);
    host.ok("pg-runtime apply || true");
    let advice =
        |text: &str| host.mark("pg-role-bound").ends_with(&format!("its services wait: apt-get install {text}\n"));
    assert!(advice("the one that apt-cache pkgnames pg-host-m1. lists"), "{}", host.mark("pg-role-bound"));
    host.ok("dpkg-divert --quiet --rename /usr/bin/apt-cache");
    host.ok("printf '#!/bin/sh\\n[ \"$*\" = \"pkgnames pg-host-m1.\" ] && echo pg-host-m1.example.org\\n' >/usr/bin/apt-cache");
    host.ok("chmod 755 /usr/bin/apt-cache; pg-runtime apply || true");
    assert!(advice("pg-host-m1.example.org"), "{}", host.mark("pg-role-bound"));
    host.tree.name("m1.example.org", &[]);
    // A wrong host package doesn't help.
    let wrong = host_package("m2.example.org", "20260101.1").file("/etc/app/address", "2\n").make(&host);
    host.dpkg("-i", &[&wrong]);
    assert!(host.mark("pg-role-bound").starts_with("host: "));
    assert_eq!(host.calls(), [""; 0]);
    host.dpkg("-P", &["pg-host-m2.example.org"]);
    let own = host_package("m1.example.org", "20260101.1").file("/etc/app/address", "1\n").make(&host);
    host.dpkg("-i", &[&own]);
    assert_eq!(host.mark("pg-role-bound"), "");
    assert_eq!(host.tree.read("/root/log"), "1\n");
    assert_eq!(host.calls(), ["start bound-job.service", "reload app.service"]);
    assert_eq!(host.ok("systemctl is-enabled bound-job.service"), "enabled\n");
    host.assert_settled();
    assert_eq!(host.calls(), [""; 0]);
}

#[test]
fn a_role_and_its_host_are_one_transaction() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = named("m1.example.org");
    host.pretend_systemd();
    host.ok("touch /root/active/app.service");
    // The validator of the role is content only if both parts are of one version.
    let web = |version: &str| {
        role("web", &format!("2026010{version}.1"))
            .file("/etc/app/common", &format!("{version}\n"))
            .file("/etc/app/address", &format!("{version}\n"))
            .line("validate /etc/app/common cmp /etc/app/common /etc/app/address")
            .line("reload /etc/app/address app.service")
            .line("reload /etc/app/common app.service")
            .make(&host)
    };
    let own = |version: &str| {
        host_package("m1.example.org", &format!("2026010{version}.1"))
            .file_as("/etc/app/address", "0600 root root", &format!("{version}\n"))
            .make(&host)
    };
    let both = || host.ok("cat /etc/app/common /etc/app/address; stat -c %a /etc/app/address");
    host.dpkg("-i", &[&web("1"), &own("1")]);
    assert_eq!((both().as_str(), host.calls()), ("1\n1\n600\n", vec!["reload app.service".to_owned()]));
    // In either order within one run of dpkg, which configures one before the other.
    host.dpkg("-i", &[&own("2"), &web("2")]);
    assert_eq!((both().as_str(), host.calls()), ("2\n2\n600\n", vec!["reload app.service".to_owned()]));
    host.dpkg("-i", &[&web("3"), &own("3")]);
    assert_eq!((both().as_str(), host.calls()), ("3\n3\n600\n", vec!["reload app.service".to_owned()]));
    // One alone would not do: nothing of it takes effect until the other is there.
    host.dpkg("-i", &[&web("4")]);
    assert_eq!((both().as_str(), host.calls()), ("3\n3\n600\n", vec![]));
    assert!(host.mark("pg-role-web").starts_with("validate: "), "{}", host.mark("pg-role-web"));
    host.dpkg("-i", &[&own("4")]);
    assert_eq!((both().as_str(), host.calls()), ("4\n4\n600\n", vec!["reload app.service".to_owned()]));
    host.assert_settled();
    // Both go in one run.
    host.dpkg("-P", &["pg-role-web", "pg-host-m1.example.org"]);
    assert!(!host.tree.exists("/etc/app"));
}
