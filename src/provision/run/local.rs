//! What this machine has that machines are to use: bridges, addresses, room.

use super::RunError;
use crate::exec::Command;
use crate::provision::{Machine, Network};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long an address gets to answer.
const ANSWER: Duration = Duration::from_millis(1500);

/// What `ip -j` tells of an interface or a neighbour.
#[derive(Debug, Deserialize)]
struct Row {
    #[serde(default)]
    ifname: String,
    #[serde(default)]
    lladdr: Option<String>,
    #[serde(default)]
    state: Vec<String>,
}

/// `ip -j`. Not /sys/class/net, which shows the network of whoever mounted it.
fn ip(arguments: &[&str]) -> Result<Vec<Row>, RunError> {
    let what = format!("run \"ip {}\"", arguments.join(" "));
    let output = Command::new("ip").arg("-j").args(arguments).run_ok().map_err(RunError::exec(what.clone()))?;
    let text = output.stdout_text();
    match text.trim() {
        "" => Ok(Vec::new()),
        // iproute2 leaves empty objects for what a filter has taken out.
        text => serde_json::from_str(text).map_err(|e| RunError::Other { what, reason: e.to_string() }),
    }
}

/// The names of this machine's bridges, sorted.
pub(super) fn bridges() -> Result<Vec<String>, RunError> {
    let mut names: Vec<String> =
        ip(&["link", "show", "type", "bridge"])?.into_iter().map(|row| row.ifname).filter(|n| !n.is_empty()).collect();
    names.sort();
    Ok(names)
}

/// What keeps the machine's networks from being plugged in here.
pub(super) fn networks(machine: &Machine, on: &str) -> Vec<RunError> {
    let wanted: BTreeSet<&str> = machine.networks.iter().map(|n| n.bridge.as_str()).filter(|b| !b.is_empty()).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let bridges = match bridges() {
        Ok(bridges) => bridges,
        Err(error) => return vec![error],
    };
    let missing = wanted.into_iter().filter(|bridge| !bridges.iter().any(|b| b == bridge));
    missing
        .map(|bridge| RunError::NoBridge { bridge: bridge.to_owned(), on: on.to_owned(), bridges: bridges.clone() })
        .collect()
}

/// Which of the machine's addresses somebody answers at, all asked at once.
pub(super) fn answering(machine: &Machine) -> Vec<RunError> {
    let addresses: Vec<IpAddr> = machine.networks.iter().flat_map(|n: &Network| n.addresses.iter().copied()).collect();
    std::thread::scope(|scope| {
        let asked: Vec<_> = addresses.iter().map(|&address| scope.spawn(move || answers(address))).collect();
        asked.into_iter().filter_map(|thread| thread.join().ok().flatten()).collect()
    })
}

/// A connection that is made or refused is an answer, and so is the address in the table of neighbours: that one also
/// finds a machine whose packet filter drops everything.
fn answers(address: IpAddr) -> Option<RunError> {
    let any: SocketAddr =
        if address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { (IpAddr::from([0u16; 8]), 0).into() };
    let asked = Instant::now();
    // The discard port: what arrives there is nothing to anybody.
    if let Ok(socket) = UdpSocket::bind(any) {
        let _ = socket.send_to(b"", SocketAddr::new(address, 9));
    }
    let spoken = match TcpStream::connect_timeout(&SocketAddr::new(address, 22), ANSWER) {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::ConnectionRefused,
    };
    let mac = neighbour(address, asked);
    (spoken || mac.is_some()).then_some(RunError::AddressAnswers { address, mac })
}

/// The MAC address that this machine reaches `address` by, if it is on one of its own networks and there; it was asked at
/// this time.
fn neighbour(address: IpAddr, asked: Instant) -> Option<String> {
    loop {
        let rows = ip(&["neighbour", "show", &address.to_string()]).ok()?;
        let is = |row: &Row, state: &str| row.state.iter().any(|s| s == state);
        // What was there before (STALE) is believed for five seconds (DELAY), and only then asked for (PROBE).
        if let Some(row) = rows.iter().find(|row| is(row, "REACHABLE") && row.lladdr.is_some()) {
            return row.lladdr.clone();
        }
        let any = |states: &[&str]| rows.iter().any(|row| states.iter().any(|state| is(row, state)));
        let patience = match any(&["DELAY", "PROBE"]) {
            true => Duration::from_secs(9),
            false if any(&["INCOMPLETE"]) => ANSWER,
            false => return None,
        };
        if asked.elapsed() > patience {
            return None;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whether the machine's disks fit below `directory`, when they are full one day.
pub(super) fn room(machine: &Machine, directory: &Path) -> Option<RunError> {
    // The nearest directory that is there: it is on the same file system, as far as anybody can know.
    let there = directory.ancestors().find(|d| d.exists())?;
    let stat = rustix::fs::statvfs(there).ok()?;
    let (needed, free) = (machine.disks.iter().map(|disk| disk.size).sum(), stat.f_bavail * stat.f_frsize);
    (needed > free).then(|| RunError::NoSpace { needed, free, place: directory.display().to_string() })
}
