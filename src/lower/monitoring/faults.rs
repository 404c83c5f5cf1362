//! What is wrong with the monitoring of a tree when all of it is known: checks that nobody hears of, machines that can't
//! be asked, thresholds that do not fit together.

use super::nagios::{backup_key, contacts, used_groups, watched};
use crate::diagnostics::{Diagnostic, rules};
use crate::lower::backup;
use crate::model::monitoring::{Check, IMPLIED, Thresholds, Worse, implied};
use crate::model::{Host, Model, User};
use crate::names::{GroupName, HostName};
use crate::near::nearest;
use crate::source::{Span, Spanned};
use std::collections::{BTreeMap, BTreeSet};

pub fn check(model: &Model) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    names(model, &mut out);
    parents(model, &mut out);
    for host in model.hosts.values() {
        known_checks(model, host, &mut out);
        thresholds(model, host, &mut out);
        plugins(model, host, &mut out);
    }
    let monitored = model.nagios_servers().next().is_some();
    without_server(model, monitored, &mut out);
    for host in model.nagios_servers().chain(model.munin_servers()).filter(|host| host.addresses.is_empty()) {
        out.push(
            Diagnostic::new(
                &rules::server_without_address::RULE,
                format!("{} is a monitoring server, but nobody knows its address", host.name.value),
            )
            .at(host.name.span, "machines answer those addresses alone that they know")
            .help("add addresses = [\"…\"]"),
        );
    }
    if monitored {
        for host in watched(model).filter(|host| host.host_keys.is_empty()) {
            out.push(
                Diagnostic::new(
                    &rules::machine_without_host_key::RULE,
                    format!("{} has no ssh_host_key: it could not prove to a monitoring server who it is", host.name.value),
                )
                .at(host.name.span, "")
                .help("add ssh_host_key = \"…\", the line of /etc/ssh/ssh_host_ed25519_key.pub there (debrole host adopt has it)"),
            );
        }
        told(model, &mut out);
    }
    out
}

/// Roles whose names have a meaning of their own in the names of checks.
fn names(model: &Model, out: &mut Vec<Diagnostic>) {
    for (name, role) in model.roles.iter().filter(|(name, _)| ["host", "machine"].contains(&name.as_str())) {
        let checks = role.contents.values().flat_map(|content| &content.checks);
        out.extend(checks.map(|check| {
            let whose =
                if name.as_str() == "host" { "a machine's own checks" } else { "the checks that every machine has" };
            Diagnostic::new(
                &rules::check_name_taken::RULE,
                format!("the role {name} can't have checks: \"{name}_{}\" is a name of {whose}", check.name.value),
            )
            .at(check.name.span, "")
            .help("give the role another name, or move the check into another role")
        }));
    }
}

/// Machines that are behind themselves.
fn parents(model: &Model, out: &mut Vec<Diagnostic>) {
    let above = |name: &HostName| model.hosts.get(name).into_iter().flat_map(|host| &host.monitoring.parents);
    let mut reported: BTreeSet<&HostName> = BTreeSet::new();
    for name in model.hosts.keys() {
        // The shortest way from the machine up to itself.
        let mut seen: BTreeMap<&HostName, (&HostName, Span)> = BTreeMap::new();
        let mut todo = vec![name];
        while let Some(one) = todo.pop() {
            for parent in above(one) {
                if !seen.contains_key(&parent.value) {
                    seen.insert(&parent.value, (one, parent.span));
                    todo.push(&parent.value);
                }
            }
        }
        if !seen.contains_key(name) || reported.contains(name) {
            continue;
        }
        let mut way = vec![name.as_str()];
        let mut places = Vec::new();
        let mut at = name;
        loop {
            let (below, span) = seen[at];
            places.push(span);
            reported.insert(below);
            way.push(below.as_str());
            at = below;
            if at == name {
                break;
            }
        }
        way.reverse();
        let mut diagnostic =
            Diagnostic::new(&rules::parent_cycle::RULE, format!("machines are behind each other: {}", way.join(" → ")));
        places.sort();
        for (index, span) in places.into_iter().enumerate() {
            diagnostic =
                if index == 0 { diagnostic.at(span, "behind this one") } else { diagnostic.also(span, "and this") };
        }
        out.push(diagnostic.help("remove one of the parents"));
    }
}

/// The names in `thresholds` and `skip` of a host that are those of roles' checks, its own, or backup jobs.
fn known_checks(model: &Model, host: &Host, out: &mut Vec<Diagnostic>) {
    if host.monitoring.thresholds.is_empty() && host.monitoring.skips.is_empty() {
        return;
    }
    let checks: BTreeMap<String, &Check> =
        model.checks(host).map(|(place, check)| (place.key(&check.name.value), check)).collect();
    // (All jobs of the fleet, so only where one may be meant.)
    let of_backups = host.monitoring.skips.iter().any(|skip| skip.check.value.starts_with(&backup_key("")));
    let jobs: BTreeSet<String> = of_backups
        .then(|| backup::jobs(model))
        .into_iter()
        .flatten()
        .filter(|job| job.client.name.value == host.name.value)
        .map(|job| backup_key(&job.name))
        .collect();
    let unknown = |name: &str, span: Span, known: Vec<&str>| {
        Diagnostic::new(
            &rules::unknown_check::RULE,
            format!("{} has no check \"{}\"", host.name.value, name.escape_debug()),
        )
        .at(span, "")
        .help(match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None if known.is_empty() => "none of its roles has a check".to_owned(),
            None => format!("those of its roles are {}", known.join(", ")),
        })
    };
    for (name, given) in host.monitoring.thresholds.iter().filter(|(name, _)| name.contains('/')) {
        let span = given.key.unwrap_or(host.name.span);
        let Some(check) = checks.get(name) else {
            out.push(unknown(name, span, checks.keys().map(String::as_str).collect()));
            continue;
        };
        let parts = [
            ("warning", &given.warning, &check.thresholds.warning),
            ("critical", &given.critical, &check.thresholds.critical),
        ];
        for (part, own, usual) in parts {
            if let (Some(own), None) = (own, usual) {
                out.push(
                    Diagnostic::new(
                        &rules::threshold_without_place::RULE,
                        format!("the check {name} has no `{part}` that could be another here"),
                    )
                    .at(own.span, "without effect")
                    .also(check.name.span, "the check")
                    .help(format!("give it {part} = … and write {{{part}}} in its command, or remove the line")),
                );
            }
        }
    }
    for skip in &host.monitoring.skips {
        let name = &skip.check.value;
        if name.contains('/') && !checks.contains_key(name) && !jobs.contains(name) {
            let known = checks.keys().chain(&jobs).map(String::as_str).collect();
            out.push(unknown(name, skip.check.span, known));
        }
    }
}

type Part = (&'static str, fn(&Thresholds) -> Option<&Spanned<String>>);
const PARTS: [Part; 2] = [("warning", Thresholds::warning), ("critical", Thresholds::critical)];

/// Thresholds as they are on a machine in the end: what two roles say, and what would never be a mere warning.
fn thresholds(model: &Model, host: &Host, out: &mut Vec<Diagnostic>) {
    for implied in IMPLIED.iter() {
        let Some(measure) = implied.measure else { continue };
        for (part, of) in PARTS {
            let given = host.monitoring.thresholds.get(implied.name).and_then(of);
            let roles = model.thresholds_of_roles(host, implied.name, of);
            if let (None, [first, others @ ..]) = (given, roles.as_slice())
                && let Some(other) = others.iter().find(|other| other.1.value != first.1.value)
            {
                out.push(
                    Diagnostic::new(
                        &rules::threshold_clash::RULE,
                        format!(
                            "{} and {} give {} another `{part}` for {}",
                            first.0, other.0, host.name.value, implied.name
                        ),
                    )
                    .at(other.1.span, format!("{} here", other.1.value))
                    .also(first.1.span, format!("{} here", first.1.value))
                    .also(host.name.span, "the machine has both roles")
                    .help(format!("say what holds in the host's [monitoring.thresholds.{}]", implied.name)),
                );
            }
        }
        let all = model.implied_thresholds(Some(host), implied);
        out.extend(inversion(model, host, implied.name, &all, measure.worse));
    }
    if host.monitoring.thresholds.is_empty() {
        return;
    }
    for (place, check) in model.checks(host) {
        let key = place.key(&check.name.value);
        if host.monitoring.thresholds.contains_key(&key) {
            let all = model.thresholds(host, place, check);
            out.extend(inversion(model, host, &key, &all, check.worse));
        }
    }
}

/// The error, at the one of both that is somebody's own.
fn inversion(model: &Model, host: &Host, name: &str, all: &Thresholds, worse: Worse) -> Option<Diagnostic> {
    let (warning, critical) = (all.warning.as_ref()?, all.critical.as_ref()?);
    if !worse.is_inverted(&warning.value, &critical.value)? {
        return None;
    }
    let places: Vec<(&Spanned<String>, &str)> = [(warning, "warning"), (critical, "critical")]
        .into_iter()
        .filter(|(text, _)| text.span != model.fleet.span)
        .collect();
    let message = format!(
        "{name} of {}: WARNING from {} on and CRITICAL from {} on, and {} is worse",
        host.name.value,
        warning.value,
        critical.value,
        worse.word()
    );
    let mut diagnostic = Diagnostic::new(&rules::inverted_thresholds::RULE, message);
    for (index, (text, part)) in places.iter().enumerate() {
        diagnostic = if index == 0 { diagnostic.at(text.span, *part) } else { diagnostic.also(text.span, *part) };
    }
    Some(diagnostic.help(match implied(name).and_then(|implied| implied.measure) {
        Some(measure) => format!("say both; without a word it is {} and {}", measure.warning, measure.critical),
        None => "say both".to_owned(),
    }))
}

/// One plugin by one name, whoever wants it.
fn plugins(model: &Model, host: &Host, out: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<&str, &crate::model::monitoring::MuninPlugin> = BTreeMap::new();
    for plugin in model.contents_of(host).flat_map(|content| &content.munin) {
        let name = plugin.name.value.as_str();
        let first = *seen.entry(name).or_insert(plugin);
        let same = first.target == plugin.target
            && (&first.user, &first.group, &first.env) == (&plugin.user, &plugin.group, &plugin.env);
        if !same {
            let what = if first.target == plugin.target { "with other settings" } else { "for another plugin" };
            out.push(
                Diagnostic::new(
                    &rules::munin_plugin_clash::RULE,
                    format!("{name} is there twice on {}, {what}", host.name.value),
                )
                .at(plugin.name.span, "here")
                .also(first.name.span, "and here")
                .also(host.name.span, "the machine has both")
                .help("make both the same, move it into a role that both include, or give one another `name`"),
            );
        }
    }
}

/// Checks and plugins that nobody asks.
fn without_server(model: &Model, monitored: bool, out: &mut Vec<Diagnostic>) {
    let contents = || model.hosts.values().flat_map(|host| model.contents_of(host));
    let mut warn = |span: Option<Span>, what: &str, table: &str| {
        out.extend(span.map(|span| {
            Diagnostic::new(
                &rules::check_without_server::RULE,
                format!("nobody asks: no machine has a role with [{table}]"),
            )
            .at(span, format!("the first {what}"))
            .help(format!("add [{table}] to a role of the monitoring machine"))
        }));
    };
    if !monitored {
        let first = contents().flat_map(|content| &content.checks).map(|check| check.name.span).min();
        warn(first, "check", "nagios_server");
    }
    if model.munin_servers().next().is_none() {
        let first = contents().flat_map(|content| &content.munin).map(|plugin| plugin.name.span).min();
        warn(first, "plugin", "munin_server");
    }
}

/// Whether somebody hears of everything.
fn told(model: &Model, out: &mut Vec<Diagnostic>) {
    let servers: Vec<_> = model
        .nagios_servers()
        .flat_map(|host| model.roles_of(host).filter_map(|role| role.monitoring.nagios_server.as_ref()))
        .collect();
    if let (Some(first), false) = (servers.first(), servers.iter().any(|server| server.notify)) {
        out.push(
            Diagnostic::new(&rules::check_without_contact::RULE, "no monitoring server tells problems")
                .at(first.span, "it has notify = false")
                .help("remove notify = false from one of them"),
        );
    }
    let nobody = |what: String, span: Span, help: &str| {
        Diagnostic::new(&rules::check_without_contact::RULE, format!("nobody hears of problems of {what}"))
            .at(span, "")
            .help(help)
    };
    let silent: Vec<&Host> = watched(model).filter(|host| contacts(model, host, None).is_empty()).collect();
    if let Some(first) = silent.first() {
        let what = match silent.len() - 1 {
            0 => first.name.value.to_string(),
            1 => format!("{} and one other machine", first.name.value),
            others => format!("{} and {others} other machines", first.name.value),
        };
        out.push(nobody(
            what,
            first.name.span,
            "add [monitoring] with contacts = [\"GROUP\"] to debrole.toml, or to each host",
        ));
    }
    let mut said = BTreeSet::new();
    for host in watched(model) {
        for (place, check) in model.checks(host) {
            if contacts(model, host, Some((place, check))).is_empty() && said.insert(check.name.span) {
                out.push(nobody(
                    format!("the check {}", check.name.value),
                    check.name.span,
                    "add contacts = [\"GROUP\"] to the check, to [monitoring] of the role, or to [monitoring] of debrole.toml",
                ));
            }
        }
    }
    let places = named_groups(model);
    for group in used_groups(model) {
        let Some(known) = model.people.groups.get(group) else { continue };
        let users: Vec<&User> = known.members.keys().filter_map(|name| model.people.users.get(name)).collect();
        let span = places.get(group).copied().unwrap_or(known.name.span);
        if !users.iter().any(|user| user.email.is_some()) {
            out.push(
                Diagnostic::new(
                    &rules::contacts_unreachable::RULE,
                    format!("nobody of the group {group} has a mail address: nobody would hear of anything"),
                )
                .at(span, "")
                .also(known.name.span, "the group")
                .help("add email = \"…\" to a member's file, or name another group"),
            );
            continue;
        }
        for user in users {
            let Some(email) = &user.email else {
                out.push(
                    Diagnostic::new(
                        &rules::contact_without_mail::RULE,
                        format!("{} is to hear of problems, but has no mail address", user.name.value),
                    )
                    .at(user.name.span, "")
                    .also(span, format!("as a member of {group}"))
                    .help("add email = \"…\""),
                );
                continue;
            };
            let plain = |c: char| c.is_alphanumeric() || ".@_+=%/-".contains(c);
            if !email.chars().all(plain) {
                out.push(
                    Diagnostic::new(
                        &rules::check_characters::RULE,
                        format!(
                            "mail can't be sent to \"{}\" by Nagios, which hands it to a shell",
                            email.escape_debug()
                        ),
                    )
                    .at(user.name.span, "")
                    .help("write an address of letters, digits and . _ + = % / -"),
                );
            }
        }
    }
}

/// Where each group is named first as one that hears of something.
fn named_groups(model: &Model) -> BTreeMap<&GroupName, Span> {
    let fleet = &model.fleet.monitoring;
    let all = fleet.contacts.iter().chain(fleet.escalations.iter().flat_map(|one| &one.contacts));
    let roles = model.roles.values().flat_map(|role| {
        let checks = role.contents.values().flat_map(|content| &content.checks).flat_map(|check| &check.contacts);
        role.monitoring.contacts.iter().chain(checks)
    });
    let hosts = model.hosts.values().flat_map(|host| {
        host.monitoring.contacts.iter().chain(host.content.checks.iter().flat_map(|check| &check.contacts))
    });
    let mut places = BTreeMap::new();
    for group in all.chain(roles).chain(hosts) {
        places.entry(&group.value).or_insert(group.span);
    }
    places
}
