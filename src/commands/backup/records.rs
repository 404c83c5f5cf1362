//! What a backup server lists for programs: `<prefix>-backup-server list --records`.

use serde::Serialize;

const FIRST: &str = "debrole-backup-list 1";

/// A machine that a server has backups of, or expects some of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    pub host: String,
    pub server: String,
    /// When the backups of a machine that left the fleet are removed, as RFC 3339 in UTC.
    pub kept_until: Option<String>,
    /// What the server found that somebody has to look at.
    pub alarms: Vec<String>,
    /// How often the machine tried what it may not.
    pub refused: u64,
}

/// A job of a machine, on one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Job {
    pub host: String,
    pub job: String,
    pub server: String,
    /// What monitoring hears: `ok`, `warning`, `critical` or `unknown`; `left`: nothing is expected of it any more.
    pub state: String,
    /// The same in words; empty for what left.
    pub message: String,
    /// When the backups of what left are removed, as RFC 3339 in UTC.
    pub kept_until: Option<String>,
    /// When the newest backup arrived; None: never.
    pub last_arrival: Option<String>,
    /// Bytes of the newest that would be restored.
    pub size: Option<u64>,
    /// Oldest first.
    pub snapshots: Vec<Snapshot>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// restic's, as `restore --snapshot` takes it.
    pub id: String,
    pub arrived: String,
    /// Bytes that would be restored.
    pub size: u64,
}

/// Everything of one server.
///
/// # Errors
/// The line that is none of those that are known.
pub fn read(server: &str, text: &str) -> Result<(Vec<Machine>, Vec<Job>), String> {
    let mut lines = text.lines();
    if lines.next() != Some(FIRST) {
        return Err(format!("its list does not begin with \"{FIRST}\": upgrade one of the two"));
    }
    let (mut machines, mut jobs) = (Vec::new(), Vec::new());
    for line in lines {
        add(server, line, &mut machines, &mut jobs)
            .ok_or_else(|| format!("its list has \"{}\"", line.escape_debug()))?;
    }
    Ok((machines, jobs))
}

fn add(server: &str, line: &str, machines: &mut Vec<Machine>, jobs: &mut Vec<Job>) -> Option<()> {
    let (what, rest) = line.split_once(' ')?;
    let server = server.to_owned();
    match what {
        "host" => {
            let [host, until, refused] = fields(rest)?;
            let (host, kept_until) = (host.to_owned(), until_moment(until)?);
            machines.push(Machine { host, server, kept_until, alarms: Vec::new(), refused: refused.parse().ok()? });
        }
        "alarm" => {
            let [host, text] = fields(rest)?;
            machines.last_mut().filter(|machine| machine.host == host)?.alarms.push(text.to_owned());
        }
        "job" => {
            let [host, job, state, until, message] = fields(rest)?;
            jobs.push(Job {
                host: host.to_owned(),
                job: job.to_owned(),
                server,
                state: state.to_owned(),
                message: message.to_owned(),
                kept_until: until_moment(until)?,
                last_arrival: None,
                size: None,
                snapshots: Vec::new(),
            });
        }
        "backup" => {
            let [host, job, id, arrived, size] = fields(rest)?;
            let (arrived, size) = (moment(arrived)?, size.parse().ok()?);
            let of = jobs.last_mut().filter(|of| of.host == host && of.job == job)?;
            of.last_arrival = Some(arrived.clone());
            of.size = Some(size);
            of.snapshots.push(Snapshot { id: id.to_owned(), arrived, size });
        }
        _ => return None,
    }
    Some(())
}

/// So many words; the last has what is left, blanks too.
fn fields<const N: usize>(text: &str) -> Option<[&str; N]> {
    text.splitn(N, ' ').collect::<Vec<_>>().try_into().ok()
}

fn moment(seconds: &str) -> Option<String> {
    Some(jiff::Timestamp::from_second(seconds.parse().ok()?).ok()?.to_string())
}

fn until_moment(seconds: &str) -> Option<Option<String>> {
    match seconds {
        "-" => Some(None),
        seconds => moment(seconds).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_whole() {
        let text = "debrole-backup-list 1\nhost a.example.org - 2\nalarm a.example.org a.example.org tried 2 times\n\
                    job a.example.org web_www ok - 2 backups, the newest 3 minutes old\n\
                    backup a.example.org web_www 00ff 0 10\nbackup a.example.org web_www 11ff 86400 12\n\
                    job a.example.org web_new critical - never backed up\n\
                    host b.example.org 172800 0\njob b.example.org db_old left 172800 \n";
        let (machines, jobs) = read("s.example.org", text).expect("a list");
        assert_eq!(
            (machines[0].refused, machines[0].alarms.as_slice()),
            (2, &["a.example.org tried 2 times".into()][..])
        );
        assert_eq!(machines[1].kept_until.as_deref(), Some("1970-01-03T00:00:00Z"));
        assert_eq!((jobs[0].last_arrival.as_deref(), jobs[0].size), (Some("1970-01-02T00:00:00Z"), Some(12)));
        assert_eq!(
            jobs[0].snapshots[0],
            Snapshot { id: "00ff".into(), arrived: "1970-01-01T00:00:00Z".into(), size: 10 }
        );
        assert_eq!((jobs[1].state.as_str(), jobs[1].message.as_str()), ("critical", "never backed up"));
        assert_eq!((jobs[1].last_arrival.as_deref(), jobs[1].snapshots.len()), (None, 0));
        assert_eq!((jobs[2].state.as_str(), jobs[2].message.as_str()), ("left", ""));
        assert_eq!(jobs[2].server, "s.example.org");
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for (text, why) in [
            ("", "upgrade"),
            ("debrole-backup-list 2\n", "upgrade"),
            ("debrole-backup-list 1\nnews a\n", "news a"),
            ("debrole-backup-list 1\nhost a later 0\n", "later"),
            ("debrole-backup-list 1\nbackup a b 00 1 2\n", "backup a"),
            ("debrole-backup-list 1\nhost a - 0\nalarm b text\n", "alarm b"),
        ] {
            let fault = read("s", text).expect_err(text);
            assert!(fault.contains(why), "{fault}");
        }
    }
}
