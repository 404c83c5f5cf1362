//! Commands in a machine's tree, in namespaces of their own: what is mounted or started for them is gone when they end,
//! however they end.

use crate::exec::Command;
use std::path::Path;

/// What a command gets as its environment, and nothing else: nothing of this machine's gets into the tree.
const ENVIRONMENT: [&str; 5] = [
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "LC_ALL=C.UTF-8",
    "DEBIAN_FRONTEND=noninteractive",
    "DEBCONF_NONINTERACTIVE_SEEN=true",
];

/// /sys is empty: what a script finds out about this machine is not so on the one that is made.
const MOUNTS: &str = r#"
set -e
root=$1 over=$2 at=$3
shift 3
mount -t proc proc "$root/proc"
mount -t tmpfs -o ro tmpfs "$root/sys"
mount -t tmpfs -o mode=0755,nosuid tmpfs "$root/dev"
for device in null zero full random urandom tty; do
    : >"$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir -p "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs -o mode=0755,nosuid,nodev tmpfs "$root/run"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/tmp"
[ -z "$over" ] || mount --bind "$over" "$root/$at"
[ ! -s "$root/etc/hostname" ] || hostname "$(cat "$root/etc/hostname")"
[ ! -e /sys/class/net/lo ] || ip link set lo up 2>/dev/null || :
"#;

/// What is put in place for a command besides what every tree needs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mount<'a> {
    /// A file or directory of this machine, or empty for none,
    pub over: &'a str,
    /// and where in the tree it is; it is there already.
    pub at: &'a str,
}

/// A shell script that runs outside of the tree, with `/proc`, `/dev`, `/run` and `/tmp` mounted in it, and without a
/// network. `$root` is the tree, `arguments` are `$1`…
pub fn beside(tree: &Path, mount: Mount<'_>, script: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("env").arg("-i").args(ENVIRONMENT);
    command = command.args(["unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child"]);
    command = command.args(["--uts", "--ipc", "--net", "sh", "-c"]).arg(format!("{MOUNTS}{script}")).arg("sh");
    command.arg(tree).arg(mount.over).arg(mount.at).args(arguments)
}

/// A shell script inside of the tree.
pub fn inside(tree: &Path, script: &str, arguments: &[&str]) -> Command {
    let outer = "exec chroot \"$root\" sh -c \"$@\"";
    let mut all = vec![script, "sh"];
    all.extend(arguments);
    beside(tree, Mount::default(), outer, &all)
}
