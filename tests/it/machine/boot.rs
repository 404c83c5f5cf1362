//! A booted machine: a tree under systemd-nspawn, plugged into a lab.

use super::command::{Outcome, run};
use super::lab::{Lab, NAMESPACE, Socket};
use super::mounts::unique;
use super::tree::{ENVIRONMENT, LIMIT, Tree};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a boot may take before the test fails. It takes about a second.
const BOOT_LIMIT: Duration = Duration::from_secs(90);

/// A running machine. Ends, and takes its tree and its network with it, when dropped.
#[derive(Debug)]
pub struct Machine {
    // In this order they go: the container, its socket, the tree's mounts.
    container: Container,
    socket: Socket,
    tree: Tree,
    number: u8,
    lab: Arc<Lab>,
}

#[derive(Debug)]
struct Container {
    nspawn: Child,
    /// The container's PID 1, as this machine numbers it; 0 until it is known.
    leader: u32,
    cgroups: Vec<PathBuf>,
}

impl Machine {
    /// Boots the tree as 192.0.2.`number` and 2001:db8::`number`, and waits until systemd is done. The tree's hostname is
    /// the machine's.
    pub fn boot(lab: &Arc<Lab>, tree: Tree, number: u8) -> Machine {
        let socket = lab.plug(number);
        let container = Container::start(&tree, &socket);
        Machine { container, socket, tree, number, lab: Arc::clone(lab) }
    }

    /// Its IPv4 address in the lab.
    pub fn address(&self) -> String {
        format!("192.0.2.{}", self.number)
    }

    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    pub fn lab(&self) -> &Arc<Lab> {
        &self.lab
    }

    /// `sh -c TEXT` on the machine, as root, with stdin at /dev/null.
    pub fn run(&self, text: &str) -> Outcome {
        self.run_with(text, None)
    }

    /// [`Machine::run`] with this as its standard input.
    pub fn run_with(&self, text: &str, input: Option<&[u8]>) -> Outcome {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.container.leader.to_string(), "--all", "--", "env", "-i"]);
        command.args(ENVIRONMENT).args(["sh", "-c", text]);
        run(&mut command, input, LIMIT)
    }

    /// [`Machine::run`]; the test fails unless it succeeds. What it wrote to stdout.
    #[track_caller]
    pub fn ok(&self, text: &str) -> String {
        self.run(text).ok(text)
    }

    /// Runs the command every 100 ms until it succeeds; the test fails after `seconds`.
    #[track_caller]
    pub fn wait_for(&self, text: &str, seconds: u64) -> String {
        let started = Instant::now();
        loop {
            let outcome = self.run(text);
            if outcome.succeeded() || started.elapsed() > Duration::from_secs(seconds) {
                return outcome.ok(text);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Shuts the machine down in good order and boots it again.
    pub fn reboot(&mut self) {
        self.container.stop();
        self.container = Container::start(&self.tree, &self.socket);
    }

    /// Shuts it down in good order; the tree as it is then.
    pub fn shut_down(mut self) -> Tree {
        self.container.stop();
        self.tree
    }
}

impl Container {
    fn start(tree: &Tree, socket: &Socket) -> Container {
        let name = format!("{NAMESPACE}{}", unique());
        let log = tree.beside().join("console");
        let console = std::fs::OpenOptions::new().create(true).append(true).open(&log).expect("the cache is writable");
        let cgroups = cgroups(&name);
        let mut command = Command::new("sh");
        // A cgroup of its own, entered before nspawn starts.
        command.args([
            "-c",
            "for c; do shift; [ \"$c\" = -- ] && break; echo $$ >\"$c/cgroup.procs\"; done; exec \"$@\"",
            "sh",
        ]);
        command.args(&cgroups).arg("--");
        command.args(["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--link-journal=no"]);
        command.args(["--resolv-conf=off", "--timezone=off", "--console=pipe", "--machine", &name, "--directory"]);
        command.arg(tree.path("/")).arg(format!("--network-namespace-path={}", socket.path()));
        let hostname = std::fs::read_to_string(tree.path("/etc/hostname")).unwrap_or_default();
        if !hostname.trim().is_empty() {
            command.arg(format!("--hostname={}", hostname.trim()));
        }
        for (pool, at) in tree.mounts() {
            command.arg(format!("--bind-ro={}:{at}", pool.display()));
        }
        if let Ok(coverage) = std::env::var("DEBROLE_COVERAGE") {
            // As in a tree that is not booted.
            command.arg(format!("--bind={coverage}:/dev/coverage"));
            let dash = tree.beside().join("dash");
            std::fs::copy(tree.path("/usr/bin/dash"), &dash).expect("the cache is writable");
            command.arg(format!("--bind-ro={}:/dev/dash", dash.display()));
            command.arg(format!("--bind-ro={coverage}/sh:/usr/bin/dash"));
        }
        // A machine may shape its own network: the namespace is its own.
        command.arg("--capability=CAP_NET_ADMIN");
        // net.* may be set, as roles do; the rest of /proc/sys stays read-only.
        command.env("SYSTEMD_NSPAWN_API_VFS_WRITABLE", "network").env("SYSTEMD_NSPAWN_LOCK", "0");
        command.stdin(Stdio::null()).stdout(console.try_clone().expect("a file")).stderr(console);
        let nspawn = command.spawn().expect("systemd-nspawn starts");
        let mut container = Container { nspawn, leader: 0, cgroups };
        container.wait_until_up(&log);
        container
    }

    fn wait_until_up(&mut self, log: &Path) {
        let started = Instant::now();
        let fail = |what: &str| -> ! {
            panic!("the machine does not boot: {what}\n{}", std::fs::read_to_string(log).unwrap_or_default())
        };
        loop {
            if let Some(status) = self.nspawn.try_wait().expect("our child") {
                fail(&format!("systemd-nspawn ended: {status}"));
            }
            if started.elapsed() > BOOT_LIMIT {
                fail("not up in time");
            }
            if self.leader == 0 {
                self.leader = children(self.nspawn.id()).into_iter().find(|&pid| is_init(pid)).unwrap_or(0);
            } else {
                let mut command = Command::new("nsenter");
                command.args(["-t", &self.leader.to_string(), "--all", "--", "systemctl", "is-system-running"]);
                let state = run(&mut command, None, Duration::from_secs(20)).stdout;
                if ["running", "degraded"].contains(&state.trim()) {
                    return;
                }
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// SIGRTMIN+4 is systemd's poweroff.target (systemd(1)).
    fn stop(&mut self) {
        if self.leader != 0 {
            drop(Command::new("kill").args(["-s", "RTMIN+4", &self.leader.to_string()]).output());
        }
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(60) {
            if !matches!(self.nspawn.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.kill();
    }

    /// The leader first: nspawn ends with it, but not it with nspawn.
    fn kill(&mut self) {
        let leaders = if self.leader != 0 { vec![self.leader] } else { children(self.nspawn.id()) };
        if matches!(self.nspawn.try_wait(), Ok(None)) {
            for leader in leaders {
                drop(Command::new("kill").args(["-KILL", &leader.to_string()]).output());
            }
            let started = Instant::now();
            while matches!(self.nspawn.try_wait(), Ok(None)) {
                if started.elapsed() > Duration::from_secs(10) {
                    drop(self.nspawn.kill());
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        drop(self.nspawn.wait());
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.kill();
        self.cgroups.iter().for_each(|cgroup| end(cgroup));
    }
}

/// The cgroups of all containers of all test runs, and what follows the prefix in their names: the process's number
/// first.
pub(super) fn containers() -> Vec<(PathBuf, String)> {
    let directories = hierarchies().into_iter().filter_map(|hierarchy| std::fs::read_dir(hierarchy).ok());
    directories
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.path(), entry.file_name().to_str()?.strip_prefix(NAMESPACE)?.to_owned())))
        .collect()
}

/// Kills what is left in a container's cgroup and removes it.
pub(super) fn end(cgroup: &Path) {
    for _ in 0..50 {
        let kill = "find \"$1\" -name cgroup.procs -exec cat {} + | xargs -r kill -KILL; \
                    find \"$1\" -depth -type d -exec rmdir {} ';'";
        drop(Command::new("sh").args(["-c", kill, "sh"]).arg(cgroup).output());
        if !cgroup.exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn hierarchies() -> Vec<PathBuf> {
    let top = Path::new("/sys/fs/cgroup");
    match top.join("cgroup.controllers").exists() {
        true => vec![top.to_owned()],
        false => ["systemd", "unified"].map(|h| top.join(h)).into_iter().filter(|h| h.is_dir()).collect(),
    }
}

/// A cgroup for this container in the hierarchies that systemd uses: unified alone, or hybrid.
fn cgroups(name: &str) -> Vec<PathBuf> {
    hierarchies()
        .into_iter()
        .map(|hierarchy| hierarchy.join(name))
        .filter(|cgroup| std::fs::create_dir(cgroup).is_ok())
        .collect()
}

fn children(process: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>())
        .collect()
}

/// Whether it is PID 1 of a process namespace and already runs systemd (not nspawn's own first steps).
fn is_init(process: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let inner = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
    let name = std::fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
    inner.split_whitespace().last() == Some("1") && name.trim() == "systemd"
}
