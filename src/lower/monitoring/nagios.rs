//! `<prefix>-nagios-config`, on the machines of roles with `[nagios_server]`: what Nagios asks all machines, who hears of
//! it, and the account by which machines exchange certificates.
//!
//! A service is written once for all machines on which it is the same: Nagios makes one of it for each.

use super::agent::{Made, Pieces, account, head, home, path, plan, text};
use super::{nagios_teardown, nagios_web};
use crate::model::monitoring::{Check, CheckKind, DAYS, EVERYTHING, IMPLIED, NRPE, Place, Thresholds};
use crate::model::{Account, Content, Host, Model, User};
use crate::names::{GroupName, HostName, MachinePath, PackageName, Prefix, RoleName};
use crate::plan::PackagePlan;
use crate::relation::RelationField;
use crate::source::{Span, Spanned};
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The host group of all machines. (No role's name has a `_`.)
const ALL: &str = "all_machines";

/// The files of Nagios beside its main file, which names them.
const OBJECTS: [&str; 6] =
    ["commands.cfg", "contacts.cfg", "dependencies.cfg", "escalations.cfg", "hosts.cfg", "services.cfg"];

/// The machines that are watched: those that there are.
pub fn watched(model: &Model) -> impl Iterator<Item = &Host> {
    model.hosts.values().filter(|host| !host.skips(EVERYTHING) && !host.is_to_come())
}

/// The groups that hear of a check.
pub fn contacts<'m>(
    model: &'m Model,
    host: &'m Host,
    check: Option<(Place<'m>, &'m Check)>,
) -> &'m [Spanned<GroupName>] {
    let role = check.and_then(|(place, _)| match place {
        Place::Role(name) => model.roles.get(name).map(|role| role.monitoring.contacts.as_slice()),
        Place::Host => Some(host.monitoring.contacts.as_slice()),
    });
    let own = match check {
        Some((_, check)) => [Some(check.contacts.as_slice()), role],
        None => [Some(host.monitoring.contacts.as_slice()), None],
    };
    let first = own.into_iter().flatten().find(|groups| !groups.is_empty());
    first.unwrap_or(&model.fleet.monitoring.contacts)
}

/// Directives of an object with their values.
type Lines = Vec<(&'static str, String)>;

/// A service on all machines on which it is the same.
struct Service {
    description: String,
    /// The lines of its definition, but for those that say where.
    lines: Lines,
    /// Whether it is asked by NRPE, so that it is quiet while that does not answer.
    by_nrpe: bool,
    hosts: BTreeSet<HostName>,
}

#[derive(Default)]
struct Services {
    /// By description and lines.
    services: BTreeMap<(String, Lines), Service>,
    /// Of active checks: name → line.
    commands: BTreeMap<String, String>,
}

impl Services {
    fn add(&mut self, host: &HostName, description: String, lines: Vec<(&'static str, String)>, by_nrpe: bool) {
        let key = (description.clone(), lines.clone());
        let service =
            self.services.entry(key).or_insert_with(|| Service { description, lines, by_nrpe, hosts: BTreeSet::new() });
        service.hosts.insert(host.clone());
    }
}

/// A definition of an object.
fn define(out: &mut String, kind: &str, lines: &[(&str, &str)]) {
    let _ = writeln!(out, "define {kind} {{");
    for (key, value) in lines {
        let _ = writeln!(out, "    {key:<30}{value}");
    }
    out.push_str("}\n\n");
}

/// What a text of the tree becomes where it can't do any harm: `;` begins a comment, `$` a macro.
fn shown(text: &str) -> String {
    text.chars().map(|c| if ";$`!|\\\"'<>&~".contains(c) { ' ' } else { c }).collect()
}

fn names<'a>(groups: impl IntoIterator<Item = &'a Spanned<GroupName>>) -> String {
    let names: BTreeSet<&str> = groups.into_iter().map(|group| group.value.as_str()).collect();
    names.into_iter().collect::<Vec<_>>().join(",")
}

/// Minutes, as Nagios counts.
fn minutes(seconds: u64) -> String {
    (seconds / 60).to_string()
}

fn period_name(period: &Option<Spanned<String>>) -> &str {
    period.as_ref().map_or("24x7", |period| period.value.as_str())
}

/// `$` begins a macro of Nagios, `;` a comment.
fn command_line(text: &str) -> String {
    text.replace('$', "$$").replace(';', "\\;")
}

/// The services of all machines.
fn services(model: &Model) -> Services {
    let mut all = Services::default();
    for host in watched(model) {
        let name = &host.name.value;
        let own = names(contacts(model, host, None));
        for implied in IMPLIED.iter().filter(|implied| !host.skips(implied.name)) {
            let command = match implied.name {
                NRPE => "nrpe_answers".to_owned(),
                check => format!("nrpe!machine_{check}"),
            };
            let lines = vec![
                ("use", "machine".to_owned()),
                ("check_command", command),
                ("contact_groups", own.clone()),
                ("notes", implied.summary.to_owned()),
            ];
            all.add(name, implied.name.to_owned(), lines, implied.name != NRPE);
        }
        for (place, check) in model.checks(host) {
            let key = place.key(&check.name.value);
            if host.skips(&key) {
                continue;
            }
            let mut lines = Vec::new();
            match &check.kind {
                CheckKind::Nrpe { .. } => {
                    lines.push(("use", "machine".to_owned()));
                    lines.push(("check_command", format!("nrpe!{}", place.command(&check.name.value))));
                }
                CheckKind::Active(command) => {
                    let thresholds = model.thresholds(host, place, check);
                    let given = |thresholds: &Thresholds| {
                        command_line(&command.text(&[
                            ("warning", Thresholds::text(&thresholds.warning)),
                            ("critical", Thresholds::text(&thresholds.critical)),
                            // Stay as they are: the values have neither.
                            ("address", "{address}"),
                            ("fqdn", "{fqdn}"),
                        ]))
                        .replace("{address}", "$HOSTADDRESS$")
                        .replace("{fqdn}", "$HOSTNAME$")
                    };
                    let (line, usual) = (given(&thresholds), given(&check.thresholds));
                    let mut command = format!("active_{}", place.command(&check.name.value));
                    if place == Place::Host || line != usual {
                        command.push_str(&format!("@{name}"));
                    }
                    all.commands.insert(command.clone(), line);
                    lines.push(("use", "machine".to_owned()));
                    lines.push(("check_command", command));
                }
                CheckKind::Passive { freshness } => {
                    lines.push(("use", "told".to_owned()));
                    lines.push(("freshness_threshold", freshness.to_string()));
                }
            }
            let groups = contacts(model, host, Some((place, check)));
            lines.push(("contact_groups", names(groups)));
            lines.extend(check.interval.map(|seconds| ("check_interval", minutes(seconds))));
            lines.extend(check.notes.iter().map(|notes| ("notes", notes.clone())));
            let by_nrpe = matches!(check.kind, CheckKind::Nrpe { .. });
            all.add(name, place.service(&check.name.value), lines, by_nrpe);
        }
    }
    // The age of each job's backups is asked where they are kept; those hear of it who hear of the machine they are of.
    for age in crate::lower::backup::checks(model) {
        let (Some(server), Some(client)) = (model.hosts.get(&age.server), model.hosts.get(&age.client)) else {
            continue;
        };
        if client.skips(&backup_key(&age.job)) || server.skips(EVERYTHING) {
            continue;
        }
        let lines = vec![
            ("use", "machine".to_owned()),
            ("check_command", format!("nrpe!{}", age.command)),
            ("contact_groups", names(contacts(model, client, None))),
        ];
        all.add(&age.server, format!("backup: {} {}", age.client, age.job), lines, true);
    }
    all
}

/// As `skip` of a machine names the age of a job's backups.
pub fn backup_key(job: &str) -> String {
    format!("backup/{job}")
}

/// The commands by which a backup server is asked for the age of the backups that it keeps; empty on other machines.
pub fn backup_commands(model: &Model, host: &Host) -> String {
    if !model.contents_of(host).any(|content| content.backup_server.is_some()) {
        return String::new();
    }
    let checks = crate::lower::backup::checks(model);
    let own = checks.iter().filter(|age| age.server == host.name.value);
    own.map(|age| format!("command[{}]={}\n", age.command, age.line)).collect()
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

/// Those who can be told: members of a group with a mail address.
pub fn reachable<'m>(model: &'m Model, group: &GroupName) -> impl Iterator<Item = &'m User> {
    let members = model.people.groups.get(group).into_iter().flat_map(|group| group.members.keys());
    members.filter_map(|name| model.people.users.get(name)).filter(|user| user.email.is_some())
}

/// The name of the period that ends with that day. (No period of the tree has a `_`.)
fn until(last: Date) -> String {
    format!("until_{last}")
}

/// Periods of the week, contacts and their groups.
fn people(model: &Model) -> String {
    let monitoring = &model.fleet.monitoring;
    let mut out = String::new();
    let always: Vec<(&str, &str)> = DAYS.into_iter().map(|day| (day, "00:00-24:00")).collect();
    let mut lines = vec![("timeperiod_name", "24x7"), ("alias", "always")];
    lines.extend(always);
    define(&mut out, "timeperiod", &lines);
    for (name, period) in &monitoring.periods {
        let days: Vec<(&str, String)> =
            period.days.iter().map(|(day, times)| (DAYS[usize::from(*day) % 7], times.join(","))).collect();
        let mut lines = vec![("timeperiod_name", name.as_str()), ("alias", name.as_str())];
        lines.extend(days.iter().map(|(day, times)| (*day, times.as_str())));
        define(&mut out, "timeperiod", &lines);
    }
    let groups = used_groups(model);
    let users: BTreeMap<&str, &User> =
        groups.iter().flat_map(|group| reachable(model, group)).map(|user| (user.name.value.as_str(), user)).collect();
    // Nagios itself knows when somebody's access ends: nothing need be compiled on that day.
    let ends: BTreeSet<Date> = users.values().filter_map(|user| Some(user.expires.as_ref()?.value)).collect();
    for last in ends {
        let (name, range) = (until(last), format!("2000-01-01 - {last}"));
        let alias = format!("until {last}, the last day of somebody's access");
        define(&mut out, "timeperiod", &[("timeperiod_name", &name), ("alias", &alias), (&range, "00:00-24:00")]);
    }
    for (name, user) in users {
        let (alias, email) = (shown(&user.full_name), user.email.clone().unwrap_or_default());
        let period = user.expires.as_ref().map_or_else(|| "24x7".to_owned(), |last| until(last.value));
        define(
            &mut out,
            "contact",
            &[
                ("contact_name", name),
                ("alias", &alias),
                ("email", &email),
                ("host_notification_period", &period),
                ("service_notification_period", &period),
                ("host_notification_options", "d,u,r,f,s"),
                ("service_notification_options", "w,u,c,r,f,s"),
                ("host_notification_commands", "mail_host"),
                ("service_notification_commands", "mail_service"),
            ],
        );
    }
    for group in groups {
        let alias = model.people.groups.get(group).map(|group| shown(&group.description)).unwrap_or_default();
        let members: Vec<&str> = reachable(model, group).map(|user| user.name.value.as_str()).collect();
        let members = members.join(",");
        let mut lines = vec![("contactgroup_name", group.as_str()), ("alias", &alias)];
        lines.extend(Some(("members", members.as_str())).filter(|_| !members.is_empty()));
        define(&mut out, "contactgroup", &lines);
    }
    out
}

/// The groups that hear of something.
pub fn used_groups(model: &Model) -> BTreeSet<&GroupName> {
    let monitoring = &model.fleet.monitoring;
    let mut groups: BTreeSet<&GroupName> = monitoring.contacts.iter().map(|group| &group.value).collect();
    groups.extend(monitoring.escalations.iter().flat_map(|one| &one.contacts).map(|group| &group.value));
    for host in watched(model) {
        groups.extend(contacts(model, host, None).iter().map(|group| &group.value));
        for of in model.checks(host) {
            groups.extend(contacts(model, host, Some(of)).iter().map(|group| &group.value));
        }
    }
    groups
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

/// Where Nagios' files are.
fn directory(prefix: &Prefix) -> String {
    format!("/etc/nagios4/{prefix}")
}

/// The main file: a machine whose roles only watch has its own.
pub fn main_path(prefix: &Prefix) -> MachinePath {
    path(&format!("{}/nagios.cfg", directory(prefix)))
}

/// Nagios' main file.
pub fn main_file(prefix: &Prefix, package: &PackageName, notify: bool) -> String {
    let directory = directory(prefix);
    let objects: String = OBJECTS.into_iter().map(|name| format!("cfg_file={directory}/{name}\n")).collect();
    format!(
        "\
{head}{objects}# What roles put there themselves.
cfg_dir=/etc/nagios4/conf.d
resource_file=/etc/nagios4/resource.cfg
log_file=/var/log/nagios4/nagios.log
object_cache_file=/var/lib/nagios4/objects.cache
precached_object_file=/var/lib/nagios4/objects.precache
status_file=/var/lib/nagios4/status.dat
status_update_interval=10
nagios_user=nagios
nagios_group=nagios
check_external_commands=1
command_file=/var/lib/nagios4/rw/nagios.cmd
lock_file=/var/run/nagios4/nagios4.pid
temp_file=/var/lib/nagios4/nagios.tmp
temp_path=/tmp
log_rotation_method=d
log_archive_path=/var/log/nagios4/archives
use_syslog=1
log_initial_states=0
log_passive_checks=0
check_result_path=/var/lib/nagios4/spool/checkresults
max_check_result_file_age=3600
check_result_reaper_frequency=5
enable_predictive_host_dependency_checks=1
enable_predictive_service_dependency_checks=1
service_check_timeout=60
host_check_timeout=60
notification_timeout=60
retain_state_information=1
state_retention_file=/var/lib/nagios4/retention.dat
retention_update_interval=60
use_retained_program_state=0
use_retained_scheduling_info=1
interval_length=60
check_for_updates=0
execute_service_checks=1
accept_passive_service_checks=1
execute_host_checks=1
accept_passive_host_checks=1
enable_notifications={notify}
enable_event_handlers=0
check_service_freshness=1
service_freshness_check_interval=60
enable_flap_detection=1
date_format=iso8601
illegal_object_name_chars=`~!$%^&*|'\"<>?,()=
illegal_macro_output_chars=`~$&|'\"<>\\
use_large_installation_tweaks=1
enable_environment_macros=0
",
        head = head(package),
        notify = u8::from(notify),
    )
}

/// Whether the machine's roles have it tell problems.
pub fn notifies(model: &Model, host: &Host) -> bool {
    model.roles_of(host).filter_map(|role| role.monitoring.nagios_server.as_ref()).any(|server| server.notify)
}

/// The keys by which the machines are known that exchange certificates, in the form of sshd(8).
fn agent_keys(model: &Model) -> String {
    let prefix = &model.fleet.prefix;
    let line = |host: &Host, key: &dyn std::fmt::Display| {
        format!("restrict,command=\"/usr/lib/{prefix}/agent accept {}\" {key}\n", host.name.value)
    };
    let lines = model.hosts.values().flat_map(|host| host.host_keys.iter().map(move |key| line(host, &key.value)));
    lines.collect()
}

/// None where no role is a server.
pub fn lower(model: &Model) -> Option<PackagePlan> {
    let server = model.roles.values().find_map(|role| role.monitoring.nagios_server.as_ref())?;
    let fleet = &model.fleet;
    let prefix = &fleet.prefix;
    let package = prefix.nagios_config_package();
    let made = made(model, &package, server.span);
    Some(plan(model, package, &made))
}

fn made(model: &Model, package: &PackageName, span: Span) -> Made {
    let fleet = &model.fleet;
    let prefix = &fleet.prefix;
    let pieces = Pieces { span };
    let own_home = home(prefix, package);
    let directory = directory(prefix);
    let main = main_path(prefix);
    let nagios = "nagios4.service";
    // All of them are read as one: whichever changed, the whole is looked at.
    let validate = format!("nagios4 -v {main} >/dev/null");
    let mut files = vec![pieces.file(main.as_str(), main_file(prefix, package, true), &validate, &[nagios], &[])];
    for (name, text) in objects(model, package) {
        files.push(pieces.file(&format!("{directory}/{name}"), text, &validate, &[nagios], &[]));
    }
    let keys = own_home.join(&path("/agents.keys"));
    files.push(pieces.file(
        &format!("/etc/ssh/sshd_config.d/20-{prefix}-agents.conf"),
        format!(
            "\
{}# By this account machines exchange certificates for NRPE; each is known by its host key.
Match User {prefix}-agents
    AuthorizedKeysFile {keys}
    AuthorizedKeysCommand none
    TrustedUserCAKeys none
    AuthorizedPrincipalsFile none
    PasswordAuthentication no
    KbdInteractiveAuthentication no
    HostbasedAuthentication no
    PubkeyAuthentication yes
Match all
",
            head(package)
        ),
        "mkdir -p /run/sshd && sshd -t",
        &["ssh.service"],
        &[],
    ));
    // Trixie's ping has no rights of its own; it goes by this, which a package sets that is only recommended.
    files.push(pieces.file(
        &format!("/etc/sysctl.d/60-{package}.conf"),
        format!("{}net.ipv4.ping_group_range = 0 2147483647\n", head(package)),
        "",
        &[],
        &["systemd-sysctl.service"],
    ));
    for (at, text) in nagios_web(prefix) {
        let reload: &[&str] = if at.starts_with("/etc/apache2/") { &["apache2.service"] } else { &[] };
        files.push(pieces.file(&at, text, "", reload, &[]));
    }
    let mut depends: BTreeSet<String> =
        ["apache2", "bsd-mailx", "monitoring-plugins-basic", "nagios-nrpe-plugin", "nagios4", "openssh-server"]
            .into_iter()
            .map(str::to_owned)
            .collect();
    depends.insert(prefix.agent_package().to_string());
    for host in watched(model) {
        for (_, check) in model.checks(host).filter(|(_, check)| matches!(check.kind, CheckKind::Active(_))) {
            depends.extend(check.packages.iter().map(PackageName::to_string));
        }
    }
    let depends: Vec<&str> = depends.iter().map(String::as_str).collect();
    let content = Content {
        relations: BTreeMap::from([(RelationField::Depends, pieces.depends(&depends))]),
        files,
        services: vec![
            pieces.enabled(
                nagios,
                // /etc/default/nagios4 would win over a variable here.
                Some(format!("[Service]\nExecStart=\nExecStart=/usr/sbin/nagios4 {main}\n")),
            ),
            pieces.enabled("apache2.service", None),
        ],
        accounts: vec![Account {
            name: Spanned::new(account(&format!("{prefix}-agents")), span),
            description: "exchange of certificates for NRPE".to_owned(),
            home: path("/nonexistent"),
            shell: path("/bin/sh"),
            // Those may write to Nagios' command file: machines tell of passive checks.
            groups: vec![account("www-data")],
        }],
        teardown: Some(Spanned::new(nagios_teardown(prefix), span)),
        ..Content::default()
    };
    Made {
        content,
        entries: BTreeMap::from([(keys, text(agent_keys(model)))]),
        summary: format!("what Nagios asks the machines of {}", fleet.label),
        description: format!(
            "This package has Nagios watch the machines of {}: each for what every machine is asked and for the checks \
             of its roles. The files are looked at by Nagios itself before they take effect; where it refuses them, it \
             goes on with those that it has. Problems are told by mail.\n\nIts web pages are at /nagios4, for the \
             administrators of this machine.",
            fleet.label
        ),
    }
}
