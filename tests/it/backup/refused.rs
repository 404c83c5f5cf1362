//! What is refused of a host's `[backup_job]`: whatever holds for a role's job holds for what comes of it on the machine, and
//! it is said where the host says something.

use crate::ui::{check, debrole_toml};
use debrole::diagnostics::render;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB";
const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC";
const SAFE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMD";
const WEB: &str = "summary = \"Web\"\n[[backup]]\nname = \"www\"\npaths = [\"/srv/www\"]\nkeep_daily = \"30d\"\n\
                   warn_after = \"30h\"\ncritical_after = \"72h\"\n";
const HOST: &str = "hosts/web1.example.org.toml";

/// What is said of a fleet in which web1 has these lines from line 4 on: code, file, line and the whole text of each.
fn said(lines: &str, web: &str) -> Vec<(&'static str, String, usize, String)> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let host = |roles: &str, key: &str, rest: &str| {
        format!("roles = [{roles}]\nrelease = \"bookworm\"\nssh_host_key = \"{key}\"\n{rest}\n")
    };
    for (path, text) in [
        ("debrole.toml", debrole_toml(&format!("[secrets]\nrecipients = [\"{SAFE} safe\"]\n"))),
        ("roles/web.toml", web.to_owned()),
        ("roles/db.toml", "summary = \"DB\"\n[[backup]]\nname = \"db\"\npaths = [\"/srv/db\"]\n".to_owned()),
        ("roles/backup.toml", "summary = \"Backup\"\n[backup_server]\n".to_owned()),
        ("hosts/backup1.example.org.toml", host("\"backup\", \"db\"", OTHER, "")),
        ("hosts/backup2.example.org.toml", host("\"backup\"", SAFE, "")),
        (HOST, host("\"web\"", KEY, lines)),
    ] {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
        std::fs::write(path, text).expect("writable");
    }
    let (_, diagnostics, sources) = check(dir.path());
    let place = |diagnostic: &debrole::diagnostics::Diagnostic| {
        let span = diagnostic.primary.as_ref().expect("a place").span;
        (sources.path(span.file).display().to_string(), sources.line_column(span.file, span.start).0)
    };
    let one = |diagnostic: &debrole::diagnostics::Diagnostic| {
        let ((file, line), text) =
            (place(diagnostic), render::text(std::slice::from_ref(diagnostic), &sources, render::Style::default()));
        (diagnostic.rule.code, file, line, text)
    };
    diagnostics.iter().map(one).collect()
}

#[test]
fn what_comes_of_a_hosts_job_is_wrong_at_the_hosts_line() {
    let own = |rest: &str| format!("[backup_job.\"web/www\"]\n{rest}");
    let cases = [
        ("a job that there is not", "[backup_job.\"web/wwww\"]\nkeep = \"2d\"".to_owned(), "unknown-backup-job", 4),
        (
            "a role that the machine has not",
            "[backup_job.\"db/db\"]\nkeep = \"2d\"".to_owned(),
            "unknown-backup-job",
            4,
        ),
        ("a job as machines name it", "[backup_job.web_www]\nkeep = \"2d\"".to_owned(), "unknown-backup-job", 4),
        ("nothing", own(""), "empty-backup-job", 4),
        ("no schedule", own("schedule = \"dayly\""), "invalid-schedule", 5),
        ("a schedule that never fires", own("schedule = \"*-02-30\""), "schedule-never-fires", 5),
        ("retention 0", own("keep_weekly = \"0w\""), "retention-zero", 5),
        ("no time", own("keep = \"two days\""), "invalid-duration", 5),
        ("more than all of it", own("keep = \"60d\""), "retention-without-effect", 5),
        ("ages that are inverted", own("critical_after = \"29h\""), "backup-ages-inverted", 5),
        ("an age before the next one", own("warn_after = \"20h\""), "backup-age-before-next", 5),
        ("no size", own("at_least = \"lots\""), "invalid-size", 5),
        ("an exclude outside", own("exclude = [\"/srv/mail\"]"), "backup-exclude-outside", 5),
        ("an empty exclude", own("exclude = [\"\"]"), "empty-text", 5),
        ("what only the role can say", own("paths = [\"/srv\"]"), "unknown-key", 5),
    ];
    let mut wrong = Vec::new();
    for (what, lines, code, line) in cases {
        let said = said(&lines, WEB);
        if said.len() != 1 || (said[0].0, said[0].1.as_str(), said[0].2) != (code, HOST, line) {
            wrong.push(format!("{what}: {said:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The role's ages are right for its own schedule: what the host changed is what is wrong.
#[test]
fn a_schedule_that_the_roles_ages_do_not_allow_is_the_hosts_mistake() {
    let said = said("[backup_job.\"web/www\"]\nschedule = \"weekly\"", WEB);
    let codes: Vec<_> = said.iter().map(|(code, file, line, _)| (*code, file.as_str(), *line)).collect();
    assert_eq!(codes, [("backup-age-before-next", HOST, 5), ("backup-age-before-next", HOST, 5)], "{said:?}");
    for role in ["roles/web.toml:6:15", "roles/web.toml:7:19"] {
        assert!(said.iter().any(|one| one.3.contains(role) && one.3.contains("the schedule")), "{said:?}");
    }
}

#[test]
fn a_mistake_of_the_roles_is_said_once_and_there() {
    let web = WEB.replace("paths = [\"/srv/www\"]", "paths = [\"/srv/www\"]\nat_least = \"lots\"");
    let found = said("[backup_job.\"web/www\"]\nschedule = \"hourly\"\nwarn_after = \"2h\"", &web);
    assert!(found.len() == 1 && found[0].0 == "invalid-size" && found[0].1 == "roles/web.toml", "{found:?}");
    // Where the role's file can't be read whole, nobody knows which jobs it has.
    let web = WEB.replace("[[backup]]\nname = \"www\"", "[[backup]\nname = \"www\"");
    let found = said("[backup_job.\"web/www\"]\nschedule = \"hourly\"", &web);
    assert!(!found.is_empty() && found.iter().all(|one| one.0 != "unknown-backup-job"), "{found:?}");
}

#[test]
fn a_near_name_is_told_and_where_the_machines_own_is_changed() {
    let help = |lines: &str| said(lines, WEB).remove(0).3;
    assert!(help("[backup_job.\"web/wwww\"]\nkeep = \"2d\"").contains("did you mean \"web/www\"?"));
    assert!(help("[backup_job.web_www]\nkeep = \"2d\"").contains("did you mean \"web/www\"?"));
    assert!(help("[backup_job.\"mail/spool\"]\nkeep = \"2d\"").contains("those of its roles are web/www"));
    let own = "[[backup]]\nname = \"home\"\npaths = [\"/home\"]\n[backup_job.machine_home]\nkeep = \"2d\"";
    assert!(help(own).contains("the machine's own job is changed where it is written"), "{}", help(own));
}
