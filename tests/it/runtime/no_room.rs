//! A file system that becomes full at any step of a run: dpkg hears nothing of it, each file is the old or the new one, and
//! when there is room again the next run completes.

use super::interrupted::machine;
use crate::machine::{Need, skip};

/// In the place of each program that changes something: counts the calls, and before the one that /root/at names fills
/// what is to be full.
const WRAPPER: &str = r#"#!/bin/sh
read -r n </root/count
n=$((n + 1))
echo $n >/root/count
read -r at </root/at
[ "$n" != "$at" ] || . /root/fill
exec /root/bin/NAME "$@"
"#;

const SWEEP: &str = r#"
set -e
for p in mv ln install rm rmdir mkdir cp chmod chown sync cat dpkg-divert sed grep awk; do
    mkdir -p /root/bin
    cp -L /usr/bin/$p /root/bin/$p
done
cp -L /usr/bin/true /root/bin/sync
for p in mv ln install rmdir mkdir chmod chown sync dpkg-divert rm cp; do
    printf '%s' 'WRAPPER' | /root/bin/sed "s/NAME/$p/" >/root/w && /root/bin/chmod 755 /root/w
    /root/bin/cp --remove-destination -a /root/w /usr/bin/$p
done
echo 0 >/root/count; echo 0 >/root/at; : >/root/fill
mkdir /root/small
mount -t tmpfs -o size=64m,nr_inodes=40k none /root/small
cp -a FULL/. /root/small/
mount --move /root/small FULL
mount -o remount,size=$(($(df -k --output=used FULL | tail -n 1) + 1024))k,nr_inodes=$(($(df --output=iused FULL | tail -n 1) + 300)) FULL
case HOW in
room) fill='/root/bin/cat /dev/zero >FULL/.fill 2>/dev/null' ;;
inodes) fill='/root/bin/mkdir FULL/.fill; i=0; while : 2>/dev/null >FULL/.fill/$i; do i=$((i + 1)); done' ;;
esac
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
whole() {
    for f in WHOLE; do
        sha256sum <"$f" | grep -qxF -f /root/either || { echo "$f is neither old nor new at $n"; cat /root/out; exit 1; }
    done
}
for f in WHOLE; do sha256sum <$f; done >/root/either
save
RUN >/root/out 2>&1
for f in WHOLE; do sha256sum <$f; done >>/root/either
look >/root/expected
grep -q 'reload app.service' /root/calls
read -r total </root/count
printf '%s\n' "$fill" >/root/fill
for n in $(seq 1 STEP $total); do
    echo 0 >/root/at
    back
    echo 0 >/root/count
    echo $n >/root/at
    DPKG_MAINTSCRIPT_NAME=postinst RUN >/root/out 2>&1 || { echo "full at $n: dpkg hears of it"; cat /root/out; exit 1; }
    echo 0 >/root/at
    whole
    rm -rf FULL/.fill
    RUN >/root/out2 2>&1 || { echo "full at $n: the next one failed"; cat /root/out; echo ---; cat /root/out2; exit 1; }
    look >/root/found
    cmp -s /root/expected /root/found || { echo "full at $n:"; diff /root/expected /root/found || true; cat /root/out; echo ---; cat /root/out2; exit 1; }
    grep -q 'reload app.service' /root/calls || { echo "full at $n: no reload"; cat /root/out; echo ---; cat /root/out2; exit 1; }
    grep -q 'restart munin-node.service' /root/calls || { echo "full at $n: no restart"; cat /root/out; echo ---; cat /root/out2; exit 1; }
    left=$(find /etc /srv /var/lib/pg \( -name '.pg-new*' -o -name '.pg-old*' -o -name journal -o -name '*.new' \))
    [ -z "$left" ] || { echo "full at $n: $left is left"; cat /root/out; echo ---; cat /root/out2; exit 1; }
    [ -z "$(ls /var/lib/pg/marks)" ] || { echo "full at $n: a mark"; cat /var/lib/pg/marks/*; exit 1; }
    copies=$(find /var/backups/pg -type f 2>/dev/null | wc -l)
    [ "$copies" -ge 1 ] || { echo "full at $n: the local change is lost"; cat /root/out; echo ---; cat /root/out2; exit 1; }
done
echo $total
"#;

/// Before every `step`-th call.
fn sweep(full: &str, how: &str, step: u32) {
    if skip("a full disk under dpkg", &[Need::Trees]) {
        return;
    }
    let text = SWEEP
        .replace("WRAPPER", WRAPPER)
        .replace("FULL", full)
        .replace("HOW", how)
        .replace("STEP", &step.to_string())
        .replace("RUN", "pg-runtime apply")
        .replace("WHOLE", "/etc/app/replaced /etc/motd /etc/debian/conffile");
    let said = machine().ok(&text);
    let total: u32 = said.trim().parse().expect("the number of calls");
    assert!(total >= 40, "only {total}");
}

#[test]
fn no_room_for_the_work_of_a_run_and_the_next_one_completes() {
    sweep("/run", "room", 15);
}

#[test]
fn no_inode_for_the_work_of_a_run_and_the_next_one_completes() {
    sweep("/run", "inodes", 15);
}

#[test]
fn no_room_for_records_and_copies_and_the_next_run_completes() {
    sweep("/var", "room", 25);
}

#[test]
fn no_inode_for_files_and_the_next_run_completes() {
    sweep("/etc", "inodes", 25);
}
