//! A real libvirtd of the test's own: in the lab's network, with configuration, state and sockets that nobody else sees,
//! and an sshd beside it. All that it started ends with it.

use crate::machine::Lab;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub struct Libvirtd {
    /// unshare(1), with whose end its process namespace ends.
    outside: Child,
    scratch: tempfile::TempDir,
}

/// $1 is the scratch directory, which /etc/libvirt and the others are put into before anything starts. /dev/kvm is as udev
/// makes it on a whole machine: libvirtd asks QEMU again and again, without end, where root may open it and QEMU's user not.
/// The locks of consoles in /run/lock name processes of the namespace: what a killed libvirtd left would hold the next one up.
const START: &str = r#"
set -e
for directory in /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt /run/libvirt /run/lock /run/sshd; do
    own=$1/own$directory
    mkdir -p "$own" "$directory"
    case $directory in
    /etc/*) cp -a "$directory/." "$own" ;;
    esac
    mount --bind "$own" "$directory"
done
chmod 0711 "$1" "$1/own" "$1/own/var/lib/libvirt"
mkdir -p /var/lib/libvirt/images /var/log/libvirt/qemu
rm -f /etc/libvirt/qemu/networks/autostart/*
printf 'cgroup_controllers = [ ]\nsecurity_driver = "none"\n' >>/etc/libvirt/qemu.conf
printf 'auth_unix_rw = "none"\nauth_unix_ro = "none"\n' >/etc/libvirt/libvirtd.conf
if [ -e /dev/kvm ]; then
    mkdir "$1/dev"
    mount -t tmpfs -o mode=0755 dev "$1/dev"
    mknod -m 0660 "$1/dev/kvm" c 10 232
    chgrp kvm "$1/dev/kvm"
    mount --bind "$1/dev/kvm" /dev/kvm
fi
/usr/sbin/sshd -f "$1/sshd_config" -E "$1/sshd.log"
virtlogd --daemon --pid-file "$1/virtlogd.pid"
libvirtd --pid-file "$1/libvirtd.pid" &
while :; do wait; sleep 0.2; done
"#;

impl Libvirtd {
    pub fn start(lab: &Lab) -> Libvirtd {
        let scratch = tempfile::tempdir().expect("a temporary directory");
        let path = scratch.path();
        for key in ["host", "client"] {
            let made =
                Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path.join(key)).status();
            assert!(made.expect("ssh-keygen is there").success());
        }
        let p = path.display();
        let sshd = format!(
            "ListenAddress 192.0.2.1\nHostKey {p}/host\nAuthorizedKeysFile {p}/client.pub\nPidFile {p}/sshd.pid\n\
             UsePAM no\nStrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\n"
        );
        std::fs::write(path.join("sshd_config"), sshd).expect("writable");
        let host = std::fs::read_to_string(path.join("host.pub")).expect("it was made");
        std::fs::write(path.join("known_hosts"), format!("192.0.2.1 {host}")).expect("writable");
        let ssh = format!(
            "#!/bin/sh\nexec ssh -F /dev/null -o UserKnownHostsFile={p}/known_hosts -o StrictHostKeyChecking=yes \"$@\"\n"
        );
        std::fs::write(path.join("ssh"), ssh).expect("writable");
        std::fs::set_permissions(path.join("ssh"), PermissionsExt::from_mode(0o755)).expect("ours");
        let log = std::fs::File::create(path.join("libvirtd.log")).expect("writable");
        let mut command = Command::new("ip");
        command.args([
            "netns",
            "exec",
            lab.name(),
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "--pid",
            "--fork",
        ]);
        command.args(["--kill-child", "--mount-proc", "sh", "-c", START, "sh"]).arg(path);
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file")).stderr(log);
        let outside = command.spawn().expect("ip starts");
        let libvirtd = Libvirtd { outside, scratch };
        let started = Instant::now();
        while !libvirtd.answers() {
            assert!(
                started.elapsed() < Duration::from_secs(90),
                "libvirtd does not answer:\n{}",
                std::fs::read_to_string(libvirtd.scratch.path().join("libvirtd.log")).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        libvirtd
    }

    fn answers(&self) -> bool {
        let asked = Command::new("virsh").args(["-q", "-c", &self.here(), "uri"]).output();
        asked.is_ok_and(|output| output.status.success())
    }

    /// The connection's URI on this machine.
    pub fn here(&self) -> String {
        format!("qemu:///system?socket={}", self.own("/run/libvirt/libvirt-sock").display())
    }

    /// The same libvirt through SSH, as from another machine.
    pub fn through_ssh(&self) -> String {
        let p = self.scratch.path().display();
        format!("qemu+ssh://root@192.0.2.1/system?keyfile={p}/client&command={p}/ssh")
    }

    /// Gives this thread, and what it starts, libvirtd's logs in the place of this machine's, as they are for who is on the
    /// machine that libvirtd runs on. For a thread of the test's own.
    pub fn share_logs(&self) {
        // SAFETY: the working directory and mounts become the thread's own; no memory and no descriptor is concerned.
        unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNS) }.expect("root may");
        let own = self.own("/var/log/libvirt");
        let mounts: [&[&str]; 2] =
            [&["--make-rprivate", "/"], &["--bind", own.to_str().expect("a plain path"), "/var/log/libvirt"]];
        for arguments in mounts {
            let mounted = Command::new("mount").args(arguments).status();
            assert!(mounted.is_ok_and(|status| status.success()), "mount {arguments:?}");
        }
    }

    /// The process that is the first of libvirtd's process namespace.
    fn inside(&self) -> String {
        let children = format!("/proc/{0}/task/{0}/children", self.outside.id());
        std::fs::read_to_string(children).expect("unshare runs").trim().to_owned()
    }

    /// A command where libvirtd runs: its network, its files, its processes.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.inside(), "--all", "--", program]);
        command
    }

    /// `sh -c TEXT` where libvirtd runs.
    pub fn run(&self, text: &str) -> String {
        let output = self.command("sh").args(["-c", text]).output().expect("nsenter starts");
        assert!(output.status.success(), "{text}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Where its /var/lib/libvirt and others are, seen from outside.
    pub fn own(&self, path: &str) -> PathBuf {
        self.scratch.path().join("own").join(Path::new(path).strip_prefix("/").expect("an absolute path"))
    }
}

impl Drop for Libvirtd {
    fn drop(&mut self) {
        drop(self.outside.kill());
        drop(self.outside.wait());
    }
}
