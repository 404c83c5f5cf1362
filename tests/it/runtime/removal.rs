//! Leaving: whatever goes, in whatever order, the machine is as before.

use super::{Host, debian_package, role};
use crate::machine::{Need, Release, skip};

fn web(host: &Host, version: &str) -> String {
    role("web", version)
        .file("/etc/motd", "ours\n")
        .file("/etc/app/d/a", "a\n")
        .file("/usr/local/sbin/tool", "#!/bin/sh\n")
        .line("link /etc/app/l a")
        .line("dir /srv/d 0700 mail mail")
        .line("dir /opt 0700 root mail")
        .line("absent /etc/away")
        .setup("echo setup >>/root/log")
        .teardown("cat /etc/app/d/a /etc/motd >>/root/log")
        .make(host)
}

fn machine(release: Release) -> Host {
    let host = Host::bare(release);
    host.ok("mkdir /etc/away; echo theirs >/etc/away/f; chmod 700 /etc/away; chown mail: /etc/away/f");
    host
}

const NOTHING_OF_OURS: &str = "find / -xdev \\( -name '.pg-*' -o -name 'pg-*' -o -name pg \\) ! -path '/root/*' \
                               ! -path '/proc/*' ! -path '/var/log/*' | sort";

#[test]
fn a_purge_in_any_order_leaves_the_machine_as_it_was() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    for release in Release::ALL {
        for leave in [
            "dpkg -P pg-role-web pg-runtime",
            "dpkg -P pg-runtime pg-role-web",
            "dpkg -r pg-role-web && dpkg -P pg-runtime pg-role-web",
            "dpkg -r pg-role-web pg-runtime && dpkg -P pg-runtime && dpkg -P pg-role-web",
            "dpkg --force-depends -P pg-runtime && dpkg -P pg-role-web",
            "pg-runtime withdraw pg-role-web && pg-runtime withdraw pg-role-web && pg-runtime withdraw --all && \
             pg-runtime withdraw --all && dpkg -P pg-role-web pg-runtime",
            "apt-get -y purge pg-runtime",
        ] {
            let host = machine(release);
            let before = host.files();
            let package = web(&host, "20260101.1");
            host.dpkg("-i", &["pg-runtime_1", &package]);
            assert_ne!(host.files(), before);
            host.ok("echo drift >/etc/app/d/a; pg-runtime apply");
            host.ok(&format!("({leave}) <&- 2>&1"));
            assert_eq!(host.files(), before, "{leave}");
            assert_eq!(host.ok(NOTHING_OF_OURS), "", "{leave}");
            assert_eq!(
                host.tree.read("/root/log"),
                "setup\na\nours\n",
                "{leave}: teardown once, before the files went"
            );
        }
    }
}

#[test]
fn removed_and_installed_again() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = machine(Release::Bookworm);
    let package = web(&host, "20260101.1");
    host.dpkg("-i", &["pg-runtime_1", &package]);
    let applied = host.files();
    host.dpkg("-r", &["pg-role-web"]);
    assert_eq!(host.ok("pg-runtime status"), "");
    host.dpkg("-i", &[&package]);
    assert_eq!(host.files(), applied);
    host.dpkg("-i", &[&package]);
    host.assert_settled();
    assert_eq!(host.tree.read("/root/log"), "setup\na\nours\nsetup\n");
    // A new runtime under a role that stays.
    host.runtime("2");
    host.dpkg("-i", &["pg-runtime_2"]);
    host.assert_settled();
    assert_eq!(host.files(), applied);
}

#[test]
fn a_tombstone_empties_the_machine() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = machine(Release::Bookworm);
    let before = host.files();
    let package = web(&host, "20260101.1");
    host.dpkg("-i", &["pg-runtime_1", &package]);
    let tombstone = role("web", "20260102.1").make_tombstone(&host);
    host.dpkg("-i", &[&tombstone]);
    assert_eq!(host.files(), before);
    host.assert_settled();
    host.dpkg("-P", &["pg-role-web", "pg-runtime"]);
    assert_eq!(host.ok(NOTHING_OF_OURS), "");
}

#[test]
fn scripts_that_fail_half_way_leave_it_applied() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = machine(Release::Bookworm);
    let package = web(&host, "20260101.1");
    host.dpkg("-i", &["pg-runtime_1", &package]);
    let applied = host.files();
    // The prerm fails after it has withdrawn: dpkg calls postinst abort-remove.
    host.ok("echo 'exit 1' >>/var/lib/dpkg/info/pg-role-web.prerm");
    assert_ne!(host.run("dpkg -r pg-role-web").status, 0);
    assert_eq!(host.files(), applied, "abort-remove");
    host.ok("sed -i '$d' /var/lib/dpkg/info/pg-role-web.prerm");
    // A new preinst fails: postinst abort-upgrade of the old version.
    let bad = super::Package { version: "20260102.1".into(), ..role("web", "20260102.1").file("/etc/motd", "newer\n") };
    let bad = bad.make(&host);
    host.ok(&format!(
        "cd /root; dpkg-deb -R {bad}.deb x; printf '#!/bin/sh\\nexit 1\\n' >x/DEBIAN/preinst; chmod 755 x/DEBIAN/preinst; \
         dpkg-deb -b x bad.deb"
    ));
    assert_ne!(host.run("dpkg -i /root/bad.deb").status, 0);
    assert_eq!(host.files(), applied, "abort-upgrade");
    assert_eq!(host.ok("dpkg --configure -a; dpkg --audit"), "");
    // The runtime's removal is called off because a role needs it.
    assert_ne!(host.run("dpkg -r pg-runtime").status, 0);
    assert_eq!(host.files(), applied);
    host.assert_settled();
}

#[test]
fn deconfigured_for_another_package_and_configured_again() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = machine(Release::Bookworm);
    let needed = debian_package(&host, "needed", "1", &[("/usr/share/needed/x", "x\n")], &[]);
    let package = role("web", "20260101.1").depends("needed").file("/etc/a", "a\n").make(&host);
    host.dpkg("-i", &["pg-runtime_1", &needed, &package]);
    assert!(host.tree.exists("/etc/a"));
    host.ok(
        "printf 'Package: rival\\nVersion: 1\\nArchitecture: all\\nMaintainer: x <x@example.org>\\nConflicts: needed\\n\
             Provides: needed\\nReplaces: needed\\nDescription: x\\n' >/root/control; mkdir -p /root/r/DEBIAN; \
             mv /root/control /root/r/DEBIAN; dpkg-deb -b /root/r /root/rival.deb",
    );
    host.ok("dpkg --auto-deconfigure -i /root/rival.deb <&-; dpkg --configure -a");
    assert_eq!(host.ok("dpkg-query -W -f '${db:Status-Status}' pg-role-web; cat /etc/a"), "installeda\n");
    host.assert_settled();
}

#[test]
fn what_a_package_put_in_one_of_our_directories_keeps_the_directory() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = machine(Release::Bookworm);
    host.dpkg("-i", &["pg-runtime_1", &role("web", "20260101.1").file("/etc/later/conf.d/ours", "x\n").make(&host)]);
    // A package that has the directory too, with nothing in it.
    host.ok("mkdir -p /root/l/DEBIAN /root/l/etc/later/conf.d; printf 'Package: later\\nVersion: 1\\nArchitecture: all\\n\
             Maintainer: x <x@example.org>\\nDescription: x\\n' >/root/l/DEBIAN/control; dpkg-deb -b /root/l /root/later.deb; \
             dpkg -i /root/later.deb");
    host.dpkg("-P", &["pg-role-web"]);
    assert_eq!(host.ok("find /etc/later"), "/etc/later\n/etc/later/conf.d\n");
}

#[test]
fn withdraw_takes_what_it_can_and_names_the_rest() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = machine(Release::Bookworm);
    host.dpkg(
        "-i",
        &["pg-runtime_1", &role("web", "20260101.1").file("/etc/a", "a\n").file("/etc/b", "b\n").make(&host)],
    );
    let said = host
        .ok("mount --bind /etc/a /etc/a; dpkg -r pg-role-web <&- 2>&1; ls /etc/a /etc/b 2>&1 || true; umount /etc/a; \
                        pg-runtime apply");
    assert!(said.contains("/etc/a: can not be removed: "), "{said}");
    assert!(said.contains("cannot access '/etc/b'"), "{said}");
    assert!(said.contains("pg-runtime: removed /etc/a (pg-role-web)"), "the next run does it: {said}");
    assert!(!host.tree.exists("/etc/a"));
    assert_eq!(host.mark("pg-role-web"), "");
}

#[test]
fn a_foreign_record_is_tolerated() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = machine(Release::Bookworm);
    let package = web(&host, "20260101.1");
    host.dpkg("-i", &["pg-runtime_1", &package]);
    let applied = host.files();
    host.ok(
        "echo 'something /etc/else of the future' >>/var/lib/pg/applied; echo junk >/var/lib/pg/packages/pg-role-web; \
             echo junk >/var/lib/pg/applied.new; mkdir /var/lib/pg/marks/strange; rm /var/lib/pg/units",
    );
    host.ok("pg-runtime apply; pg-runtime verify; pg-runtime status; pg-runtime withdraw --all");
    host.dpkg("-i", &[&package]);
    assert_eq!(host.files(), applied);
    host.dpkg("-P", &["pg-runtime", "pg-role-web"]);
    assert_eq!(host.ok(NOTHING_OF_OURS), "");
}
