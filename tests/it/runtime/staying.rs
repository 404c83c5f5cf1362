//! A machine that stays as it was made: holds, the daily verification, copies, files that are put there once.

use super::{Host, role};
use crate::machine::{Need, skip};
use debrole::model::Drift;

#[test]
fn a_held_path_is_left_alone_until_its_time_has_come() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    let one =
        role("web", "20260101.1").file("/etc/app/a", "1\n").file("/etc/app/d/b", "1\n").file("/etc/app/d/c", "1\n");
    host.dpkg("-i", &[&one.make(&host)]);
    host.ok("echo hotfix >/etc/app/a; echo hotfix >/etc/app/d/b; rm /etc/app/d/c");
    let said = host.ok("SUDO_USER=alice pg-runtime hold /etc/app/a --until '1 hour' --reason 'ticket 7: mail loops'");
    assert!(
        said.starts_with("pg-runtime: hold: /etc/app/a until 20")
            && said.ends_with(" by alice: ticket 7: mail loops\n"),
        "{said}"
    );
    host.ok("pg-runtime hold /etc/app/d --reason night --until '1 hour'");
    host.ok("pg-runtime apply");
    assert_eq!(host.ok("cat /etc/app/a /etc/app/d/b; ls /etc/app/d"), "hotfix\nhotfix\nb\n");
    // It is a mark, and drift that is held is none.
    let status = host.run("pg-runtime status");
    assert_eq!(status.status, 1);
    assert!(
        status.stdout.contains(" hold: hold: /etc/app/a until ") && status.stdout.contains("by root: night"),
        "{}",
        status.stdout
    );
    assert_eq!(
        host.ok("pg-runtime verify"),
        "held: changed: /etc/app/a (pg-role-web)\nheld: changed: /etc/app/d/b (pg-role-web)\nheld: missing: /etc/app/d/c (pg-role-web)\n"
    );
    // A new version changes what is not held.
    let two = role("web", "20260102.1").file("/etc/app/a", "2\n").file("/etc/app/e", "2\n").make(&host);
    host.dpkg("-i", &[&two]);
    assert_eq!(host.ok("cat /etc/app/a /etc/app/d/b /etc/app/e"), "hotfix\nhotfix\n2\n");
    // The first ends by itself, the other one is released.
    host.ok("pg-runtime hold /etc/app/a --until '1 second' --reason soon; sleep 1.1");
    assert_eq!(
        host.run("pg-runtime verify").stdout,
        "changed: /etc/app/a (pg-role-web)\nheld: changed: /etc/app/d/b (pg-role-web)\nheld: missing: /etc/app/d/c (pg-role-web)\n"
    );
    let said = host.ok("pg-runtime apply");
    assert!(said.starts_with("pg-runtime: the hold of /etc/app/a has ended\n"), "{said}");
    assert_eq!(host.ok("cat /etc/app/a /etc/app/d/b; cat /var/backups/pg/etc/app/a.*"), "2\nhotfix\nhotfix\n");
    assert!(host.ok("pg-runtime release /etc/app/a").contains("is not held"));
    host.ok("pg-runtime release /etc/app/d && pg-runtime apply");
    assert!(!host.tree.exists("/etc/app/d"));
    host.assert_settled();
    assert_eq!(host.run("pg-runtime status").status, 0);
    assert!(host.ok("pg-runtime release all").contains("nothing is held"));
}

#[test]
fn everything_may_be_held_but_not_the_removal_of_a_role() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    host.pretend_systemd();
    let before = host.files();
    let web = |version: &str, text: &str| {
        role("web", version).file("/etc/a", text).setup(&format!("echo {version} >>/root/log"))
    };
    host.dpkg("-i", &[&web("20260101.1", "1\n").make(&host)]);
    host.ok("pg-runtime hold all --until 08:00\\ tomorrow --reason 'fire in the house'; echo hotfix >/etc/a");
    let said = host.dpkg("-i", &[&web("20260102.1", "2\n").line("unit app.service masked").make(&host)]);
    assert!(said.contains("nothing is done: hold: all until ") && said.contains("fire in the house"), "{said}");
    assert_eq!(host.ok("cat /etc/a /root/log; ls /etc/systemd/system/app.service 2>&1 || true").lines().count(), 3);
    let verify = host.run("pg-runtime verify");
    assert_eq!(
        (verify.status, verify.stdout.lines().all(|line| line.starts_with("held: "))),
        (0, true),
        "{}",
        verify.stdout
    );
    host.dpkg("-P", &["pg-role-web"]);
    assert_eq!(host.files(), before);
    host.dpkg("-i", &["pg-role-web_20260102.1"]);
    assert!(!host.tree.exists("/etc/a"));
    host.ok("pg-runtime release all; pg-runtime apply");
    assert_eq!(host.tree.read("/etc/a"), "2\n");
}

#[test]
fn a_hold_without_an_end_a_reason_or_a_managed_path_is_refused() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    host.dpkg("-i", &[&role("web", "20260101.1").file("/etc/app/a", "1\n").make(&host)]);
    for (wrong, said) in [
        ("/etc/app/a", "Usage: "),
        ("/etc/app/a --until tomorrow", "Usage: "),
        ("/etc/app/a --until tomorrow --reason ''", "Usage: "),
        ("/etc/app/a --reason x --until", "Usage: "),
        ("etc/app/a --until tomorrow --reason x", "Usage: "),
        ("/etc/app/a /etc/b --until tomorrow --reason x", "Usage: "),
        ("/etc/app/a --until whenever --reason x", "no time that date(1) understands"),
        ("/etc/app/a --until yesterday --reason x", "that is over"),
        ("/etc/app/a --until '2 months' --reason x", "at most 31 days"),
        ("/etc/app/a --until tomorrow --reason 'one\ntwo'", "the reason is one line"),
        ("/etc/ap --until tomorrow --reason x", "nothing there is managed"),
        ("/etc/passwd --until tomorrow --reason x", "nothing there is managed"),
    ] {
        let outcome = host.run(&format!("pg-runtime hold {wrong}"));
        assert_eq!(outcome.status, 2, "{wrong}");
        assert!(outcome.stderr.contains(said), "{wrong}: {}", outcome.stderr);
    }
    for wrong in ["", "app", "/etc/app /etc/b"] {
        assert_eq!(host.run(&format!("pg-runtime release {wrong}")).status, 2, "{wrong}");
    }
    assert_eq!(host.run("pg-runtime verify --fast").status, 2);
    assert!(!host.tree.exists("/var/lib/pg/marks/hold"));
}

#[test]
fn the_timer_repairs_where_the_fleet_says_so_and_writes_what_it_found() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    assert!(host.ok("systemctl is-enabled pg-verify.timer").starts_with("enabled"));
    let web = role("web", "20260101.1").file("/etc/a", "a\n").file("/etc/b", "b\n").file("/etc/c", "c\n");
    host.dpkg("-i", &[&web.make(&host)]);
    let state = || {
        let text = host.tree.read("/var/lib/pg/drift");
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("debrole-drift 1"), "{text}");
        assert!(lines.next().is_some_and(|line| line.starts_with("time 20") && line.ends_with('Z')), "{text}");
        lines.collect::<Vec<_>>().join("\n")
    };
    // What the unit calls.
    let call = host.ok("sed -n 's/^ExecStart=//p' /usr/lib/systemd/system/pg-verify.service");
    let run = || host.run(&call);
    assert_eq!((run().status, state()), (0, String::new()));
    host.ok("echo x >>/etc/a; rm /etc/b; pg-runtime hold /etc/c --until '1 hour' --reason x; echo x >/etc/c");
    assert_eq!(host.run("pg-runtime verify --quiet").all(), "");
    assert_eq!(host.run("pg-runtime verify --quiet").status, 1);
    assert_eq!(run().status, 0);
    assert_eq!(
        state(),
        "found changed: /etc/a (pg-role-web)\nfound held: changed: /etc/c (pg-role-web)\nfound missing: /etc/b (pg-role-web)\n\
         left held: changed: /etc/c (pg-role-web)"
    );
    assert_eq!(host.ok("cat /etc/a /etc/b /etc/c"), "a\nb\nx\n");
    // A fleet that wants to know, and no more.
    host.runtime_with("2", &Drift { repair: false, copies: 2, copy_days: 1 });
    host.dpkg("-i", &["pg-runtime_2"]);
    host.ok("rm /etc/b; pg-runtime release all");
    let outcome = run();
    assert_eq!(
        (outcome.status, outcome.stdout.as_str()),
        (1, "changed: /etc/c (pg-role-web)\nmissing: /etc/b (pg-role-web)\n")
    );
    assert_eq!(state().matches("left ").count(), 2);
    assert!(!host.tree.exists("/etc/b"));
    // Copies: two of a path, none older than a day, nothing else.
    host.ok("cd /var/backups/pg; rm -rf *; mkdir -p etc/d.20000101T000000; touch etc/a.20991231T000000 etc/a.20991230T000000 \
             etc/a.20991229T000000 etc/b.20200101T000000 etc/d.20000101T000000/f etc/no-copy");
    run();
    assert_eq!(
        host.ok("find /var/backups/pg -type f | sort"),
        "/var/backups/pg/etc/a.20991230T000000\n/var/backups/pg/etc/a.20991231T000000\n/var/backups/pg/etc/no-copy\n"
    );
    host.ok("echo mine >/etc/a; touch /var/backups/pg/etc/a.20200101T000000; pg-runtime apply");
    assert_eq!(host.ok("ls /var/backups/pg/etc/a.* | wc -l"), "2\n", "and after each copy that is made");
}

#[test]
fn a_setup_may_make_the_account_that_owns_the_files_of_its_role_or_of_another() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    let own = role("own", "20260101.1")
        .file_as("/etc/own", "0640 root ours", "own\n")
        .setup("getent group ours >/dev/null || groupadd --system ours\ncat /etc/own >>/root/log");
    let other = role("another", "20260101.1").file_as("/etc/another", "0640 root ours", "x\n");
    let said = host.dpkg("-i", &[&own.make(&host), &other.make(&host)]);
    assert_eq!(host.ok("stat -c '%n %G' /etc/own /etc/another"), "/etc/own ours\n/etc/another ours\n", "{said}");
    assert_eq!(host.ok("cat /root/log; ls /var/lib/pg/marks"), "own\n", "it counts once the files are there: {said}");
    host.assert_settled();
    assert_eq!(host.tree.read("/root/log"), "own\n");
    // One that does not make it: the account is what is wrong, and the setup tries again.
    let never = role("never", "20260101.1")
        .file_as("/etc/never", "0644 nobody-yet root", "x\n")
        .setup("echo never >>/root/log");
    host.dpkg("-i", &[&never.make(&host)]);
    assert_eq!(host.mark("pg-role-never"), "/etc/never: its owner is the user nobody-yet, who does not exist\n");
    host.ok("useradd --system nobody-yet; pg-runtime apply");
    assert_eq!(host.ok("stat -c %U /etc/never; cat /root/log"), "nobody-yet\nown\nnever\nnever\n");
    host.assert_settled();
}

#[test]
fn what_is_no_longer_right_without_a_package_is_a_mark_until_it_is() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    let check = "grep -q base /etc/app/base";
    let base =
        role("base", "20260101.1").file("/etc/app/base", "base\n").line(&format!("validate /etc/app/base {check}"));
    let web = role("web", "20260101.1").file("/etc/app/web", "web\n").line(&format!("validate /etc/app/web {check}"));
    let apart = role("apart", "20260101.1").file("/etc/apart", "x\n").line("validate /etc/apart echo ran >>/root/log");
    host.dpkg("-i", &[&base.make(&host), &web.make(&host), &apart.make(&host)]);
    host.assert_settled();
    let said = host.dpkg("-r", &["pg-role-base"]);
    assert_eq!(
        host.ok("dpkg-query -W -f '${db:Status-Status}' pg-role-base; ls /etc/app"),
        "config-filesweb\n",
        "it went"
    );
    assert!(
        host.mark("pg-role-web")
            .starts_with(&format!("validate: \"{check}\" failed (status 2) since another package went")),
        "{said}"
    );
    assert_eq!(host.mark("pg-role-apart"), "");
    assert_eq!(host.tree.read("/root/log"), "ran\n", "what has nothing to do with it is not run again");
    assert_eq!(host.run("pg-runtime apply").status, 1, "still");
    host.ok("echo base >/etc/app/base; pg-runtime apply");
    assert_eq!(host.run("pg-runtime status").status, 0);
    assert!(!host.tree.exists("/var/lib/pg/recheck"));
}
