//! The wait until a machine says itself that all is well, and the proof that who answers its SSH is that machine.
//!
//! The console is anybody's to write to who is on the machine, the kernel included. What counts are the lines that have
//! the machine's secret word, which only its root can read: `[debrole WORD] ready`.

use super::console::{ConsoleLines, Heard};
use super::{Identity, Machine, Progress};
use crate::exec::{Command, ExecError};
use crate::scratch::Scratch;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How many of the console's last lines are kept for a message.
const LAST: usize = 30;

/// How long SSH may take once the machine says that it is ready: its checks have been OK, so the daemon runs.
const SSH_LIMIT: Duration = Duration::from_secs(60);

/// How a machine's SSH is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SshCheck {
    /// Not at all: it has no address that is known, or none that is reached from here.
    Without,
    At {
        address: IpAddr,
        port: u16,
    },
}

impl SshCheck {
    /// At the machine's first address.
    pub fn of(machine: &Machine) -> SshCheck {
        let address = machine.networks.iter().flat_map(|network| network.addresses.iter().copied()).next();
        address.map_or(SshCheck::Without, |address| SshCheck::At { address, port: 22 })
    }
}

/// A machine that is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// From the start of the wait until its checks were OK.
    pub took: Duration,
    /// Its checks that are not OK, and do not keep it from being ready: `name: text`.
    pub warnings: Vec<String>,
    /// Whether SSH was asked, and answered with the machine's own key.
    pub ssh: bool,
}

/// Why a machine is not ready, with what its console said last.
#[derive(Debug, thiserror::Error)]
#[error("{reason}{}", console(.last_lines))]
pub struct NotReady {
    pub reason: Reason,
    /// The oldest first.
    pub last_lines: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum Reason {
    #[error("\"{name}\" says that it is not well:{what}\nsee to these checks of its roles, then provision it again")]
    Failed { name: String, what: String },
    #[error("\"{name}\" turned itself off before it was ready: its console's last lines say why")]
    Gone { name: String },
    #[error(
        "\"{name}\" was not ready within {} seconds; the last that was seen of it: {stage}: give it longer, or see to what its console's last lines say",
        limit.as_secs()
    )]
    Late { name: String, limit: Duration, stage: String },
    #[error(
        "who answers SSH at {address} is not \"{name}\": its host key is not the one that was made for it\n  expected: {expected}\n  answered: {answered}\nanother machine may have the address: see to that, then provision it again"
    )]
    OtherKey { name: String, address: IpAddr, expected: String, answered: String },
    #[error(
        "\"{name}\" is up, and its SSH at {address} does not answer: {words}: see to its network ([vm] of its file) and to packet filters between it and this machine"
    )]
    NoSsh { name: String, address: IpAddr, words: String },
    #[error("the machine's SSH can't be asked: {0}")]
    Ssh(#[source] ExecError),
    #[error("the machine's SSH can't be asked: {0}")]
    Io(#[source] std::io::Error),
}

fn console(lines: &[String]) -> String {
    match lines {
        [] => "\nits console said nothing".to_owned(),
        some => format!("\nthe last lines of its console:\n  {}", some.join("\n  ")),
    }
}

/// What a machine says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Begin,
    /// Name, status, text.
    Check(String, String, String),
    Ready,
    Failed(String),
}

/// The machine's own word in a line. It begins anywhere: what somebody else wrote may share its line.
fn own(line: &str, secret: &str) -> Option<Word> {
    // An empty word would be anybody's.
    if secret.is_empty() {
        return None;
    }
    let said = line.split_once(&format!("[debrole {secret}] "))?.1;
    let (verb, rest) = said.split_once(' ').unwrap_or((said, ""));
    Some(match verb {
        "begin" => Word::Begin,
        "ready" => Word::Ready,
        "failed" => Word::Failed(rest.trim().to_owned()),
        "check" => {
            let mut parts = rest.splitn(3, ' ').map(str::to_owned);
            Word::Check(parts.next()?, parts.next()?, parts.next().unwrap_or_default())
        }
        _ => return None,
    })
}

/// How far a machine is, as its console lets a person see: what is said once for each.
fn stage(line: &str) -> Option<&'static str> {
    const STAGES: [(&str, &str); 7] = [
        ("SeaBIOS", "its firmware runs"),
        ("BdsDxe", "its firmware runs"),
        ("Linux version ", "its kernel runs"),
        ("Welcome to ", "systemd runs"),
        ("Reached target network.target", "its network is up"),
        ("Reached target multi-user.target", "its services run"),
        (" login:", "it lets people log in"),
    ];
    let bare = line.replace(" - ", " ");
    STAGES.iter().find(|(sign, _)| line.contains(sign) || bare.contains(sign)).map(|(_, stage)| *stage)
}

/// Waits until the machine says that it is ready, for at most `limit`, then asks its SSH for its key. What happens
/// meanwhile is said to `progress`.
pub fn ready(
    console: &mut dyn ConsoleLines,
    machine: &Machine,
    identity: &Identity,
    ssh: &SshCheck,
    limit: Duration,
    progress: &dyn Progress,
) -> Result<Ready, NotReady> {
    let started = Instant::now();
    let mut last_lines: VecDeque<String> = VecDeque::new();
    let name = || machine.name.clone();
    let mut seen: Vec<&str> = Vec::new();
    let mut at = "nothing at all".to_owned();
    let mut warnings: Vec<(String, String)> = Vec::new();
    let reason = loop {
        let left = limit.saturating_sub(started.elapsed());
        if left.is_zero() {
            break Some(Reason::Late { name: name(), limit, stage: at });
        }
        let line = match console.next(left.min(Duration::from_secs(1))) {
            Heard::Line(line) => line,
            Heard::Silence => continue,
            Heard::Gone => break Some(Reason::Gone { name: name() }),
        };
        let word = own(&line, &identity.word);
        // The secret is in no message.
        last_lines.push_back(line.replace(&identity.word, "…"));
        if last_lines.len() > LAST {
            last_lines.pop_front();
        }
        match word {
            Some(Word::Begin) => {
                at = "its first checks".to_owned();
                progress.say("it runs its own checks");
            }
            Some(Word::Check(check, status, text)) => {
                at = format!("check {check} {status}: {text}");
                warnings.retain(|(other, _)| *other != check);
                progress.say(&format!("{check} {status}: {text}"));
                if status != "OK" {
                    warnings.push((check, text));
                }
            }
            Some(Word::Ready) => break None,
            Some(Word::Failed(what)) => break Some(Reason::Failed { name: name(), what: failed(&what, &warnings) }),
            None => {
                if let Some(stage) = stage(&line)
                    && !seen.contains(&stage)
                {
                    seen.push(stage);
                    at = stage.to_owned();
                    progress.say(stage);
                }
            }
        }
    };
    let not = |reason| NotReady { reason, last_lines: last_lines.iter().cloned().collect() };
    if let Some(reason) = reason {
        return Err(not(reason));
    }
    let took = started.elapsed();
    let asked = match ssh {
        SshCheck::Without => false,
        SshCheck::At { address, port } => {
            progress.say(&format!("its checks are OK; asking for its host key at {address}"));
            host_key(machine, identity, *address, *port).map_err(not)?;
            true
        }
    };
    let warnings = warnings.into_iter().map(|(check, text)| format!("{check}: {text}")).collect();
    Ok(Ready { took, warnings, ssh: asked })
}

/// The checks that a machine names as failed, each with what it said of it.
fn failed(names: &str, told: &[(String, String)]) -> String {
    let mut text = String::new();
    for check in names.split_whitespace() {
        text.push_str(&format!("\n  {check}"));
        if let Some((_, why)) = told.iter().find(|(name, _)| name == check) {
            text.push_str(&format!(": {why}"));
        }
    }
    text
}

/// Whether who answers SSH there has the machine's private key. Nobody logs in: the server has shown its key by the time
/// that it refuses.
fn host_key(machine: &Machine, identity: &Identity, address: IpAddr, port: u16) -> Result<(), Reason> {
    let directory = Scratch::new().map_err(Reason::Io)?;
    let known = directory.path().join("known_hosts");
    // By an alias: a known_hosts line that does not depend on how the machine is reached.
    let key: Vec<&str> = identity.host_key_public.split_whitespace().take(2).collect();
    std::fs::write(&known, format!("machine {}\n", key.join(" "))).map_err(Reason::Io)?;
    let options = [
        "StrictHostKeyChecking=yes".to_owned(),
        format!("UserKnownHostsFile={}", known.display()),
        "GlobalKnownHostsFile=/dev/null".to_owned(),
        "HostKeyAlias=machine".to_owned(),
        "HostKeyAlgorithms=ssh-ed25519".to_owned(),
        "CheckHostIP=no".to_owned(),
        "BatchMode=yes".to_owned(),
        "PreferredAuthentications=none".to_owned(),
        "ConnectTimeout=10".to_owned(),
    ];
    let port = port.to_string();
    let ask = Command::new("ssh")
        .args(["-F", "/dev/null", "-T", "-p", &port])
        .args(options.iter().flat_map(|option| ["-o", option]))
        .args(["-l", "debrole-asks", &address.to_string(), "true"])
        .limit(Duration::from_secs(40));
    let started = Instant::now();
    loop {
        let words = match ask.run() {
            Ok(output) if output.success() => return Ok(()),
            Ok(output) => output.stderr_text(),
            Err(ExecError::TimedOut { stderr, .. }) => String::from_utf8_lossy(&stderr).into_owned(),
            Err(error) => return Err(Reason::Ssh(error)),
        };
        if words.contains("Permission denied") || words.contains("Too many authentication failures") {
            return Ok(());
        }
        if words.contains("Host key verification failed") || words.contains("no matching host key type") {
            let name = machine.name.clone();
            let (expected, answered) = (key.join(" "), shown(address, &port));
            return Err(Reason::OtherKey { name, address, expected, answered });
        }
        if started.elapsed() > SSH_LIMIT {
            let words = words.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no word").trim().to_owned();
            return Err(Reason::NoSsh { name: machine.name.clone(), address, words });
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// The keys that are shown at an address: for a person to compare, not to be believed.
fn shown(address: IpAddr, port: &str) -> String {
    let scan = Command::new("ssh-keyscan").args(["-T", "10", "-p", port, &address.to_string()]);
    let text = scan.limit(Duration::from_secs(40)).run().map(|output| output.stdout_text()).unwrap_or_default();
    let keys: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(' ').map(|(_, key)| key))
        .collect();
    match keys.iter().find(|key| key.starts_with("ssh-ed25519")).or(keys.first()) {
        Some(key) => (*key).to_owned(),
        None => "a key that ssh-keyscan does not show".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_knows_the_word_is_believed() {
        assert_eq!(own("[debrole s3] ready", "s3"), Some(Word::Ready));
        assert_eq!(own("[   12.3] random: crng init[debrole s3] begin", "s3"), Some(Word::Begin));
        assert_eq!(own("[debrole s3] failed units packages", "s3"), Some(Word::Failed("units packages".into())));
        let check = Word::Check("http".into(), "OK".into(), "HTTP OK: 200".into());
        assert_eq!(own("[debrole s3] check http OK HTTP OK: 200", "s3"), Some(check));
        for forged in [
            "[debrole ] ready",
            "[debrole s4] ready",
            "debrole s3 ready",
            "[debrole s3]ready",
            "ready",
            "[debrole s3] readyish",
        ] {
            assert_eq!(own(forged, "s3"), None, "{forged}");
        }
        assert_eq!(own("[debrole ] ready", ""), None);
    }

    #[test]
    fn a_person_can_follow() {
        assert_eq!(stage("[    0.000000] Linux version 6.1.0-13"), Some("its kernel runs"));
        assert_eq!(stage("[  OK  ] Reached target network.target - Network."), Some("its network is up"));
        assert_eq!(stage("[  OK  ] Reached target multi-user.target - Multi-User System."), Some("its services run"));
        assert_eq!(stage("web1 login: "), Some("it lets people log in"));
        assert_eq!(stage("nothing of that kind"), None);
    }
}
