//! A program that fails at one step of a transaction: everything is as before, a mark says what could not be done and why,
//! and it is done as soon as that is possible.

use super::Host;
use super::interrupted::machine;
use crate::machine::{Need, skip};

/// In the place of a program: fails where its arguments fit a line of /root/fail/NAME, a pattern of the shell's.
const FAILS: &str = r#"#!/bin/sh
while read -r pattern; do
    case "$*" in $pattern) echo "NAME: as was told" >&2; exit 1 ;; esac
done </root/fail/NAME
exec /root/fail/bin/NAME "$@"
"#;

const PROGRAMS: [&str; 9] = ["chown", "cp", "dpkg-divert", "install", "ln", "mkdir", "mv", "rm", "sync"];

fn prepare(host: &Host) {
    host.ok("mkdir -p /root/fail/bin");
    for program in PROGRAMS {
        host.tree.write(format!("/root/{program}"), FAILS.replace("NAME", program));
        host.ok(&format!("cp -L /usr/bin/{program} /root/fail/bin/{program}"));
    }
    for program in PROGRAMS {
        host.ok(&format!(
            "echo - >/root/fail/{program}; /root/fail/bin/cp --remove-destination /root/{program} /usr/bin/{program}; chmod 755 /usr/bin/{program}"
        ));
    }
}

#[test]
fn a_step_that_fails_is_named_and_undone() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = machine();
    host.ok("echo theirs >/etc/motd");
    prepare(&host);
    let before = host.files();
    let cases = [
        ("cp", "-a /etc/motd *", "/etc/motd: what is there now can not be saved in /var/lib/pg"),
        (
            "cp",
            "-a /etc/app/changed-and-dropped *",
            "/etc/app/changed-and-dropped: what is there now can not be saved in /var/backups/pg",
        ),
        ("mkdir", "/etc/app/made", "/etc/app/made: can not be made"),
        ("mkdir", "-m 0700 /srv/made", "/srv/made: can not be made"),
        ("mv", "-T /etc/app/dropped *", "/etc/app/dropped: can not be removed"),
        ("ln", "-sT -- new *", "/etc/app/link: can not be made"),
        ("install", "*/etc/app/made/deep/.pg-new*", "/etc/app/made/deep/file: can not be written"),
        ("cp", "-aT /etc/debian/.pg-diverted.other~ *", "/etc/debian/other: what was diverted can not be put back"),
        ("cp", "-aT */originals/etc/kept~ *", "/etc/kept: what was there before can not be put back"),
        ("sync", "*/etc/app/made/deep/.pg-new*", "can not be written to the disk"),
        ("mv", "-T /etc/theirs *", "/etc/theirs: can not be moved away"),
        ("chown", "--reference=*/originals/srv/theirs~ .", "/srv/theirs: its owner and mode can not be put back"),
        ("dpkg-divert", "*--add /etc/debian/conffile", "/etc/debian/conffile: can not be diverted"),
        ("ln", "-P -- /etc/app/replaced *", "/etc/app/replaced: can not be replaced"),
        ("mv", "-fT *-new*~ /etc/motd", "/etc/motd: can not be replaced"),
    ];
    for (program, pattern, says) in cases {
        host.tree.write(format!("/root/fail/{program}"), format!("{pattern}\n"));
        let outcome = host.run("pg-runtime apply");
        assert_eq!(outcome.status, 1, "{program} {pattern}: {}", outcome.all());
        assert!(host.mark("pg-role-web").contains(&format!("{says}: as was told\n")), "{}", host.mark("pg-role-web"));
        assert_eq!(host.files(), before, "{program} {pattern}");
        assert!(!host.tree.exists("/var/lib/pg/journal"), "{program} {pattern}");
        host.tree.write(format!("/root/fail/{program}"), "-\n");
    }

    // What can not even be undone is: the run ends, says what to mend, and the next one goes on from there.
    host.tree.write("/root/fail/mv", "-fT *-new*~ /etc/motd\n-fT *-old*~ /etc/app/replaced\n");
    let outcome = host.run("pg-runtime apply");
    assert_eq!(outcome.status, 2, "{}", outcome.all());
    assert!(outcome.stderr.contains("cannot undo: mend what the lines above say"), "{}", outcome.all());
    assert!(host.mark("pg-runtime").starts_with("runtime: cannot undo"), "{}", host.mark("pg-runtime"));
    let outcome = host.run("pg-runtime apply");
    assert_eq!(outcome.status, 2, "{}", outcome.all());
    assert!(outcome.stderr.contains("cannot undo the interrupted run"), "{}", outcome.all());
    assert_eq!(host.run("pg-runtime status").status, 1);
    host.tree.write("/root/fail/mv", "-\n");
    let said = host.ok("pg-runtime apply");
    assert!(said.starts_with("pg-runtime: undoing an interrupted run\n"), "{said}");
    host.assert_settled();
    assert_eq!(
        host.ok("cat /etc/app/replaced /etc/motd /etc/debian/conffile; ls /var/lib/pg/marks"),
        "new\nours\nours\n"
    );
}
