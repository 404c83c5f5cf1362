//! kill -9 at every step of a run: each file is the old or the new one all the time, and the next run completes.

use super::monitoring::plugins;
use super::{Host, debian_package, role};
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

/// What both sweeps do: `save` the machine, put it `back`, `look` at what an undisturbed run changes; is each file `whole`?
pub(super) const MACHINE: &str = r#"
set -e
all='etc/app etc/debian etc/kept etc/motd etc/munin etc/theirs srv var/lib/pg var/backups var/lib/dpkg/diversions'
save() { mkdir /root/save; cd /; cp -a --parents $(ls -d $all 2>/dev/null) /root/save/; }
back() { cd /; rm -rf $all run/pg; cp -a /root/save/. /; : >/root/calls; }
look() {
    cd /
    find etc/app etc/debian etc/kept etc/motd etc/munin etc/theirs srv var/lib/pg/originals -printf '%p %y %m %u:%g %l\n' 2>&1 | sort
    find etc/app etc/debian etc/kept etc/motd etc/theirs srv var/lib/pg/originals -type f -exec sha256sum {} + 2>&1 | sort -k2
    sed 1d var/lib/pg/applied
    cat var/lib/pg/packages/* var/lib/pg/units var/lib/pg/munin var/lib/dpkg/diversions var/lib/pg/recheck 2>/dev/null || true
}
whole() { # every file that is managed before and after has one content or the other
    for f in WHOLE; do
        sha256sum <"$f" | grep -qxF -f /root/either || { echo "$f is neither old nor new at $at"; exit 1; }
    done
}
"#;

const SWEEP: &str = r#"
killed() { # AT; a process group of its own, that the wrapper can kill
    echo "$1" >/root/kill/at
    echo 0 >/root/kill/count
    setsid -w RUN >/root/out 2>&1 || true
    read -r calls </root/kill/count
}
for f in WHOLE; do sha256sum <$f; done >/root/either
save
killed "0 never"
for f in WHOLE; do sha256sum <$f; done >>/root/either
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
        RUN >/root/out 2>&1 || { echo "after $at: it failed"; cat /root/out; exit 1; }
        look >/root/found
        cmp -s /root/expected /root/found || { echo "after $at:"; diff /root/expected /root/found || true; cat /root/out; exit 1; }
        grep -q 'reload app.service' /root/calls || { echo "after $at: no reload"; cat /root/out; exit 1; }
        grep -q 'restart munin-node.service' /root/calls || { echo "after $at: no restart"; cat /root/out; exit 1; }
        left=$(find /etc /srv /var/lib/pg \( -name '.pg-new*' -o -name '.pg-old*' -o -name journal -o -name '*.new' \))
        [ -z "$left" ] || { echo "after $at: $left is left"; exit 1; }
        copies=$(find /var/backups/pg -type f 2>/dev/null | wc -l)
        [ "$copies" -ge 1 ] || { echo "after $at: the local change is lost"; exit 1; }
        ended=$((ended + 1))
    done
done
echo "$total calls, $ended ends"
"#;

fn wrap(host: &Host) {
    host.ok(&format!(
        "mkdir -p /root/kill/bin; echo '0 never' >/root/kill/at; echo 0 >/root/kill/count
        for p in mv ln install rm rmdir mkdir cp chmod chown sync cat dpkg-divert; do
            cp -L /usr/bin/$p /root/kill/bin/$p
        done
        # A kill does not take away what was written: nothing has to reach the disk here.
        cp -L /usr/bin/true /root/kill/bin/sync
        for p in mv ln install rmdir mkdir chmod chown sync dpkg-divert; do
            printf '%s' '{}' | sed \"s/NAME/$p/\" >/root/w && /root/kill/bin/chmod 755 /root/w && /root/kill/bin/cp --remove-destination -a /root/w /usr/bin/$p
        done
        printf '%s' '{}' | sed 's/NAME/rm/' >/root/w && /root/kill/bin/chmod 755 /root/w && /root/kill/bin/cp --remove-destination -a /root/w /usr/bin/rm
        printf '%s' '{}' | sed 's/NAME/cp/' >/root/w && /root/kill/bin/chmod 755 /root/w && /root/kill/bin/cp --remove-destination -a /root/w /usr/bin/cp",
        WRAPPER, WRAPPER, WRAPPER
    ));
}

/// Kills the command at each call, runs it again and compares with what it does undisturbed. Of the files `whole` there is
/// the old or the new one at each moment.
fn sweep(host: &Host, command: &str, whole: &str) {
    wrap(host);
    let said = host.ok(&format!("{MACHINE}{SWEEP}").replace("RUN", command).replace("WHOLE", whole));
    let numbers: Vec<u32> = said.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
    assert!(numbers[0] >= 40, "only {said}");
    assert_eq!(numbers[1], numbers[0] + 1, "{said}");
}

/// A machine on which everything there is to do is to be done: the packages are there, `apply` has not run.
pub(super) fn machine() -> Host {
    let host = Host::new();
    host.pretend_systemd();
    let theirs = [("/etc/debian/conffile", "theirs\n"), ("/etc/debian/other", "theirs\n")];
    host.dpkg("-i", &[&debian_package(&host, "debian", "1", &theirs, &[])]);
    host.ok("mkdir -p /etc/theirs /srv/theirs; echo theirs >/etc/theirs/f; echo 1 >/srv/theirs/1; echo k >/etc/kept; \
             touch /root/active/app.service /root/active/munin-node.service; \
             mkdir -p /etc/munin/plugins /usr/share/munin/plugins; touch /usr/share/munin/plugins/own");
    let old = role("web", "20260101.1")
        .file("/etc/app/replaced", "old\n")
        .file("/etc/app/dropped", "dropped\n")
        .file("/etc/kept", "in the place of what was there\n")
        .file("/etc/app/changed-and-dropped", "shipped\n")
        .line("link /etc/app/link old")
        .line("dir /srv/dropped 0700 mail mail")
        .line("dir /srv/theirs 0700 root root")
        .divert("/etc/debian/other", "ours\n")
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
        .divert("/etc/debian/conffile", "ours\n")
        .initial("/etc/app/first", "first\n")
        .setup("true");
    let new = plugins(new, "plugin own own\n").make(&host);
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
    sweep(&machine(), "pg-runtime apply", "/etc/app/replaced /etc/motd /etc/debian/conffile");
}

#[test]
fn a_kill_at_any_call_without_a_mount_namespace_too() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = machine();
    host.tree.write("/root/unshare", "#!/bin/sh\nexit 1\n");
    host.ok("dpkg-divert --quiet --rename --add /usr/bin/unshare; install -m 755 /root/unshare /usr/bin/unshare");
    sweep(&host, "pg-runtime apply", "/etc/app/replaced /etc/motd /etc/debian/conffile");
}

#[test]
fn a_kill_at_any_call_of_withdraw_too() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = machine();
    host.ok("pg-runtime apply; echo local >/etc/app/replaced");
    sweep(&host, "pg-runtime withdraw pg-role-web", "/etc/motd /etc/debian/conffile");
}

#[test]
fn a_killed_hold_is_there_or_not() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    host.dpkg("-i", &[&role("web", "20260101.1").file("/etc/a", "a\n").make(&host)]);
    wrap(&host);
    let said = host.ok(
        "ended=0
        for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
            echo '0 never' >/root/kill/at
            pg-runtime release all >/dev/null
            echo \"$n before\" >/root/kill/at; echo 0 >/root/kill/count
            if setsid -w pg-runtime hold /etc/a --until tomorrow --reason 'in the night' >/dev/null 2>&1; then break; fi
            ended=$((ended + 1))
            echo '0 never' >/root/kill/at
            pg-runtime apply >/dev/null
            for mark in $(ls /var/lib/pg/marks); do
                [ $mark = hold ] || { echo \"$mark is left\"; exit 1; }
                grep -qxE 'hold: /etc/a until .* by root: in the night' /var/lib/pg/marks/hold || { cat /var/lib/pg/marks/hold; exit 1; }
            done
        done
        echo $ended",
    );
    assert!(said.trim().parse::<u32>().is_ok_and(|ended| (4..16).contains(&ended)), "{said}");
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
