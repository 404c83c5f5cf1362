//! How the command is called: by whom, with what, and what is not there.

use super::{Host, role};
use crate::machine::{Need, skip};

#[test]
fn who_calls_it_wrongly_is_told_how_it_is_called() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    let help = host.run("pg-runtime --help");
    assert!(help.status == 0 && help.stdout.starts_with("Usage: pg-runtime apply "), "{}", help.all());
    let before = host.ok("find /var/lib/pg /run/pg | sort");
    for arguments in [
        "",
        "mend",
        "apply now",
        "withdraw",
        "verify --what",
        "verify --json --quiet",
        "hold",
        "hold /etc/a --until",
        "hold /etc/a --until tomorrow",
        "hold etc/a --until tomorrow --reason x",
        "hold /etc/a /etc/b --until tomorrow --reason x",
        "release",
        "release etc/a",
        "release /etc/a /etc/b",
        "owner",
        "refresh --what",
        "refresh --wait",
        "refresh --wait long",
        "access --what",
        "web-login alice bob",
        "secrets now",
    ] {
        let outcome = host.run(&format!("pg-runtime {arguments}"));
        assert!(outcome.status == 2 && outcome.stderr == help.stdout, "{arguments}: {}", outcome.all());
    }
    for (arguments, says) in [
        ("hold /etc/a --until soonish --reason x", "--until soonish: no time that date(1) understands"),
        ("hold /etc/a --until yesterday --reason x", "--until yesterday: that is over"),
        ("hold /etc/a --until '40 days' --reason x", "--until 40 days: at most 31 days"),
        ("hold /etc/a --until tomorrow --reason \"$(printf 'a\\nb')\"", "the reason is one line"),
        ("web-login", "whose? web-login NAME"),
        ("web-login ../passwd", "\"../passwd\" is no name"),
    ] {
        let outcome = host.run(&format!("pg-runtime {arguments}"));
        assert!(outcome.status == 2 && outcome.stderr.contains(says), "{arguments}: {}", outcome.all());
    }
    assert_eq!(host.ok("find /var/lib/pg /run/pg | sort"), before, "nothing was done");
    let outcome = host.run("pg-runtime web-login alice");
    assert!(outcome.status == 1 && outcome.stderr.contains("this is no monitoring server"), "{}", outcome.all());
    for verb in ["apply", "withdraw --all", "verify", "hold /etc/a --until tomorrow --reason x", "release all"]
        .into_iter()
        .chain(["refresh", "access", "web-login alice", "secrets"])
    {
        let outcome = host.run(&format!("setpriv --reuid mail --regid mail --clear-groups pg-runtime {verb}"));
        assert!(outcome.status == 2 && outcome.stderr.contains("this needs root"), "{verb}: {}", outcome.all());
    }
    assert_eq!(host.run("pg-runtime verify --quiet").all(), "");
}

#[test]
fn a_run_that_never_ends_is_not_waited_for_for_ever() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    host.dpkg("-i", &[&role("web", "20260101.1").file("/etc/a", "a\n").make(&host)]);
    host.ok("sed -i 's/^lock_seconds=1200 /lock_seconds=1 /' /usr/sbin/pg-runtime");
    let outcome = host.run("flock /run/pg/lock pg-runtime apply");
    assert_eq!(outcome.status, 2, "{}", outcome.all());
    assert!(outcome.stdout.contains("waiting for another run of pg-runtime"), "{}", outcome.all());
    assert_eq!(host.mark("pg-runtime"), "runtime: another run of pg-runtime has not ended in 1 seconds\n");
    let outcome = host.run("flock /run/pg/lock pg-runtime verify");
    assert!(outcome.status == 2 && outcome.stderr.contains("has not ended in 1 seconds"), "{}", outcome.all());
    assert_eq!(host.run("flock /run/pg/lock env DPKG_MAINTSCRIPT_NAME=postinst pg-runtime apply").status, 0);
    assert!(host.ok("pg-runtime apply").contains("pg-runtime is well: its mark is gone"));
    host.assert_settled();

    // What is in the way of its own records, and of the place where those go.
    host.ok("touch /var/lib/pg/damaged; mv /var/lib/pg/applied /root/applied; mkdir /var/lib/pg/applied");
    let outcome = host.run("pg-runtime apply");
    assert_eq!(outcome.status, 2, "{}", outcome.all());
    assert!(outcome.stderr.contains("/var/lib/pg/applied is not what it should be, and cannot be moved away"));
    host.ok("rm -r /var/lib/pg/damaged /var/lib/pg/applied; mv /root/applied /var/lib/pg/applied; pg-runtime apply");
    host.assert_settled();
}

/// The rest of refreshing is judged by real archives (`example::refresh`).
#[test]
fn a_refresh_says_what_it_lacks_and_what_it_waits_for() {
    if skip("apt", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    let refresh = |text: &str, status: i32, says: &str| {
        let outcome = host.run(text);
        assert!(outcome.status == status && outcome.all().contains(says), "{text}: {}", outcome.all());
    };
    let result = |scope: &str| host.ok(&format!("sed -n 's/^result //p' /var/lib/pg/refresh/{scope}"));
    refresh("pg-runtime refresh", 1, "this machine has no source of ours: apt-get install pg-archive-keyring");
    assert_eq!(result("roles"), "failed\n");
    assert!(host.run("pg-runtime status").stdout.contains("refresh of roles: last succeeded never, failing since "));
    refresh("DPKG_MAINTSCRIPT_NAME=postinst pg-runtime refresh", 0, "it can't be called by it");

    let source = |suite: &str| {
        host.tree.write(
            "/etc/apt/sources.list.d/pg.sources",
            format!("Types: deb\nURIs: file:/root/archive\nSuites: {suite}\nComponents: main\nTrusted: yes\n"),
        );
    };
    host.tree.write("/usr/share/pg/pg.pref", "Package: *\nPin: release o=ours\nPin-Priority: 1\n");
    source("trixie");
    refresh("pg-runtime refresh --keyring", 75, "this machine runs bookworm, but");
    assert_eq!(result("keyring"), "busy\n");
    source("bookworm");
    refresh("pg-runtime refresh", 1, "bookworm");
    assert!(host.ok("grep '^error ' /var/lib/pg/refresh/roles").contains("/root/archive"));
    host.ok("mkdir -p /root/archive/dists/bookworm/main/binary-amd64; cd /root/archive/dists/bookworm
             : >main/binary-amd64/Packages
             printf 'Origin: ours\\nSuite: bookworm\\nCodename: bookworm\\nComponents: main\\nArchitectures: amd64\\nDate: %s\\nSHA256:\\n %s 0 main/binary-amd64/Packages\\n' \\
                 \"$(date -Ru)\" \"$(sha256sum <main/binary-amd64/Packages | sed 's/ .*//')\" >Release");
    refresh("pg-runtime refresh", 0, "nothing to do");
    assert_eq!(result("roles"), "nothing\n");

    // Somebody else's turn.
    host.tree.write("/etc/apt/preferences.d/changed", "Package: none\nPin: release o=none\nPin-Priority: 1\n");
    refresh(
        "flock /var/lib/apt/daily_lock pg-runtime refresh --wait 1",
        75,
        "apt's daily run is under way: waited 1 seconds",
    );
    assert_eq!(result("roles"), "busy\n");
    refresh("flock /run/pg/refresh.lock pg-runtime refresh --wait 1", 75, "another refresh is under way");

    // What apt can not read it says itself; it is tried again once it is mended.
    host.tree.write("/etc/apt/preferences", "Pin: release o=ours\nPin-Priority: 1\n");
    refresh("pg-runtime refresh", 1, "refresh: ");
    assert_eq!(result("roles"), "failed\n");
    host.ok("rm /etc/apt/preferences");
    refresh("pg-runtime refresh", 0, "nothing to do");
    refresh("mount -t tmpfs -o size=4k,nr_inodes=2 none /var/cache/pg; pg-runtime refresh", 0, "nothing to do");
    host.ok("rm /etc/apt/preferences.d/changed");
    refresh(
        "mount -t tmpfs -o size=4k,nr_inodes=2 none /var/cache/pg; pg-runtime refresh",
        1,
        "cannot make /var/cache/pg",
    );
    host.ok("pg-runtime refresh; pg-runtime refresh --keyring");
    assert!(!host.run("pg-runtime status").stdout.contains("failing"));
}
