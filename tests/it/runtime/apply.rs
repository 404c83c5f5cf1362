//! What `apply` puts where, and what it leaves alone.

use super::{Host, role};
use crate::machine::{Need, Release, skip};

#[test]
fn a_role_and_the_runtime_in_one_dpkg_run_apply_at_its_end() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    for release in Release::ALL {
        let host = Host::bare(release);
        let web = role("web", "20260101.1")
            .file_as("/etc/app/conf.d/a.conf", "0640 root mail", "a\n")
            .file_as("/usr/local/sbin/tool", "4755 root root", "#!/bin/sh\n")
            .file("/etc/motd", "ours\n")
            .line("link /etc/app/link ../motd with space")
            .line("dir /srv/app 2750 www-data mail")
            .line("absent /etc/gone")
            .make(&host);
        host.ok("echo original >/etc/gone");
        let before = host.files();
        let said = host.dpkg("-i", &["pg-runtime_1", &web]);
        assert!(said.contains("Processing triggers for pg-runtime"), "{said}");
        let stat =
            host.ok("stat -c '%n %A %U %G' /etc/app /etc/app/conf.d/a.conf /usr/local/sbin/tool /etc/motd /srv/app");
        assert_eq!(
            stat,
            "/etc/app drwxr-xr-x root root\n/etc/app/conf.d/a.conf -rw-r----- root mail\n\
             /usr/local/sbin/tool -rwsr-xr-x root root\n/etc/motd -rw-r--r-- root root\n\
             /srv/app drwxr-s--- www-data mail\n"
        );
        assert_eq!(host.tree.read("/etc/motd"), "ours\n");
        assert_eq!(host.ok("readlink /etc/app/link"), "../motd with space\n");
        assert!(!host.tree.exists("/etc/gone"));
        assert_eq!(host.mark("pg-role-web"), "");
        host.assert_settled();
        assert_eq!(host.ok("find / -xdev -name '.pg-*'"), "", "nothing is left beside the files");
        host.dpkg("-P", &["pg-role-web"]);
        assert_eq!(host.files(), before, "as before, {release:?}");
    }
}

#[test]
fn drift_is_found_by_verify_and_mended_by_apply() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    let mut web =
        role("web", "20260101.1").line("dir /srv/d 0755 root root").line("link /etc/l target").line("absent /etc/gone");
    for name in ["changed", "missing", "mode", "owner", "replaced", "untouched"] {
        web = web.file(&format!("/etc/app/{name}"), &format!("{name}\n"));
    }
    host.dpkg("-i", &[&web.make(&host)]);
    host.assert_settled();
    let before = host.files();
    host.ok("cd /etc/app; echo hotfix >changed; rm missing; chmod 600 mode; chown mail: owner; \
             ln -sf /etc/passwd replaced; ln -sfn elsewhere /etc/l; chmod 700 /srv/d; echo x >/etc/gone");
    let inode = host.ok("stat -c %i /etc/app/untouched");
    let verify = host.run("pg-runtime verify");
    assert_eq!(verify.status, 1);
    assert_eq!(
        verify.stdout,
        "appeared: /etc/gone (pg-role-web)\n\
         changed: /etc/app/changed (pg-role-web)\n\
         changed: /etc/l (pg-role-web): points to elsewhere\n\
         missing: /etc/app/missing (pg-role-web)\n\
         mode: /etc/app/mode (pg-role-web): is 600, was 644\n\
         mode: /srv/d (pg-role-web): is 700, was 755\n\
         owner: /etc/app/owner (pg-role-web): is mail:mail, was root:root\n\
         replaced: /etc/app/replaced (pg-role-web)\n"
    );
    assert_eq!(verify.stderr, "");
    assert_eq!(host.run("pg-runtime verify").stdout, verify.stdout, "verify changes nothing");
    // For programs: whatever a symlink points to is a JSON string.
    host.ok(r#"ln -sfn "$(printf 'a\tb "c\\d \303\251 \355\240\200 \377')" /etc/l"#);
    host.ok("pg-runtime hold /etc/app/owner --until tomorrow --reason night");
    let told = host.run("pg-runtime verify --json");
    assert_eq!((told.status, told.stderr.as_str()), (1, ""));
    let facts: Vec<serde_json::Value> =
        told.stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect();
    assert_eq!(facts.len(), 8, "{facts:?}");
    let of = |path: &str| facts.iter().find(|fact| fact["path"] == path).unwrap_or_else(|| panic!("{path}: {facts:?}"));
    assert_eq!(
        *of("/etc/l"),
        serde_json::json!({ "kind": "changed", "path": "/etc/l", "package": "pg-role-web", "held": false,
            "is": "a\tb \"c\\d \u{e9} \u{fffd}\u{fffd}\u{fffd} \u{fffd}", "was": "target" })
    );
    assert_eq!(
        *of("/etc/app/owner"),
        serde_json::json!({ "kind": "owner", "path": "/etc/app/owner", "package": "pg-role-web", "held": true,
            "is": "mail:mail", "was": "root:root" })
    );
    assert_eq!(
        *of("/etc/app/missing"),
        serde_json::json!({ "kind": "missing", "path": "/etc/app/missing", "package": "pg-role-web", "held": false })
    );
    host.ok("pg-runtime release /etc/app/owner");
    host.ok("pg-runtime apply");
    host.assert_settled();
    assert_eq!(host.files(), before);
    assert_eq!(host.ok("stat -c %i /etc/app/untouched"), inode, "what was right is not written again");
    assert_eq!(host.ok("cat /var/backups/pg/etc/app/changed.*"), "hotfix\n");
    assert_eq!(host.ok("readlink /var/backups/pg/etc/app/replaced.*"), "/etc/passwd\n");
    assert_eq!(host.ok("stat -c %a /var/backups/pg"), "700\n");
    // What came back at a path that is to be away is the newer original; the one before is among the copies.
    host.ok("echo y >/etc/gone; pg-runtime apply; test ! -e /etc/gone");
    assert_eq!(host.ok("cat /var/backups/pg/etc/gone.*"), "x\n");
    host.dpkg("-r", &["pg-role-web"]);
    assert_eq!(host.tree.read("/etc/gone"), "y\n");
    assert_eq!(host.ok("cat /etc/passwd | head -c 4"), "root");
}

#[test]
fn nothing_to_do_takes_less_than_a_tenth_of_a_second() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    let mut web = role("web", "20260101.1");
    for n in 0..20 {
        web = web
            .file(&format!("/etc/app/{n}.conf"), &format!("{n}\n"))
            .line(&format!("reload /etc/app/{n}.conf app.service"));
    }
    host.dpkg("-i", &[&web.make(&host)]);
    // Processor time, user and system, in milliseconds: other tests run at the same time.
    let took = host.ok(
        "for n in 1 2 3 4 5; do bash -c 'TIMEFORMAT=\"%3U %3S\"; time pg-runtime apply >/dev/null' 2>&1; done | tr -d .",
    );
    let sum = |line: &str| line.split(' ').map(|ms| ms.trim().parse::<u32>().expect("milliseconds")).sum::<u32>();
    let fastest = took.lines().map(sum).min().expect("five runs");
    assert!(fastest < 100, "the fastest of five runs took {fastest} ms");
}

#[test]
fn what_a_role_drops_goes_and_what_was_there_comes_back() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    let before = host.files();
    let motd = host.tree.read("/etc/motd");
    let one = role("web", "20260101.1")
        .file("/etc/motd", "ours\n")
        .file("/etc/app/new", "new\n")
        .file("/etc/app/changed", "shipped\n")
        .file("/etc/app/stays", "stays\n")
        .line("dir /srv/d 0700 root root")
        .line("dir /etc/cron.d 0700 root root")
        .make(&host);
    let two = role("web", "20260102.1").file("/etc/app/stays", "stays\n").make(&host);
    host.dpkg("-i", &[&one]);
    host.ok("echo mine >/etc/app/changed");
    host.dpkg("-i", &[&two]);
    assert_eq!(host.tree.read("/etc/motd"), motd);
    assert_eq!(host.ok("ls /etc/app; test ! -e /srv/d; stat -c %a /etc/cron.d"), "stays\n755\n");
    assert_eq!(host.ok("cat /var/backups/pg/etc/app/changed.*"), "mine\n");
    host.assert_settled();
    // And it may come again.
    host.dpkg("-i", &[&one]);
    assert_eq!(host.tree.read("/etc/motd"), "ours\n");
    host.dpkg("-P", &["pg-role-web"]);
    assert_eq!(host.files(), before);
}

#[test]
fn a_directory_with_somebodys_file_in_it_stays_until_it_is_empty() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    host.dpkg(
        "-i",
        &[&role("web", "20260101.1").file("/etc/app/d/f", "x\n").line("dir /srv/d 0755 root root").make(&host)],
    );
    host.ok("echo mine >/etc/app/d/mine; echo mine >/srv/d/mine");
    host.dpkg("-r", &["pg-role-web"]);
    assert_eq!(host.ok("find /etc/app /srv/d | sort"), "/etc/app\n/etc/app/d\n/etc/app/d/mine\n/srv/d\n/srv/d/mine\n");
    host.ok("rm /etc/app/d/mine /srv/d/mine; pg-runtime apply");
    assert!(!host.tree.exists("/etc/app") && !host.tree.exists("/srv/d"));
}

#[test]
fn a_file_moves_between_roles_in_either_order() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    for together in [true, false] {
        for first in ["a", "b"] {
            let host = Host::new();
            host.ok("echo original >/etc/moving");
            let old = [
                role("a", "20260101.1").file("/etc/moving", "old\n").file("/etc/a", "1\n").make(&host),
                role("b", "20260101.1").file("/etc/b", "1\n").make(&host),
            ];
            host.dpkg("-i", &[&old[0], &old[1]]);
            let a = role("a", "20260102.1").file("/etc/a", "2\n").make(&host);
            let b = role("b", "20260102.1").file("/etc/moving", "new\n").file("/etc/b", "2\n").make(&host);
            let order = if first == "a" { [&a, &b] } else { [&b, &a] };
            if together {
                host.dpkg("-i", &[order[0], order[1]]);
            } else {
                host.dpkg("-i", &[order[0]]);
                // With both, the newer version counts; with none, what was there before.
                assert_eq!(host.tree.read("/etc/moving"), if first == "b" { "new\n" } else { "original\n" });
                host.dpkg("-i", &[order[1]]);
            }
            assert_eq!(host.tree.read("/etc/moving"), "new\n", "{first} first, together: {together}");
            assert!(host.ok("pg-runtime owner /etc/moving").starts_with("/etc/moving: a file of pg-role-b\n"));
            host.assert_settled();
            // The one that had it once goes: it stays. The one that has it goes: the original is still known.
            host.dpkg("-P", &["pg-role-a"]);
            assert_eq!(host.tree.read("/etc/moving"), "new\n");
            host.dpkg("-P", &["pg-role-b"]);
            assert_eq!(host.tree.read("/etc/moving"), "original\n");
        }
    }
}

#[test]
fn while_the_other_package_is_only_unpacked_a_moving_file_stays() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    host.dpkg(
        "-i",
        &[&role("a", "20260101.1").file("/etc/moving", "x\n").make(&host), &role("b", "20260101.1").make(&host)],
    );
    let b = role("b", "20260102.1").file("/etc/moving", "x\n").make(&host);
    host.dpkg("--unpack", &[&b]);
    host.dpkg("-i", &[&role("a", "20260102.1").make(&host)]);
    assert_eq!(host.tree.read("/etc/moving"), "x\n", "b is not configured, but will want it");
    host.dpkg("--configure", &["pg-role-b"]);
    assert!(host.ok("pg-runtime owner /etc/moving").contains("pg-role-b"));
}

#[test]
fn a_package_that_is_not_configured_is_left_as_it_was() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    host.dpkg("-i", &[&role("web", "20260101.1").file("/etc/a", "1\n").file("/etc/b", "1\n").make(&host)]);
    host.dpkg("--unpack", &[&role("web", "20260102.1").file("/etc/a", "2\n").make(&host)]);
    assert_eq!(host.ok("pg-runtime apply; cat /etc/a /etc/b"), "pg-runtime: nothing to do\n1\n1\n");
    host.dpkg("--configure", &["-a"]);
    assert_eq!(host.ok("cat /etc/a; test ! -e /etc/b"), "2\n");
}

#[test]
fn paths_may_turn_from_one_kind_into_another() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    host.ok("mkdir /etc/theirs; echo theirs >/etc/theirs/f; echo plain >/etc/plain");
    let before = host.files();
    let content = |version: &str, kind: &str| {
        let package = role("web", version);
        match kind {
            "file" => package.file("/etc/x", "x\n").line("absent /etc/theirs"),
            "link" => package.line("link /etc/x /etc/passwd").line("absent /etc/plain"),
            "dir" => package.line("dir /etc/x 0711 root root").file("/etc/plain", "ours\n"),
            "parent" => package.file("/etc/x/y/z", "z\n"),
            "absent" => package.line("absent /etc/x").line("absent /etc/theirs"),
            other => unreachable!("{other}"),
        }
    };
    let mut version = 1;
    for kind in [
        "file", "link", "dir", "file", "parent", "file", "dir", "link", "absent", "file", "absent", "dir", "parent",
        "link",
    ] {
        version += 1;
        let package = content(&format!("20260101.{version}"), kind).make(&host);
        let said = host.dpkg("-i", &[&package]);
        assert_eq!(host.mark("pg-role-web"), "", "{kind}: {said}");
        host.assert_settled();
        assert_eq!(
            host.ok("stat -c %F /etc/x 2>&1 || true"),
            match kind {
                "file" => "regular file\n",
                "link" => "symbolic link\n",
                "absent" => "stat: cannot statx '/etc/x': No such file or directory\n",
                _ => "directory\n",
            }
        );
    }
    host.dpkg("-r", &["pg-role-web"]);
    assert_eq!(host.files(), before);
}

#[test]
fn setup_runs_once_for_each_text_and_again_after_failing() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    // It sees the files that were put in place.
    let one = role("web", "20260101.1")
        .file("/etc/app", "app\n")
        .setup("cat /etc/app >>/root/log; pwd >>/root/log")
        .make(&host);
    host.dpkg("-i", &[&one]);
    host.ok("pg-runtime apply");
    host.dpkg("-i", &[&one]);
    assert_eq!(host.tree.read("/root/log"), "app\n/\n");
    let two =
        role("web", "20260102.1").setup("echo trying >>/root/log; cat >>/root/log; test -e /root/ready").make(&host);
    host.dpkg("-i", &[&two]);
    assert!(host.mark("pg-role-web").starts_with("setup: failed (status 1)"), "{}", host.mark("pg-role-web"));
    assert_eq!(host.run("pg-runtime apply").status, 1);
    host.ok("touch /root/ready");
    host.ok("pg-runtime apply");
    assert_eq!(host.mark("pg-role-web"), "");
    host.assert_settled();
    assert_eq!(host.tree.read("/root/log"), "app\n/\ntrying\ntrying\ntrying\n");
}

#[test]
fn status_and_owner_say_it_in_words() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    let web =
        role("web", "20260101.1").file("/etc/motd", "m\n").file("/etc/d/f", "f\n").line("reload /etc/motd app.service");
    host.dpkg("-i", &[&web.make(&host)]);
    host.dpkg(
        "-i",
        &[&role("bad", "20260101.1").file("/etc/e", "e\n").line("validate /etc/e echo no; false").make(&host)],
    );
    let status = host.run("pg-runtime status");
    assert_eq!(status.status, 1, "there is a mark");
    assert_eq!(host.run("DPKG_MAINTSCRIPT_NAME=postinst pg-runtime status").status, 0, "but not for dpkg");
    let status = status.stdout;
    let lines: Vec<&str> = status.lines().collect();
    assert_eq!(lines[0], "pg-role-web 20260101.1 applied");
    assert!(
        lines[1].starts_with("mark (since 20")
            && lines[1].ends_with(
                "pg-role-bad: validate: \"echo no; false\" failed (status 1): nothing of this package was changed"
            ),
        "{status}"
    );
    assert_eq!(lines[2..], ["    no"]);
    let owner = host.run("pg-runtime owner /etc/motd /etc/d /etc/passwd");
    assert_eq!(owner.status, 1);
    assert_eq!(
        owner.stdout,
        format!(
            "/etc/motd: a file of pg-role-web\n    mode 644, owner root:root, sha256 {}\n    \
             what was there before: /var/lib/pg/originals/etc/motd~\n    reload app.service when it changes\n\
             /etc/d: a directory made for what is in it\n/etc/passwd: not managed\n",
            super::sha256(b"m\n")
        )
    );
    for wrong in ["", "appply", "apply now", "withdraw", "owner"] {
        let outcome = host.run(&format!("pg-runtime {wrong}"));
        assert_eq!(outcome.status, 2, "{wrong}");
        assert!(outcome.stderr.starts_with("Usage: pg-runtime apply"));
    }
}
