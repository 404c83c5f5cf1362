//! Who hears of what, and when.

use super::objects::{define, shown};
use super::watched;
use crate::model::monitoring::{Check, DAYS, Place};
use crate::model::{Host, Model, User};
use crate::names::GroupName;
use crate::source::Spanned;
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};

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
pub(super) fn people(model: &Model) -> String {
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
