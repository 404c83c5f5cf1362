//! `[monitoring]`, `[[check]]` and `[[munin]]`: what can be told of each file alone. What depends on several is
//! `lower::monitoring`'s to check.

use super::content::Site;
use super::fleet::{DAY, HOUR, MINUTE, duration};
use super::text::{account, duplicates, one_line};
use super::{Facts, access, plugins, relations};
use crate::diagnostics::{Diagnostic, rules};
use crate::model::monitoring::{
    Check, CheckCommand, CheckKind, DAYS, EVERYTHING, Escalation, HostMonitoring, IMPLIED, Monitoring, MuninPlugin,
    MuninServer, NRPE, NagiosServer, Period, RoleMonitoring, Skip, Thresholds, Worse, implied,
};
use crate::model::{Content, Fleet, Host, Role};
use crate::names::{AccountName, GroupName, HostName, PackageName, RoleName};
use crate::near::nearest;
use crate::schema::{Measure, Named, Number, One, Scalars, Text, Texts, ast};
use crate::source::{Span, Spanned};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

const MINUTES_HOURS: &[(char, u64)] = &[('m', MINUTE), ('h', HOUR)];
const MINUTES_DAYS: &[(char, u64)] = &[('m', MINUTE), ('h', HOUR), ('d', DAY)];

/// `[monitoring]` of debrole.toml.
pub fn fleet(ast: Option<&ast::Monitoring>, facts: &Facts, out: &mut Vec<Diagnostic>) -> Monitoring {
    let mut monitoring = Monitoring::default();
    let Some(ast) = ast else { return monitoring };
    let mut time = |text: Option<&Text>, units, range: RangeInclusive<u64>, example: &str, default: u64| match text {
        Some(text) => duration(text, units, range, example, out).unwrap_or(default),
        None => default,
    };
    monitoring.interval = time(ast.interval.as_ref(), MINUTES_HOURS, MINUTE..=24 * HOUR, "5m", monitoring.interval);
    monitoring.retry = time(ast.retry.as_ref(), MINUTES_HOURS, MINUTE..=24 * HOUR, "1m", monitoring.retry);
    monitoring.repeat = time(ast.repeat.as_ref(), MINUTES_DAYS, 0..=30 * DAY, "4h", monitoring.repeat);
    monitoring.attempts = number(ast.attempts.as_ref(), 1..=20, monitoring.attempts, out);
    monitoring.flapping = ast.flapping.as_ref().is_none_or(|flag| flag.value);
    monitoring.contacts = contacts(ast.contacts.as_ref(), facts, out);
    for (name, table) in ast.periods.iter().flat_map(|named| &named.0) {
        if check_name(name, "a period", out) {
            monitoring.periods.insert(name.value.clone(), period(name, table, out));
        }
    }
    monitoring.period = known_period(ast.period.as_ref(), ast.periods.as_ref(), out);
    for escalation in ast.escalation.iter().flat_map(|many| &many.0) {
        let groups = contacts(escalation.contacts.as_ref(), facts, out);
        if let Some(list) = escalation.contacts.as_ref().filter(|list| list.value.is_empty()) {
            out.push(
                Diagnostic::new(&rules::empty_text::RULE, "nobody hears of the escalation")
                    .at(list.span, "")
                    .help("name a group, or remove the [[monitoring.escalation]]"),
            );
        }
        let repeat = escalation.repeat.as_ref();
        let repeat = repeat.and_then(|text| duration(text, MINUTES_DAYS, 0..=30 * DAY, "30m", out));
        let after = number(escalation.after.as_ref(), 1..=1000, 1, out);
        let period = known_period(escalation.period.as_ref(), ast.periods.as_ref(), out);
        if !groups.is_empty() {
            monitoring.escalations.push(Escalation { after, contacts: groups, repeat, period });
        }
    }
    monitoring.thresholds = of_every_machine(ast.thresholds.as_ref(), out);
    let used: BTreeSet<&str> = monitoring
        .period
        .iter()
        .chain(monitoring.escalations.iter().filter_map(|escalation| escalation.period.as_ref()))
        .map(|period| period.value.as_str())
        .collect();
    for (name, period) in monitoring.periods.iter().filter(|(name, _)| !used.contains(name.as_str())) {
        out.push(
            Diagnostic::new(&rules::period_unused::RULE, format!("nothing uses the period {name}"))
                .at(period.span, "")
                .help(format!("write period = \"{name}\" in [monitoring] or an escalation, or remove it")),
        );
    }
    monitoring
}

/// The groups that hear of something.
pub fn hearing(
    fleet: Option<&Fleet>,
    roles: &BTreeMap<RoleName, Role>,
    hosts: &BTreeMap<HostName, Host>,
) -> BTreeSet<GroupName> {
    let fleet = fleet.into_iter().flat_map(|fleet| {
        let escalations = fleet.monitoring.escalations.iter().flat_map(|escalation| &escalation.contacts);
        fleet.monitoring.contacts.iter().chain(escalations)
    });
    let of_roles = roles.values().flat_map(|role| &role.monitoring.contacts);
    let of_hosts = hosts.values().flat_map(|host| &host.monitoring.contacts);
    let contents = roles.values().flat_map(|role| role.contents.values().map(AsRef::as_ref));
    let contents = contents.chain(hosts.values().map(|host| &host.content));
    let of_checks = contents.flat_map(|content: &Content| &content.checks).flat_map(|check| &check.contacts);
    fleet.chain(of_roles).chain(of_hosts).chain(of_checks).map(|group| group.value.clone()).collect()
}

/// `[monitoring]` of a role, `[nagios_server]` and `[munin_server]`.
pub fn role(ast: &ast::Role, facts: &Facts, out: &mut Vec<Diagnostic>) -> RoleMonitoring {
    let mut monitoring = RoleMonitoring::default();
    if let Some(One(table)) = &ast.monitoring {
        monitoring.contacts = contacts(table.contacts.as_ref(), facts, out);
        monitoring.thresholds = of_every_machine(table.thresholds.as_ref(), out);
    }
    monitoring.nagios_server = ast.nagios_server.as_ref().map(|One(table)| NagiosServer {
        notify: table.notify.as_ref().is_none_or(|flag| flag.value),
        span: table.span,
    });
    monitoring.munin_server = ast.munin_server.as_ref().map(|One(table)| MuninServer { span: table.span });
    monitoring
}

/// `[monitoring]` of a host.
pub fn host(
    name: &HostName,
    ast: Option<&ast::HostMonitoring>,
    facts: &Facts,
    out: &mut Vec<Diagnostic>,
) -> HostMonitoring {
    let mut monitoring = HostMonitoring::default();
    let Some(ast) = ast else { return monitoring };
    monitoring.contacts = contacts(ast.contacts.as_ref(), facts, out);
    if let Some(list) = &ast.parents {
        duplicates(list, "the parent", out);
        for item in &list.value {
            monitoring.parents.extend(parent(item, name, facts, out));
        }
    }
    for (name, table) in ast.thresholds.iter().flat_map(|named| &named.0) {
        if let Some(worse) = of_machine(name, "no thresholds", out) {
            let given = thresholds(Some(name.span), &table.warning, &table.critical, out);
            if let Some(worse) = worse {
                plain_numbers(&given, out);
                inverted(&given, worse, out);
            }
            monitoring.thresholds.insert(name.value.clone(), given);
        }
    }
    let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
    for skip in ast.skip.iter().flat_map(|many| &many.0) {
        let reason = skip.reason.as_ref().filter(|text| plain_line(text, "a reason", out));
        let Some(check) = &skip.check else { continue };
        if check.value != EVERYTHING && check.value != NRPE && of_machine(check, "", out).is_none() {
            continue;
        }
        if let Some(first) = seen.insert(&check.value, check.span) {
            out.push(
                Diagnostic::new(&rules::duplicate_name::RULE, format!("\"{}\" is skipped twice", check.value))
                    .at(check.span, "again here")
                    .also(first, "first here")
                    .help("keep one of them"),
            );
        }
        if let (Some(reason), Some(until)) = (reason, skip.until) {
            monitoring.skips.push(Skip { check: check.clone(), reason: reason.value.clone(), until });
        }
    }
    monitoring
}

fn parent(item: &Text, host: &HostName, facts: &Facts, out: &mut Vec<Diagnostic>) -> Option<Spanned<HostName>> {
    if item.value == host.as_str() {
        out.push(
            Diagnostic::new(&rules::parent_cycle::RULE, format!("{host} can't be its own parent"))
                .at(item.span, "")
                .help("name the machine without which this one can't be reached, or remove it"),
        );
        return None;
    }
    if facts.hosts.contains(&item.value) {
        return HostName::parse(&item.value).ok().map(|name| Spanned::new(name, item.span));
    }
    let qualified = facts.hosts.iter().find(|known| known.split('.').next() == Some(item.value.as_str()));
    let near = nearest(&item.value, facts.hosts.iter().map(String::as_str)).or(qualified.map(String::as_str));
    out.push(
        Diagnostic::new(&rules::unknown_host::RULE, format!("there is no host \"{}\"", item.value.escape_debug()))
            .at(item.span, "")
            .help(match near {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => "write the name of a file in hosts/, without .toml".to_owned(),
            }),
    );
    None
}

/// A name in `thresholds` or `skip` of a host. None: there can't be such a check. The direction of one that every
/// machine has and that has thresholds.
fn of_machine(name: &Text, without: &str, out: &mut Vec<Diagnostic>) -> Option<Option<Worse>> {
    if name.value.contains('/') {
        // Whether the machine has it is looked at when all roles are known.
        return Some(None);
    }
    match implied(&name.value) {
        Some(implied) => match implied.measure {
            Some(measure) => Some(Some(measure.worse)),
            None => {
                out.push(
                    Diagnostic::new(&rules::unknown_check::RULE, format!("the check {} has {without}", implied.name))
                        .at(name.span, "")
                        .help("remove the table"),
                );
                None
            }
        },
        None => {
            out.push(no_such_check(
                name,
                "a role's check is written as \"ROLE/CHECK\", the machine's own as \"host/CHECK\"",
            ));
            None
        }
    }
}

fn no_such_check(name: &Text, else_help: &str) -> Diagnostic {
    let names = IMPLIED.iter().filter(|implied| implied.measure.is_some()).map(|implied| implied.name);
    Diagnostic::new(
        &rules::unknown_check::RULE,
        format!("there is no check \"{}\" that every machine has", name.value.escape_debug()),
    )
    .at(name.span, "")
    .help(match nearest(&name.value, names.clone()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("write one of {}; {else_help}", names.collect::<Vec<_>>().join(", ")),
    })
}

/// Thresholds of the fleet or a role: for checks that every machine has.
fn of_every_machine(named: Option<&Named<ast::Thresholds>>, out: &mut Vec<Diagnostic>) -> BTreeMap<String, Thresholds> {
    let mut map = BTreeMap::new();
    for (name, table) in named.iter().flat_map(|named| &named.0) {
        match implied(&name.value).and_then(|implied| implied.measure) {
            Some(measure) => {
                let given = thresholds(Some(name.span), &table.warning, &table.critical, out);
                plain_numbers(&given, out);
                inverted(&given, measure.worse, out);
                map.insert(name.value.clone(), given);
            }
            None => out.push(no_such_check(name, "those of a role's check are its `warning` and `critical`")),
        }
    }
    map
}

/// Groups that hear of problems.
fn contacts(list: Option<&Texts>, facts: &Facts, out: &mut Vec<Diagnostic>) -> Vec<Spanned<GroupName>> {
    let Some(list) = list else { return Vec::new() };
    duplicates(list, "the group", out);
    let mut groups: Vec<Spanned<GroupName>> = Vec::new();
    for text in &list.value {
        if let Some(group) = access::group(text, facts, out)
            && !groups.contains(&group)
        {
            groups.push(group);
        }
    }
    groups
}

fn number(given: Option<&Number>, range: RangeInclusive<u32>, default: u32, out: &mut Vec<Diagnostic>) -> u32 {
    let Some(given) = given else { return default };
    match u32::try_from(given.value).ok().filter(|value| range.contains(value)) {
        Some(value) => value,
        None => {
            let (low, high) = (range.start(), range.end());
            out.push(
                Diagnostic::new(
                    &rules::number_out_of_range::RULE,
                    format!("{} is not between {low} and {high}", given.value),
                )
                .at(given.span, "")
                .help(format!("write a number from {low} to {high}")),
            );
            default
        }
    }
}

/// Names that become parts of NRPE's and Nagios' names.
fn check_name(text: &Text, what: &str, out: &mut Vec<Diagnostic>) -> bool {
    let name = text.value.as_str();
    let valid = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 40
        && name
            .split('-')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
    if !valid {
        let bad = name.char_indices().find(|(_, c)| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-'));
        let place = bad.map_or(text.span, |(at, c)| text.part(at..at + c.len_utf8()));
        out.push(
            Diagnostic::new(
                &rules::invalid_check_name::RULE,
                format!("\"{}\" can't be the name of {what}", name.escape_debug()),
            )
            .at(place, "")
            .help("write lower case letters, digits and inner hyphens, a letter first, at most 40"),
        );
    }
    valid
}

fn known_period(
    text: Option<&Text>,
    periods: Option<&Named<ast::Period>>,
    out: &mut Vec<Diagnostic>,
) -> Option<Spanned<String>> {
    let text = text?;
    let names = periods.iter().flat_map(|named| &named.0).map(|(name, _)| name.value.as_str());
    if names.clone().any(|name| name == text.value) {
        return Some(text.clone());
    }
    out.push(
        Diagnostic::new(&rules::unknown_period::RULE, format!("there is no period \"{}\"", text.value.escape_debug()))
            .at(text.span, "")
            .help(match nearest(&text.value, names) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => {
                    format!("add [monitoring.periods.{}], or remove the line: always, then", text.value.escape_debug())
                }
            }),
    );
    None
}

fn period(name: &Text, ast: &ast::Period, out: &mut Vec<Diagnostic>) -> Period {
    let mut days: BTreeMap<u8, Vec<String>> = BTreeMap::new();
    for text in ast.days.iter().flat_map(|list| &list.value) {
        match times(&text.value) {
            Ok((which, times)) => {
                for day in which {
                    days.entry(day).or_default().extend(times.iter().cloned());
                }
            }
            Err(problem) => out.push(
                Diagnostic::new(
                    &rules::invalid_period::RULE,
                    format!("\"{}\" is no time of the week: {problem}", text.value.escape_debug()),
                )
                .at(text.span, "")
                .help("write days and times, such as \"monday-friday 09:00-17:30\" or \"sunday 00:00-24:00\""),
            ),
        }
    }
    if let Some(list) = ast.days.as_ref().filter(|list| list.value.is_empty()) {
        out.push(
            Diagnostic::new(&rules::invalid_period::RULE, "a period without days is never")
                .at(list.span, "")
                .help("write days and times, such as \"monday-friday 09:00-17:30\""),
        );
    }
    for times in days.values_mut() {
        times.sort();
        times.dedup();
    }
    Period { days, span: name.span }
}

/// `monday-friday 09:00-12:00,13:00-17:30`.
fn times(text: &str) -> Result<(Vec<u8>, Vec<String>), String> {
    let (days, times) = text.split_once(' ').ok_or("it has no times")?;
    let day = |name: &str| match DAYS.iter().position(|day| *day == name) {
        Some(day) => Ok(day as u8),
        None => Err(match nearest(name, DAYS) {
            Some(near) => format!("\"{}\" is not a day; is it \"{near}\"?", name.escape_debug()),
            None => format!("\"{}\" is not a day", name.escape_debug()),
        }),
    };
    let (first, last) = match days.split_once('-') {
        Some((first, last)) => (day(first)?, day(last)?),
        None => (day(days)?, day(days)?),
    };
    let mut which = vec![first];
    while which.last() != Some(&last) {
        which.push((which[which.len() - 1] + 1) % 7);
    }
    let clock = |text: &str| -> Option<u32> {
        let (hours, minutes) = text.split_once(':')?;
        let digits = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        let (hours, minutes): (u32, u32) =
            (digits(hours).then(|| hours.parse().ok())??, digits(minutes).then(|| minutes.parse().ok())??);
        (minutes < 60 && hours * 60 + minutes <= 24 * 60).then_some(hours * 60 + minutes)
    };
    let mut ranges = Vec::new();
    for range in times.split(',') {
        let parsed = range.split_once('-').and_then(|(from, to)| Some((clock(from)?, clock(to)?)));
        match parsed {
            Some((from, to)) if from < to => ranges.push(range.to_owned()),
            Some(_) => return Err(format!("\"{range}\" ends before it begins")),
            None => return Err(format!("\"{}\" is not from one time to another", range.escape_debug())),
        }
    }
    Ok((which, ranges))
}

/// One line that Nagios shows: its configuration takes `;` for a comment and `$` for a macro.
fn plain_line(text: &Text, what: &str, out: &mut Vec<Diagnostic>) -> bool {
    if !one_line(text, what, out) {
        return false;
    }
    if text.value.trim().is_empty() {
        out.push(
            Diagnostic::new(&rules::empty_text::RULE, format!("{what} is empty"))
                .at(text.span, "")
                .help("say it in a few words"),
        );
        return false;
    }
    match text.value.char_indices().find(|(_, c)| INJECTING.contains(c) || *c == '"') {
        Some((at, c)) => {
            out.push(
                Diagnostic::new(&rules::check_characters::RULE, format!("{what} can't hold {c:?}"))
                    .at(text.part(at..at + 1), "it has a meaning of its own in Nagios' configuration")
                    .help("write it without"),
            );
            false
        }
        None => true,
    }
}

/// What ends or begins something in a file of NRPE or Nagios, or in the shell that they call.
const INJECTING: [char; 6] = [';', '`', '$', '!', '|', '\\'];

pub fn check(ast: &ast::Check, site: &Site<'_>, out: &mut Vec<Diagnostic>) -> Option<Check> {
    let name = ast.name.as_ref().filter(|name| check_name(name, "a check", out));
    let kind = choice(ast.kind.as_ref(), "nrpe", &["nrpe", "active", "passive"], "a kind of check", out);
    let worse = match choice(ast.worse.as_ref(), "higher", &["higher", "lower"], "a direction", out) {
        Some("lower") => Worse::Lower,
        _ => Worse::Higher,
    };
    let given = thresholds(None, &ast.warning, &ast.critical, out);
    inverted(&given, worse, out);
    let notes = ast.notes.as_ref().filter(|text| plain_line(text, "a note", out)).map(|text| text.value.clone());
    let interval = ast.interval.as_ref();
    let interval = interval.and_then(|text| duration(text, MINUTES_HOURS, MINUTE..=24 * HOUR, "5m", out));
    let freshness = ast.freshness.as_ref();
    let fresh = freshness.and_then(|text| duration(text, MINUTES_DAYS, MINUTE..=90 * DAY, "26h", out));
    let packages = packages(ast.depends.as_ref(), out);
    let user = ast.user.as_ref().map(|text| account(Some(text), "user", out)).filter(|user| user.as_str() != "nagios");
    let command = ast.command.as_ref().and_then(|text| command(text, kind == Some("active"), out));
    let contacts = contacts(ast.contacts.as_ref(), site.facts, out);
    let label = name.map_or("the check".to_owned(), |name| format!("the check {}", name.value));
    let mut misplaced = |key: &str, span: Span, why: &str| {
        out.push(
            Diagnostic::new(&rules::check_kind_keys::RULE, format!("{label} has `{key}`, {why}"))
                .at(span, "")
                .help("remove the line, or write another `kind`"),
        );
    };
    let span_of = |measure: &Option<Measure>| measure.as_ref().map(|measure| measure.0.span);
    if kind == Some("passive") {
        let keys = [
            ("command", ast.command.as_ref().map(|text| text.span)),
            ("user", ast.user.as_ref().map(|text| text.span)),
            ("warning", span_of(&ast.warning)),
            ("critical", span_of(&ast.critical)),
            ("interval", ast.interval.as_ref().map(|text| text.span)),
        ];
        for (key, span) in keys.into_iter().filter_map(|(key, span)| Some((key, span?))) {
            misplaced(key, span, "but nobody runs a passive one: the machine tells by itself");
        }
    }
    if let (Some("active"), Some(user)) = (kind, &ast.user) {
        misplaced("user", user.span, "but an active one runs on the monitoring server, as nagios");
    }
    if let (Some("nrpe" | "active"), Some(text)) = (kind, freshness) {
        misplaced("freshness", text.span, "which is for passive ones: this one is asked");
    }
    let kind = match kind? {
        "passive" => {
            if freshness.is_none() {
                out.push(missing(
                    &label,
                    "freshness",
                    "\"26h\"",
                    "a passive one that says nothing has to be missed",
                    ast.span,
                ));
            }
            CheckKind::Passive { freshness: fresh? }
        }
        _ if ast.command.is_none() => {
            out.push(missing(&label, "command", "\"/usr/lib/nagios/plugins/…\"", "there is nothing to run", ast.span));
            return None;
        }
        "active" => CheckKind::Active(command?),
        _ => CheckKind::Nrpe { command: command?, user },
    };
    let check = Check { name: name?.clone(), kind, thresholds: given, worse, contacts, interval, notes, packages };
    placeholders(&check, out);
    Some(check)
}

fn missing(label: &str, key: &str, example: &str, why: &str, span: Span) -> Diagnostic {
    Diagnostic::new(&rules::check_kind_keys::RULE, format!("{label} has no `{key}`: {why}"))
        .at(span, format!("\"{key}\" is missing here"))
        .help(format!("add {key} = {example}"))
}

fn choice<'v>(
    text: Option<&Text>,
    default: &'v str,
    values: &[&'v str],
    what: &str,
    out: &mut Vec<Diagnostic>,
) -> Option<&'v str> {
    let Some(text) = text else { return Some(default) };
    let found = values.iter().find(|value| **value == text.value).copied();
    if found.is_none() {
        out.push(
            Diagnostic::new(&rules::invalid_choice::RULE, format!("\"{}\" is not {what}", text.value.escape_debug()))
                .at(text.span, "")
                .help(match nearest(&text.value, values.iter().copied()) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => format!("write one of {}", values.join(", ")),
                }),
        );
    }
    found
}

fn packages(list: Option<&Texts>, out: &mut Vec<Diagnostic>) -> Vec<PackageName> {
    let Some(list) = list else { return Vec::new() };
    duplicates(list, "the package", out);
    list.value.iter().filter_map(|text| relations::package_name(text, out)).map(|name| name.value).collect()
}

/// What is in `{}` in a command, and in those of which kind.
const PLACES: [(&str, bool); 4] = [("warning", false), ("critical", false), ("address", true), ("fqdn", true)];

/// Splits a command as a shell would, without being one.
fn command(text: &Text, active: bool, out: &mut Vec<Diagnostic>) -> Option<CheckCommand> {
    if !one_line(text, "the command of a check", out) {
        return None;
    }
    let value = text.value.as_str();
    let mut fault = |range: std::ops::Range<usize>, message: String, help: &str| {
        out.push(Diagnostic::new(&rules::check_characters::RULE, message).at(text.part(range), "").help(help));
        None
    };
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<(usize, char)> = None;
    for (at, c) in value.char_indices() {
        let here = at..at + c.len_utf8();
        if INJECTING.contains(&c) && (c != '|' || quote.is_none()) {
            return fault(
                here,
                format!("the command of a check can't hold {c:?}"),
                "put the command into a script that the role ships ([[file]]), and write its path here",
            );
        }
        match quote {
            Some((_, mark)) if c == mark => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if c == '"' || c == '\'' => {
                quote = Some((at, c));
                word.get_or_insert_default();
            }
            None if c == ' ' => words.extend(word.take()),
            None if "&<>()*?~#[]".contains(c) => {
                return fault(
                    here,
                    format!("no shell runs the command of a check: {c:?} means nothing in it"),
                    "put the argument in quotes if it is meant as it stands, else the command into a script that the role ships",
                );
            }
            None => word.get_or_insert_default().push(c),
        }
    }
    if let Some((at, _)) = quote {
        return fault(at..at + 1, "a quote in the command of a check is never closed".into(), "close it");
    }
    words.extend(word);
    for word in &words {
        for (at, _) in word.match_indices('{') {
            let name = word[at + 1..].split_once('}').map(|(name, _)| name);
            let known = PLACES.iter().find(|(place, _)| Some(*place) == name);
            if known.is_none_or(|(_, of_active)| *of_active && !active) {
                let shown = name.map_or("{".to_owned(), |name| format!("{{{name}}}"));
                let start = value.find(&shown).unwrap_or(0);
                let help = match known {
                    Some(_) => {
                        "leave it out: the machine itself runs the command; kind = \"active\" has the monitoring server run it"
                    }
                    None if active => "write {warning}, {critical}, {address} or {fqdn}",
                    None => "write {warning} or {critical}",
                };
                return fault(
                    start..start + shown.len(),
                    format!("\"{shown}\" stands for nothing in this command"),
                    help,
                );
            }
        }
    }
    let Some(program) = words.first() else {
        out.push(
            Diagnostic::new(&rules::empty_text::RULE, "the command of a check is empty")
                .at(text.span, "nothing to run")
                .help("write a plugin's path and its arguments"),
        );
        return None;
    };
    if crate::names::MachinePath::parse(program).is_err() {
        let length = value.find(' ').unwrap_or(value.len());
        let plain = program.rsplit('/').next().unwrap_or(program);
        let help = match plugins::nagios(plain) {
            Some(_) => format!("write \"{}/{plain}\"", plugins::NAGIOS),
            None => "write the whole path of the program".to_owned(),
        };
        out.push(
            Diagnostic::new(
                &rules::unknown_plugin::RULE,
                format!("\"{}\" is no absolute path of a program", program.escape_debug()),
            )
            .at(text.part(0..length), "")
            .help(help),
        );
        return None;
    }
    Some(CheckCommand { words, span: text.span })
}

/// Thresholds without a place in the command, and places without a threshold.
fn placeholders(check: &Check, out: &mut Vec<Diagnostic>) {
    let Some(command) = check.command() else { return };
    let parts = [("warning", &check.thresholds.warning), ("critical", &check.thresholds.critical)];
    for (name, value) in parts {
        match (command.uses(name), value) {
            (true, None) => out.push(
                Diagnostic::new(
                    &rules::threshold_without_place::RULE,
                    format!("the check {} does not say what {{{name}}} is", check.name.value),
                )
                .at(command.span, "")
                .help(format!("add {name} = NUMBER")),
            ),
            (false, Some(value)) => out.push(
                Diagnostic::new(
                    &rules::threshold_without_place::RULE,
                    format!("the command of the check {} never uses {{{name}}}", check.name.value),
                )
                .at(value.span, "without effect")
                .also(command.span, "the command")
                .help(format!("write {{{name}}} in the command, or remove the line")),
            ),
            _ => {}
        }
    }
}

fn thresholds(
    key: Option<Span>,
    warning: &Option<Measure>,
    critical: &Option<Measure>,
    out: &mut Vec<Diagnostic>,
) -> Thresholds {
    let mut part = |measure: &Option<Measure>| {
        let Measure(text) = measure.as_ref()?;
        let plain = |c: char| c.is_ascii_alphanumeric() || ".,:~@%+-".contains(c);
        let fits = !text.value.is_empty()
            && text.value.len() <= 100
            && text.value.chars().all(plain)
            && text.value.contains(|c: char| c.is_ascii_digit());
        if !fits {
            out.push(
                Diagnostic::new(
                    &rules::invalid_threshold::RULE,
                    format!("\"{}\" can't be a threshold", text.value.escape_debug()),
                )
                .at(text.span, "")
                .help(
                    "write a number such as 10, several such as \"5,4,3\", or a range of the plugin's such as \"1:50\"",
                ),
            );
            return None;
        }
        Some(text.clone())
    };
    Thresholds { key, warning: part(warning), critical: part(critical) }
}

/// The checks that every machine has compare plain numbers.
fn plain_numbers(given: &Thresholds, out: &mut Vec<Diagnostic>) {
    for text in [&given.warning, &given.critical].into_iter().flatten() {
        if text.value.parse::<f64>().is_err()
            || text.value.starts_with(['-', '+'])
            || text.value.contains(['e', 'E', 'n'])
        {
            out.push(
                Diagnostic::new(
                    &rules::invalid_threshold::RULE,
                    format!("\"{}\" is not a number from 0 on", text.value.escape_debug()),
                )
                .at(text.span, "")
                .help("write a number such as 10 or 0.5"),
            );
        }
    }
}

/// Where both are said at one place and the warning would come after the critical one.
fn inverted(given: &Thresholds, worse: Worse, out: &mut Vec<Diagnostic>) {
    out.extend(inversion(given, worse));
}

/// The error where the warning would come after the critical one.
fn inversion(given: &Thresholds, worse: Worse) -> Option<Diagnostic> {
    let (warning, critical) = (given.warning.as_ref()?, given.critical.as_ref()?);
    if !worse.is_inverted(&warning.value, &critical.value)? {
        return None;
    }
    let side = worse.word();
    let message = format!(
        "WARNING from {} on and CRITICAL from {} on: it would never be a mere warning, because {side} is worse",
        warning.value, critical.value
    );
    Some(
        Diagnostic::new(&rules::inverted_thresholds::RULE, message)
            .at(warning.span, "warning")
            .also(critical.span, "critical")
            .help(match worse {
                Worse::Higher => "exchange them; for a check in which a lower number is worse, write worse = \"lower\"",
                Worse::Lower => "exchange them",
            }),
    )
}

pub fn munin(ast: &ast::Munin, out: &mut Vec<Diagnostic>) -> Option<MuninPlugin> {
    let user = ast.user.as_ref().map(|text| account(Some(text), "user", out));
    let group = ast.group.as_ref().map(|text| account(Some(text), "group", out));
    let user = user.filter(|user: &AccountName| user.as_str() != "munin");
    let packages = packages(ast.depends.as_ref(), out);
    let env = ast.env.as_ref().map(|table| env(table, out)).unwrap_or_default();
    let plugin = ast.plugin.as_ref()?;
    let absolute = plugin.value.starts_with('/');
    let file_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
    };
    let base = plugin.value.rsplit('/').next().unwrap_or_default();
    if !file_name(base)
        || (absolute && crate::names::MachinePath::parse(&plugin.value).is_err())
        || (!absolute && plugin.value.contains('/'))
    {
        out.push(
            Diagnostic::new(
                &rules::unknown_plugin::RULE,
                format!("\"{}\" can't be a plugin of Munin", plugin.value.escape_debug()),
            )
            .at(plugin.span, "")
            .help("write a name from /usr/share/munin/plugins, or an absolute path"),
        );
        return None;
    }
    let name = match &ast.name {
        Some(name) if !file_name(&name.value) || name.value.ends_with('_') || name.value.len() > 100 => {
            out.push(
                Diagnostic::new(
                    &rules::invalid_check_name::RULE,
                    format!("\"{}\" can't be the name of a plugin", name.value.escape_debug()),
                )
                .at(name.span, "")
                .help("write letters, digits, \"_\", \".\" and \"-\", at most 100, no \"_\" at the end"),
            );
            return None;
        }
        Some(name) if base.ends_with('_') && !name.value.starts_with(base) => {
            out.push(
                Diagnostic::new(
                    &rules::munin_wildcard::RULE,
                    format!("{base} would not understand the name \"{}\"", name.value),
                )
                .at(name.span, "")
                .also(plugin.span, "it takes what follows its own name")
                .help(format!("write \"{base}{}\"", name.value)),
            );
            return None;
        }
        Some(name) => name.clone(),
        None if base.ends_with('_') => {
            out.push(
                Diagnostic::new(&rules::munin_wildcard::RULE, format!("{base} does not say what it is to look at"))
                    .at(plugin.span, "a plugin that takes the rest of its name")
                    .help(format!("add name = \"{base}…\", such as \"if_eth0\" for if_")),
            );
            return None;
        }
        None => Spanned::new(base.to_owned(), plugin.span),
    };
    let target = if absolute { plugin.value.clone() } else { format!("{}/{}", plugins::MUNIN, plugin.value) };
    Some(MuninPlugin { name, target, user, group, env, packages })
}

fn env(table: &Scalars, out: &mut Vec<Diagnostic>) -> BTreeMap<String, String> {
    let named = super::command::environment(table, out);
    named.into_iter().map(|(name, value)| (name, value.value)).collect()
}

/// Programs that nothing brings, in a content that is whole; and the packages that those need which Debian brings.
pub fn programs(content: &mut Content, out: &mut Vec<Diagnostic>) {
    let shipped: BTreeSet<String> = {
        let files = content.files.iter().map(|file| &file.path.value);
        let links = content.symlinks.iter().map(|link| &link.path.value);
        files.chain(links).map(|path| path.canonical().to_string()).collect()
    };
    let canonical = |path: &str| crate::names::MachinePath::parse(path).map(|path| path.canonical().to_string());
    let is_shipped = |path: &str| canonical(path).is_ok_and(|path| shipped.contains(&path));
    for check in &mut content.checks {
        let Some(command) = check.command() else { continue };
        let (program, span) = (command.words[0].clone(), command.span);
        let known = program.strip_prefix(plugins::NAGIOS).and_then(|rest| plugins::nagios(rest.strip_prefix('/')?));
        if let Some(package) = known {
            let package = PackageName::parse(package).expect("a package of Debian");
            if !check.packages.contains(&package) {
                check.packages.push(package);
            }
        } else if check.packages.is_empty() && !is_shipped(&program) {
            let name = program.rsplit('/').next().unwrap_or_default();
            out.push(nothing_brings(&program, name, plugins::NAGIOS, plugins::all_nagios(), span));
        }
    }
    for plugin in &mut content.munin {
        let known = plugin.target.strip_prefix(plugins::MUNIN).and_then(|rest| plugins::munin(rest.strip_prefix('/')?));
        if let Some(package) = known {
            let package = PackageName::parse(package).expect("a package of Debian");
            if !plugin.packages.contains(&package) {
                plugin.packages.push(package);
            }
        } else if plugin.packages.is_empty() && !is_shipped(&plugin.target) {
            let name = plugin.target.rsplit('/').next().unwrap_or_default();
            out.push(nothing_brings(&plugin.target, name, plugins::MUNIN, plugins::all_munin(), plugin.name.span));
        }
    }
}

fn nothing_brings(
    program: &str,
    name: &str,
    directory: &str,
    known: impl Iterator<Item = &'static str>,
    span: Span,
) -> Diagnostic {
    let near = nearest(name, known);
    Diagnostic::new(&rules::unknown_plugin::RULE, format!("nothing brings {program}")).at(span, "").help(match near {
        Some(near) if near == name => format!("write {directory}/{near}"),
        Some(near) => format!("did you mean {directory}/{near}?"),
        None => "name the package that brings it in `depends`, or ship it by [[file]] in the same role".to_owned(),
    })
}
