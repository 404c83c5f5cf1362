//! The objects of Nagios, file by file: machines, groups of them, commands, templates, escalations.

use super::main_file::OBJECTS;
use super::people::{contacts, people};
use super::services::services;
use super::watched;
use crate::lower::monitoring::agent::head;
use crate::model::Model;
use crate::model::monitoring::NRPE;
use crate::names::{GroupName, HostName, PackageName, Prefix, RoleName};
use crate::source::Spanned;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The host group of all machines. (No role's name has a `_`.)
const ALL: &str = "all_machines";

/// Directives of an object with their values.
pub(super) type Lines = Vec<(&'static str, String)>;

/// A definition of an object.
pub(super) fn define(out: &mut String, kind: &str, lines: &[(&str, &str)]) {
    let _ = writeln!(out, "define {kind} {{");
    for (key, value) in lines {
        let _ = writeln!(out, "    {key:<30}{value}");
    }
    out.push_str("}\n\n");
}

/// What a text of the tree becomes where it can't do any harm: `;` begins a comment, `$` a macro.
pub(super) fn shown(text: &str) -> String {
    text.chars().map(|c| if ";$`!|\\\"'<>&~".contains(c) { ' ' } else { c }).collect()
}

pub(super) fn names<'a>(groups: impl IntoIterator<Item = &'a Spanned<GroupName>>) -> String {
    let names: BTreeSet<&str> = groups.into_iter().map(|group| group.value.as_str()).collect();
    names.into_iter().collect::<Vec<_>>().join(",")
}

/// Minutes, as Nagios counts.
pub(super) fn minutes(seconds: u64) -> String {
    (seconds / 60).to_string()
}

pub(super) fn period_name(period: &Option<Spanned<String>>) -> &str {
    period.as_ref().map_or("24x7", |period| period.value.as_str())
}

/// Machines by role, and all of them.
fn host_groups(model: &Model) -> BTreeMap<&str, BTreeSet<HostName>> {
    let mut groups: BTreeMap<&str, BTreeSet<HostName>> = BTreeMap::new();
    for host in watched(model) {
        groups.entry(ALL).or_default().insert(host.name.value.clone());
        for role in model.roles_of(host) {
            groups.entry(role.name.value.as_str()).or_default().insert(host.name.value.clone());
        }
    }
    groups
}

/// Where a definition holds: a host group, where one has just those machines, else their names.
fn place(
    groups: &BTreeMap<&str, BTreeSet<HostName>>,
    prefer: &str,
    hosts: &BTreeSet<HostName>,
) -> (&'static str, String) {
    for name in [ALL, prefer] {
        if groups.get(name) == Some(hosts) {
            return ("hostgroup_name", name.to_owned());
        }
    }
    let names: Vec<&str> = hosts.iter().map(HostName::as_str).collect();
    ("host_name", names.join(","))
}

/// All files, by their names: the main file last of all is the caller's.
pub fn objects(model: &Model, package: &PackageName) -> BTreeMap<&'static str, String> {
    let head = head(package);
    let groups = host_groups(model);
    let all = services(model);
    let mut files: BTreeMap<&'static str, String> = OBJECTS.into_iter().map(|name| (name, head.clone())).collect();
    let mut put = |name: &'static str, text: String| {
        if let Some(file) = files.get_mut(name) {
            file.push_str(&text);
        }
    };
    put("commands.cfg", commands(&model.fleet.prefix, &all.commands));
    put("contacts.cfg", people(model));
    put("hosts.cfg", hosts(model, &groups));
    let mut text = templates(model);
    let mut dependencies = String::new();
    let answering: BTreeSet<&HostName> =
        watched(model).filter(|host| !host.skips(NRPE)).map(|host| &host.name.value).collect();
    for service in all.services.values() {
        let role = service.description.split(": ").next().unwrap_or_default();
        let (key, value) = place(&groups, role, &service.hosts);
        let mut lines = vec![(key, value.as_str()), ("service_description", service.description.as_str())];
        lines.extend(
            service.lines.iter().map(|(key, value)| (*key, value.as_str())).filter(|(_, value)| !value.is_empty()),
        );
        define(&mut text, "service", &lines);
        if !service.by_nrpe {
            continue;
        }
        let hosts: BTreeSet<HostName> = service.hosts.iter().filter(|host| answering.contains(host)).cloned().collect();
        if hosts.is_empty() {
            continue;
        }
        let (key, value) = place(&groups, role, &hosts);
        define(
            &mut dependencies,
            "servicedependency",
            &[
                (key, &value),
                ("service_description", NRPE),
                ("dependent_service_description", &service.description),
                ("execution_failure_criteria", "u,c"),
                ("notification_failure_criteria", "w,u,c"),
            ],
        );
    }
    put("services.cfg", text);
    put("dependencies.cfg", dependencies);
    put("escalations.cfg", escalations(model));
    files
}

fn commands(prefix: &Prefix, active: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let place = format!("/var/lib/{prefix}/nrpe");
    // A machine is believed by its own certificate alone: it is in a file of its name.
    let nrpe = format!(
        "/usr/lib/nagios/plugins/check_nrpe -H '$HOSTADDRESS$' -t 30 -A '{place}/hosts/$HOSTNAME$.pem' -C {place}/client.pem -K {place}/client.key"
    );
    let mail = |what: &str, body: &str| {
        format!("/usr/bin/printf \"%b\" \"{body}\" | /usr/bin/mail -s \"{what}\" '$CONTACTEMAIL$'")
    };
    let host = mail(
        "$NOTIFICATIONTYPE$: $HOSTNAME$ is $HOSTSTATE$",
        r"Machine: $HOSTNAME$ ($HOSTADDRESS$)\nState: $HOSTSTATE$ for $HOSTDURATION$\nAnswer: $HOSTOUTPUT$\nTime: $LONGDATETIME$\n",
    );
    let service = mail(
        "$NOTIFICATIONTYPE$: $HOSTNAME$ $SERVICEDESC$ is $SERVICESTATE$",
        r"Machine: $HOSTNAME$ ($HOSTADDRESS$)\nService: $SERVICEDESC$\nState: $SERVICESTATE$ for $SERVICEDURATION$\nAnswer: $SERVICEOUTPUT$\nNotes: $SERVICENOTES$\nTime: $LONGDATETIME$\n",
    );
    let usual = [
        ("nrpe", format!("{nrpe} -c $ARG1$")),
        ("nrpe_answers", nrpe),
        ("ping", "/usr/lib/nagios/plugins/check_ping -H '$HOSTADDRESS$' -w 3000.0,80% -c 5000.0,100% -p 5".to_owned()),
        ("not_told", "/usr/lib/nagios/plugins/check_dummy 2 'nothing was told in time'".to_owned()),
        ("mail_host", host),
        ("mail_service", service),
    ];
    let all = usual.iter().map(|(name, line)| (*name, line.as_str()));
    for (name, line) in all.chain(active.iter().map(|(name, line)| (name.as_str(), line.as_str()))) {
        define(&mut out, "command", &[("command_name", name), ("command_line", line)]);
    }
    out
}

fn hosts(model: &Model, groups: &BTreeMap<&str, BTreeSet<HostName>>) -> String {
    let monitoring = &model.fleet.monitoring;
    let mut out = String::new();
    let (interval, retry, repeat) =
        (minutes(monitoring.interval), minutes(monitoring.retry), minutes(monitoring.repeat));
    let attempts = monitoring.attempts.to_string();
    define(
        &mut out,
        "host",
        &[
            ("name", "machine"),
            ("register", "0"),
            ("check_command", "ping"),
            ("check_period", "24x7"),
            ("check_interval", &interval),
            ("retry_interval", &retry),
            ("max_check_attempts", &attempts),
            ("notification_interval", &repeat),
            ("notification_period", period_name(&monitoring.period)),
            ("notification_options", "d,u,r,f,s"),
            ("flap_detection_enabled", if monitoring.flapping { "1" } else { "0" }),
        ],
    );
    let known: BTreeSet<&HostName> = watched(model).map(|host| &host.name.value).collect();
    for host in watched(model) {
        let name = host.name.value.as_str();
        let alias = shown(host.summary.as_deref().unwrap_or(name));
        let address = host.addresses.first().map_or(name.to_owned(), |address| address.value.to_string());
        let parents: BTreeSet<&str> = host
            .monitoring
            .parents
            .iter()
            .filter(|parent| known.contains(&parent.value))
            .map(|parent| parent.value.as_str())
            .collect();
        let parents = parents.into_iter().collect::<Vec<_>>().join(",");
        let groups = names(contacts(model, host, None));
        let mut lines = vec![
            ("use", "machine"),
            ("host_name", name),
            ("alias", &alias),
            ("address", &address),
            ("contact_groups", &groups),
        ];
        lines.extend(Some(("parents", parents.as_str())).filter(|(_, parents)| !parents.is_empty()));
        lines.retain(|(_, value)| !value.is_empty());
        define(&mut out, "host", &lines);
    }
    for (name, hosts) in groups {
        let members: Vec<&str> = hosts.iter().map(HostName::as_str).collect();
        let members = members.join(",");
        let role = RoleName::parse(name).ok().and_then(|name| model.roles.get(&name));
        let alias = shown(role.map_or("all machines", |role| role.summary.as_str()));
        define(&mut out, "hostgroup", &[("hostgroup_name", name), ("alias", &alias), ("members", &members)]);
    }
    out
}

/// What services have in common.
fn templates(model: &Model) -> String {
    let monitoring = &model.fleet.monitoring;
    let (interval, retry, repeat) =
        (minutes(monitoring.interval), minutes(monitoring.retry), minutes(monitoring.repeat));
    let attempts = monitoring.attempts.to_string();
    let mut out = String::new();
    let usual = [
        ("check_period", "24x7"),
        ("notification_interval", &repeat),
        ("notification_period", period_name(&monitoring.period)),
        ("notification_options", "w,u,c,r,f,s"),
        ("flap_detection_enabled", if monitoring.flapping { "1" } else { "0" }),
        ("register", "0"),
    ];
    let mut asked = vec![
        ("name", "machine"),
        // Nobody but the server itself says how it is.
        ("passive_checks_enabled", "0"),
        ("check_interval", interval.as_str()),
        ("retry_interval", retry.as_str()),
        ("max_check_attempts", attempts.as_str()),
    ];
    asked.extend(usual);
    define(&mut out, "service", &asked);
    let mut told = vec![
        ("name", "told"),
        ("check_command", "not_told"),
        ("active_checks_enabled", "0"),
        ("passive_checks_enabled", "1"),
        ("check_freshness", "1"),
        ("check_interval", "1"),
        ("retry_interval", "1"),
        // What is told is certain.
        ("max_check_attempts", "1"),
    ];
    told.extend(usual);
    define(&mut out, "service", &told);
    out
}

fn escalations(model: &Model) -> String {
    let monitoring = &model.fleet.monitoring;
    let mut out = String::new();
    for escalation in &monitoring.escalations {
        let (first, groups) = (escalation.after.to_string(), names(&escalation.contacts));
        let repeat = minutes(escalation.repeat.unwrap_or(monitoring.repeat));
        let lines = [
            ("first_notification", first.as_str()),
            ("last_notification", "0"),
            ("contact_groups", &groups),
            ("notification_interval", &repeat),
            ("escalation_period", period_name(&escalation.period)),
        ];
        let mut host = vec![("hostgroup_name", ALL)];
        host.extend(lines);
        define(&mut out, "hostescalation", &host);
        let mut service = vec![("hostgroup_name", ALL), ("service_description", "*")];
        service.extend(lines);
        define(&mut out, "serviceescalation", &service);
    }
    out
}
