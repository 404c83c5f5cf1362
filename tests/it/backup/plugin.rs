//! What the plugin says of what a server has seen.

use crate::machine::{Need, skip};
use debrole::lower::backup::CHECK;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

const HOUR: u64 = 3600;
const MIB: u64 = 1 << 20;

struct Server {
    directory: tempfile::TempDir,
}

impl Server {
    /// Warns after 28 hours, is critical after 72, and expects a mebibyte.
    fn new() -> Server {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let place = directory.path().display();
        let script = CHECK
            .replace("/usr/share/@PREFIX@/backup-server", &place.to_string())
            .replace("/var/lib/@PREFIX@-backup-server", &place.to_string())
            .replace("@PREFIX@", "pg");
        std::fs::write(directory.path().join("check"), script).expect("writable");
        std::fs::create_dir(directory.path().join("status")).expect("writable");
        let expected = format!(
            "debrole-backup 1\nclient web1.example.org\njob web1.example.org web_www {} {} {MIB} 1 2 3 4\n",
            28 * HOUR,
            72 * HOUR
        );
        std::fs::write(directory.path().join("expected"), expected).expect("writable");
        Server { directory }
    }

    fn status(&self, lines: &[String]) {
        let file = self.directory.path().join("status/web1.example.org");
        std::fs::write(file, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).expect("writable");
    }

    fn ask(&self, client: &str, job: &str) -> (i32, String) {
        let script = self.directory.path().join("check");
        let output = Command::new("sh").arg(script).args([client, job]).output().expect("sh");
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        (output.status.code().expect("an exit"), String::from_utf8(output.stdout).expect("text"))
    }

    #[track_caller]
    fn says(&self, lines: &[String], status: i32, text: &str) {
        self.status(lines);
        let (code, said) = self.ask("web1.example.org", "web_www");
        let level = ["OK", "WARNING", "CRITICAL"][usize::try_from(status).expect("a status")];
        assert!(code == status && said.starts_with(&format!("{level} - ")) && said.contains(text), "{code}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

fn ago(seconds: u64) -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() - seconds
}

fn looked() -> String {
    format!("time {}", ago(600))
}

/// So many seconds old, of so many bytes where the largest had so many; the last sample so many seconds ago.
fn job(age: u64, size: u64, largest: u64, sampled: u64, failure: &str) -> String {
    format!("job web_www 3 {} {size} {largest} {} {failure}", ago(age), ago(sampled))
}

#[test]
fn ages_sizes_samples_and_alarms_are_told() {
    if skip("the plugin for backups", &[Need::Program("awk")]) {
        return;
    }
    let server = Server::new();
    let (code, said) = server.ask("web1.example.org", "web_www");
    assert!(code == 2 && said.contains("nobody has looked") && said.contains("never backed up"), "{said}");
    let day = 24 * HOUR;
    server.says(&[looked()], 2, "CRITICAL - never backed up");
    server.says(
        &[looked(), job(3 * HOUR, 5 * MIB, 6 * MIB, day, "")],
        0,
        "3 backups, the newest 3 hours old, 5.0 MiB|age=",
    );
    server.says(&[looked(), job(27 * HOUR, 5 * MIB, 6 * MIB, day, "")], 0, "27 hours");
    server.says(&[looked(), job(29 * HOUR, 5 * MIB, 6 * MIB, day, "")], 1, "29 hours old|");
    server.says(&[looked(), job(73 * HOUR, 5 * MIB, 6 * MIB, day, "")], 2, "3 days old|");
    server.says(&[looked(), job(HOUR, MIB / 2, MIB / 2, day, "")], 1, "512.0 KiB, less than 1.0 MiB");
    server.says(&[looked(), job(HOUR, 2 * MIB, 6 * MIB, day, "")], 1, "2.0 MiB, one before it 6.0 MiB");
    server.says(&[looked(), job(HOUR, 5 * MIB, 5 * MIB, 46 * day, "")], 1, "no sample was restored for 46 days");
    server.says(
        &[looked(), job(HOUR, 5 * MIB, 5 * MIB, day, "/srv/www/a is missing")],
        2,
        "sample failed: /srv/www/a is missing",
    );
    // The worst is told, and what is as bad beside it.
    server.says(
        &[looked(), job(73 * HOUR, 2 * MIB, 6 * MIB, day, "x")],
        2,
        "3 days old; the restore of a sample failed: x|",
    );
    server.says(
        &[looked(), "alarm it tried | to remove".into(), job(HOUR, 5 * MIB, 5 * MIB, day, "")],
        2,
        "it tried / to remove|",
    );
    server.says(
        &[format!("time {}", ago(3 * HOUR)), job(HOUR, 5 * MIB, 5 * MIB, day, "")],
        2,
        "nobody has looked for backups for 3 hours",
    );
    // Another job's backup is none of this one's.
    server.says(&[looked(), job(HOUR, 5 * MIB, 5 * MIB, day, "").replace("web_www", "web_other")], 2, "never");
    for (client, job) in [("web2.example.org", "web_www"), ("web1.example.org", "web_other"), ("", ""), ("../x", "y")] {
        let (code, said) = server.ask(client, job);
        assert!(code == 3 && said.starts_with("UNKNOWN - "), "{client} {job}: {said}");
    }
}
