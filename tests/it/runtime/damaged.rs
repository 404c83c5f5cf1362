//! A machine whose own records are lost or damaged: it says so, goes on, and loses nothing of anybody's.

use super::{Host, role};
use crate::machine::{Need, skip};

const UNIT: &str = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n";

/// A role with an entry of each kind, over files that were somebody's.
fn app(host: &Host, version: &str) -> String {
    role("app", version)
        .file("/etc/app", &format!("app {version}\n"))
        .file("/etc/was", &format!("was {version}\n"))
        .initial("/etc/once", "once\n")
        .line("link /etc/link app")
        .line("dir /srv/app 0755 root root")
        .line("absent /etc/gone")
        .line("reload /etc/app app.service")
        .own_unit("app.service", "enabled", UNIT)
        .setup("echo run >>/root/setup")
        .make(host)
}

fn machine() -> (Host, String, String) {
    let host = Host::new();
    host.tree.write("/etc/was", "somebody's\n");
    host.tree.write("/etc/gone", "somebody's, too\n");
    host.ok("cp -a /etc /root/before");
    let (one, two) = (app(&host, "1"), app(&host, "2"));
    host.dpkg("-i", &[&one]);
    host.assert_settled();
    host.ok("cp -a /var/lib/pg /root/state; cp -a /etc /root/etc; cp /usr/lib/systemd/system/app.service /root/; cp -a /var/lib/dpkg /root/dpkg; cp -a /usr/share/pg /root/share");
    (host, one, two)
}

/// As it was when the role was first applied.
const BACK: &str = "rm -rf /var/lib/pg /var/lib/dpkg /usr/share/pg /run/pg /var/backups/pg /etc/gone
    cp -a /root/state /var/lib/pg; cp -a /root/dpkg /var/lib/dpkg; cp -a /root/share /usr/share/pg; cp -a /root/etc/. /etc/; cp /root/app.service /usr/lib/systemd/system/";

#[test]
fn of_a_package_that_waits_while_the_record_is_made_again_nothing_is_taken_for_somebodys() {
    if skip("a lost record and a package that waits", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    host.ok("echo \"somebody's\" >/etc/was");
    let other = role("other", "1").file("/etc/other", "other\n").make(&host);
    let waits = |version: &str, text: &str| {
        role("waits", version).file("/etc/was", text).line("validate /etc/was grep good /etc/was").make(&host)
    };
    host.dpkg("-i", &[&other, &waits("1", "good 1\n")]);
    host.assert_settled();
    let original = || host.ok("cat /var/lib/pg/originals/etc/was~");
    host.ok("rm /var/lib/pg/applied");
    // Its new version does not validate, while the record is made again, and in a later run.
    for version in ["2", "3"] {
        host.dpkg("-i", &[&waits(version, "bad\n")]);
        assert!(host.mark("pg-role-waits").starts_with("validate: "), "{version}");
        assert_eq!((host.ok("cat /etc/was /etc/other"), original()), ("good 1\nother\n".into(), "somebody's\n".into()));
        assert!(host.tree.read("/var/lib/pg/applied").contains("\nlost pg-role-waits\n"), "{version}");
    }
    // The mended one finds ours there.
    host.dpkg("-i", &[&waits("4", "good 4\n")]);
    host.assert_settled();
    assert_eq!((host.ok("cat /etc/was"), original()), ("good 4\n".into(), "somebody's\n".into()));
    assert!(!host.tree.read("/var/lib/pg/applied").contains("lost"));
    host.dpkg("-P", &["pg-role-waits"]);
    assert_eq!(host.ok("cat /etc/was"), "somebody's\n");
}

#[test]
fn who_goes_while_the_record_is_still_to_come_takes_all_of_its_own_along() {
    if skip("a lost record and packages that wait and go", &[Need::Trees]) {
        return;
    }
    for all_go in [false, true] {
        let host = Host::new();
        host.ok("for f in was also gone; do echo \"somebody's $f\" >/etc/$f; done");
        let other = role("other", "1").file("/etc/other", "other\n").make(&host);
        let waits = |name: &str, version: &str, text: &str| {
            role(name, version)
                .file("/etc/was", text)
                .file("/etc/own", "own\n")
                .file("/etc/not-yet", "not yet\n")
                .line("link /etc/link own")
                .line("dir /srv/own 0755 root root")
                .line("absent /etc/gone")
                .line("validate /etc/was grep good /etc/was")
                .make(&host)
        };
        let stays = |version: &str, text: &str| {
            role("stays", version).file("/etc/also", text).line("validate /etc/also grep good /etc/also").make(&host)
        };
        host.dpkg("-i", &[&other, &waits("waits", "1", "good\n"), &stays("1", "good\n")]);
        host.assert_settled();
        host.ok("rm /var/lib/pg/applied /etc/not-yet; echo changed >/etc/own");
        host.dpkg("-i", &[&waits("waits", "2", "bad\n"), &stays("2", "bad\n")]);
        let record = || host.tree.read("/var/lib/pg/applied");
        assert!(record().contains("\nlost pg-role-stays\nlost pg-role-waits\n"), "{}", record());
        // Another's going makes nobody's known.
        host.dpkg("-P", &["pg-role-other"]);
        assert!(record().contains("\nlost pg-role-stays\nlost pg-role-waits\n"), "{}", record());
        assert_eq!(host.ok("cat /etc/was /etc/also"), "good\ngood\n");
        let said = match all_go {
            true => host.dpkg("-P", &["pg-runtime", "pg-role-waits", "pg-role-stays"]),
            false => host.dpkg("-P", &["pg-role-waits"]),
        };
        assert_eq!(host.ok("cat /etc/was /etc/gone"), "somebody's was\nsomebody's gone\n");
        assert_eq!(host.ok("ls -d /etc/own /etc/not-yet /etc/link /srv/own 2>/dev/null || :"), "");
        assert!(said.contains("/etc/own was changed by somebody: a copy is in /var/backups/pg/etc/own."), "{said}");
        if all_go {
            assert_eq!(host.ok("cat /etc/also; ls -d /var/lib/pg 2>/dev/null || :"), "somebody's also\n");
            continue;
        }
        let left = host.ok("cat /etc/also /var/backups/pg/etc/own.*; grep lost /var/lib/pg/applied");
        assert_eq!(left, "good\nchanged\nlost pg-role-stays\n");
        host.dpkg("-i", &[&stays("3", "good 3\n")]);
        host.assert_settled();
        assert_eq!(host.ok("cat /etc/also /var/lib/pg/originals/etc/also~"), "good 3\nsomebody's also\n");
        assert!(!record().contains("lost"));
    }
}

#[test]
fn a_record_that_is_lost_is_made_again_from_what_is_there() {
    if skip("lost records", &[Need::Trees]) {
        return;
    }
    let (host, one, two) = machine();
    let f = "/var/lib/pg/applied";
    for damage in [
        format!("rm {f}"),
        format!(": >{f}"),
        format!("head -c 3000 /dev/urandom >{f}"),
        format!("rm {f}; mkdir -p {f}/x"),
        format!("ln -sfn /root/nothing {f}"),
    ] {
        // It is seen, and made again; the original is still that of who was there first.
        host.ok(&format!("{BACK}; {damage}"));
        let seen = host.run("pg-runtime verify");
        assert!(seen.status == 1 && seen.stdout.contains("missing: /var/lib/pg/applied"), "{damage}: {}", seen.all());
        let said = host.run("pg-runtime apply");
        assert!(
            said.succeeded() && said.stderr.contains("what is as the packages want it is taken for ours"),
            "{damage}: {}",
            said.all()
        );
        host.assert_settled();
        assert_eq!(host.tree.read("/var/lib/pg/originals/etc/was~"), "somebody's\n", "{damage}");
        host.dpkg("-i", &[&two]);
        assert_eq!(host.ok("cat /etc/app /etc/was; pg-runtime verify"), "app 2\nwas 2\n", "{damage}");
        host.dpkg("-P", &["pg-role-app"]);
        assert_eq!(
            host.ok("cat /etc/was /etc/gone; ls -d /etc/app /etc/link 2>/dev/null; true"),
            "somebody's\nsomebody's, too\n",
            "{damage}"
        );

        // Lost while the package is upgraded, and while it goes.
        host.ok(&format!("{BACK}; {damage}"));
        host.dpkg("-i", &[&two]);
        assert_eq!(host.ok("cat /etc/app /etc/was; pg-runtime verify"), "app 2\nwas 2\n", "{damage}");
        assert_eq!(host.ok("cat /var/backups/pg/etc/app.*"), "app 1\n", "it may have been somebody's: {damage}");
        host.ok(&damage);
        host.dpkg("-P", &["pg-role-app"]);
        assert_eq!(
            host.ok("cat /etc/was /etc/gone; ls -d /etc/app /etc/link 2>/dev/null; true"),
            "somebody's\nsomebody's, too\n",
            "{damage}"
        );
    }
    // What somebody changes meanwhile is kept for them.
    host.ok(&format!("{BACK}; rm {f}; echo changed >/etc/app; echo changed >/etc/was; chmod 600 /etc/was"));
    host.ok("pg-runtime apply");
    host.assert_settled();
    assert_eq!(
        host.ok("cat /etc/app /etc/was; cat /var/backups/pg/etc/*.*; cat /var/lib/pg/originals/etc/was~"),
        "app 1\nwas 1\nchanged\nchanged\nsomebody's\n"
    );
    // A machine that never had a record has lost none.
    let fresh = Host::new();
    let said = fresh.dpkg("-i", &[&app(&fresh, "1")]);
    assert!(!said.contains("lost"), "{said}");
    assert!(!one.is_empty());
}

#[test]
fn what_is_damaged_in_the_runtimes_own_directory_stops_nothing() {
    if skip("damaged state", &[Need::Trees]) {
        return;
    }
    let (host, _, two) = machine();
    let garbage = "head -c 3000 /dev/urandom >$f";
    let directory = "mkdir -p $f/x";
    let hostile = "printf '%s\\n' 'act 1 put x /etc/app file E $(touch /root/owned)' 'hold: $(touch${IFS}/root/owned) until 9' '`touch /root/owned`' >$f";
    // What dpkg calls, once; all else by apply itself.
    host.ok("cd /var/lib/pg && rm -r units marks packages && mkdir units && : >marks && : >packages");
    host.dpkg("-i", &[&two]);
    assert_eq!(host.ok("cat /etc/app /etc/was; pg-runtime verify"), "app 2\nwas 2\n");
    assert_eq!(host.ok("ls /var/lib/pg/damaged"), "marks\npackages\nunits\n");
    host.ok("rm -rf /root/state; cp -a /var/lib/pg /root/state");
    let damages = [garbage, directory, hostile, "ln -s /root/nothing $f", "mkfifo $f"].join("\n");
    let names =
        "units packages/pg-role-app marks/hold marks/pg-role-app journal held drift recheck originals packages marks";
    host.tree.write("/root/damages", damages);
    let said = host.ok(&format!(
        "while IFS= read -r damage <&3; do
            for name in {names}; do
                rm -rf /var/lib/pg /run/pg; cp -a /root/state /var/lib/pg; echo changed >/etc/app
                f=/var/lib/pg/$name; rm -rf $f
                eval \"$damage\"
                timeout 60 pg-runtime verify >/dev/null 2>&1; [ $? = 1 ] || echo \"$name: $damage: verify\"
                timeout 60 pg-runtime status >/dev/null 2>&1; [ $? -le 1 ] || echo \"$name: $damage: status\"
                timeout 60 pg-runtime apply >/root/out 2>&1 || {{ echo \"$name: $damage: apply\"; cat /root/out; }}
                grep -qx 'app 2' /etc/app || {{ echo \"$name: $damage: the file\"; cat /root/out; }}
                timeout 60 pg-runtime verify || echo \"$name: $damage: verify afterwards\"
                [ ! -e /root/owned ] || echo \"$name: $damage: run\"
            done
        done 3</root/damages; echo done"
    ));
    assert_eq!(said, "done\n");
    host.dpkg("-P", &["pg-role-app"]);
    assert!(!host.tree.exists("/etc/app"));
}
