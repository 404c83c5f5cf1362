//! `debrole user …`, `debrole group …`, `debrole ledger`: the life cycle of people, by editing the tree's files.

mod edit;

use super::edit as lists;
use super::load::{self, Places};
use super::{Failure, Outcome, access, check, key};
use crate::cli::{Global, Group, GroupAdd, User, UserAdd, UserAdopt};
use crate::reporter::Reporter;
use debrole::names::{GroupName, UserName};
use debrole::ssh_key::{Fault, PublicKey};
use edit::Tree;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write;
use toml_edit::{ArrayOfTables, Item, Table, value};

const DEFAULT_BAND: (u32, u32) = (2000, 59_999);

pub fn user(command: &User, global: &Global, reporter: &Reporter) -> Outcome {
    let places = load::places(global, reporter)?;
    match command {
        User::Add(args) => user_add(args, &places, reporter),
        User::Retire { name, home } => retire(name, home.as_deref(), &places, reporter),
        User::Rename { name, new } => rename(name, new, &places, reporter),
        User::Adopt(args) => adopt(args, &places, reporter),
        User::List { departed } => list_users(*departed, &places, reporter),
        User::Show { name } => show_user(name, &places, reporter),
    }
}

pub fn group(command: &Group, global: &Global, reporter: &Reporter) -> Outcome {
    let places = load::places(global, reporter)?;
    match command {
        Group::Add(args) => group_add(args, &places, reporter),
        Group::Retire { name } => group_retire(name, &places, reporter),
        Group::AddMember { group, users } => members(group, users, true, &places, reporter),
        Group::RemoveMember { group, users } => members(group, users, false, &places, reporter),
        Group::List => list_groups(&places, reporter),
        Group::Show { name } => show_group(name, &places, reporter),
    }
}

/// `debrole ledger`: numbers that are new in the tree are written down; all others stay.
pub fn ledger(global: &Global, reporter: &Reporter) -> Outcome {
    let places = load::places(global, reporter)?;
    let mut tree = Tree::new(&places);
    let mut new = Vec::new();
    for (folder, field, noun) in [("users", "uid", "user"), ("groups", "gid", "group")] {
        let mut present: Vec<(String, u32)> = tree.numbers(folder, field)?.into_iter().collect();
        present.sort_by_key(|(_, id)| *id);
        for (name, id) in present {
            let known = tree.ledger(folder)?;
            let mine = known.values().any(|names| names.contains(&name));
            if !mine && !known.contains_key(&id) {
                tree.record(folder, id, std::slice::from_ref(&name))?;
                new.push(format!("{noun} {name}: {id}"));
            }
        }
    }
    if new.is_empty() {
        reporter.summary("ledger.toml has every number of the tree");
        return Ok(());
    }
    tree.commit(new.join("\n"), reporter)
}

fn refuse(reporter: &Reporter, why: &str) -> Failure {
    reporter.refusal(why);
    Failure::Wrong
}

/// The fleet's band of numbers, as debrole.toml has it.
fn band(tree: &Tree<'_>) -> Result<(u32, u32), Failure> {
    let document = tree.document("debrole.toml")?;
    let written = document.get("fleet").and_then(|fleet| fleet.get("uids")).and_then(Item::as_str);
    let band = written.and_then(|text| {
        let (first, last) = text.split_once('-')?;
        Some((first.parse().ok()?, last.parse().ok()?))
    });
    Ok(band.unwrap_or(DEFAULT_BAND))
}

/// A key as it is, or the file that holds it.
fn read_key(text: &str, reporter: &Reporter) -> Result<String, Failure> {
    let line = if text.contains(' ') {
        text.to_owned()
    } else {
        std::fs::read_to_string(text)
            .map_err(|error| refuse(reporter, &format!("can't read the key {text}: {error}")))?
    };
    let line = line.trim_end_matches('\n').to_owned();
    match PublicKey::parse(&line) {
        Ok(_) => Ok(line),
        Err(bad) if text.contains(' ') => {
            Err(refuse(reporter, &format!("\"{}\" is no key to use here: {}", text.escape_debug(), bad.text)))
        }
        Err(bad) if bad.fault == Fault::Private => {
            Err(refuse(reporter, &format!("{text} is the private half of a key: name the public one, {text}.pub")))
        }
        Err(bad) => Err(refuse(reporter, &format!("{text} is no key to use here: {}", bad.text))),
    }
}

fn user_add(args: &UserAdd, places: &Places, reporter: &Reporter) -> Outcome {
    let mut tree = Tree::new(places);
    let name = &args.name;
    if let Err(error) = UserName::parse(name) {
        return Err(refuse(reporter, &format!("\"{}\" can't name a user: {error}", name.escape_debug())));
    }
    let path = format!("users/{name}.toml");
    if tree.text(&path)?.is_some() {
        return Err(refuse(reporter, &format!("{path} is there already: edit it")));
    }
    let known = tree.ledger("users")?;
    let before = known.iter().find(|(_, names)| names.contains(name)).map(|(id, names)| (*id, names.clone()));
    let uid = match (&before, args.uid) {
        (Some((id, names)), _) if names.last() != Some(name) => {
            return Err(refuse(
                reporter,
                &format!(
                    "{name} was renamed to {}, who has the number {id}: choose another name",
                    names.last().map_or("", String::as_str)
                ),
            ));
        }
        (Some((id, _)), given) if given.is_none_or(|uid| uid == *id) => *id,
        (Some((id, _)), _) => {
            return Err(refuse(
                reporter,
                &format!("{name} had the number {id}: who comes back gets it again; somebody else needs another name"),
            ));
        }
        (None, Some(uid)) => uid,
        (None, None) => tree.free_number(band(&tree)?)?,
    };
    let mut text = format!("uid = {uid}\nname = {}\n", toml_text(&args.full_name));
    if let Some(email) = &args.email {
        let _ = writeln!(text, "email = {}", toml_text(email));
    }
    if let Some(shell) = &args.shell {
        let _ = writeln!(text, "shell = {}", toml_text(shell));
    }
    if let Some(expires) = &args.expires {
        match expires.parse::<jiff::civil::Date>() {
            Ok(day) => {
                let _ = writeln!(text, "expires = {day}");
            }
            Err(_) => {
                return Err(refuse(
                    reporter,
                    &format!("\"{expires}\" is no day: write year, month and day, such as 2027-12-31"),
                ));
            }
        }
    }
    for given in &args.keys {
        let _ = write!(text, "\n[[key]]\nkey = {}\n", toml_text(&read_key(given, reporter)?));
    }
    tree.put(&path, text);
    // What was somebody else's is not written over: the check says whose it is.
    if before.is_some() {
        tree.record_home(uid, None)?;
    } else if !known.contains_key(&uid) {
        tree.record("users", uid, std::slice::from_ref(name))?;
    }
    add_to_groups(&mut tree, name, &args.groups, reporter)?;
    let back = if before.is_some() { ", as before" } else { "" };
    tree.commit(format_args!("{name} has the number {uid}{back}"), reporter)
}

fn add_to_groups(tree: &mut Tree<'_>, name: &str, groups: &[String], reporter: &Reporter) -> Result<(), Failure> {
    for group in groups {
        must_exist(tree, "groups", group, reporter)?;
        tree.members(group, |list| lists::push(list, name))?;
    }
    Ok(())
}

/// A TOML basic string.
fn toml_text(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

fn must_exist(tree: &Tree<'_>, folder: &str, name: &str, reporter: &Reporter) -> Result<(), Failure> {
    let names = tree.names(folder)?;
    if names.iter().any(|known| known == name) {
        return Ok(());
    }
    let noun = folder.trim_end_matches('s');
    let hint = match debrole::near::nearest(name, names.iter().map(String::as_str)) {
        Some(near) => format!(": did you mean \"{near}\"?"),
        None if names.is_empty() && noun == "group" => {
            format!(": make it by `debrole group add {} --description \"…\"`", name.escape_debug())
        }
        None if noun == "group" => format!(
            ": `debrole group list` has all; `debrole group add {} --description \"…\"` makes it",
            name.escape_debug()
        ),
        None => format!(": `debrole {noun} list` has all"),
    };
    Err(refuse(reporter, &format!("there is no {noun} \"{}\"{hint}", name.escape_debug())))
}

fn retire(name: &str, home: Option<&str>, places: &Places, reporter: &Reporter) -> Outcome {
    let mut tree = Tree::new(places);
    must_exist(&tree, "users", name, reporter)?;
    let uid = tree.numbers("users", "uid")?.get(name).copied();
    // A file that nobody wrote down yet must not go without a trace.
    if let Some(uid) = uid
        && !tree.ledger("users")?.contains_key(&uid)
    {
        tree.record("users", uid, &[name.to_owned()])?;
    }
    if let (Some(uid), Some(policy)) = (uid, home) {
        tree.record_home(uid, Some(policy))?;
    }
    tree.remove(&format!("users/{name}.toml"));
    let mut left = Vec::new();
    for group in tree.names("groups")? {
        if tree.members(&group, |list| lists::take(list, name))? {
            left.push(group);
        }
    }
    let said = match left.as_slice() {
        [] => format!("{name} leaves; the number {} stays theirs", uid.unwrap_or_default()),
        groups => format!(
            "{name} leaves, and the groups {}; the number {} stays theirs",
            groups.join(", "),
            uid.unwrap_or_default()
        ),
    };
    tree.commit(said, reporter)
}

fn rename(name: &str, new: &str, places: &Places, reporter: &Reporter) -> Outcome {
    let mut tree = Tree::new(places);
    must_exist(&tree, "users", name, reporter)?;
    if let Err(error) = UserName::parse(new) {
        return Err(refuse(reporter, &format!("\"{}\" can't name a user: {error}", new.escape_debug())));
    }
    let text = tree.text(&format!("users/{name}.toml"))?.unwrap_or_default();
    if tree.text(&format!("users/{new}.toml"))?.is_some() {
        return Err(refuse(reporter, &format!("users/{new}.toml is there already")));
    }
    let known = tree.ledger("users")?;
    let uid = tree.numbers("users", "uid")?.get(name).copied();
    if let Some((id, _)) = known.iter().find(|(id, names)| Some(**id) != uid && names.iter().any(|known| known == new))
    {
        return Err(refuse(
            reporter,
            &format!("{new} was somebody else's name, who had the number {id}: choose another"),
        ));
    }
    let Some(uid) = uid else {
        return Err(refuse(reporter, &format!("users/{name}.toml has no uid")));
    };
    let mut names = known.get(&uid).cloned().unwrap_or_else(|| vec![name.to_owned()]);
    names.retain(|known| known != new);
    names.push(new.to_owned());
    tree.record("users", uid, &names)?;
    tree.remove(&format!("users/{name}.toml"));
    tree.put(&format!("users/{new}.toml"), text);
    for group in tree.names("groups")? {
        tree.members(&group, |list| lists::replace(list, name, new))?;
    }
    tree.commit(format_args!("{name} is called {new} from now on, with the number {uid} as before"), reporter)
}

fn adopt(args: &UserAdopt, places: &Places, reporter: &Reporter) -> Outcome {
    let mut tree = Tree::new(places);
    must_exist(&tree, "users", &args.name, reporter)?;
    let path = format!("users/{}.toml", args.name);
    let mut document = tree.document(&path)?;
    let mut table = Table::new();
    if let Some(account) = args.account.as_ref().filter(|account| **account != args.name) {
        table.insert("name", value(account));
    }
    if let Some(uid) = args.uid {
        table.insert("uid", value(i64::from(uid)));
    }
    if let Some(files) = &args.files {
        table.insert("files", value(files));
    }
    if !args.hosts.is_empty() {
        table.insert("hosts", value(args.hosts.iter().map(String::as_str).collect::<toml_edit::Array>()));
    }
    let all = document.entry("adopt").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    let Some(all) = all.as_array_of_tables_mut() else {
        return Err(refuse(reporter, &format!("\"adopt\" of {path} is no array of tables: write [[adopt]]")));
    };
    all.push(table);
    tree.put(&path, document.to_string());
    tree.commit(
        format_args!(
            "where {} is {}'s account, it is taken over",
            args.account.as_ref().unwrap_or(&args.name),
            args.name
        ),
        reporter,
    )
}

fn group_add(args: &GroupAdd, places: &Places, reporter: &Reporter) -> Outcome {
    let mut tree = Tree::new(places);
    let name = &args.name;
    if let Err(error) = GroupName::parse(name) {
        return Err(refuse(reporter, &format!("\"{}\" can't name a group: {error}", name.escape_debug())));
    }
    let path = format!("groups/{name}.toml");
    if tree.text(&path)?.is_some() {
        return Err(refuse(reporter, &format!("{path} is there already: edit it")));
    }
    let known = tree.ledger("groups")?;
    let before = known.iter().find(|(_, names)| names.contains(name)).map(|(id, _)| *id);
    let gid = match (before, args.gid) {
        (Some(id), given) if given.is_none_or(|gid| gid == id) => id,
        (Some(id), _) => {
            return Err(refuse(reporter, &format!("the group {name} had the number {id}: it gets it again")));
        }
        (None, Some(gid)) => gid,
        (None, None) => tree.free_number(band(&tree)?)?,
    };
    for user in &args.members {
        must_exist(&tree, "users", user, reporter)?;
    }
    let members: toml_edit::Array = args.members.iter().map(String::as_str).collect();
    let mut text = format!("gid = {gid}\ndescription = {}\nmembers = {members}\n", toml_text(&args.description));
    if let Some(approval) = &args.approval {
        let _ = writeln!(text, "approval = {}", toml_text(approval));
    }
    tree.put(&path, text);
    if before.is_none() && !known.contains_key(&gid) {
        tree.record("groups", gid, std::slice::from_ref(name))?;
    }
    tree.commit(format_args!("the group {name} has the number {gid}"), reporter)
}

fn group_retire(name: &str, places: &Places, reporter: &Reporter) -> Outcome {
    let mut tree = Tree::new(places);
    must_exist(&tree, "groups", name, reporter)?;
    if let Some(gid) = tree.numbers("groups", "gid")?.get(name).copied()
        && !tree.ledger("groups")?.contains_key(&gid)
    {
        tree.record("groups", gid, &[name.to_owned()])?;
    }
    tree.remove(&format!("groups/{name}.toml"));
    tree.commit(format_args!("the group {name} leaves; its number is never given to another"), reporter)
}

fn members(group: &str, users: &[String], join: bool, places: &Places, reporter: &Reporter) -> Outcome {
    let mut tree = Tree::new(places);
    must_exist(&tree, "groups", group, reporter)?;
    let mut changed = Vec::new();
    for user in users {
        if join {
            must_exist(&tree, "users", user, reporter)?;
        }
        let done = tree.members(group, |list| if join { lists::push(list, user) } else { lists::take(list, user) })?;
        match (done, join) {
            (true, _) => changed.push(user.as_str()),
            (false, true) => reporter.summary(format_args!("{user} is in {group} already")),
            (false, false) => return Err(refuse(reporter, &format!("{user} is not in {group}"))),
        }
    }
    if changed.is_empty() {
        return Ok(());
    }
    tree.commit(format_args!("{} {} {group}", changed.join(", "), if join { "joins" } else { "leaves" }), reporter)
}

/// The tree as it is meant; errors end the command.
fn read(places: &Places, reporter: &Reporter) -> Result<(load::Loaded, Vec<debrole::plan::PackagePlan>), Failure> {
    let mut loaded = load::load(places);
    let plans = load::lower(&mut loaded, &check::placeholder_keyring(), key::now());
    let errors: Vec<_> = loaded.diagnostics.iter().filter(|d| d.is_error()).cloned().collect();
    if !errors.is_empty() {
        reporter.diagnostics(&errors, &loaded.tree.sources);
        return Err(Failure::Wrong);
    }
    Ok((loaded, plans))
}

fn list_users(departed: bool, places: &Places, reporter: &Reporter) -> Outcome {
    let (loaded, _) = read(places, reporter)?;
    let Some(people) = loaded.model.as_ref().map(|model| &model.people) else { return Ok(()) };
    if departed {
        let mut lines = Vec::new();
        for (uid, who) in &people.departed {
            let names: Vec<&str> = who.names.iter().map(|name| name.as_str()).collect();
            reporter.result(format_args!("{uid}  {}", names.join(", then ")));
            lines.push(json!({ "uid": uid, "names": names }));
        }
        reporter.member("departed", lines);
        return Ok(());
    }
    let mut groups: BTreeMap<&UserName, Vec<&str>> = BTreeMap::new();
    for (name, group) in &people.groups {
        for member in group.members.keys() {
            groups.entry(member).or_default().push(name.as_str());
        }
    }
    let width = people.users.keys().map(|name| name.as_str().len()).max().unwrap_or(0);
    let full = people.users.values().map(|user| user.full_name.chars().count()).max().unwrap_or(0);
    let mut users = Vec::new();
    for (name, user) in &people.users {
        let mine = groups.get(name).map(|groups| groups.join(" ")).unwrap_or_default();
        let ends = user.expires.map(|day| format!("  until {}", day.value)).unwrap_or_default();
        let line = format!("{:width$}  {:5}  {:full$}  {mine}{ends}", name.as_str(), user.uid.value, user.full_name);
        reporter.result(line.trim_end());
        users.push(json!({
            "name": name, "uid": user.uid.value, "full_name": user.full_name, "groups": groups.get(name),
            "expires": user.expires.map(|day| day.value.to_string()), "keys": user.keys.len(),
        }));
    }
    reporter.member("users", users);
    Ok(())
}

fn show_user(name: &str, places: &Places, reporter: &Reporter) -> Outcome {
    let (loaded, plans) = read(places, reporter)?;
    let user = loaded.model.as_ref().and_then(|model| model.people.users.get(name));
    let Some(user) = user else {
        must_exist(&Tree::new(places), "users", name, reporter)?;
        return Err(Failure::Wrong);
    };
    let keyring = key::public(places).unwrap_or_default();
    access::show_user(user, &loaded, &plans, places, &keyring, reporter);
    Ok(())
}

fn list_groups(places: &Places, reporter: &Reporter) -> Outcome {
    let (loaded, _) = read(places, reporter)?;
    let Some(people) = loaded.model.as_ref().map(|model| &model.people) else { return Ok(()) };
    let width = people.groups.keys().map(|name| name.as_str().len()).max().unwrap_or(0);
    let mut groups = Vec::new();
    for (name, group) in &people.groups {
        reporter.result(format_args!(
            "{:width$}  {:5}  {:4} {}  {}",
            name.as_str(),
            group.gid.value,
            group.members.len(),
            if group.members.len() == 1 { "member " } else { "members" },
            group.description
        ));
        groups
            .push(json!({ "name": name, "gid": group.gid.value, "members": group.members.keys().collect::<Vec<_>>() }));
    }
    reporter.member("groups", groups);
    Ok(())
}

fn show_group(name: &str, places: &Places, reporter: &Reporter) -> Outcome {
    let (loaded, plans) = read(places, reporter)?;
    let model = loaded.model.as_ref().ok_or(Failure::Wrong)?;
    let Some(group) = model.people.groups.get(name) else {
        must_exist(&Tree::new(places), "groups", name, reporter)?;
        return Err(Failure::Wrong);
    };
    reporter.result(format_args!("{}, {}: gid {}", group.name.value, group.description, group.gid.value));
    if let Some(approval) = &group.approval {
        reporter.result(format_args!("  membership: {approval}"));
    }
    for member in group.members.keys() {
        let user = model.people.users.get(member);
        reporter
            .result(format_args!("  {member}{}", user.map(|user| format!(", {}", user.full_name)).unwrap_or_default()));
    }
    for (package, parts) in debrole::lower::access::view(&plans).packages {
        let login = parts.iter().any(|part| part.grants.login.contains(name));
        let rules: std::collections::BTreeSet<_> =
            parts.iter().filter_map(|part| part.grants.sudo.get(name)).flatten().cloned().collect();
        if login {
            reporter.result(format_args!("  login by {package}"));
        }
        for rule in rules {
            reporter.result(format_args!("  sudo by {package}: {rule}"));
        }
    }
    reporter.member(
        "group",
        json!({
            "name": group.name.value, "gid": group.gid.value, "description": group.description, "approval": group.approval,
            "members": group.members.keys().collect::<Vec<_>>(),
        }),
    );
    Ok(())
}
