//! The backup jobs of a machine, as they are there.

use debrole::lower::backup::job_name;
use debrole::model::{Backup, Host, Keep, Model};
use debrole::resolve::{spelt_size as size, spelt_time as time};
use std::fmt::Write;

/// None of a machine without jobs.
pub fn jobs(model: &Model, host: &Host) -> Option<(String, serde_json::Value)> {
    let jobs: Vec<_> = model.backups(host).collect();
    if jobs.is_empty() {
        return None;
    }
    let mut out = String::from("  backup jobs:\n");
    let mut json = Vec::new();
    for (role, backup) in jobs {
        let name = job_name(role, backup);
        let is_own = role.is_none_or(|role| host.own_backup(role, backup).is_some());
        let Backup { schedule, keep, warn_after, critical_after, at_least, .. } = backup;
        let Keep { all, daily, weekly, monthly } = keep;
        let _ = writeln!(
            out,
            "    {name}: {schedule}; all kept for {}, daily for {}, weekly for {}, monthly for {}",
            time(*all),
            time(*daily),
            time(*weekly),
            time(*monthly)
        );
        let least = at_least.map(|bytes| format!(", smaller than {}", size(bytes))).unwrap_or_default();
        let _ = writeln!(
            out,
            "      a warning when the newest is {} old{least}, critical when it is {}",
            time(*warn_after),
            time(*critical_after)
        );
        if !backup.exclude.is_empty() {
            let patterns: Vec<&str> = backup.exclude.iter().map(|pattern| pattern.as_str()).collect();
            let _ = writeln!(out, "      without {}", patterns.join(", "));
        }
        if role.is_some() && is_own {
            let _ = writeln!(out, "      as this machine's own file says, not only its role's");
        }
        json.push(serde_json::json!({
            "name": name,
            "role": role,
            "own": is_own,
            "paths": backup.paths.iter().map(|path| path.value.to_string()).collect::<Vec<_>>(),
            "exclude": backup.exclude.iter().map(|pattern| pattern.as_str()).collect::<Vec<_>>(),
            "schedule": schedule,
            "keep": all,
            "keep_daily": daily,
            "keep_weekly": weekly,
            "keep_monthly": monthly,
            "warn_after": warn_after,
            "critical_after": critical_after,
            "at_least": at_least,
        }));
    }
    Some((out, json.into()))
}
