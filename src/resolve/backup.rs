//! `[[backup]]` and `[backup_server]`.

pub mod on_host;

use super::calendar::Calendar;
use super::fleet::duration;
use super::text::{account, one_line, script};
use crate::diagnostics::{Diagnostic, rules};
use crate::model::{Backup, BackupServer, Dump, Keep};
use crate::names::MachinePath;
use crate::schema::{Text, Texts, ast};
use crate::source::Spanned;
use std::collections::BTreeMap;

const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;
const YEAR: u64 = 365 * DAY;
const AGES: &[(char, u64)] = &[('h', HOUR), ('d', DAY), ('w', 7 * DAY)];
const KEEPS: &[(char, u64)] = &[('d', DAY), ('w', 7 * DAY), ('y', YEAR)];
/// What is made anew whenever the machine starts.
const VOLATILE: [&str; 5] = ["/dev", "/proc", "/run", "/sys", "/tmp"];

pub fn job(ast: &ast::Backup, out: &mut Vec<Diagnostic>) -> Option<Backup> {
    let name = ast.name.as_ref().filter(|text| valid_name(text, out));
    let paths = paths(ast.paths.as_ref(), out);
    let exclude = excludes(ast, &paths, out);
    let dumps = dumps(ast, out);
    if ast.paths.as_ref().is_none_or(|list| list.value.is_empty()) && ast.dump.as_ref().is_none_or(|d| d.0.is_empty()) {
        out.push(
            Diagnostic::new(&rules::backup_of_nothing::RULE, "this [[backup]] has neither `paths` nor `dump`")
                .at(ast.span, "nothing to back up")
                .help("add paths = [\"/srv/www\"], or a [[backup.dump]]"),
        );
    }
    let before = ast.before.as_ref().and_then(|text| script(text, "`before`", out));
    let after = ast.after.as_ref().and_then(|text| script(text, "`after`", out));
    let pause = schedule(ast.schedule.as_ref(), out);
    let keep = keep(ast, out);
    let ages = ages(ast, pause, out);
    let at_least = ast.at_least.as_ref().and_then(|text| size(text, out));
    let (warn_after, critical_after) = ages?;
    Some(Backup {
        name: name?.clone(),
        paths,
        exclude,
        dumps,
        before,
        after,
        schedule: ast.schedule.as_ref().map_or("daily", |text| text.value.trim()).to_owned(),
        keep: keep?,
        warn_after,
        critical_after,
        at_least,
    })
}

fn valid_name(text: &Text, out: &mut Vec<Diagnostic>) -> bool {
    let name = text.value.as_str();
    let valid = !name.is_empty()
        && name.len() <= 60
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-');
    if !valid {
        out.push(
            Diagnostic::new(
                &rules::invalid_backup_name::RULE,
                format!("\"{}\" can't name a backup job", name.escape_debug()),
            )
            .at(text.span, "")
            .help("write lower case letters, digits and inner hyphens, at most 60, such as \"www\""),
        );
    }
    valid
}

/// An absolute path that outlives a reboot.
fn path(text: &Text, out: &mut Vec<Diagnostic>) -> Option<Spanned<MachinePath>> {
    let path = match MachinePath::parse(&text.value) {
        Ok(path) => path,
        Err(error) => {
            let help = match text.value.as_str() {
                "/" => "name the directories that hold data: what packages bring is installed again".to_owned(),
                value if !value.starts_with('/') && !value.is_empty() => {
                    format!("write \"/{}\"", value.trim_start_matches("./").trim_start_matches("~/").escape_debug())
                }
                _ => "write an absolute path, such as \"/srv/www\"".to_owned(),
            };
            out.push(
                Diagnostic::new(
                    &rules::invalid_backup_path::RULE,
                    format!("\"{}\" is no path that can be backed up: {error}", text.value.escape_debug()),
                )
                .at(text.span, "")
                .help(help),
            );
            return None;
        }
    };
    if let Some(top) = VOLATILE.iter().find(|top| within(path.as_str(), top)) {
        out.push(
            Diagnostic::new(
                &rules::backup_path_volatile::RULE,
                format!("{path} does not outlive a reboot: there is nothing to restore"),
            )
            .at(text.span, "")
            .help(format!("remove it; what is written below {top} for a backup belongs into a [[backup.dump]]")),
        );
        return None;
    }
    Some(Spanned::new(path, text.span))
}

/// Whether it is that directory, or below it.
fn within(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn paths(list: Option<&Texts>, out: &mut Vec<Diagnostic>) -> Vec<Spanned<MachinePath>> {
    let mut paths: Vec<Spanned<MachinePath>> = Vec::new();
    for text in list.iter().flat_map(|list| &list.value) {
        let Some(path) = path(text, out) else { continue };
        let (mine, theirs) = (path.as_str(), |other: &Spanned<MachinePath>| other.value.to_string());
        if let Some(other) = paths.iter().find(|other| within(mine, &theirs(other)) || within(&theirs(other), mine)) {
            out.push(
                Diagnostic::new(
                    &rules::backup_path_twice::RULE,
                    match other.value == path.value {
                        true => format!("{mine} is listed twice"),
                        false => format!("{mine} and {} are one below the other", other.value),
                    },
                )
                .at(path.span, "this")
                .also(other.span, "and this")
                .help("keep the upper one: a directory is backed up with all that is below it"),
            );
        }
        paths.push(path);
    }
    paths
}

fn excludes(ast: &ast::Backup, paths: &[Spanned<MachinePath>], out: &mut Vec<Diagnostic>) -> Vec<Spanned<String>> {
    let mut excludes = Vec::new();
    for text in ast.exclude.iter().flat_map(|list| &list.value) {
        let pattern = text.value.as_str();
        if pattern.trim().is_empty() || pattern.trim() != pattern {
            out.push(
                Diagnostic::new(&rules::empty_text::RULE, "a pattern of `exclude` is empty or has blanks around it")
                    .at(text.span, "")
                    .help("write the pattern alone"),
            );
            continue;
        }
        if !one_line(text, "a pattern of `exclude`", out) {
            continue;
        }
        // As far as it is plain.
        let plain = pattern.split(['*', '?', '[', '\\', '!']).next().unwrap_or_default();
        let literal = plain.len() == pattern.len();
        let meets = |path: &Spanned<MachinePath>| {
            let path = path.as_str();
            within(pattern, path) && literal || !literal && (plain.starts_with(path) || path.starts_with(plain))
        };
        if plain.starts_with('/') && !paths.iter().any(meets) && !paths.is_empty() {
            out.push(
                Diagnostic::new(
                    &rules::backup_exclude_outside::RULE,
                    format!("{pattern} excludes nothing: it is below none of the paths"),
                )
                .at(text.span, "")
                .help("write a path below one of `paths`, or remove it"),
            );
        }
        excludes.push(text.clone());
    }
    excludes
}

fn dumps(ast: &ast::Backup, out: &mut Vec<Diagnostic>) -> Vec<Dump> {
    let mut dumps = Vec::new();
    let mut seen = BTreeMap::new();
    for dump in ast.dump.iter().flat_map(|many| &many.0) {
        let user = account(dump.user.as_ref(), "user", out);
        let file = dump.file.as_ref().filter(|text| {
            let fits = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
            let name = text.value.as_str();
            let valid = name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
                && name.len() <= 100
                && name.bytes().all(fits);
            if !valid {
                out.push(
                    Diagnostic::new(
                        &rules::invalid_dump_file::RULE,
                        format!("\"{}\" can't name the file of a dump", name.escape_debug()),
                    )
                    .at(text.span, "")
                    .help("write a name without a directory, such as \"all.sql\": where it is put is debrole's to say"),
                );
            } else if let Some(first) = seen.insert(name.to_owned(), text.span) {
                out.push(
                    Diagnostic::new(&rules::duplicate_name::RULE, format!("there are two [[backup.dump]] for {name}"))
                        .at(text.span, "again here")
                        .also(first, "first here")
                        .help("give each its own file"),
                );
            }
            valid
        });
        let command = dump.command.as_ref().filter(|text| {
            if text.value.trim().is_empty() {
                out.push(
                    Diagnostic::new(&rules::empty_text::RULE, "the command of a dump is empty")
                        .at(text.span, "nothing to run")
                        .help("write what is to be run, such as \"pg_dumpall\""),
                );
                return false;
            }
            one_line(text, "the command of a dump", out)
        });
        if let (Some(file), Some(command)) = (file, command) {
            dumps.push(Dump { file: file.clone(), command: command.clone(), user });
        }
    }
    dumps
}

/// The longest pause of the schedule, in seconds; None where it is wrong.
fn schedule(text: Option<&Text>, out: &mut Vec<Diagnostic>) -> Option<u64> {
    let Some(text) = text else { return Some(DAY) };
    if !one_line(text, "a schedule", out) {
        return None;
    }
    let example = "write \"daily\", or days and a time, as in \"*-*-* 02:30\" or \"Mon..Fri 22:00\" (systemd.time(7))";
    let calendar = match Calendar::parse(&text.value) {
        Ok(calendar) => calendar,
        Err((range, why)) => {
            let near = crate::near::nearest(&text.value, ["hourly", "daily", "weekly", "monthly"]);
            out.push(
                Diagnostic::new(
                    &rules::invalid_schedule::RULE,
                    format!("\"{}\" is no schedule: {why}", text.value.escape_debug()),
                )
                .at(text.part(range), "")
                .help(near.map_or(example.to_owned(), |near| format!("did you mean \"{near}\"?"))),
            );
            return None;
        }
    };
    let pause = calendar.longest_pause();
    if pause.is_none() {
        out.push(
            Diagnostic::new(
                &rules::schedule_never_fires::RULE,
                format!("\"{}\" never comes: no month has such a day", text.value),
            )
            .at(text.span, "")
            .help(example),
        );
    }
    pause
}

fn keep(ast: &ast::Backup, out: &mut Vec<Diagnostic>) -> Option<Keep> {
    let given = [&ast.keep, &ast.keep_daily, &ast.keep_weekly, &ast.keep_monthly];
    let names = ["keep", "keep_daily", "keep_weekly", "keep_monthly"];
    let defaults = [7 * DAY, 30 * DAY, 84 * DAY, YEAR];
    let mut kept = [0; 4];
    let mut whole = true;
    for (i, text) in given.iter().enumerate() {
        let Some(text) = text else {
            // A longer one before it leaves nothing for the default to do.
            kept[i] = defaults[i];
            continue;
        };
        let digits = text.value.trim_end_matches(['d', 'w', 'y']);
        if !digits.is_empty() && digits.bytes().all(|b| b == b'0') {
            out.push(
                Diagnostic::new(
                    &rules::retention_zero::RULE,
                    format!("{} = \"{}\" keeps nothing", names[i], text.value),
                )
                .at(text.span, "")
                .help(format!("write for how long, such as \"{}\"", ["7d", "30d", "12w", "1y"][i])),
            );
            whole = false;
            continue;
        }
        match duration(text, KEEPS, DAY..=90 * YEAR, ["7d", "30d", "12w", "1y"][i], out) {
            Some(seconds) => kept[i] = seconds,
            None => whole = false,
        }
    }
    if !whole {
        return None;
    }
    for i in 1..4 {
        let longest = (0..i).filter(|j| given[*j].is_some()).max_by_key(|j| kept[*j]);
        if let (Some(text), Some(j)) = (given[i], longest)
            && kept[i] <= kept[j]
            && let Some(other) = given[j]
        {
            out.push(
                Diagnostic::new(
                    &rules::retention_without_effect::RULE,
                    format!("{} = \"{}\" has no effect: {} keeps more for longer", names[i], text.value, names[j]),
                )
                .at(text.span, "this")
                .also(other.span, "and this")
                .help(format!("write a longer time than \"{}\", or remove it", other.value)),
            );
        }
    }
    let [all, daily, weekly, monthly] = kept;
    Some(Keep { all, daily, weekly, monthly })
}

/// From which age on monitoring warns, and from which it is critical.
fn ages(ast: &ast::Backup, pause: Option<u64>, out: &mut Vec<Diagnostic>) -> Option<(u64, u64)> {
    let mut age = |text: Option<&Text>, example| match text {
        None => Some(None),
        Some(text) => duration(text, AGES, HOUR..=90 * 7 * DAY, example, out).map(Some),
    };
    let (warn, critical) = (age(ast.warn_after.as_ref(), "28h"), age(ast.critical_after.as_ref(), "72h"));
    let (warn, critical, pause) = (warn?, critical?, pause?);
    let warn_after = warn.unwrap_or((pause + pause / 6).max(pause + 2 * HOUR));
    let critical_after = critical.unwrap_or((3 * pause).max(warn_after + HOUR));
    let mut sound = true;
    if let Some(text) = ast.warn_after.as_ref().or(ast.critical_after.as_ref())
        && warn_after >= critical_after
    {
        let mut diagnostic = Diagnostic::new(
            &rules::backup_ages_inverted::RULE,
            format!(
                "it would warn after {} and be critical after {}",
                spelt_time(warn_after),
                spelt_time(critical_after)
            ),
        )
        .at(text.span, "");
        if let (Some(_), Some(other)) = (&ast.warn_after, &ast.critical_after) {
            diagnostic = diagnostic.also(other.span, "not later than that");
        }
        out.push(diagnostic.help("let warn_after be the shorter of the two"));
        sound = false;
    }
    for (name, text, seconds) in
        [("warn_after", &ast.warn_after, warn_after), ("critical_after", &ast.critical_after, critical_after)]
    {
        if let Some(text) = text
            && seconds <= pause
        {
            let diagnostic = Diagnostic::new(
                &rules::backup_age_before_next::RULE,
                format!(
                    "the next backup comes after up to {}: with {name} = \"{}\" there is an alarm while all is well",
                    spelt_time(pause),
                    text.value
                ),
            )
            .at(text.span, "");
            let diagnostic = match &ast.schedule {
                Some(schedule) => diagnostic.also(schedule.span, "the schedule"),
                None => diagnostic.note("without `schedule` it is daily"),
            };
            out.push(diagnostic.help("write a longer time, or let it run more often"));
            sound = false;
        }
    }
    sound.then_some((warn_after, critical_after))
}

/// Seconds as people write them.
pub fn spelt_time(seconds: u64) -> String {
    match seconds {
        _ if seconds.is_multiple_of(DAY) && seconds >= 4 * DAY => format!("{}d", seconds / DAY),
        _ if seconds.is_multiple_of(HOUR) => format!("{}h", seconds / HOUR),
        _ => format!("{}m", seconds / 60),
    }
}

/// The units of a size, each with how far it shifts.
const SIZES: [(&str, u32); 4] = [("T", 40), ("G", 30), ("M", 20), ("K", 10)];

/// Bytes as a tree has them: in the largest unit of them that fits, else as they are.
pub fn spelt_size(bytes: u64) -> String {
    let unit = SIZES.into_iter().find(|(_, shift)| bytes.is_multiple_of(1 << shift));
    unit.map_or(bytes.to_string(), |(name, shift)| format!("{}{name}", bytes >> shift))
}

/// A number and K, M, G or T, as bytes.
fn size(text: &Text, out: &mut Vec<Diagnostic>) -> Option<u64> {
    let parsed = SIZES.iter().find_map(|(unit, shift)| {
        let digits = text.value.strip_suffix(unit)?;
        let number = digits.parse::<u64>().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()))?;
        number.checked_mul(1 << shift)
    });
    match parsed {
        Some(bytes) if bytes > 0 => Some(bytes),
        _ => {
            out.push(
                Diagnostic::new(&rules::invalid_size::RULE, format!("\"{}\" is not a size", text.value.escape_debug()))
                    .at(text.span, "")
                    .help("write a number from 1 on and K, M, G or T, such as \"100M\""),
            );
            None
        }
    }
}

pub fn server(ast: &ast::BackupServer, out: &mut Vec<Diagnostic>) -> Option<BackupServer> {
    let keep_left = match &ast.keep_left {
        None => Some(YEAR),
        Some(text) => duration(text, KEEPS, DAY..=90 * YEAR, "1y", out),
    };
    let default = || Spanned::new(MachinePath::parse("/srv/backup").expect("a path"), ast.span);
    let directory = match &ast.directory {
        None => Some(default()),
        Some(text) => path(text, out),
    };
    Some(BackupServer { directory: directory?, keep_left: keep_left? })
}

#[cfg(test)]
mod tests {
    use super::{spelt_size, spelt_time};

    #[test]
    fn times_and_sizes_are_spelt_as_a_tree_has_them() {
        let spelt = [3_600, 100_800, 259_200, 302_400, 604_800, 31_536_000, 5_400].map(spelt_time);
        assert_eq!(spelt, ["1h", "28h", "72h", "84h", "7d", "365d", "90m"]);
        assert_eq!([1 << 10, 100 << 20, 20 << 30, 1000].map(spelt_size), ["1K", "100M", "20G", "1000"]);
    }
}
