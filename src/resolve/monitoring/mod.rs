//! `[monitoring]`, `[[check]]` and `[[munin]]`: what can be told of each file alone. What depends on several is
//! `lower::monitoring`'s to check.

use super::fleet::{DAY, HOUR, MINUTE, duration};
use super::text::{duplicates, one_line};
use super::{Facts, access};
use crate::diagnostics::{Diagnostic, rules};
use crate::model::monitoring::{
    EVERYTHING, Escalation, HostMonitoring, IMPLIED, Monitoring, MuninServer, NRPE, NagiosServer, RoleMonitoring, Skip,
    Thresholds, Worse, implied,
};
use crate::model::{Content, Fleet, Host, Role};
use crate::names::{GroupName, HostName, RoleName};
use crate::near::nearest;
use crate::schema::{Named, Number, One, Text, Texts, ast};
use crate::source::{Span, Spanned};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

mod check;
mod munin;
mod period;
mod programs;
mod thresholds;

pub use check::{check, choice};
pub use munin::munin;
pub use programs::{programs, servers};

use period::{known_period, period};
use thresholds::{inverted, plain_numbers, thresholds};

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
    monitoring.detected_plugins = ast.detected_plugins.as_ref().is_none_or(|flag| flag.value);
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
    known_host(item, facts, out)
}

/// A host of the tree; else the error that names the nearest.
pub fn known_host(item: &Text, facts: &Facts, out: &mut Vec<Diagnostic>) -> Option<Spanned<HostName>> {
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
