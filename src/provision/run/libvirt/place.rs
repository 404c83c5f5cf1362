//! The machine that libvirt runs on, as far as libvirt itself does not tell of it.

use super::Libvirt;
use crate::exec::Command;
use crate::provision::run::kept::quoted;
use crate::provision::run::local;
use std::time::Duration;

/// Where libvirt keeps what QEMU says, one file a machine, and consoles as we define them.
pub(super) const LOGS: &str = "/var/log/libvirt/qemu";

impl Libvirt {
    /// The other machine's name, where it is another: `[user@]host[:port]` of the URI.
    pub(in crate::provision) fn remote(&self) -> Option<&str> {
        let rest = self.uri.split_once("+ssh://")?.1;
        rest.split('/').next().filter(|host| !host.is_empty())
    }

    /// A shell's command on the machine that libvirt runs on, by the same ssh that virsh(1) uses.
    pub(in crate::provision) fn shell(&self, text: &str) -> Command {
        let Some(remote) = self.remote() else { return Command::new("sh").args(["-c", text]) };
        let query = self.uri.split_once('?').map(|(_, query)| query).unwrap_or_default();
        let value = |key: &str| query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
        let (user, host) = remote.split_once('@').map_or((None, remote), |(user, host)| (Some(user), host));
        let (host, port) = match host.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (host, Some(port)),
            _ => (host, None),
        };
        let mut ssh = Command::new(value("command").unwrap_or("ssh")).args(["-o", "BatchMode=yes", "-T"]);
        for (option, value) in [("-l", user), ("-p", port), ("-i", value("keyfile"))] {
            if let Some(value) = value {
                ssh = ssh.args([option, value]);
            }
        }
        if value("no_verify") == Some("1") {
            ssh = ssh.args(["-o", "StrictHostKeyChecking=no"]);
        }
        ssh.args(["--", host.trim_matches(['[', ']']), text])
    }

    /// Its bridges, sorted; None where nobody may run programs there.
    pub(super) fn bridges(&self) -> Option<Vec<String>> {
        if self.remote().is_none() {
            return local::bridges().ok();
        }
        let output = self.shell("ip -o link show type bridge").limit(Duration::from_secs(30)).run_ok().ok()?;
        // "3: br0: <BROADCAST…"
        let name = |line: &str| Some(line.split(": ").nth(1)?.split('@').next()?.to_owned());
        let mut names: Vec<String> = output.stdout_text().lines().filter_map(name).collect();
        names.sort();
        Some(names)
    }

    /// Removes what was kept of what a machine's QEMU and its console said, with what was turned; who may run no programs
    /// there leaves it to libvirt's logrotate(8).
    pub(super) fn remove_logs(&self, name: &str, consoles: &[String]) {
        let own = format!("{LOGS}/{name}.log");
        for log in consoles.iter().chain([&own]) {
            let remove = format!("rm -f -- {0} {0}.[0-9]*", quoted(log));
            let _ = self.shell(&remove).limit(Duration::from_secs(30)).run();
        }
    }
}
