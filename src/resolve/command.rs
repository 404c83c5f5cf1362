//! Cron jobs, kernel parameters, environment variables, debconf answers: values with a grammar that another
//! program reads.

use super::text::{account, one_line};
use crate::diagnostics::{Diagnostic, rules};
use crate::model::{CronJob, DebconfAnswer};
use crate::schema::{Scalars, Text, ast};
use crate::source::Spanned;
use std::collections::BTreeMap;
use std::ops::Range;

pub fn cron(ast: &ast::Cron, out: &mut Vec<Diagnostic>) -> Option<CronJob> {
    let name = ast.name.as_ref().filter(|name| {
        let text = name.value.as_str();
        let valid = !text.is_empty()
            && text.len() <= 60
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !text.starts_with('-')
            && !text.ends_with('-');
        if !valid {
            out.push(
                Diagnostic::new(
                    &rules::invalid_cron_name::RULE,
                    format!("\"{}\" can't be a part of a file name in /etc/cron.d", text.escape_debug()),
                )
                .at(name.span, "")
                .help("write lower case letters, digits and inner hyphens, at most 60")
                .note("cron ignores files whose names have a dot (cron(8))"),
            );
        }
        valid
    });
    let schedule = ast.schedule.as_ref().filter(|text| {
        one_line(text, "a schedule", out)
            && match check_schedule(&text.value) {
                Ok(()) => true,
                Err((range, message)) => {
                    out.push(
                        Diagnostic::new(&rules::invalid_cron_schedule::RULE, message)
                            .at(text.part(range), "")
                            .help("write minute, hour, day of month, month, day of week, as in \"17 3 * * *\", or @daily (crontab(5))"),
                    );
                    false
                }
            }
    });
    let command = ast.command.as_ref().filter(|text| {
        if text.value.trim().is_empty() {
            out.push(
                Diagnostic::new(&rules::empty_text::RULE, "the command of a cron job is empty")
                    .at(text.span, "nothing to run")
                    .help("write what is to be run"),
            );
            return false;
        }
        if !one_line(text, "the command of a cron job", out) {
            return false;
        }
        let bytes = text.value.as_bytes();
        if let Some(at) = (0..bytes.len()).find(|&i| bytes[i] == b'%' && (i == 0 || bytes[i - 1] != b'\\')) {
            out.push(
                Diagnostic::new(&rules::cron_percent::RULE, "cron makes a newline of a bare \"%\" in a command")
                    .at(text.part(at..at + 1), "the command would end here")
                    .help("write \\% (in a TOML string with double quotes: \\\\%)")
                    .note("what follows the first % is given to the command on its standard input (crontab(5))"),
            );
            return false;
        }
        true
    });
    let user = account(ast.user.as_ref(), "user", out);
    Some(CronJob { name: name?.clone(), schedule: schedule?.clone(), user, command: command?.clone() })
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// A field of a schedule: what it is called, its smallest and largest number, its names.
const FIELDS: [(&str, u32, u32, &[&str]); 5] = [
    ("minute", 0, 59, &[]),
    ("hour", 0, 23, &[]),
    ("day of the month", 1, 31, &[]),
    ("month", 1, 12, &MONTHS),
    ("day of the week", 0, 7, &DAYS),
];

/// Whether cron reads the schedule (crontab(5)); if not, which bytes it stumbles over.
fn check_schedule(text: &str) -> Result<(), (Range<usize>, String)> {
    if let Some(word) = text.strip_prefix('@') {
        let words = ["reboot", "yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly"];
        if words.contains(&word) {
            return Ok(());
        }
        let near = crate::near::nearest(word, words).map_or(String::new(), |w| format!("; did you mean \"@{w}\"?"));
        return Err((0..text.len(), format!("cron knows no \"@{word}\"{near}")));
    }
    let fields: Vec<&str> = text.split([' ', '\t']).filter(|f| !f.is_empty()).collect();
    if fields.len() != 5 {
        return Err((0..text.len(), format!("a schedule has five fields, this has {}", fields.len())));
    }
    for (field, (name, low, high, names)) in fields.into_iter().zip(FIELDS) {
        let at = field.as_ptr() as usize - text.as_ptr() as usize;
        for part in field.split(',') {
            let start = at + (part.as_ptr() as usize - field.as_ptr() as usize);
            let range = start..start + part.len();
            check_range(part, low, high, names).map_err(|what| (range, format!("\"{part}\" is no {name}: {what}")))?;
        }
    }
    Ok(())
}

fn check_range(part: &str, low: u32, high: u32, names: &[&str]) -> Result<(), String> {
    let number = |text: &str| -> Result<u32, String> {
        if let Some(i) = names.iter().position(|n| text.eq_ignore_ascii_case(n)) {
            return Ok(i as u32 + low);
        }
        match text.parse::<u32>() {
            Ok(n) if (low..=high).contains(&n) && text.len() <= 2 => Ok(n),
            _ => Err(format!("it goes from {low} to {high}")),
        }
    };
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (part, None),
    };
    let single = match range.split_once('-') {
        _ if range == "*" => false,
        Some((from, to)) => {
            if number(from)? > number(to)? {
                return Err("the range ends before it begins".into());
            }
            false
        }
        None => {
            number(range)?;
            true
        }
    };
    match step.map(str::parse::<u32>) {
        None => Ok(()),
        Some(_) if single => Err("a step follows \"*\" or a range".into()),
        Some(Ok(step)) if (1..=high).contains(&step) => Ok(()),
        Some(_) => Err("the step after \"/\" is not a number that fits".into()),
    }
}

pub fn sysctl(table: &Scalars, out: &mut Vec<Diagnostic>) -> BTreeMap<String, Spanned<String>> {
    let mut map = BTreeMap::new();
    for (key, value) in &table.0 {
        let name = key.value.strip_prefix('-').unwrap_or(&key.value);
        let parts: Vec<&str> = name.split(['.', '/']).collect();
        let fits = |c: char| c.is_ascii_alphanumeric() || "_-*?:@+".contains(c);
        if parts.len() < 2 || parts.iter().any(|p| p.is_empty() || !p.chars().all(fits)) {
            out.push(
                Diagnostic::new(
                    &rules::invalid_sysctl_key::RULE,
                    format!("\"{}\" is not the name of a kernel parameter", key.value.escape_debug()),
                )
                .at(key.span, "")
                .help("write it as `sysctl -a` shows it: \"net.ipv4.ip_forward\" (sysctl.d(5))"),
            );
            continue;
        }
        if !one_line(value, "the value of a kernel parameter", out) {
            continue;
        }
        if value.value.trim().is_empty() || value.value.trim() != value.value {
            out.push(
                Diagnostic::new(
                    &rules::empty_text::RULE,
                    format!("the value of {} is empty or has blanks around it", key.value),
                )
                .at(value.span, "")
                .help("write the value alone"),
            );
            continue;
        }
        map.insert(key.value.clone(), value.clone());
    }
    map
}

pub fn environment(table: &Scalars, out: &mut Vec<Diagnostic>) -> BTreeMap<String, Spanned<String>> {
    let mut map = BTreeMap::new();
    for (key, value) in &table.0 {
        let name = key.value.as_str();
        let valid = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !valid {
            out.push(
                Diagnostic::new(
                    &rules::invalid_environment_name::RULE,
                    format!("\"{}\" can't name an environment variable", name.escape_debug()),
                )
                .at(key.span, "")
                .help("write letters, digits and \"_\", a digit not first (environment.d(5))"),
            );
            continue;
        }
        if one_line(value, "the value of an environment variable", out) {
            map.insert(key.value.clone(), value.clone());
        }
    }
    map
}

const TYPES: [&str; 7] = ["string", "boolean", "select", "multiselect", "note", "password", "text"];

pub fn debconf(ast: &ast::Debconf, out: &mut Vec<Diagnostic>) -> Option<DebconfAnswer> {
    let package = ast.package.as_ref().and_then(|text| super::relations::package_name(text, out));
    let question = ast.question.as_ref().filter(|text| valid_question(text, out));
    let kind = match &ast.kind {
        None => "string".to_owned(),
        Some(kind) if TYPES.contains(&kind.value.as_str()) => kind.value.clone(),
        Some(kind) => {
            let help = match crate::near::nearest(&kind.value, TYPES) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("the types are {}", TYPES.join(", ")),
            };
            out.push(
                Diagnostic::new(
                    &rules::invalid_debconf_type::RULE,
                    format!("\"{}\" is not a type of debconf question", kind.value.escape_debug()),
                )
                .at(kind.span, "")
                .help(help),
            );
            return None;
        }
    };
    let value = ast.value.as_ref().filter(|text| {
        if !one_line(text, "the answer to a debconf question", out) {
            return false;
        }
        if kind == "boolean" && text.value != "true" && text.value != "false" {
            out.push(
                Diagnostic::new(
                    &rules::invalid_debconf_value::RULE,
                    format!("the answer to a boolean question is \"true\" or \"false\", not \"{}\"", text.value),
                )
                .at(text.span, "")
                .help("write \"true\" or \"false\""),
            );
            return false;
        }
        if kind == "password" && !text.value.is_empty() {
            out.push(
                Diagnostic::new(
                    &rules::password_in_package::RULE,
                    "everybody who can read the repository can read this password",
                )
                .at(text.span, "")
                .help("leave it empty and set the password on the machine"),
            );
        }
        true
    });
    Some(DebconfAnswer { package: package?, question: question?.clone(), kind, value: value?.clone() })
}

fn valid_question(text: &Text, out: &mut Vec<Diagnostic>) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "+-._/".contains(c);
    let valid =
        text.value.contains('/') && text.value.split('/').all(|part| !part.is_empty()) && text.value.chars().all(fits);
    if !valid {
        out.push(
            Diagnostic::new(
                &rules::invalid_debconf_question::RULE,
                format!("\"{}\" is not the name of a debconf question", text.value.escape_debug()),
            )
            .at(text.span, "")
            .help("write PACKAGE/NAME, as debconf-show(1) or the package's templates have it"),
        );
    }
    valid
}
