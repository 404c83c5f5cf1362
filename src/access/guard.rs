//! What depends on the day: access that has ended, and machines that nobody could administer any more.

use crate::diagnostics::{Diagnostic, rules};
use crate::model::{Access, Host, Model, User};
use crate::names::{GroupName, HostName};
use jiff::civil::Date;
use std::collections::BTreeSet;

/// So long before the last administrator's access ends it is said.
const NOTICE_DAYS: i64 = 14;

/// From so many machines on they are not told one by one.
const MANY: usize = 10;

/// The day of a time in seconds since 1970, in UTC.
pub fn day(time: i64) -> Date {
    jiff::Timestamp::from_second(time).unwrap_or(jiff::Timestamp::MAX).to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// Everything that is wrong with the people of a tree on a day. An account that has ended is only told: machines act on
/// it by themselves, and a repository that could not be signed any more would help nobody.
pub fn check(model: &Model, time: i64) -> Vec<Diagnostic> {
    let today = day(time);
    let mut out = skips(model, today);
    for user in model.people.users.values() {
        let account = user.expires.map(|day| (day, "the account", "or retire the person: debrole user retire"));
        let keys = user.keys.iter().filter_map(|key| Some((key.expires?, "the key", "or remove the [[key]]")));
        for (day, what, or) in account.into_iter().chain(keys) {
            if day.value < today {
                out.push(
                    Diagnostic::new(
                        &rules::access_expired::RULE,
                        format!("{what} of {} ended on {}", user.name.value, day.value),
                    )
                    .at(day.span, "machines have let it go since")
                    .help(format!("write a later day, {or}")),
                );
            }
        }
    }
    if model.hosts.values().any(|host| accesses(model, host).any(|access| !access.is_empty())) {
        let soon = today.saturating_add(jiff::Span::new().days(NOTICE_DAYS));
        let (now, later): (Vec<&Host>, Vec<&Host>) = model
            .hosts
            .values()
            .filter(|host| !has_administrator(model, host, soon))
            .partition(|host| !has_administrator(model, host, today));
        out.extend(told(&now, |host, others| nobody(model, host, others)));
        out.extend(told(&later, |host, others| {
            Diagnostic::new(
                &rules::administrator_expires_soon::RULE,
                format!("by {soon} nobody is left who can administer {}{others}", host.name.value),
            )
            .at(host.name.span, "")
            .help("give an administrator or one of their keys a later last day")
            .note("on that day a build would be refused")
        }));
    }
    out
}

/// Checks that machines were to do without until a day that is over.
fn skips(model: &Model, today: Date) -> Vec<Diagnostic> {
    let all = model.hosts.values().flat_map(|host| host.monitoring.skips.iter().map(move |skip| (host, skip)));
    let ended = all.filter(|(_, skip)| skip.until.value < today);
    let told = ended.map(|(host, skip)| {
        Diagnostic::new(
            &rules::skip_ended::RULE,
            format!(
                "{} was to do without {} until {}: {}",
                host.name.value, skip.check.value, skip.until.value, skip.reason
            ),
        )
        .at(skip.until.span, "this day is over")
        .help("remove the [[monitoring.skip]], or write a later day")
    });
    told.collect()
}

/// A diagnostic for each machine; where they are many, one for all, since they have one cause.
fn told(hosts: &[&Host], diagnostic: impl Fn(&Host, &str) -> Diagnostic) -> Vec<Diagnostic> {
    match hosts {
        [first, others @ ..] if others.len() >= MANY => {
            vec![diagnostic(first, &format!(" and {} other machines", others.len()))]
        }
        hosts => hosts.iter().map(|host| diagnostic(host, "")).collect(),
    }
}

fn accesses<'m>(model: &'m Model, host: &'m Host) -> impl Iterator<Item = &'m Access> {
    let roles = model.closure(host.roles.iter().map(|role| &role.value));
    let contents = roles.into_iter().filter_map(|name| model.roles.get(name)?.contents.get(&host.release.value));
    contents.map(|content| &content.access).chain([&host.content.access])
}

/// Whether there is somebody with an account, a key that is good there, and all of sudo without a password.
fn has_administrator(model: &Model, host: &Host, day: Date) -> bool {
    let logins: BTreeSet<&GroupName> = accesses(model, host).flat_map(|a| &a.login).map(|group| &group.value).collect();
    let everything = accesses(model, host).flat_map(|a| &a.sudo).filter(|rule| rule.is_everything());
    let in_any = |user: &User| {
        logins.iter().any(|group| {
            model.people.groups.get(*group).is_some_and(|group| group.members.contains_key(&user.name.value))
        })
    };
    everything.filter_map(|rule| model.people.groups.get(&rule.group.value)).any(|group| {
        let members = group.members.keys().filter_map(|name| model.people.users.get(name));
        members.into_iter().any(|user| can_log_in(user, &host.name, day) && in_any(user))
    })
}

fn can_log_in(user: &User, host: &HostName, day: Date) -> bool {
    let good = |last: Option<crate::source::Spanned<Date>>| last.is_none_or(|last| last.value >= day);
    good(user.expires)
        && user.keys.iter().any(|key| good(key.expires) && (key.hosts.is_empty() || key.hosts.contains(host)))
}

fn nobody(model: &Model, host: &Host, others: &str) -> Diagnostic {
    let name = &host.name.value;
    let diagnostic = Diagnostic::new(
        &rules::no_administrator::RULE,
        format!(
            "nobody could administer {name}{others}: no one with a key that is good there has a login and all of sudo"
        ),
    )
    .at(host.name.span, "");
    let rule = accesses(model, host).flat_map(|access| &access.sudo).find(|rule| rule.is_everything());
    match rule {
        None => diagnostic.help(
            "let a role of the machine have [access] with login = [\"GROUP\"] and sudo = [{ group = \"GROUP\", commands = [\"ALL\"], reason = \"…\" }]",
        ),
        Some(rule) => {
            let group = &rule.group.value;
            let diagnostic = diagnostic.also(rule.group.span, format!("{group} would have sudo"));
            match model.people.groups.get(group).filter(|group| !group.members.is_empty()) {
                None => diagnostic.help(format!("add somebody: debrole group add-member {group} USER")),
                Some(_) => diagnostic.help(format!(
                    "see that somebody of {group} has a key without an end or a limit to other hosts, and that {group} is in `login`"
                )),
            }
        }
    }
}
