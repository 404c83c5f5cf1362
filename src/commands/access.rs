//! `debrole access`: who may do what on which machine; and the same for one person or one place, for `debrole show`.

use super::load::{self, Loaded, Places};
use super::{Outcome, check, key};
use crate::cli::{self, AccessFormat, Global};
use crate::reporter::Reporter;
use debrole::access::rights::{self, Difference, Right, View, What, place_name};
use debrole::build::access::{History, Since};
use debrole::build::{Input, Published};
use debrole::exec::ExecError;
use debrole::lower::{self, Keyring};
use debrole::model::{Model, User};
use debrole::plan::PackagePlan;
use debrole::repo;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

pub fn run(args: &cli::Access, global: &Global, reporter: &Reporter) -> Outcome {
    let places = load::places(global, reporter)?;
    let mut loaded = load::load(&places);
    let plans = load::lower(&mut loaded, &check::placeholder_keyring(), key::now());
    loaded.report(reporter)?;
    let Some(model) = &loaded.model else { return Ok(()) };
    let wanted = |right: &Right| {
        let named = |filter: &Option<String>, name: &str| filter.as_ref().is_none_or(|filter| filter == name);
        let place = right.place.as_str().split_once("-host-").map_or("", |(_, host)| host);
        named(&args.user, right.user.as_str()) && named(&args.host, place) && named(&args.group, right.group.as_str())
    };
    let rights: BTreeSet<Right> =
        lower::access::view(&plans).rights(&model.fleet.prefix).into_iter().filter(wanted).collect();
    match args.output {
        AccessFormat::Csv => {
            let mut out = String::from("user,full name,place,right,group,by\n");
            for right in &rights {
                let name = model.people.users.get(&right.user).map_or("", |user| user.full_name.as_str());
                let place = place_name(&right.place);
                let fields = [
                    right.user.as_str(),
                    name,
                    &place,
                    &right.what.to_string(),
                    right.group.as_str(),
                    right.grant.as_str(),
                ];
                let fields: Vec<String> = fields.iter().map(|field| csv(field)).collect();
                let _ = writeln!(out, "{}", fields.join(","));
            }
            reporter.result(out.trim_end());
        }
        AccessFormat::Text => reporter.result(matrix(&rights).trim_end()),
    }
    reporter.member("access", rights.iter().map(|right| json_right(right, None)).collect::<Vec<_>>());
    Ok(())
}

/// RFC 4180; a field that a spreadsheet would compute is kept a text.
fn csv(field: &str) -> String {
    let field = if field.starts_with(['=', '+', '-', '@']) { format!("'{field}") } else { field.to_owned() };
    if field.contains([',', '"', '\n']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
}

/// Place by place, person by person.
fn matrix(rights: &BTreeSet<Right>) -> String {
    /// Person → what, and by which group.
    type People<'r> = BTreeMap<&'r str, BTreeSet<(String, &'r str)>>;
    let mut places: BTreeMap<String, People<'_>> = BTreeMap::new();
    for right in rights {
        let people = places.entry(place_name(&right.place)).or_default();
        let whats = people.entry(right.user.as_str()).or_default();
        whats.insert((right.what.to_string(), right.group.as_str()));
    }
    let mut out = String::new();
    for (place, people) in places {
        let _ = writeln!(out, "{place}");
        for (user, whats) in people {
            let whats: Vec<String> = whats.into_iter().map(|(what, group)| format!("{what} ({group})")).collect();
            let _ = writeln!(out, "  {user}: {}", whats.join("; "));
        }
    }
    if out.is_empty() { "nobody has access by this tree".into() } else { out }
}

fn json_right(right: &Right, since: Option<&str>) -> Value {
    let mut value = json!({
        "user": right.user, "place": place_name(&right.place), "right": match &right.what {
            What::Login => "login",
            What::Sudo(_) => "sudo",
        },
        "group": right.group, "by": right.grant,
    });
    if let What::Sudo(rule) = &right.what {
        value["rule"] = json!(rule);
    }
    if let Some(since) = since {
        value["since"] = json!(since);
    }
    value
}

/// The lines and members of what a build changes for people.
pub fn report(differences: &[Difference], reporter: &Reporter) {
    const LINES: usize = 200;
    for difference in differences.iter().take(LINES) {
        reporter.summary(format_args!("  access {difference}"));
    }
    if differences.len() > LINES {
        let more = differences.len() - LINES;
        reporter.summary(format_args!("  and {more} more changes of access: `debrole access` lists what is now"));
    }
    let member = |difference: &Difference| {
        let mut value = json!({ "user": difference.user, "gained": difference.gained });
        match &difference.what {
            rights::Changed::Right { what, places, more, groups } => {
                if *more > 0 {
                    value["more_places"] = json!(more);
                }
                value["right"] = json!(what.to_string());
                value["places"] = json!(places.iter().map(place_name).collect::<Vec<_>>());
                value["groups"] = json!(groups);
            }
            rights::Changed::Key(key) => value["key"] = json!(key),
            rights::Changed::Expiry(day) => value["expires"] = json!(day.map(|day| day.to_string())),
        }
        value
    };
    reporter.member("access", differences.iter().map(member).collect::<Vec<_>>());
}

struct Directory<'a>(&'a Path);

impl Published for Directory<'_> {
    fn read(&self, filename: &str) -> std::io::Result<Vec<u8>> {
        std::fs::read(self.0.join(filename))
    }
}

/// The rights of a place or a person with the day since which each is published, where that is known.
fn dated(
    loaded: &Loaded,
    plans: &[PackagePlan],
    places: &Places,
    keyring: &Keyring,
    rights: impl FnOnce(&View, &Model) -> BTreeSet<Right>,
) -> Vec<(Right, String)> {
    let Some(model) = &loaded.model else { return Vec::new() };
    let view: View = lower::access::view(plans);
    let previous = repo::trusted(&places.out, &keyring.binary).ok().flatten();
    let pool = Directory(&places.out);
    let input = Input { model, plans, previous: previous.as_ref(), published: &pool, time: key::now(), withdrawn: &[] };
    let mut history = History::new(input);
    let day = |time: i64| {
        Timestamp::from_second(time).map_or_else(|_| time.to_string(), |t| t.strftime("%Y-%m-%d").to_string())
    };
    let rights = rights(&view, model);
    rights
        .into_iter()
        .map(|right| {
            let since = match history.since(&right) {
                Since::At(time) => format!("since {}", day(time)),
                Since::Before(time) => format!("since before {}", day(time)),
                Since::Never => "not published yet".to_owned(),
            };
            (right, since)
        })
        .collect()
}

/// The paragraph on people of a role or host, and its JSON; None where nobody has access.
pub fn of_place(
    plan: &PackagePlan,
    loaded: &Loaded,
    plans: &[PackagePlan],
    places: &Places,
    keyring: &Keyring,
) -> Option<(String, Value)> {
    let rights = dated(loaded, plans, places, keyring, |view, _| view.rights_at(&plan.name));
    let mut out = String::from("  who may be there:\n");
    for (right, since) in &rights {
        let _ = writeln!(out, "    {}: {} ({}, by {}; {since})", right.user, right.what, right.group, right.grant);
    }
    let json = rights.iter().map(|(right, since)| json_right(right, Some(since))).collect();
    (!rights.is_empty()).then_some((out, json))
}

/// `debrole show USER`.
pub fn show_user(
    user: &User,
    loaded: &Loaded,
    plans: &[PackagePlan],
    places: &Places,
    keyring: &Keyring,
    reporter: &Reporter,
) {
    let name = &user.name.value;
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{name}, {}{}",
        user.full_name,
        user.email.iter().map(|mail| format!(" <{mail}>")).collect::<String>()
    );
    let ends = user.expires.map_or_else(String::new, |day| format!(", until {}", day.value));
    let _ = writeln!(out, "  uid {}, {}, home: {}{ends}", user.uid.value, user.shell, user.home.as_str());
    for key in &user.keys {
        let _ = write!(out, "  key {} {} {}", key.key.kind(), key.key.fingerprint(), key.key.comment());
        let limits: Vec<String> = [
            key.expires.map(|day| format!("until {}", day.value)),
            (!key.from.is_empty()).then(|| format!("from {}", key.from.join(", "))),
            (!key.hosts.is_empty())
                .then(|| format!("on {}", key.hosts.iter().map(|h| h.as_str()).collect::<Vec<_>>().join(", "))),
        ]
        .into_iter()
        .flatten()
        .collect();
        let _ =
            writeln!(out, "{}", if limits.is_empty() { String::new() } else { format!(" ({})", limits.join("; ")) });
    }
    let groups = groups(loaded.model.as_ref(), user);
    let _ = writeln!(out, "  groups: {}", if groups.is_empty() { "none".to_owned() } else { groups.join(", ") });
    let rights = dated(loaded, plans, places, keyring, |view, model| {
        view.rights(&model.fleet.prefix).into_iter().filter(|right| right.user == *name).collect()
    });
    for (right, since) in &rights {
        let place = place_name(&right.place);
        let _ = writeln!(out, "  {}, on {place} ({}, by {}; {since})", right.what, right.group, right.grant);
    }
    if rights.is_empty() {
        out.push_str("  no access to any machine\n");
    }
    reporter.result(out.trim_end());
    reporter.member(
        "user",
        json!({
            "name": name, "full_name": user.full_name, "email": user.email, "uid": user.uid.value, "shell": user.shell.as_str(),
            "expires": user.expires.map(|day| day.value.to_string()), "home": user.home.as_str(), "groups": groups,
            "keys": user.keys.iter().map(|key| json!({
                "key": key.key.to_string(), "fingerprint": key.key.fingerprint(), "comment": key.key.comment(),
                "expires": key.expires.map(|day| day.value.to_string()), "from": key.from, "hosts": key.hosts,
            })).collect::<Vec<_>>(),
        }),
    );
    reporter.member("access", rights.iter().map(|(right, since)| json_right(right, Some(since))).collect::<Vec<_>>());
}

fn groups<'m>(model: Option<&'m Model>, user: &User) -> Vec<&'m str> {
    let groups = model.into_iter().flat_map(|model| &model.people.groups);
    groups.filter(|(_, group)| group.members.contains_key(&user.name.value)).map(|(name, _)| name.as_str()).collect()
}

/// Has visudo judge all rules of sudo. Errors of the tree are added to its diagnostics; the answer is why it was not run.
pub fn ask_visudo(loaded: &mut Loaded, plans: &[PackagePlan]) -> Option<String> {
    match debrole::sudoers::check(plans) {
        Ok(wrong) => {
            loaded.diagnostics.extend(wrong);
            None
        }
        Err(ExecError::NotInstalled { .. }) => {
            Some("visudo -c on the rules of sudo: sudo is not installed here".into())
        }
        Err(error) => Some(format!("visudo -c on the rules of sudo: {error}")),
    }
}
