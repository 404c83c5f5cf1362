//! kill -9 at every step of a run: each file is the old or the new one all the time, and the next run completes.

use super::{Host, role};
use crate::machine::{Need, skip};

/// In the place of each program that changes something: counts the calls, and at the one that /root/kill names kills
/// the whole process group (apply, not only the program), before or after the program has done its work.
const WRAPPER: &str = r#"#!/bin/sh
read -r n </root/kill/count
n=$((n + 1))
echo $n >/root/kill/count
read -r at when </root/kill/at
if [ "$n" = "$at" ] && [ "$when" = before ]; then kill -KILL 0; fi
/root/kill/bin/NAME "$@"
status=$?
if [ "$n" = "$at" ] && [ "$when" = after ]; then kill -KILL 0; fi
exit $status
"#;

const SWEEP: &str = r#"
set -e
all='etc/app etc/kept etc/motd etc/theirs srv var/lib/pg var/backups'
save() { mkdir /root/save; cd /; cp -a --parents $all /root/save/; }
back() { cd /; rm -rf $all run/pg; cp -a /root/save/. /; : >/root/calls; }
look() {
    cd /
    find etc/app etc/kept etc/motd etc/theirs srv var/lib/pg/originals -printf '%p %y %m %u:%g %l\n' 2>&1 | sort
    find etc/app etc/kept etc/motd etc/theirs srv var/lib/pg/originals -type f -exec sha256sum {} + 2>&1 | sort -k2
    sed 1d var/lib/pg/applied
    cat var/lib/pg/packages/* var/lib/pg/units
}
whole() { # every file that is managed before and after has one content or the other
    for f in /etc/app/replaced /etc/motd; do
        sha256sum <"$f" | grep -qxF -f /root/either || { echo "$f is neither old nor new at $at"; exit 1; }
    done
}
killed() { # AT; a process group of its own, that the wrapper can kill
    echo "$1" >/root/kill/at
    echo 0 >/root/kill/count
    setsid -w pg-runtime apply >/root/out 2>&1 || true
    read -r calls </root/kill/count
}
for f in /etc/app/replaced /etc/motd; do sha256sum <$f; done >/root/either
save
killed "0 never"
for f in /etc/app/replaced /etc/motd; do sha256sum <$f; done >>/root/either
look >/root/expected
grep -q 'reload app.service' /root/calls
total=$calls
ended=0
for n in $(seq $total); do
    # "after" would be "before" the next one, but for the last.
    for when in before $([ "$n" != "$total" ] || echo after); do
        at="$n $when"
        back
        killed "$at"
        whole
        echo "0 never" >/root/kill/at
        pg-runtime apply >/root/out 2>&1 || { echo "after $at: apply failed"; cat /root/out; exit 1; }
        look >/root/found
        cmp -s /root/expected /root/found || { echo "after $at:"; diff /root/expected /root/found || true; cat /root/out; exit 1; }
        grep -q 'reload app.service' /root/calls || { echo "after $at: no reload"; cat /root/out; exit 1; }
        left=$(find /etc /srv /var/lib/pg \( -name '.pg-*' -o -name journal -o -name '*.new' \))
        [ -z "$left" ] || { echo "after $at: $left is left"; exit 1; }
        copies=$(find /var/backups/pg -type f 2>/dev/null | wc -l)
        [ "$copies" -ge 1 ] || { echo "after $at: the local change is lost"; exit 1; }
        ended=$((ended + 1))
    done
done
echo "$total calls, $ended ends"
"#;

fn sweep(host: &Host) {
    host.ok(&format!(
        "mkdir -p /root/kill/bin; echo '0 never' >/root/kill/at; echo 0 >/root/kill/count
        for p in mv ln install rm rmdir mkdir cp chmod chown sync cat; do
            cp -L /usr/bin/$p /root/kill/bin/$p
        done
        # A kill does not take away what was written: nothing has to reach the disk here.
        cp -L /usr/bin/true /root/kill/bin/sync
        for p in mv ln install rmdir mkdir chmod chown sync; do
            printf '%s' '{}' | sed \"s/NAME/$p/\" >/root/w && /root/kill/bin/chmod 755 /root/w && /root/kill/bin/cp --remove-destination -a /root/w /usr/bin/$p
        done
        printf '%s' '{}' | sed 's/NAME/rm/' >/root/w && /root/kill/bin/chmod 755 /root/w && /root/kill/bin/cp --remove-destination -a /root/w /usr/bin/rm
        printf '%s' '{}' | sed 's/NAME/cp/' >/root/w && /root/kill/bin/chmod 755 /root/w && /root/kill/bin/cp --remove-destination -a /root/w /usr/bin/cp",
        WRAPPER, WRAPPER, WRAPPER
    ));
    let said = host.ok(SWEEP);
    let numbers: Vec<u32> = said.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
    assert!(numbers[0] >= 40, "only {said}");
    assert_eq!(numbers[1], numbers[0] + 1, "{said}");
}

/// A machine on which everything there is to do is to be done: the packages are there, `apply` has not run.
fn machine() -> Host {
    let host = Host::new();
    host.pretend_systemd();
    host.ok("mkdir -p /etc/theirs /srv/theirs; echo theirs >/etc/theirs/f; echo 1 >/srv/theirs/1; echo k >/etc/kept; \
             touch /root/active/app.service");
    let old = role("web", "20260101.1")
        .file("/etc/app/replaced", "old\n")
        .file("/etc/app/dropped", "dropped\n")
        .file("/etc/kept", "in the place of what was there\n")
        .file("/etc/app/changed-and-dropped", "shipped\n")
        .line("link /etc/app/link old")
        .line("dir /srv/dropped 0700 mail mail")
        .line("dir /srv/theirs 0700 root root")
        .make(&host);
    host.dpkg("-i", &[&old]);
    host.ok("echo local >/etc/app/changed-and-dropped");
    let new = role("web", "20260102.1")
        .file("/etc/app/replaced", "new\n")
        .file_as("/etc/app/made/deep/file", "0640 root mail", "deep\n")
        .file("/etc/motd", "ours\n")
        .line("link /etc/app/link new")
        .line("dir /srv/made 0711 mail mail")
        .line("dir /etc/app 0750 root mail")
        .line("absent /etc/theirs")
        .line("validate /etc/app/replaced grep new /etc/app/replaced")
        .line("reload /etc/app/replaced app.service")
        .setup("true")
        .make(&host);
    // Installed, its trigger pending but not run.
    host.ok(&format!("dpkg --no-triggers -i /root/{new}.deb; : >/root/calls"));
    assert_eq!(host.tree.read("/etc/app/replaced"), "old\n");
    host
}

#[test]
fn a_kill_at_any_call_and_the_next_run_completes() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    sweep(&machine());
}

#[test]
fn a_kill_at_any_call_without_a_mount_namespace_too() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = machine();
    host.tree.write("/root/unshare", "#!/bin/sh\nexit 1\n");
    host.ok("dpkg-divert --quiet --rename --add /usr/bin/unshare; install -m 755 /root/unshare /usr/bin/unshare");
    sweep(&host);
}

#[test]
fn two_runs_at_once_wait_for_each_other() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    let slow = role("web", "20260101.1")
        .file("/etc/a", "a\n")
        .setup("echo in >>/root/log; sleep 1; echo out >>/root/log; [ -e /root/once ] || { touch /root/once; exit 1; }")
        .make(&host);
    host.dpkg("--unpack", &[&slow]);
    host.ok("dpkg --no-triggers --configure -a; pg-runtime apply >/root/1 2>&1 & sleep 0.3; pg-runtime apply >/root/2 2>&1; wait");
    assert_eq!(host.tree.read("/root/log"), "in\nout\nin\nout\n");
    assert!(host.tree.read("/root/2").starts_with("pg-runtime: waiting for another run of pg-runtime\n"));
    assert_eq!(host.mark("pg-role-web"), "");
}
