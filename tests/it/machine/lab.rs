//! A network of its own: a named namespace with a bridge, where machines plug in. Nothing leads out of it.

use super::command::{Outcome, run, sh};
use super::mounts::unique;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

/// How the network namespaces, containers and cgroups of tests are named, before the process's number.
pub const NAMESPACE: &str = "debrole-";

/// A bridge in a network namespace of its own: 192.0.2.1/24 and 2001:db8::1/64. Goes, with what runs in it, when dropped.
#[derive(Debug)]
pub struct Lab {
    name: String,
    running: Mutex<Vec<Child>>,
}

impl Lab {
    #[allow(clippy::new_without_default)]
    pub fn new() -> Lab {
        let name = format!("{NAMESPACE}{}", unique());
        let lab = Lab { name: name.clone(), running: Mutex::new(Vec::new()) };
        // A bridge without an address of its own has the lowest of its ports', which changes as machines come and go, and
        // then those that stay know the network by an address that nobody has.
        sh(
            &format!(
                "set -e
                ip netns add {name}
                ip -n {name} link set lo up
                ip -n {name} link add br0 address 02:00:c0:00:02:01 type bridge
                ip -n {name} addr add 192.0.2.1/24 dev br0
                ip -n {name} addr add 2001:db8::1/64 dev br0 nodad
                ip -n {name} link set br0 up"
            ),
            Duration::from_secs(30),
        );
        lab
    }

    /// The namespace's name, as `ip netns` knows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs a program of this machine (not of a test machine) inside the network, in the background, until the lab
    /// goes. Its output goes nowhere.
    pub fn start(&self, program: &mut Command) {
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", &self.name]).arg(program.get_program()).args(program.get_args());
        for (name, value) in program.get_envs() {
            if let Some(value) = value {
                inside.env(name, value);
            }
        }
        inside.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = inside.spawn().unwrap_or_else(|e| panic!("{program:?} does not start: {e}"));
        self.running.lock().expect("no panic while it is held").push(child);
    }

    /// Ends everything that [`Lab::start`] started.
    pub fn stop_all(&self) {
        for mut child in self.running.lock().map(|mut running| std::mem::take(&mut *running)).unwrap_or_default() {
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// `sh -c TEXT` by this machine's programs, inside the network.
    pub fn run(&self, text: &str) -> Outcome {
        run(Command::new("ip").args(["netns", "exec", &self.name, "sh", "-c", text]), None, Duration::from_secs(120))
    }

    /// [`Lab::run`] by somebody whose home directory this is: ssh(1) goes by what passwd says, whatever HOME is.
    pub fn run_at_home(&self, home: &Path, text: &str) -> Outcome {
        let passwd = home.join("passwd");
        let root = format!("root:x:0:0:root:{}:/bin/sh\n", home.display());
        let others = std::fs::read_to_string("/etc/passwd").expect("readable");
        let others = others.lines().filter(|line| !line.starts_with("root:")).map(|line| format!("{line}\n"));
        std::fs::write(&passwd, root + &others.collect::<String>()).expect("writable");
        let inside = ["ip", "netns", "exec", &self.name, "unshare", "-m", "--propagation", "private", "sh", "-c"];
        let text = format!("mount --bind {} /etc/passwd && {text}", passwd.display());
        let mut command = Command::new(inside[0]);
        command.args(&inside[1..]).arg(text).env("HOME", home);
        run(&mut command, None, Duration::from_secs(120))
    }

    /// A namespace for one machine, plugged into the bridge by an interface `host0` with this address.
    pub(super) fn plug(&self, number: u8) -> Socket {
        let (lab, name) = (&self.name, format!("{NAMESPACE}{}", unique()));
        let socket = Socket { name: name.clone() };
        sh(
            &format!(
                "set -e
                ip netns add {name}
                ip -n {name} link set lo up
                ip -n {lab} link add p{number} type veth peer name host0 netns {name}
                ip -n {lab} link set p{number} master br0 up
                ip -n {name} addr add 192.0.2.{number}/24 dev host0
                ip -n {name} addr add 2001:db8::{number}/64 dev host0 nodad
                ip -n {name} link set host0 up"
            ),
            Duration::from_secs(30),
        );
        socket
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.stop_all();
        drop(Command::new("ip").args(["netns", "delete", &self.name]).output());
    }
}

/// One machine's network namespace.
#[derive(Debug)]
pub(super) struct Socket {
    name: String,
}

impl Socket {
    pub fn path(&self) -> String {
        format!("/run/netns/{}", self.name)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        drop(Command::new("ip").args(["netns", "delete", &self.name]).output());
    }
}
