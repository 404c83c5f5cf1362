//! File systems that are full, at whatever point of a run: it says so, nothing is half done, and the next run completes.

use super::Host;
use super::interrupted::{MACHINE, machine};
use crate::machine::{Need, skip};

/// As dpkg calls it, with room for more and more files or bytes in DIRECTORY, a file system of its own, until all goes well.
const SWEEP: &str = r#"
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
fn sweep(host: &Host, directory: &str, step: u32, least: u32) {
    let text = format!("{MACHINE}{SWEEP}").replace("DIRECTORY", directory).replace("STEP", &step.to_string());
    let said = host.ok(&text.replace("WHOLE", "/etc/app/replaced /etc/motd /etc/debian/conffile"));
    assert!(said.trim().parse::<u32>().is_ok_and(|ended| ended >= least), "{said}");
}

#[test]
fn a_run_that_finds_no_room_for_its_lists_says_so_and_the_next_one_completes() {
    if skip("small file systems", &[Need::Trees]) {
        return;
    }
    sweep(&machine(), "run/pg", 5, 10);
}

#[test]
fn a_run_that_finds_no_room_for_its_state_says_so_and_the_next_one_completes() {
    if skip("small file systems", &[Need::Trees]) {
        return;
    }
    sweep(&machine(), "var/lib/pg", 1, 5);
}
