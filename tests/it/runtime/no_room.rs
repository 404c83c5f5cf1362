//! File systems that are full, or become it at any step of a run: it says so, dpkg hears nothing of it, each file is the
//! old or the new one, and when there is room again the next run completes.

use super::interrupted::{MACHINE, machine};
use crate::machine::{Need, skip};

/// Files of which there is the old or the new one at each moment.
const WHOLE: &str = "/etc/app/replaced /etc/motd /etc/debian/conffile";

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

const FILLED: &str = r#"
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
    at="full at $n"
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
fn filled(full: &str, how: &str, step: u32) {
    if skip("a full disk under dpkg", &[Need::Trees]) {
        return;
    }
    let text = format!("{MACHINE}{FILLED}")
        .replace("WRAPPER", WRAPPER)
        .replace("FULL", full)
        .replace("HOW", how)
        .replace("STEP", &step.to_string())
        .replace("RUN", "pg-runtime apply")
        .replace("WHOLE", WHOLE);
    let said = machine().ok(&text);
    let total: u32 = said.trim().parse().expect("the number of calls");
    assert!(total >= 40, "only {total}");
}

#[test]
fn no_room_for_the_work_of_a_run_and_the_next_one_completes() {
    filled("/run", "room", 15);
}

#[test]
fn no_inode_for_the_work_of_a_run_and_the_next_one_completes() {
    filled("/run", "inodes", 15);
}

#[test]
fn no_room_for_records_and_copies_and_the_next_run_completes() {
    filled("/var", "room", 25);
}

#[test]
fn no_inode_for_files_and_the_next_run_completes() {
    filled("/etc", "inodes", 25);
}

/// As dpkg calls it, with room for more and more files or bytes in DIRECTORY, a file system of its own, until all goes well.
const SMALL: &str = r#"
for f in WHOLE; do sha256sum <$f; done >/root/either
save
pg-runtime apply >/root/out 2>&1
for f in WHOLE; do sha256sum <$f; done >>/root/either
look >/root/expected
room() { # INODES PAGES
    mount -o remount,nr_inodes=$1,size=$(($2 * 4))k /DIRECTORY
}
ended=0
for limit in inodes pages; do
    n=0
    while :; do
        n=$((n + STEP))
        at="$n $limit"
        back
        mkdir -p /DIRECTORY
        mount -t tmpfs none /DIRECTORY
        [ ! -d /root/save/DIRECTORY ] || cp -a /root/save/DIRECTORY/. /DIRECTORY
        set -- $(df --output=iused,used -B 4096 /DIRECTORY | tail -n 1)
        case $limit in inodes) room $(($1 + n)) 10000 ;; *) room 10000 $(($2 + n)) ;; esac
        status=0
        DPKG_MAINTSCRIPT_NAME=postinst DPKG_MAINTSCRIPT_PACKAGE=pg-role-web pg-runtime apply >/root/out 2>&1 || status=$?
        [ $status = 0 ] || { echo "with room for $at: status $status"; cat /root/out; exit 1; }
        whole
        room 10000 10000
        if look | cmp -s /root/expected - && ! ls /var/lib/pg/marks/* >/dev/null 2>&1; then umount /DIRECTORY; break; fi
        grep -qE 'pg-runtime: |No space left' /root/out || { echo "with room for $at: nothing was said"; cat /root/out; exit 1; }
        pg-runtime apply >/root/out 2>&1 || { echo "after room for $at: it failed"; cat /root/out; exit 1; }
        look >/root/found
        cmp -s /root/expected /root/found || { echo "after room for $at:"; diff /root/expected /root/found || true; cat /root/out; exit 1; }
        grep -q 'reload app.service' /root/calls || { echo "after room for $at: no reload"; cat /root/out; exit 1; }
        grep -q 'restart munin-node.service' /root/calls || { echo "after room for $at: no restart"; cat /root/out; exit 1; }
        [ "$(ls /var/lib/pg/marks)" = "" ] || { echo "after room for $at: a mark is left"; exit 1; }
        ended=$((ended + 1))
        umount /DIRECTORY
    done
done
echo "$ended"
"#;

/// The machine with less and less room, in steps, in this directory.
fn small(directory: &str, step: u32, least: u32) {
    if skip("small file systems", &[Need::Trees]) {
        return;
    }
    let text = format!("{MACHINE}{SMALL}").replace("DIRECTORY", directory).replace("STEP", &step.to_string());
    let said = machine().ok(&text.replace("WHOLE", WHOLE));
    assert!(said.trim().parse::<u32>().is_ok_and(|ended| ended >= least), "{said}");
}

#[test]
fn a_run_that_finds_no_room_for_its_lists_says_so_and_the_next_one_completes() {
    small("run/pg", 5, 10);
}

#[test]
fn a_run_that_finds_no_room_for_its_state_says_so_and_the_next_one_completes() {
    small("var/lib/pg", 1, 5);
}
