//! The example fleet's web server, to be made by the real program with all its real parts, in a network of the test's own.

use crate::example::fleet::Fleet;
use crate::machine::{Outcome, cache_directory};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

pub const DEBROLE: &str = env!("CARGO_BIN_EXE_debrole");
pub const WEB: &str = "web1.example.org";

/// The example fleet's web server, to be made; a person of the tree whose key is at hand; a hypervisor that knows
/// nothing yet. Its commands run in the fleet's network.
pub struct Site {
    pub fleet: Fleet,
    pub directory: TempDir,
    /// Whether the program does not see the libvirt that this machine may have.
    pub without_libvirt: bool,
    _mirror: Mirror,
}

const WITHOUT_LIBVIRT: &str = "[ ! -d /run/libvirt ] || mount -t tmpfs tmpfs /run/libvirt && exec \"$@\"";

/// The way out of the test's network to Debian's mirror, and to nothing else.
struct Mirror {
    relay: Child,
}

impl Drop for Mirror {
    fn drop(&mut self) {
        drop(self.relay.kill());
        drop(self.relay.wait());
    }
}

impl Mirror {
    fn new(fleet: &Fleet, directory: &Path) -> Mirror {
        let socket = directory.join("mirror.sock");
        // What apt says to a proxy is said to the mirror itself: an address in full is what any server has to take
        // (RFC 9112, 3.2.2).
        let onwards = std::env::var("http_proxy").ok().filter(|proxy| !proxy.is_empty());
        let onwards = onwards.map(|proxy| proxy.trim_start_matches("http://").trim_end_matches('/').to_owned());
        let onwards = onwards.unwrap_or_else(|| "deb.debian.org:80".to_owned());
        let relay = Command::new("socat")
            .arg(format!("UNIX-LISTEN:{},fork", socket.display()))
            .arg(format!("TCP:{onwards}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("socat starts");
        fleet.lab.start(
            Command::new("socat")
                .arg("TCP-LISTEN:3128,bind=127.0.0.1,fork,reuseaddr")
                .arg(format!("UNIX-CONNECT:{}", socket.display())),
        );
        Mirror { relay }
    }
}

impl Site {
    /// With this for the machine's `[vm]`.
    pub fn new(vm: &str) -> Site {
        // Backups and monitoring would need machines of their own; the checks of roles are here.
        let fleet = Fleet::watched().without(&["backup", "munin", "munin_server", "nagios_server"]);
        for entry in std::fs::read_dir(fleet.tree().join("hosts")).expect("hosts").flatten() {
            let name = entry.file_name().into_string().expect("a name");
            if !name.starts_with(WEB) {
                let gone = if entry.path().is_dir() { std::fs::remove_dir_all } else { std::fs::remove_file };
                gone(entry.path()).expect("writable");
            }
        }
        // They have values that their machines alone have.
        for role in ["hypervisor", "backup"] {
            fleet.remove(&format!("roles/{role}.toml"));
            std::fs::remove_dir_all(fleet.tree().join("roles").join(role)).expect("writable");
        }
        let directory = tempfile::Builder::new().prefix("debrole-site-").tempdir().expect("a temporary directory");
        let key = directory.path().join("key");
        let made =
            Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "alma", "-f"]).arg(&key).status();
        assert!(made.is_ok_and(|status| status.success()), "ssh-keygen");
        let site = Site { _mirror: Mirror::new(&fleet, directory.path()), fleet, directory, without_libvirt: false };
        site.give_key();
        site.write_host(vm);
        site
    }

    /// Alma gets the key that is at hand.
    fn give_key(&self) {
        let public = std::fs::read_to_string(self.directory.path().join("key.pub")).expect("a public key");
        let path = self.fleet.tree().join("users/alma.toml");
        let text = std::fs::read_to_string(&path).expect("a user");
        let old = text.split('"').find(|part| part.starts_with("ssh-ed25519 ")).expect("a key").to_owned();
        std::fs::write(&path, text.replace(&old, public.trim())).expect("writable");
    }

    fn write_host(&self, vm: &str) {
        self.fleet.edit(
            "debrole.toml",
            "\n[secrets]\n",
            "\n[network.lan]\nbridge = \"br0\"\nprefixes = [\"192.0.2.0/24\", \"2001:db8::/64\"]\n\n[secrets]\n",
        );
        self.fleet.write(
            &format!("hosts/{WEB}.toml"),
            &format!(
                "# The first web server.\nroles = [\"web\"]\nrelease = \"bookworm\"\naddresses = [\"192.0.2.10\"]\n\n\
                 [vm]\n{vm}\n\n[values]\nserver_names = [\"www.example.org\", \"web1.example.org\"]\ncache = \"64m\"\n"
            ),
        );
    }

    /// Publishes the tree as it is, and serves it.
    pub fn serve(mut self) -> Site {
        self.fleet = self.fleet.serve();
        self
    }

    pub fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    /// The program with these arguments, on the tree and in the network, ready to be started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        // Not ip-netns(8), which mounts another /sys, without cgroups.
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.fleet.lab.name()));
        if self.without_libvirt {
            // A libvirt of this machine's would be taken, and it does not know the test's network.
            command.args(["unshare", "--mount", "sh", "-c", WITHOUT_LIBVIRT, "sh"]);
        }
        command.args([DEBROLE, "-C"]).arg(self.fleet.tree()).args(arguments);
        command.env("DEBROLE_STATE", self.state());
        command.env("DEBROLE_BASE_CACHE", cache_directory().join("base"));
        command.env("http_proxy", "http://127.0.0.1:3128").env_remove("DEBROLE_RUN");
        command.stdin(Stdio::null());
        command
    }

    /// Runs it to its end, with all that it started that has its output.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        outcome(&mut self.command(arguments))
    }

    #[track_caller]
    pub fn ok(&self, arguments: &[&str]) -> String {
        let outcome = self.run(arguments);
        let all = outcome.all();
        assert!(outcome.succeeded(), "debrole {arguments:?} ended with {}\n{all}", outcome.status);
        all
    }

    /// `provision web1…` as a container.
    pub fn provision(&self) -> Vec<&'static str> {
        vec!["provision", WEB, "--here", "--accel", "nspawn", "--no-gate"]
    }

    /// The host key that the tree has.
    pub fn host_key(&self) -> String {
        let host = std::fs::read_to_string(self.fleet.tree().join(format!("hosts/{WEB}.toml"))).expect("a host");
        let key = host.lines().find_map(|line| line.strip_prefix("ssh_host_key = \"")).expect("a host key");
        key.trim_end_matches('"').to_owned()
    }

    /// `ssh` as the person of the tree, who believes only what the tree says of host keys.
    pub fn ssh(&self, command: &str) -> Outcome {
        let known = self.directory.path().join("known_hosts");
        std::fs::write(&known, format!("{WEB},192.0.2.10 {}\n", self.host_key())).expect("writable");
        let mut ssh = Command::new("ip");
        ssh.args(["netns", "exec", self.fleet.lab.name(), "ssh", "-F", "none", "-i"])
            .arg(self.directory.path().join("key"));
        ssh.args(["-o", "StrictHostKeyChecking=yes", "-o", "GlobalKnownHostsFile=none", "-o", "BatchMode=yes"]);
        ssh.arg("-o").arg(format!("UserKnownHostsFile={}", known.display()));
        ssh.args(["-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=20", "alma@192.0.2.10", command])
            .stdin(Stdio::null());
        outcome(&mut ssh)
    }

    /// All that a run must leave as it was: the tree, what is known of machines, the ports of the bridge, processes.
    pub fn traces(&self) -> Traces {
        let mut tree = BTreeMap::new();
        for folder in ["debrole.toml", "ledger.toml", "roles", "hosts", "groups", "users"] {
            files(&self.fleet.tree().join(folder), &mut tree);
        }
        let mut state = BTreeMap::new();
        files(&self.state(), &mut state);
        let ports = self.fleet.lab.run("ip -o link show master br0 | cut -d' ' -f2 | cut -d@ -f1 | sort").stdout;
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let state_directory = self.state();
        let ours = |line: &&str| line.contains(&*state_directory.to_string_lossy());
        Traces {
            tree,
            state: state.into_keys().collect(),
            ports,
            mounts: mounts.lines().filter(ours).map(str::to_owned).collect(),
            processes: self.processes(),
        }
    }

    /// The command lines of processes that have to do with this hypervisor.
    fn processes(&self) -> Vec<String> {
        let state = self.state().to_string_lossy().into_owned();
        let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
        let lines = entries.filter_map(|entry| {
            entry.file_name().to_str()?.parse::<u32>().ok()?;
            Some(String::from_utf8_lossy(&std::fs::read(entry.path().join("cmdline")).ok()?).replace('\0', " "))
        });
        lines.filter(|line| line.contains(&state)).collect()
    }
}

/// What is compared before and after.
#[derive(Debug, PartialEq, Eq)]
pub struct Traces {
    pub tree: BTreeMap<PathBuf, Vec<u8>>,
    pub state: Vec<PathBuf>,
    pub ports: String,
    pub mounts: Vec<String>,
    pub processes: Vec<String>,
}

/// Every file below, with its content; empty directories are nothing.
fn files(path: &Path, into: &mut BTreeMap<PathBuf, Vec<u8>>) {
    match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => {
            for entry in std::fs::read_dir(path).expect("readable").flatten() {
                files(&entry.path(), into);
            }
        }
        Ok(_) => drop(into.insert(path.to_owned(), std::fs::read(path).unwrap_or_default())),
        Err(_) => {}
    }
}

/// To the end of the command and of all that writes where it wrote: of the process that takes back, too.
pub fn outcome(command: &mut Command) -> Outcome {
    let started = std::time::Instant::now();
    let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().expect("it starts");
    use std::os::unix::process::ExitStatusExt;
    Outcome {
        status: output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or(0)),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        took: started.elapsed(),
    }
}
