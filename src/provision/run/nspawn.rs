//! Machines that are containers of this machine's kernel: systemd-nspawn, a directory and an init each. Under systemd
//! each is a unit; without, a process of its own in a cgroup of its own.
//!
//! What tells a container from all others is its root: its first process has the directory that we gave it, and no other
//! process has that. So it is found, and stopped, even when the nspawn that started it is no more.

use super::kept::{self, Directory, Draft, quoted};
use super::own::Own;
use super::{Form, FormKind, RunError};
use crate::exec::Command;
use crate::provision::probe::Proof;
use crate::provision::{Accelerator, Machine, Progress};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a container whose init was killed may take to be gone.
const END: Duration = Duration::from_secs(30);

/// systemd-nspawn on this machine. Needs root.
pub struct Nspawn {
    directory: Directory,
}

/// The first process of a container.
struct Leader {
    pid: i32,
    process: OwnedFd,
}

impl Nspawn {
    /// `root` is the directory of its machines, its own alone; `fleet` tells those of this fleet from others in it.
    pub fn new(root: &Path, fleet: &str) -> Nspawn {
        let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
        Nspawn { directory: Directory::new(&root, fleet, "systemd-nspawn on this machine") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path(name)
    }

    fn namespace(&self, name: &str) -> String {
        format!("debrole-{}", self.directory.token(name))
    }

    /// The directory's identity is in it: machines of one name in two directories do not end each other.
    fn cgroup(&self, name: &str) -> String {
        format!("debrole-{}-{name}", self.directory.token(name))
    }

    fn leader(&self, name: &str) -> Option<Leader> {
        leader(&self.path(name).join("root"))
    }
}

fn running(path: &Path) -> bool {
    kept::runs(path) || leader(&path.join("root")).is_some()
}

/// The process that is the first of its own process namespace, one below ours, and has this directory as its root.
fn leader(root: &Path) -> Option<Leader> {
    let root = std::fs::metadata(root).ok()?;
    let ours = namespaces("self")?.len();
    let numbers = std::fs::read_dir("/proc").ok()?.flatten();
    numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()).find_map(|pid| {
        let is_it = || {
            let numbers = namespaces(&pid.to_string())?;
            let its = std::fs::metadata(format!("/proc/{pid}/root")).ok()?;
            let first = numbers.len() == ours + 1 && numbers.last().is_some_and(|number| number == "1");
            (first && (its.dev(), its.ino()) == (root.dev(), root.ino())).then_some(())
        };
        is_it()?;
        let process = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
        // Once more, now that the number can't become another's unnoticed.
        is_it()?;
        Some(Leader { pid, process })
    })
}

/// A process's numbers in its process namespaces, the outermost first.
fn namespaces(process: &str) -> Option<Vec<String>> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    Some(numbers.split_whitespace().map(str::to_owned).collect())
}

impl Own for Nspawn {
    const FORM: FormKind = FormKind::Tree;
    const ACCELERATORS: &'static [Accelerator] = &[Accelerator::Nspawn];
    const AGAIN: Duration = Duration::from_secs(5);

    fn directory(&self) -> &Directory {
        &self.directory
    }

    fn proof(&self, _: Option<&Path>) -> Proof {
        Proof::Missing { why: "a container has no processor of its own".to_owned() }
    }

    fn lacks(&self, _: &Machine) -> Option<RunError> {
        None
    }

    fn fill(&self, draft: &Draft<'_>, _: &Machine, form: &Form, progress: &dyn Progress) -> Result<(), RunError> {
        if let Form::Tree(tree) = form {
            progress.say(&format!("the machine's tree to {}", self.directory.root.display()));
            draft.take(tree, "root")?;
        }
        draft.write("stop", include_str!("stop_nspawn.sh"), 0o700)
    }

    fn script(&self, machine: &Machine, _: Accelerator, _: &Form) -> String {
        let name = &machine.name;
        let (token, namespace) = (&self.directory.token(name)[..10], self.namespace(name));
        let mut script = kept::preamble();
        script.push_str(&format!(
            "ip netns delete {namespace} 2>/dev/null || :\nip netns add {namespace}\nip -n {namespace} link set lo up\n"
        ));
        for (n, network) in machine.networks.iter().enumerate().filter(|(_, network)| !network.bridge.is_empty()) {
            let (mac, bridge) = (quoted(&network.mac), quoted(&network.bridge));
            let here = format!("dv{token}n{n}");
            script.push_str(&format!(
                "ip link delete {here} 2>/dev/null || :\n\
                 ip link add {here} type veth peer name host{n} address {mac} netns {namespace}\n\
                 ip link set {here} master {bridge} up\n\
                 ip -n {namespace} link set host{n} up\n"
            ));
        }
        // systemd has given a unit its cgroup. Else: in the hierarchies that systemd uses, unified alone or hybrid.
        script.push_str(&format!(
            r#"if [ -z "${{INVOCATION_ID-}}" ]; then
    hierarchies='/sys/fs/cgroup/systemd /sys/fs/cgroup/unified'
    [ ! -e /sys/fs/cgroup/cgroup.controllers ] || hierarchies=/sys/fs/cgroup
    for hierarchy in $hierarchies; do
        [ -d "$hierarchy" ] || continue
        mkdir -p "$hierarchy/{cgroup}"
        echo $$ >"$hierarchy/{cgroup}/cgroup.procs"
    done
fi
"#,
            cgroup = self.cgroup(name)
        ));
        script.push_str(&format!(
            r#"hostname=$(cat root/etc/hostname 2>/dev/null) || :
# The lock above is the one that counts. A machine sets up its own network, net.* included.
export SYSTEMD_NSPAWN_LOCK=0 SYSTEMD_NSPAWN_API_VFS_WRITABLE=network
# A console that can only be read is a terminal to the container; by "pipe" its systemd says nothing at all. 133 is a reboot.
status=133
while [ "$status" = 133 ]; do
    status=0
    systemd-nspawn --quiet --boot --register=no --keep-unit --link-journal=no --resolv-conf=off --timezone=off \
        --console=read-only --machine={name} --hostname="${{hostname:-{name}}}" --directory=root \
        --network-namespace-path=/run/netns/{namespace} --capability=CAP_NET_ADMIN >&4 2>&4 || status=$?
done
exit "$status"
"#
        ));
        script
    }

    fn runs(&self, name: &str) -> bool {
        running(&self.path(name))
    }

    fn runs_in(path: &Path) -> bool {
        running(path)
    }

    fn run(&self, name: &str, said: &dyn Fn() -> String) -> Result<(), RunError> {
        self.directory.start(name, || self.leader(name).is_some()).map_err(|error| match (error, said()) {
            // What nspawn itself has to say goes where its container's console goes.
            (RunError::DoesNotStart { name, on, .. }, said) if !said.is_empty() => {
                RunError::DoesNotStart { name, on, reason: said }
            }
            (error, _) => error,
        })
    }

    fn press(&self, name: &str) -> Result<(), RunError> {
        let Some(leader) = self.leader(name) else { return Ok(()) };
        // SIGRTMIN+4, to systemd: power off (systemd(1)). By number, as sh(1) may know no name of it.
        let kill = format!("kill -38 {}", leader.pid);
        Command::new("sh").args(["-c", &kill]).run().map(drop).map_err(RunError::exec(format!("stop \"{name}\"")))
    }

    fn end(&self, name: &str) -> Result<(), RunError> {
        let until = Instant::now() + END;
        while self.runs(name) {
            if let Some(leader) = self.leader(name) {
                // With it goes all that is in its process namespace. An error means that it has gone.
                let _ = pidfd_send_signal(&leader.process, Signal::KILL);
            }
            if Instant::now() > until {
                return Err(RunError::DoesNotStop { name: name.to_owned(), limit: END });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        self.clear(name);
        Ok(())
    }

    /// What a container leaves behind where systemd does not clean up: its network and its cgroups.
    fn clear(&self, name: &str) {
        let _ = Command::new("ip").args(["netns", "delete", &self.namespace(name)]).run();
        let cgroup = self.cgroup(name);
        for hierarchy in ["/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"] {
            let path = Path::new(hierarchy).join(&cgroup);
            if path.exists() {
                let _ =
                    Command::new("find").arg(path).args(["-depth", "-type", "d", "-exec", "rmdir", "{}", ";"]).run();
            }
        }
    }

    /// A container's console is no terminal: what a person gets is root's shell, on a terminal of the container's.
    fn connect(&self, name: &str) -> Result<(), RunError> {
        let leader = self.leader(name).ok_or_else(|| RunError::DoesNotRun { name: name.to_owned() })?;
        let mut enter = std::process::Command::new("nsenter");
        enter.args(["-t", &leader.pid.to_string(), "--all", "--", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]);
        enter.arg(format!("TERM={}", std::env::var("TERM").unwrap_or_else(|_| "dumb".to_owned())));
        // Whatever the shell's last command came to.
        enter.args(["script", "--quiet", "--command", "su - root", "/dev/null"]);
        enter.status().map(drop).map_err(|source| RunError::Other {
            what: format!("open a shell in \"{name}\""),
            reason: source.to_string(),
        })
    }
}
