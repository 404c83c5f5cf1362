//! Files of other packages: diverted, adopted, and foreign ones in exclusive directories; and files that are put there
//! once and are the machine's own afterwards.

use super::{Host, debian_package, role};
use crate::machine::{Need, Release, skip};

const CONF: &str = "/etc/app/app.conf";
const DIVERTED: &str = "/etc/app/.pg-diverted.app.conf~";

/// A package with a conffile; its scripts make another file, as Debian's do, and its purge removes that.
fn app(host: &Host, version: &str, conffile: &str) -> String {
    debian_package(
        host,
        "app",
        version,
        &[(CONF, conffile), ("/usr/share/doc/app/copyright", version)],
        &[
            (
                "postinst",
                "#!/bin/sh\nset -e\nif [ \"$1\" = configure ]; then\n    [ -e /etc/app/made ] || echo made >/etc/app/made\n    \
                 echo \"touched by $2\" >>/etc/app/made\nfi\n",
            ),
            ("postrm", "#!/bin/sh\nset -e\nif [ \"$1\" = purge ]; then\n    rm -f /etc/app/made\nfi\n"),
        ],
    )
}

fn cat(host: &Host, paths: &str) -> String {
    host.run(&format!("cat {paths} 2>&1")).stdout
}

#[test]
fn a_diverted_file_stays_ours_while_its_package_comes_changes_and_goes() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    for release in Release::ALL {
        let host = Host::bare(release);
        host.dpkg("-i", &["pg-runtime_1"]);
        let (one, two, three) = (app(&host, "1", "one\n"), app(&host, "2", "two\n"), app(&host, "3", "three\n"));
        let web = role("web", "20260101.1").divert(CONF, "ours\n").file("/etc/other", "x\n");
        let web = web.line(&format!("validate {CONF} grep ours {CONF}")).make(&host);
        // Its package is not there: it waits, the rest does not.
        host.dpkg("-i", &[&web]);
        assert_eq!(host.mark("pg-role-web"), format!("{CONF}: waits for the package that has it: none is installed\n"));
        assert_eq!(host.ok("cat /etc/other; ls /etc/app 2>/dev/null || true"), "x\n");
        assert_eq!(host.run("pg-runtime verify").stdout, format!("not applied: {CONF} (pg-role-web)\n"));
        // It comes: the role's own file trigger tells.
        host.dpkg("-i", &[&one]);
        assert_eq!(cat(&host, &format!("{CONF} {DIVERTED}")), "ours\none\n");
        assert_eq!(host.mark("pg-role-web"), "");
        host.assert_settled();
        assert!(host.ok(&format!("pg-runtime owner {CONF}")).contains(&format!("what dpkg installed: {DIVERTED}\n")));
        // Upgraded without a question, though its conffile changed.
        let said = host.dpkg("-i", &[&two]);
        assert!(!said.contains("Configuration file"), "{said}");
        assert_eq!(cat(&host, &format!("{CONF} {DIVERTED}")), "ours\ntwo\n");
        // Drift, and a lost diversion.
        host.ok(&format!("echo mine >{CONF}; pg-runtime apply; dpkg-divert --no-rename --quiet --remove {CONF}"));
        assert_eq!(host.run("pg-runtime verify").stdout, format!("not diverted: {CONF} (pg-role-web)\n"));
        host.ok("pg-runtime apply");
        host.assert_settled();
        assert_eq!(cat(&host, &format!("{CONF} {DIVERTED}")), "ours\ntwo\n");
        // Removed, its conffile stays where it is, and so does ours. Purged, ours goes, and waits.
        host.dpkg("-r", &["app"]);
        host.ok("pg-runtime apply");
        assert_eq!(cat(&host, &format!("{CONF} {DIVERTED}")), "ours\ntwo\n");
        host.dpkg("-i", &[&three]);
        assert_eq!(cat(&host, &format!("{CONF} {DIVERTED}")), "ours\nthree\n");
        host.dpkg("-P", &["app"]);
        assert_eq!(host.ok("ls -A /etc/app 2>/dev/null || true; dpkg-divert --list | grep pg- || true"), "");
        host.dpkg("-i", &[&two]);
        assert_eq!(cat(&host, CONF), "ours\n");
        // The role goes: in prerm, and dpkg has its file again.
        host.dpkg("-P", &["pg-role-web"]);
        assert_eq!(cat(&host, CONF), "two\n");
        assert_eq!(host.ok("dpkg-divert --list | grep pg- || true; find /etc -name '.pg-*'; dpkg --verify app"), "");
        host.dpkg("-P", &["app"]);
        assert_eq!(host.ok("ls -d /etc/app 2>/dev/null || true"), "");
    }
}

#[test]
fn what_can_not_be_diverted_sets_the_package_aside() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    host.dpkg("-i", &[&app(&host, "1", "one\n")]);
    host.ok(&format!("dpkg-divert --quiet --local --no-rename --add {CONF}"));
    for (path, why) in [
        (CONF, "is diverted already, by the administrator"),
        ("/etc/app", "is a directory on this machine"),
        ("/etc/debian_version", "belongs to base-files, which is Essential: those files are never diverted"),
    ] {
        let before = host.files();
        host.dpkg("-i", &[&role("web", "20260101.1").divert(path, "x\n").file("/etc/other", "x\n").make(&host)]);
        assert!(host.mark("pg-role-web").contains(why), "{path}: {}", host.mark("pg-role-web"));
        assert_eq!(host.files(), before, "{path}");
        host.dpkg("-P", &["pg-role-web"]);
    }
    // Under the name that dpkg knows.
    let lib = debian_package(&host, "lib", "1", &[("/lib/app/data", "theirs\n")], &[]);
    host.dpkg("-i", &[&lib, &role("web", "20260101.1").divert("/usr/lib/app/data", "x\n").make(&host)]);
    assert_eq!(host.mark("pg-role-web"), "/usr/lib/app/data: dpkg knows it as /lib/app/data: divert that\n");
}

#[test]
fn a_diversion_that_does_not_validate_is_undone() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    for view in [true, false] {
        let host = Host::new();
        if !view {
            host.tree.write("/root/unshare", "#!/bin/sh\nexit 1\n");
            host.ok(
                "dpkg-divert --quiet --rename --add /usr/bin/unshare; install -m 755 /root/unshare /usr/bin/unshare",
            );
        }
        host.dpkg("-i", &[&app(&host, "1", "one\n")]);
        let before = host.files();
        let web = |version: &str, text: &str| {
            role("web", version).divert(CONF, text).line(&format!("validate {CONF} grep good {CONF}")).make(&host)
        };
        host.dpkg("-i", &[&web("20260101.1", "bad\n")]);
        assert!(host.mark("pg-role-web").starts_with("validate: "), "{}", host.mark("pg-role-web"));
        assert_eq!((host.files(), host.ok("dpkg-divert --list | grep pg- || true")), (before.clone(), String::new()));
        host.dpkg("-i", &[&web("20260102.1", "good\n")]);
        assert_eq!(cat(&host, CONF), "good\n");
        host.dpkg("-i", &[&web("20260103.1", "worse\n")]);
        assert_eq!(cat(&host, &format!("{CONF} {DIVERTED}")), "good\none\n");
        host.dpkg("-P", &["pg-role-web"]);
        assert_eq!(host.files(), before);
    }
}

#[test]
fn an_adopted_file_is_given_back_as_it_was_and_dies_with_its_package() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    let (one, two) = (app(&host, "1", "one\n"), app(&host, "2", "two\n"));
    let web = role("web", "20260101.1").adopt("/etc/app/made", "app", "ours\n").make(&host);
    host.dpkg("-i", &[&web]);
    assert_eq!(host.mark("pg-role-web"), "/etc/app/made: waits for app, which is not installed\n");
    assert!(!host.tree.exists("/etc/app"), "nothing in the way of the scripts that make it");
    host.dpkg("-i", &[&one]);
    assert_eq!((cat(&host, "/etc/app/made"), host.mark("pg-role-web")), ("ours\n".into(), String::new()));
    host.assert_settled();
    // The scripts change it when the package is upgraded: it is ours again at the end of the run, with a copy.
    host.dpkg("-i", &[&two]);
    assert_eq!(cat(&host, "/etc/app/made"), "ours\n");
    assert_eq!(host.ok("cat /var/backups/pg/etc/app/made.*"), "ours\ntouched by 1\n");
    // Removed, it is given back to be purged.
    host.dpkg("-r", &["app"]);
    assert_eq!(cat(&host, "/etc/app/made"), "made\ntouched by \n");
    host.dpkg("-i", &[&two]);
    assert_eq!(cat(&host, "/etc/app/made"), "ours\n");
    host.dpkg("-P", &["app"]);
    assert_eq!(host.ok("ls -A /etc/app 2>/dev/null || true"), "", "neither ours nor theirs comes back");
    host.dpkg("-i", &[&one]);
    host.dpkg("-P", &["pg-role-web"]);
    assert_eq!(cat(&host, "/etc/app/made"), "made\ntouched by \n");
}

#[test]
fn an_initial_file_is_put_there_once_and_purged() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    for together in [false, true] {
        let host = Host::new();
        host.ok("echo theirs >/etc/there");
        let before = host.files();
        let web = |version: &str, text: &str| {
            let web = role("web", version).initial("/etc/app/edited", text).initial("/etc/app/removed", text);
            web.initial("/etc/app/kept", text).initial("/etc/there", text).make(&host)
        };
        let (one, two) = (web("20260101.1", "one\n"), web("20260102.1", "two\n"));
        host.dpkg("-i", &[&one]);
        assert_eq!(cat(&host, "/etc/app/* /etc/there"), "one\none\none\ntheirs\n");
        host.assert_settled();
        host.ok("echo mine >/etc/app/edited; rm /etc/app/removed; chmod 600 /etc/app/kept");
        host.assert_settled();
        assert!(host.ok("pg-runtime owner /etc/app/edited").contains("put there once by pg-role-web"));
        // A new version changes nothing, nor does removal and installation.
        host.dpkg("-i", &[&two]);
        host.dpkg("-r", &["pg-role-web"]);
        assert_eq!(host.ok("cd /etc/app; cat *; stat -c '%n %a' *"), "mine\none\nedited 644\nkept 600\n");
        host.dpkg("-i", &[&two]);
        host.assert_settled();
        assert_eq!(host.ok("cat /etc/app/*"), "mine\none\n");
        // Purged, they go, but not what was there before.
        host.dpkg("-P", if together { &["pg-runtime", "pg-role-web"] } else { &["pg-role-web"] });
        assert_eq!(host.ok("ls /etc/app 2>/dev/null || true"), "", "together: {together}");
        if !together {
            assert_eq!(host.files(), before);
            host.dpkg("-i", &[&two]);
            assert_eq!(cat(&host, "/etc/app/* /etc/there"), "two\ntwo\ntwo\ntheirs\n", "and come again");
        }
    }
}

#[test]
fn a_file_may_change_its_policy() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    host.ok("echo theirs >/etc/a");
    let before = host.files();
    let as_kind =
        |version: &str, kind: &str| role("web", version).record(kind, "/etc/a", "0644 root root", "ours\n").make(&host);
    host.dpkg("-i", &[&as_kind("20260101.1", "file")]);
    host.dpkg("-i", &[&as_kind("20260102.1", "initial")]);
    host.ok("echo mine >/etc/a; pg-runtime apply");
    assert_eq!(cat(&host, "/etc/a"), "mine\n");
    host.dpkg("-i", &[&as_kind("20260103.1", "file")]);
    assert_eq!(cat(&host, "/etc/a /var/backups/pg/etc/a.*"), "ours\nmine\n");
    host.dpkg("-i", &[&as_kind("20260104.1", "initial")]);
    host.dpkg("-P", &["pg-role-web"]);
    assert_eq!(host.files(), before, "what was there before all of it");
}

#[test]
fn foreign_files_leave_an_exclusive_directory_and_come_back() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    host.pretend_systemd();
    host.dpkg("-i", &[&app(&host, "1", "one\n")]);
    host.ok("mkdir /etc/app/sub; echo stray >/etc/app/stray; ln -s /etc/passwd /etc/app/sub/link; touch /root/active/app.service");
    let before = host.files();
    let web = role("web", "20260101.1").file("/etc/app/ours", "x\n").line("dir /etc/app 0755 root root");
    let web = web.line("exclusive /etc/app").line("reload /etc/app app.service").make(&host);
    host.dpkg("-i", &[&web]);
    // What Debian's scripts made is nobody's, either: dpkg does not know it.
    assert_eq!(host.ok("find /etc/app ! -type d | sort"), "/etc/app/app.conf\n/etc/app/ours\n");
    assert_eq!(host.calls(), ["reload app.service"]);
    host.assert_settled();
    host.ok("echo new >/etc/app/new; echo again >/etc/app/stray; echo b >'/etc/app/a b'");
    let verify = host.run("pg-runtime verify");
    assert_eq!(
        verify.stdout,
        "appeared: /etc/app/stray (pg-role-web)\nforeign: /etc/app/new (pg-role-web)\nforeign: \"/etc/app/a b\" (pg-role-web)\n"
    );
    assert_eq!(host.run("pg-runtime apply").status, 1);
    assert_eq!(
        host.mark("pg-role-web"),
        "/etc/app: holds a file with a blank in its name: remove it by hand (pg-runtime verify names it)\n"
    );
    assert_eq!(host.ok("find /etc/app ! -type d | sort"), "/etc/app/a b\n/etc/app/app.conf\n/etc/app/ours\n");
    assert_eq!(host.calls(), ["reload app.service"]);
    host.ok("rm '/etc/app/a b'; pg-runtime apply");
    // A whole store of data is no stray file.
    host.ok("cd /etc/app; seq 1001 | xargs touch");
    assert_eq!(host.run("pg-runtime apply").status, 1);
    assert!(
        host.mark("pg-role-web").starts_with("/etc/app: holds 1001 files that no package has: more than 1000 are not")
    );
    assert_eq!(host.ok("find /etc/app ! -type d | wc -l"), "1003\n");
    let verified = host.run("pg-runtime verify");
    assert_eq!(
        (verified.status, verified.stdout.as_str()),
        (1, "foreign: /etc/app (pg-role-web): is 1001 files, was none\n")
    );
    host.ok(
        "cd /etc/app; seq 1000 | xargs rm; pg-runtime apply; rm /var/lib/pg/originals/etc/app/1001~; : >/root/calls",
    );
    assert_eq!(host.ok("find /etc/app ! -type d | wc -l"), "2\n");
    host.dpkg("-P", &["pg-role-web"]);
    assert_eq!(cat(&host, "/etc/app/new /etc/app/stray"), "new\nagain\n");
    host.ok("rm /etc/app/new; echo stray >/etc/app/stray");
    assert_eq!(host.files(), before);
}
