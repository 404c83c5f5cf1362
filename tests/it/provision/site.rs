//! The example fleet's web server, to be made by the real program with all its real parts, in a network of the test's own.

use super::libvirtd::Libvirtd;
use crate::example::fleet::Fleet;
use crate::machine::{Outcome, cache_directory};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
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
    /// The libvirt on whose machine the program runs, instead of in the fleet's network alone.
    pub libvirtd: Option<Libvirtd>,
    _mirror: Mirror,
}

const WITHOUT_LIBVIRT: &str = "[ ! -d /run/libvirt ] || mount -t tmpfs tmpfs /run/libvirt";

/// A role that takes less than the example's web server, for machines whose instructions are translated.
const PAGE: &str = r#"summary = "A page"
includes = ["base"]
depends = ["nginx-light"]

[[file]]
path = "/var/www/html/index.html"
content = "The Example Project, on one page\n"

[[check]]
name = "nginx"
command = "/usr/lib/nagios/plugins/check_http -I 127.0.0.1 -w {warning} -c {critical}"
warning = 10
critical = 60
"#;

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
        let site = Site::of(fleet);
        site.write_host(WEB, "192.0.2.10", vm);
        site
    }

    /// A fleet with a person whose key is at hand and a network to plug into.
    pub fn of(fleet: Fleet) -> Site {
        let directory = tempfile::Builder::new().prefix("debrole-site-").tempdir().expect("a temporary directory");
        let key = directory.path().join("key");
        let made =
            Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "alma", "-f"]).arg(&key).status();
        assert!(made.is_ok_and(|status| status.success()), "ssh-keygen");
        let _mirror = Mirror::new(&fleet, directory.path());
        let site = Site { _mirror, fleet, directory, without_libvirt: false, libvirtd: None };
        site.give_key();
        site.fleet.edit(
            "debrole.toml",
            "\n[secrets]\n",
            "\n[network.lan]\nbridge = \"br0\"\nprefixes = [\"192.0.2.0/24\", \"2001:db8::/64\"]\n\n[secrets]\n",
        );
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

    /// A web server as the example has it, to be made.
    pub fn write_host(&self, name: &str, address: &str, vm: &str) {
        self.fleet.write(
            &format!("hosts/{name}.toml"),
            &format!(
                "# The first web server.\nroles = [\"web\"]\nrelease = \"bookworm\"\naddresses = [\"{address}\"]\n\n\
                 [vm]\n{vm}\n\n[values]\nserver_names = [\"www.example.org\", \"{name}\"]\ncache = \"64m\"\n"
            ),
        );
    }

    /// The machine has a role that takes less.
    pub fn with_a_page(self) -> Site {
        self.fleet.write("roles/page.toml", PAGE);
        let host = format!("hosts/{WEB}.toml");
        self.fleet.edit(&host, "\"web\"", "\"page\"");
        let text = std::fs::read_to_string(self.fleet.tree().join(&host)).expect("a host");
        self.fleet.write(&host, text.split("\n[values]").next().expect("a text"));
        self
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
        // A libvirt of this machine's would be taken, and it does not know the test's network.
        self.prepared(if self.without_libvirt { WITHOUT_LIBVIRT } else { "" }, arguments)
    }

    /// The same, after a shell has done this in a mount name space that only the program sees.
    pub fn prepared(&self, shell: &str, arguments: &[&str]) -> Command {
        let mut command = match &self.libvirtd {
            Some(libvirtd) => libvirtd.command("env"),
            None => {
                // Not ip-netns(8), which mounts another /sys, without cgroups.
                let mut command = Command::new("nsenter");
                command.arg(format!("--net=/run/netns/{}", self.fleet.lab.name()));
                command
            }
        };
        if !shell.is_empty() {
            command.args(["unshare", "--mount", "sh", "-c", &format!("{shell} && exec \"$@\""), "sh"]);
        }
        command.args([DEBROLE, "-C"]).arg(self.fleet.tree()).args(arguments);
        command.env("DEBROLE_STATE", self.state()).env("DEBROLE_IDENTITY", self.directory.path().join("key"));
        command.env("DEBROLE_BASE_CACHE", cache_directory().join("base"));
        command.env("http_proxy", "http://127.0.0.1:3128").env_remove("DEBROLE_RUN");
        command.stdin(Stdio::null());
        command
    }

    /// Runs it on a terminal (script(1)): each text is typed once the one before it has been seen. What is typed to virsh is
    /// typed again every few seconds: it says how it is left before the terminal is its own, and forgets what came between.
    #[track_caller]
    pub fn on_a_terminal(&self, arguments: &[&str], talk: &[(&str, &str)]) -> Outcome {
        let started = Instant::now();
        let command = self.command(arguments);
        let quoted =
            |word: &std::ffi::OsStr| format!("'{}'", word.to_str().expect("a plain word").replace('\'', "'\\''"));
        let words: Vec<String> = std::iter::once(command.get_program()).chain(command.get_args()).map(quoted).collect();
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--flush", "--command", &words.join(" "), "/dev/null"]);
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => script.env(name, value),
                None => script.env_remove(name),
            };
        }
        script.env("TERM", "dumb").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = script.spawn().expect("script starts");
        let (mut typed, mut seen) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        let (said, heard) = mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = seen.read(&mut buffer) {
                if said.send(buffer[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        let (mut all, mut from) = (String::new(), 0);
        let mut again = None;
        for (sign, text) in talk {
            let waiting = Instant::now();
            while !all[from..].contains(sign) {
                match heard.recv_timeout(Duration::from_secs(5)) {
                    Ok(bytes) => all += &String::from_utf8_lossy(&bytes),
                    Err(mpsc::RecvTimeoutError::Timeout) if waiting.elapsed() < Duration::from_secs(120) => {
                        let text: &str = again.unwrap_or_default();
                        typed.write_all(text.as_bytes()).expect("it reads");
                    }
                    Err(error) => {
                        drop(child.kill());
                        panic!("{arguments:?} never said {sign:?} ({error}), but:\n{all}");
                    }
                }
            }
            from = all.len();
            typed.write_all(text.as_bytes()).expect("it reads");
            again = (*sign == "Escape character is").then_some(*text);
        }
        while let Ok(bytes) = heard.recv_timeout(Duration::from_secs(300)) {
            all += &String::from_utf8_lossy(&bytes);
        }
        let status = child.wait().expect("our child").code().unwrap_or(255);
        Outcome { status, stdout: all.replace('\r', ""), stderr: String::new(), took: started.elapsed() }
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
        self.host_key_of(WEB)
    }

    fn host_key_of(&self, name: &str) -> String {
        let host = std::fs::read_to_string(self.fleet.tree().join(format!("hosts/{name}.toml"))).expect("a host");
        let key = host.lines().find_map(|line| line.strip_prefix("ssh_host_key = \"")).expect("a host key");
        key.trim_end_matches('"').to_owned()
    }

    /// `ssh` as the person of the tree, who believes only what the tree says of host keys.
    pub fn ssh(&self, command: &str) -> Outcome {
        self.ssh_to(WEB, "192.0.2.10", command)
    }

    /// The same to another machine.
    pub fn ssh_to(&self, name: &str, address: &str, command: &str) -> Outcome {
        let known = self.directory.path().join("known_hosts");
        std::fs::write(&known, format!("{name},{address} {}\n", self.host_key_of(name))).expect("writable");
        let mut ssh = Command::new("ip");
        ssh.args(["netns", "exec", self.fleet.lab.name(), "ssh", "-F", "none", "-i"])
            .arg(self.directory.path().join("key"));
        ssh.args(["-o", "StrictHostKeyChecking=yes", "-o", "GlobalKnownHostsFile=none", "-o", "BatchMode=yes"]);
        ssh.arg("-o").arg(format!("UserKnownHostsFile={}", known.display()));
        ssh.args(["-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=20", &format!("alma@{address}"), command]);
        ssh.stdin(Stdio::null());
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
