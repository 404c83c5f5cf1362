//! What can not be done: nothing of the package changes, a mark says why, dpkg is content, and it applies once its
//! reason has gone.

use super::{Host, debian_package, role};
use crate::machine::{Need, Release, skip};

#[test]
fn a_failing_validator_keeps_the_old_files_and_a_mended_version_applies() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    let version = |version: &str, text: &str| {
        role("web", version)
            .file("/etc/app/conf", text)
            .file("/etc/app/other", version)
            .line("validate /etc/app/conf cp /etc/app/conf /root/seen; echo to stdout; grep good /etc/app/conf")
            .make(&host)
    };
    let before = host.files();
    host.dpkg("-i", &[&version("20260101.1", "bad\n")]);
    assert_eq!(host.files(), before, "first installation");
    assert_eq!(host.tree.read("/root/seen"), "bad\n", "the validator saw it in its place");
    assert_eq!(
        host.mark("pg-role-web"),
        "validate: \"cp /etc/app/conf /root/seen; echo to stdout; grep good /etc/app/conf\" failed (status 1): \
         nothing of this package was changed\n    to stdout\n"
    );
    assert_eq!(host.run("pg-runtime apply").status, 1, "a person is told");
    host.dpkg("-i", &[&version("20260102.1", "good\n")]);
    assert_eq!((host.mark("pg-role-web"), host.tree.read("/etc/app/conf")), (String::new(), "good\n".into()));
    host.assert_settled();
    host.dpkg("-i", &[&version("20260103.1", "worse\n")]);
    assert_eq!(host.tree.read("/etc/app/conf"), "good\n");
    assert_eq!(host.tree.read("/etc/app/other"), "20260102.1", "a package changes wholly or not at all");
    assert!(host.mark("pg-role-web").starts_with("validate: "));
    assert_eq!(host.ok("dpkg --audit; pg-runtime status | head -n1"), "pg-role-web 20260102.1 applied\n");
    assert_eq!(host.run("pg-runtime verify").status, 0, "as it was left");
    let since = host.ok("stat -c %Y /var/lib/pg/marks/pg-role-web; sleep 1.1; pg-runtime apply >&2 || true");
    assert_eq!(host.ok("stat -c %Y /var/lib/pg/marks/pg-role-web"), since, "the mark's time says since when");
}

#[test]
fn an_administrators_rule_stays_until_the_one_that_follows_it_is_there() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    for removed in [false, true] {
        let host = Host::new();
        let rules = || host.ok("ls /etc/sudoers.d | grep pg- || :");
        let old = role("base", "20260101.1").administers("sysadmins").file("/etc/base", "1\n").make(&host);
        host.dpkg("-i", &[&old]);
        assert_eq!(rules(), "60-pg-role-base\n");
        // The rule moves to another role, of which something else does not validate. Its old place is another version of
        // the first role, or that role is removed for the second one.
        let next = |version: &str, text: &str| {
            let package = role("admins", version).administers("sysadmins").file("/etc/admins", text);
            let package = package.line("validate /etc/admins grep good /etc/admins");
            let takes_its_place = "pg-runtime\nConflicts: pg-role-base\nReplaces: pg-role-base";
            if removed { package.depends(takes_its_place) } else { package }.make(&host)
        };
        let bad = next("20260101.1", "bad\n");
        if removed {
            host.dpkg("-i", &[&bad]);
        } else {
            let without = role("base", "20260102.1").make(&host);
            host.dpkg("-i", &[&without, &bad]);
        }
        assert_eq!(rules(), "60-pg-role-base\n", "removed: {removed}");
        assert_eq!(host.run("test -e /etc/base").status, 1, "all else of it goes");
        let mark = host.mark("pg-role-admins");
        assert!(mark.contains("sudo: /etc/sudoers.d/60-pg-role-base stays"), "{mark}");
        host.run("pg-runtime apply");
        assert_eq!(rules(), "60-pg-role-base\n", "removed: {removed}");
        // Mended, it takes over.
        host.dpkg("-i", &[&next("20260102.1", "good\n")]);
        assert_eq!((rules(), host.mark("pg-role-admins")), ("60-pg-role-admins\n".into(), String::new()));
        host.assert_settled();
        // And a rule that nothing follows goes with its package.
        host.dpkg("-P", &["pg-role-admins"]);
        assert_eq!(rules(), "");
    }
}

#[test]
fn validators_run_in_a_bare_and_bounded_environment() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    host.ok("sed -i 's/^validate_seconds=60 .*/validate_seconds=1/' /usr/sbin/pg-runtime");
    let slow = role("slow", "20260101.1").file("/etc/slow", "x\n").line("validate /etc/slow sleep 30").make(&host);
    let gone =
        role("gone", "20260101.1").file("/etc/gone", "x\n").line("validate /etc/gone no-such-program -t").make(&host);
    let bare = role("bare", "20260101.1")
        .file("/etc/bare", "x\n")
        .line("validate /etc/bare cat; pwd; env | sort; ls /proc/self/fd/9; false")
        .make(&host);
    host.dpkg("-i", &[&slow, &gone, &bare]);
    assert!(host.mark("pg-role-slow").contains("did not end within 1 seconds"), "{}", host.mark("pg-role-slow"));
    assert!(host.mark("pg-role-gone").contains("\"no-such-program -t\" is not there"), "{}", host.mark("pg-role-gone"));
    let mark = host.mark("pg-role-bare");
    let lines: Vec<&str> = mark.lines().skip(1).map(str::trim).collect();
    assert_eq!(lines[0], "/", "{mark}");
    let environment: Vec<&str> =
        lines[1..].iter().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    assert_eq!(environment, ["HOME", "LC_ALL", "PATH", "PWD"], "{mark}");
    // The lock is not inherited: what a validator leaves running can't hold it.
    assert!(mark.contains("cannot access '/proc/self/fd/9'"), "{mark}");
}

#[test]
fn only_the_guilty_are_set_aside() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    let part = |name: &str, text: &str| {
        role(name, "20260101.1")
            .file(&format!("/etc/app/{name}.conf"), text)
            .line(&format!("validate /etc/app/{name}.conf ! grep -r bad /etc/app"))
            .make(&host)
    };
    let apart = role("apart", "20260101.1").file("/etc/apart", "x\n").make(&host);
    let packages = [part("a", "good\n"), part("b", "bad\n"), part("c", "good\n"), apart];
    host.dpkg("-i", &packages.each_ref().map(String::as_str));
    assert_eq!(host.ok("ls /etc/app /etc/apart"), "/etc/apart\n\n/etc/app:\na.conf\nc.conf\n");
    assert!(host.mark("pg-role-b").contains("/etc/app/b.conf:bad"), "{}", host.mark("pg-role-b"));
    assert_eq!(host.ok("ls /var/lib/pg/marks"), "pg-role-b\n");
}

#[test]
fn without_a_mount_namespace_it_installs_validates_and_undoes() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    host.tree
        .write("/root/unshare", "#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n");
    host.ok("dpkg-divert --quiet --rename --add /usr/bin/unshare; install -m 755 /root/unshare /usr/bin/unshare");
    host.ok("mkdir /etc/app; echo original >/etc/app/conf; ln -s original /etc/app/link; echo there >/etc/app/away");
    let before = host.files();
    let version = |version: &str, text: &str| {
        role("web", version)
            .file("/etc/app/conf", text)
            .file("/etc/app/new/deep", version)
            .line("link /etc/app/link elsewhere")
            .line("dir /etc/app 0700 root mail")
            .line("absent /etc/app/away")
            .line("validate /etc/app/conf grep good /etc/app/conf")
            .make(&host)
    };
    host.dpkg("-i", &[&version("20260101.1", "bad\n")]);
    assert_eq!(host.files(), before, "undone");
    assert!(host.mark("pg-role-web").starts_with("validate: "));
    host.dpkg("-i", &[&version("20260102.1", "good\n")]);
    assert_eq!(host.mark("pg-role-web"), "");
    host.assert_settled();
    let good = host.files();
    host.dpkg("-i", &[&version("20260103.1", "worse\n")]);
    assert_eq!(host.files(), good);
    host.dpkg("-P", &["pg-role-web"]);
    assert_eq!(host.files(), before);
}

#[test]
fn a_validated_file_outside_of_etc_is_validated_in_its_place() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    let version = |version: &str, text: &str| {
        role("web", version)
            .file("/srv/app/conf", text)
            .line("validate /srv/app/conf grep good /srv/app/conf")
            .make(&host)
    };
    host.dpkg("-i", &[&version("20260101.1", "bad\n")]);
    assert!(!host.tree.exists("/srv/app"));
    host.dpkg("-i", &[&version("20260102.1", "good\n")]);
    assert_eq!(host.tree.read("/srv/app/conf"), "good\n");
    assert_eq!(host.mark("pg-role-web"), "");
    host.dpkg("-i", &[&version("20260103.1", "worse\n")]);
    assert_eq!(host.tree.read("/srv/app/conf"), "good\n");
}

#[test]
fn what_is_in_the_way_sets_the_package_aside() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    let app = debian_package(
        &host,
        "app",
        "1",
        &[("/etc/app.conf", "theirs\n"), ("/usr/lib/app/data", "theirs\n"), ("/lib/app2/data", "theirs\n")],
        &[],
    );
    host.dpkg("-i", &[&app]);
    // What is there, the line that can not be, what the mark says, what makes it possible.
    let cases = [
        ("", "file /etc/x 0644 nobody-yet root", "owner is the user nobody-yet", "useradd --system nobody-yet"),
        ("", "file /etc/x 0644 root nobody-yet", "group is nobody-yet", "groupadd --system nobody-yet"),
        ("mkdir /etc/x", "file /etc/x 0644 root root", "/etc/x: is a directory on this machine", "rmdir /etc/x"),
        ("mkfifo /etc/x", "file /etc/x 0644 root root", "is a device, a socket or a pipe", "rm /etc/x"),
        ("mkdir /etc/x", "link /etc/x target", "is a directory on this machine", "rmdir /etc/x"),
        ("touch /etc/x", "dir /etc/x 0755 root root", "is not a directory on this machine", "rm /etc/x"),
        ("ln -s /srv /etc/x", "dir /etc/x 0755 root root", "but a symlink to /srv", "rm /etc/x"),
        (
            "ln -s /srv /etc/x",
            "file /etc/x/y 0644 root root",
            "/etc/x is a symlink on this machine (to /srv)",
            "rm /etc/x",
        ),
        ("ln -s /nowhere /etc/x", "file /etc/x/y 0644 root root", "/etc/x is a symlink on this machine", "rm /etc/x"),
        ("touch /etc/x", "file /etc/x/y 0644 root root", "can not be", "rm /etc/x"),
        ("", "file /etc/app.conf 0644 root root", "belongs to the Debian package app", "dpkg -P app"),
        ("", "absent /etc/app.conf", "belongs to the Debian package app", "dpkg -P app"),
        ("", "link /etc/app.conf x", "belongs to the Debian package app", "dpkg -P app"),
        ("", "file /lib/app/data 0644 root root", "belongs to the Debian package app", "dpkg -P app"),
        ("", "file /usr/lib/app2/data 0644 root root", "belongs to the Debian package app", "dpkg -P app"),
    ];
    for (number, (before, line, says, mend)) in cases.into_iter().enumerate() {
        host.ok(before);
        let was = host.files();
        let package = role("web", &format!("20260101.{number}")).file("/etc/free", "free\n");
        let package = match line.strip_prefix("file ").and_then(|rest| rest.split_once(' ')) {
            Some((path, ownership)) => package.file_as(path, ownership, "ours\n"),
            None => package.line(line),
        };
        host.dpkg("-i", &[&package.make(&host)]);
        let mark = host.mark("pg-role-web");
        assert!(mark.contains(says), "{line}: {mark:?}");
        assert_eq!(host.files(), was, "{line}");
        host.ok(mend);
        assert_eq!(host.run("pg-runtime apply").status, 0, "{line}: {}", host.mark("pg-role-web"));
        assert!(host.tree.exists("/etc/free"), "{line}");
        host.assert_settled();
        host.dpkg("-P", &["pg-role-web"]);
        host.ok(
            "deluser --quiet nobody-yet 2>/dev/null; delgroup --quiet nobody-yet 2>/dev/null; dpkg -i /root/app_1.deb",
        );
    }
}

#[test]
fn a_symlink_in_the_place_of_a_file_is_replaced_not_followed() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    host.ok("echo precious >/srv/precious; ln -s /srv/precious /etc/x");
    host.dpkg("-i", &[&role("web", "20260101.1").file("/etc/x", "ours\n").make(&host)]);
    assert_eq!(host.ok("cat /srv/precious; cat /etc/x; test ! -L /etc/x"), "precious\nours\n");
    host.dpkg("-r", &["pg-role-web"]);
    assert_eq!(host.ok("readlink /etc/x; cat /srv/precious"), "/srv/precious\nprecious\n");
}

/// A file system that is full, read-only or refuses one file: all or nothing, and dpkg is content.
#[test]
fn nothing_is_half_done_when_the_disk_says_no() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let big = "0123456789abcde\n".repeat(4096);
    // What is wrong with /etc/app, and what mends it.
    let cases = [
        (
            "mount -t tmpfs -o size=40k none /etc/app; cp -a /root/app/. /etc/app",
            "mount -o remount,size=1m /etc/app",
            "No space left on device",
        ),
        (
            "mount -t tmpfs -o nr_inodes=5 none /etc/app; cp -a /root/app/. /etc/app",
            "mount -o remount,nr_inodes=50 /etc/app",
            "No space left on device",
        ),
        (
            "mount --bind /etc/app /etc/app; mount -o remount,bind,ro /etc/app",
            "umount /etc/app",
            "Read-only file system",
        ),
        ("mount --bind /etc/app/b /etc/app/b", "umount /etc/app/b", "/etc/app/b: can not be replaced"),
        ("mount --bind /etc/app/old /etc/app/old", "umount /etc/app/old", "/etc/app/old: can not be removed"),
    ];
    for (wrong, mend, says) in cases {
        let host = Host::new();
        let one =
            role("web", "20260101.1").file("/etc/app/a", "a1\n").file("/etc/app/b", "b1\n").file("/etc/app/old", "o\n");
        let two = role("web", "20260102.1")
            .file("/etc/app/a", "a2\n")
            .file("/etc/app/b", &format!("b2\n{big}"))
            .file("/etc/app/c/d/e", "e\n");
        host.dpkg("-i", &[&one.make(&host)]);
        let two = two.make(&host);
        let said = host.ok(&format!(
            "set -e; cp -a /etc/app /root/app; {wrong}
             dpkg -i /root/{two}.deb <&- 2>&1
             echo '--- between'; cd /etc/app; find . | sort; cat a b old
             cat /var/lib/pg/marks/pg-role-web; ls /var/lib/pg/journal 2>&1 || true
             cd /; {mend}
             echo '--- after'; pg-runtime apply; pg-runtime verify; cd /etc/app; find . | sort; head -qn1 a b c/d/e"
        ));
        let between = &said[said.find("--- between").expect("it got there")..];
        assert!(between.starts_with("--- between\n.\n./a\n./b\n./old\na1\nb1\no\n"), "{wrong}: {said}");
        assert!(between.contains(says), "{wrong}: {said}");
        assert!(between.contains("No such file or directory\n--- after"), "no journal is left: {said}");
        assert!(said.ends_with("\n.\n./a\n./b\n./c\n./c/d\n./c/d/e\na2\nb2\ne\n"), "{wrong}: {said}");
    }
}

#[test]
fn without_room_for_its_own_state_nothing_begins() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    for full in ["/var/lib/pg", "/run/pg"] {
        let host = Host::new();
        let package = role("web", "20260101.1").file("/etc/app/a", "a\n").make(&host);
        let said = host.ok(&format!(
            "set -e; mkdir -p {full}; mount -t tmpfs -o size=8k none {full}
             dd if=/dev/zero of={full}/fill bs=1k 2>/dev/null || true
             dpkg -i /root/{package}.deb <&- 2>&1
             test ! -e /etc/app; find / -xdev -name '.pg-*'; dpkg --audit
             echo '--- after'; mount -o remount,size=1m {full}; pg-runtime apply; cat /etc/app/a"
        ));
        assert!(
            said.contains("pg-runtime: cannot ") || said.contains("pg-runtime: dpkg-query failed"),
            "{full}: {said}"
        );
        assert!(said.ends_with("\na\n"), "{full}: {said}");
    }
}

#[test]
fn a_damaged_payload_is_not_installed() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    let package = role("web", "20260101.1").file("/etc/a", "a\n").file("/etc/b", "b\n").make(&host);
    host.dpkg("--unpack", &[&package]);
    host.ok("echo damaged >/usr/share/pg/roles/web/files/etc/b");
    host.dpkg("--configure", &["-a"]);
    assert!(host.mark("pg-role-web").starts_with("/etc/b: its payload below /usr/share/pg is damaged"));
    assert_eq!(host.ok("ls /etc/a /etc/b 2>/dev/null || true"), "");
    host.ok("rm /usr/share/pg/roles/web/files/etc/b; pg-runtime apply || true");
    assert!(host.mark("pg-role-web").starts_with("/etc/b: can not be written: "), "{}", host.mark("pg-role-web"));
    host.dpkg("-i", &[&package]);
    assert_eq!(host.ok("cat /etc/a /etc/b"), "a\nb\n");
    host.assert_settled();
}

#[test]
fn a_manifest_from_the_future_changes_nothing() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    host.dpkg("-i", &[&role("web", "20260101.1").file("/etc/a", "a\n").make(&host)]);
    host.dpkg("-i", &[&role("web", "20260102.1").file("/etc/b", "b\n").line("transmute /etc/c").make(&host)]);
    assert!(
        host.mark("pg-role-web").starts_with("format: its manifest has \"transmute\""),
        "{}",
        host.mark("pg-role-web")
    );
    assert_eq!(host.ok("cat /etc/a; test ! -e /etc/b"), "a\n");
    host.dpkg("-i", &[&role("web", "20260103.1").file("/etc/b", "b\n").make(&host)]);
    assert_eq!((host.mark("pg-role-web"), host.ok("cat /etc/b; test ! -e /etc/a")), (String::new(), "b\n".into()));
}

#[test]
fn scripts_run_for_another_root_change_nothing_here() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::bare(Release::Bookworm);
    host.dpkg("--unpack", &["pg-runtime_1"]);
    host.dpkg("--unpack", &[&role("web", "20260101.1").file("/etc/a", "a\n").make(&host)]);
    let said = host.ok("DPKG_ROOT=/srv DPKG_MAINTSCRIPT_NAME=postinst pg-runtime apply");
    assert!(said.contains("nothing is applied below /srv"), "{said}");
    assert!(!host.tree.exists("/etc/a") && !host.tree.exists("/var/lib/pg"));
}
