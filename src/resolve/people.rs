//! `users/` and `groups/` → [`People`], and what is between them, the ledger and the machines.

use super::Facts;
use super::ledger::{Ledger, Numbers};
use super::text::{duplicates, one_line};
use crate::diagnostics::{Diagnostic, rules};
use crate::model::{Adopt, AdoptFiles, Departed, Group, HomePolicy, Host, People, Role, User, UserKey};
use crate::names::{AccountName, GroupName, HostName, MachinePath, PackageName, RoleName, UserName};
use crate::schema::{Number, Text, TextOrTexts, Texts, ast};
use crate::source::{Span, Spanned};
use crate::ssh_key::{BadKey, Fault, PublicKey};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Shells of Debian: the path in /etc/shells, and the package that brings it; None: the base system does.
const SHELLS: &[(&str, Option<&str>)] = &[
    ("/bin/bash", None),
    ("/usr/bin/bash", None),
    ("/bin/sh", None),
    ("/usr/bin/sh", None),
    ("/bin/dash", None),
    ("/usr/bin/dash", None),
    ("/bin/rbash", None),
    ("/usr/bin/rbash", None),
    ("/bin/zsh", Some("zsh")),
    ("/usr/bin/zsh", Some("zsh")),
    ("/bin/ksh", Some("ksh93u+m")),
    ("/usr/bin/ksh", Some("ksh93u+m")),
    ("/bin/mksh", Some("mksh")),
    ("/usr/bin/mksh", Some("mksh")),
    ("/bin/tcsh", Some("tcsh")),
    ("/usr/bin/tcsh", Some("tcsh")),
    ("/usr/bin/fish", Some("fish")),
    ("/usr/bin/git-shell", Some("git")),
];

type Parsed<'a, T> = super::Parsed<'a, T>;

pub fn resolve(
    users: &Parsed<'_, ast::User>,
    groups: &Parsed<'_, ast::Group>,
    ledger: &Ledger,
    facts: &Facts,
    out: &mut Vec<Diagnostic>,
) -> People {
    let mut people = People::default();
    for (name, (_, ast)) in users {
        if let Some(user) = user(name, ast, facts, out) {
            people.users.insert(user.name.value.clone(), user);
        }
    }
    // Names that the ledger knows and the tree has no more, and what the account is called now.
    let mut former: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for holder in ledger.users.values() {
        let present = Some(holder.name()).filter(|name| facts.users.contains(*name));
        for name in holder.names.iter().filter(|name| !facts.users.contains(*name)) {
            former.insert(name, present);
        }
    }
    for (name, (_, ast)) in groups {
        if let Some(group) = group(name, ast, &former, facts, out) {
            people.groups.insert(group.name.value.clone(), group);
        }
    }
    numbers(&people, ledger, out);
    for (id, holder) in &ledger.users {
        let names: Vec<UserName> = holder.names.iter().filter_map(|name| UserName::parse(name).ok()).collect();
        if !facts.users.contains(holder.name()) && !names.is_empty() {
            people.departed.insert(*id, Departed { names, home: ledger.homes.get(id).map(|(policy, _)| *policy) });
        }
    }
    shared_keys(&people, out);
    people
}

fn user(name: &str, ast: &ast::User, facts: &Facts, out: &mut Vec<Diagnostic>) -> Option<User> {
    let user = UserName::parse(name).ok()?;
    let uid = ast.uid.as_ref().and_then(|number| id(number, "uid", facts, out));
    let full_name = ast.name.as_ref().filter(|text| full_name(text, out));
    let email = ast.email.as_ref().filter(|text| mail_address(text, out)).map(|text| text.value.clone());
    let shell = shell(ast.shell.as_ref(), out);
    let home = choice(ast.home.as_ref(), &HomePolicy::ALL, HomePolicy::as_str, out).unwrap_or_default();
    let mut keys: Vec<UserKey> = Vec::new();
    for table in ast.key.iter().flat_map(|many| &many.0) {
        let from = table.from.iter().flat_map(|list| &list.value).filter(|text| from_pattern(text, out));
        let from = from.map(|text| text.value.clone()).collect();
        let hosts = table.hosts.as_ref().map(|list| host_names(list, facts, out)).unwrap_or_default();
        let Some(key) = table.key.as_ref().and_then(|text| public_key(text, out)) else { continue };
        if let Some(first) = keys.iter().find(|other| other.key.same(&key)) {
            out.push(
                Diagnostic::new(
                    &rules::duplicate_entry::RULE,
                    format!("the key {} is listed twice", key.fingerprint()),
                )
                .at(key.span, "again here")
                .also(first.key.span, "first here")
                .help("remove one of them"),
            );
            continue;
        }
        keys.push(UserKey { key, expires: table.expires, from, hosts });
    }
    if ast.key.as_ref().is_none_or(|many| many.0.is_empty()) {
        out.push(
            Diagnostic::new(&rules::user_without_key::RULE, format!("{user} has no key: nobody can log in as {user}"))
                .at(ast.span, "")
                .help("add a [[key]] with the line of the person's ~/.ssh/id_ed25519.pub"),
        );
    }
    let mut adopt = Vec::new();
    for table in ast.adopt.iter().flat_map(|many| &many.0) {
        adopt.extend(adoption(&user, uid.as_ref(), table, facts, out));
    }
    Some(User {
        name: Spanned::new(user, ast.span),
        uid: uid?,
        full_name: full_name?.value.clone(),
        email,
        shell_package: shell.as_ref().and_then(|(_, package)| PackageName::parse((*package)?).ok()),
        shell: shell?.0,
        expires: ast.expires,
        home,
        keys,
        adopt,
    })
}

fn group(
    name: &str,
    ast: &ast::Group,
    former: &BTreeMap<&str, Option<&str>>,
    facts: &Facts,
    out: &mut Vec<Diagnostic>,
) -> Option<Group> {
    let group = GroupName::parse(name).ok()?;
    if facts.prefix.as_ref().is_some_and(|prefix| name.strip_prefix(prefix.as_str()) == Some("-people")) {
        out.push(
            Diagnostic::new(
                &rules::reserved_account_name::RULE,
                format!("{name} is the group of all people on machines"),
            )
            .at(ast.span, "")
            .help("choose another name"),
        );
    }
    if facts.users.contains(name) {
        out.push(
            Diagnostic::new(&rules::name_of_user_and_group::RULE, format!("{name} is a user and a group"))
                .at(ast.span, format!("there is users/{name}.toml, too"))
                .help("rename one of them: every user has a group of its own, with its name"),
        );
    }
    let gid = ast.gid.as_ref().and_then(|number| id(number, "gid", facts, out));
    let description = ast.description.as_ref().filter(|text| one_line(text, "a group's description", out));
    let approval = ast.approval.as_ref().filter(|text| one_line(text, "a note on approval", out));
    let mut members = BTreeMap::new();
    if let Some(list) = &ast.members {
        duplicates(list, "the member", out);
        for member in &list.value {
            if facts.users.contains(&member.value) {
                if let Ok(name) = UserName::parse(&member.value) {
                    members.entry(name).or_insert(member.span);
                }
                continue;
            }
            out.push(no_user(member, former, facts));
        }
        if list.value.is_empty() {
            out.push(
                Diagnostic::new(&rules::empty_group::RULE, format!("the group {group} has no members"))
                    .at(list.span, "what is granted to it is granted to nobody")
                    .help(format!("add a user: debrole group add-member {group} USER; or remove the group")),
            );
        }
    }
    Some(Group {
        name: Spanned::new(group, ast.span),
        gid: gid?,
        description: description?.value.clone(),
        approval: approval.map(|text| text.value.clone()),
        members,
    })
}

/// A member without a file: who has left is only to be cleared away.
fn no_user(member: &Text, former: &BTreeMap<&str, Option<&str>>, facts: &Facts) -> Diagnostic {
    let shown = member.value.escape_debug();
    match former.get(member.value.as_str()) {
        Some(None) => Diagnostic::new(&rules::member_has_left::RULE, format!("{shown} has left"))
            .at(member.span, format!("there is no users/{shown}.toml any more"))
            .help("remove the entry; `debrole user retire` does it for all groups"),
        Some(Some(now)) => Diagnostic::new(&rules::unknown_user::RULE, format!("{shown} is called {now} now"))
            .at(member.span, "")
            .help(format!("write \"{now}\"")),
        None => {
            let near = crate::near::nearest(&member.value, facts.users.iter().map(String::as_str));
            Diagnostic::new(&rules::unknown_user::RULE, format!("there is no user \"{shown}\""))
                .at(member.span, "")
                .help(match near {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => "write the name of a file in users/, without .toml; `debrole user add` makes one".into(),
                })
        }
    }
}

/// A number of the fleet's band.
fn id(number: &Number, what: &str, facts: &Facts, out: &mut Vec<Diagnostic>) -> Option<Spanned<u32>> {
    let id = u32::try_from(number.value).ok().filter(|id| facts.uids.contains(id));
    if id.is_none() {
        let (first, last) = (facts.uids.start(), facts.uids.end());
        let note = match number.value {
            0 => "0 is root's",
            1..1000 => "0-999 are of Debian's own accounts (Debian Policy 9.2.2)",
            60_000..=65_535 => "60000-65535 are Debian's (Debian Policy 9.2.2)",
            _ => "`uids` in debrole.toml is the band",
        };
        out.push(
            Diagnostic::new(
                &rules::id_outside_band::RULE,
                format!("{} can't be a {what}: the fleet's are from {first} to {last}", number.value),
            )
            .at(number.span, "")
            .help("write a free number of the band; `debrole user add` and `debrole group add` choose one")
            .note(note),
        );
    }
    id.map(|id| Spanned::new(id, number.span))
}

fn full_name(text: &Text, out: &mut Vec<Diagnostic>) -> bool {
    if !one_line(text, "a full name", out) {
        return false;
    }
    let value = text.value.as_str();
    let problem = match value.find([':', ',', '&', '"', '\\']) {
        Some(at) => Some((at..at + 1, format!("can't hold {:?} (passwd(5), the comment field)", &value[at..at + 1]))),
        None if value.trim().is_empty() => Some((0..value.len(), "is empty".to_owned())),
        None if value.trim() != value => Some((0..value.len(), "has blanks around it".to_owned())),
        None if value.len() > 100 => Some((0..value.len(), "has more than 100 bytes".to_owned())),
        None => None,
    };
    let Some((range, problem)) = problem else { return true };
    out.push(
        Diagnostic::new(&rules::invalid_full_name::RULE, format!("a full name {problem}"))
            .at(text.part(range), "")
            .help("write the person's name alone, such as \"Alice Example\""),
    );
    false
}

fn mail_address(text: &Text, out: &mut Vec<Diagnostic>) -> bool {
    let good = text.value.rsplit_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && !text.value.contains(|c: char| c.is_whitespace() || c.is_control() || "<>,;()\"".contains(c))
            && !local.contains('@')
            && domain
                .split('.')
                .all(|label| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-'))
    });
    if !good {
        out.push(
            Diagnostic::new(
                &rules::invalid_email::RULE,
                format!("\"{}\" is not a mail address", text.value.escape_debug()),
            )
            .at(text.span, "")
            .help("write the address alone, such as \"alice@example.org\""),
        );
    }
    good
}

fn shell(text: Option<&Text>, out: &mut Vec<Diagnostic>) -> Option<(MachinePath, Option<&'static str>)> {
    let value = text.map_or("/bin/bash", |text| text.value.as_str());
    let known = SHELLS.iter().find(|(path, _)| *path == value);
    if let Some((path, package)) = known {
        return MachinePath::parse(path).ok().map(|path| (path, *package));
    }
    let text = text?;
    let last = value.rsplit('/').next().unwrap_or(value);
    let same = SHELLS.iter().find(|(path, _)| path.rsplit('/').next() == Some(last)).map(|(path, _)| *path);
    let near = same.or_else(|| crate::near::nearest(value, SHELLS.iter().map(|(path, _)| *path)));
    let mut names: Vec<&str> = SHELLS.iter().filter_map(|(path, _)| path.rsplit('/').next()).collect();
    names.sort();
    names.dedup();
    out.push(
        Diagnostic::new(
            &rules::invalid_shell::RULE,
            format!("\"{}\" is none of Debian's shells", value.escape_debug()),
        )
        .at(text.span, "")
        .help(match near {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "write the path of one, such as \"/bin/bash\"".into(),
        })
        .note(format!("known are {}", names.join(", "))),
    );
    None
}

/// One of a few words.
fn choice<T: Copy>(
    text: Option<&Text>,
    all: &[T],
    written: impl Fn(T) -> &'static str,
    out: &mut Vec<Diagnostic>,
) -> Option<T> {
    let text = text?;
    let found = all.iter().copied().find(|one| written(*one) == text.value);
    if found.is_none() {
        let words: Vec<String> = all.iter().map(|one| format!("\"{}\"", written(*one))).collect();
        out.push(
            Diagnostic::new(
                &rules::invalid_choice::RULE,
                format!("\"{}\" is not {}", text.value.escape_debug(), words.join(" or ")),
            )
            .at(text.span, "")
            .help(format!("write {}", words.join(" or "))),
        );
    }
    found
}

/// A key as it may be given to sshd.
pub fn public_key(text: &Text, out: &mut Vec<Diagnostic>) -> Option<Spanned<PublicKey>> {
    let BadKey { fault, text: message, range } = match PublicKey::parse(&text.value) {
        Ok(key) => return Some(Spanned::new(key, text.span)),
        Err(bad) => bad,
    };
    let (rule, help) = match fault {
        Fault::Malformed => {
            (&rules::invalid_ssh_key::RULE, "copy the whole line of the .pub file: its type, the key, a comment")
        }
        Fault::Options => (
            &rules::ssh_key_options::RULE,
            "write the key alone; `from`, `expires` and `hosts` are keys of the table, other options are not for people",
        ),
        Fault::Kind => (&rules::ssh_key_type::RULE, "make another one: ssh-keygen -t ed25519"),
        Fault::Short => (&rules::ssh_key_too_short::RULE, "make another one: ssh-keygen -t ed25519"),
        Fault::Private => (
            &rules::private_key::RULE,
            "remove it, and use the key no more: whoever saw this file has it; make another one and write its .pub here",
        ),
    };
    out.push(Diagnostic::new(rule, message).at(text.part(range), "").help(help));
    None
}

/// A host's keys.
pub fn host_keys(texts: Option<&TextOrTexts>, out: &mut Vec<Diagnostic>) -> Vec<Spanned<PublicKey>> {
    texts.iter().flat_map(|texts| &texts.0).filter_map(|text| public_key(text, out)).collect()
}

/// A pattern of `from` (sshd(8), ssh_config(5) PATTERNS).
fn from_pattern(text: &Text, out: &mut Vec<Diagnostic>) -> bool {
    let pattern = text.value.strip_prefix('!').unwrap_or(&text.value);
    let good = match pattern.split_once('/') {
        Some((address, length)) => match (address.parse::<IpAddr>(), length.parse::<u8>()) {
            (Ok(IpAddr::V4(ip)), Ok(n)) => n <= 32 && (n == 32 || u32::from(ip) << n == 0),
            (Ok(IpAddr::V6(ip)), Ok(n)) => n <= 128 && (n == 128 || u128::from(ip) << n == 0),
            _ => false,
        },
        None => {
            pattern.parse::<IpAddr>().is_ok()
                || !pattern.is_empty()
                    && pattern.chars().all(|c| c.is_ascii_alphanumeric() || "-.*?".contains(c))
                    && !looks_numeric(pattern)
        }
    };
    if !good {
        out.push(
            Diagnostic::new(
                &rules::invalid_from::RULE,
                format!("\"{}\" is no address, network or pattern of host names", text.value.escape_debug()),
            )
            .at(text.span, "")
            .help("write an address, a network whose host bits are 0, or a pattern, such as \"192.0.2.0/24\" or \"*.example.org\"")
            .note("sshd refuses every login by a key whose `from` it can't read"),
        );
    }
    good
}

/// A mistyped address, not a name: `192.0.2.300`. With a wildcard it is a pattern of addresses.
fn looks_numeric(pattern: &str) -> bool {
    pattern.bytes().all(|b| b.is_ascii_digit() || b == b'.') && pattern.parse::<IpAddr>().is_err()
}

fn host_names(list: &Texts, facts: &Facts, out: &mut Vec<Diagnostic>) -> BTreeSet<HostName> {
    duplicates(list, "the host", out);
    let mut names = BTreeSet::new();
    for item in &list.value {
        match HostName::parse(&item.value).ok().filter(|_| facts.hosts.contains(&item.value)) {
            Some(name) => {
                names.insert(name);
            }
            None => {
                let near = crate::near::nearest(&item.value, facts.hosts.iter().map(String::as_str));
                let qualified = facts.hosts.iter().find(|host| host.split('.').next() == Some(item.value.as_str()));
                out.push(
                    Diagnostic::new(
                        &rules::unknown_host::RULE,
                        format!("there is no host \"{}\"", item.value.escape_debug()),
                    )
                    .at(item.span, "")
                    .help(match near.or(qualified.map(String::as_str)) {
                        Some(near) => format!("did you mean \"{near}\"?"),
                        None => "write the name of a file in hosts/, without .toml".into(),
                    }),
                );
            }
        }
    }
    names
}

fn adoption(
    user: &UserName,
    uid: Option<&Spanned<u32>>,
    ast: &ast::Adopt,
    facts: &Facts,
    out: &mut Vec<Diagnostic>,
) -> Option<Adopt> {
    let name = match &ast.name {
        None => AccountName::parse(user.as_str()).ok(),
        Some(text) => match AccountName::parse(&text.value) {
            Ok(name) => Some(name),
            Err(error) => {
                out.push(
                    Diagnostic::new(
                        &rules::invalid_account::RULE,
                        format!("\"{}\" can't be a user: {error}", text.value.escape_debug()),
                    )
                    .at(text.span, "")
                    .help("write the account's name as in getent(1)"),
                );
                None
            }
        },
    };
    let files = choice(ast.files.as_ref(), &[AdoptFiles::Home, AdoptFiles::All], AdoptFiles::as_str, out);
    let hosts = ast.hosts.as_ref().map(|list| host_names(list, facts, out)).unwrap_or_default();
    let uid = uid?;
    let old = match &ast.uid {
        None => uid.value,
        // What is below 1000 is no person's, whatever its name.
        Some(number) => match u32::try_from(number.value).ok().filter(|n| (1000..60_000).contains(n)) {
            Some(old) => old,
            None => {
                out.push(
                    Diagnostic::new(
                        &rules::adopt_refused::RULE,
                        format!("the account {} is not a person's: it can't be taken over", number.value),
                    )
                    .at(number.span, "")
                    .help("write the number of the person's old account, from 1000 to 59999"),
                );
                return None;
            }
        },
    };
    let name = name?;
    if crate::names::is_debians(name.as_str()) {
        out.push(
            Diagnostic::new(
                &rules::adopt_refused::RULE,
                format!("{name} is Debian's own account: nobody takes it over"),
            )
            .at(ast.name.as_ref().map_or(ast.span, |text| text.span), "")
            .help("write the name of the person's old account"),
        );
        return None;
    }
    if old != uid.value && files.is_none() {
        if ast.files.is_none() {
            out.push(
                Diagnostic::new(
                    &rules::adopt_without_files::RULE,
                    format!("{name} has the number {old}, {user} gets {}: whose are the files of {old}?", uid.value),
                )
                .at(ast.uid.as_ref().map_or(ast.span, |number| number.span), "")
                .help("add files = \"home\" (what is in the home directory, mail and jobs) or files = \"all\" (everything on the machine)"),
            );
        }
        return None;
    }
    Some(Adopt { name, uid: old, files: files.filter(|_| old != uid.value), hosts, span: ast.span })
}

/// No number is used twice, and none that the ledger gave to somebody else.
fn numbers(people: &People, ledger: &Ledger, out: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<u32, (&str, &str, Span)> = BTreeMap::new();
    let users = people.users.values().map(|user| ("user", user.name.as_str(), &user.uid));
    let groups = people.groups.values().map(|group| ("group", group.name.as_str(), &group.gid));
    // Of these the ledger can only say the same once more.
    let mut twice: BTreeSet<u32> = BTreeSet::new();
    for (noun, name, id) in users.clone().chain(groups.clone()) {
        if let Some((other_noun, other, first)) = seen.get(&id.value) {
            twice.insert(id.value);
            out.push(
                Diagnostic::new(
                    &rules::id_used_twice::RULE,
                    format!("{} is the number of the {other_noun} {other} and of the {noun} {name}", id.value),
                )
                .at(id.span, "here")
                .also(*first, format!("and here, of {other}"))
                .help("give each its own: `debrole user add` and `debrole group add` choose one")
                .note("a user's own group has the user's number, so users and groups share the numbers"),
            );
        } else {
            seen.insert(id.value, (noun, name, id.span));
        }
    }
    if !ledger.exists {
        let first = users.clone().chain(groups.clone()).next();
        if let Some((noun, name, id)) = first {
            out.push(
                Diagnostic::new(
                    &rules::not_in_ledger::RULE,
                    "there is no ledger.toml: nothing remembers these numbers",
                )
                .at(id.span, format!("such as that of the {noun} {name}"))
                .help("debrole ledger")
                .note("commit the file with the tree: it keeps a number of who left from being given to somebody else"),
            );
        }
        return;
    }
    for (noun, name, id) in users.filter(|(_, _, id)| !twice.contains(&id.value)) {
        against(noun, name, id, &ledger.users, &ledger.groups, out);
    }
    for (noun, name, id) in groups.filter(|(_, _, id)| !twice.contains(&id.value)) {
        against(noun, name, id, &ledger.groups, &ledger.users, out);
    }
}

fn against(noun: &str, name: &str, id: &Spanned<u32>, own: &Numbers, others: &Numbers, out: &mut Vec<Diagnostic>) {
    let before = own.iter().find(|(_, holder)| holder.names.iter().any(|known| known == name));
    if let Some(holder) = own.get(&id.value).or_else(|| others.get(&id.value)) {
        if own.contains_key(&id.value) && holder.name() == name {
            return;
        }
        let renamed = holder.names.iter().any(|known| known == name) && own.contains_key(&id.value);
        let diagnostic = Diagnostic::new(
            &rules::id_given_before::RULE,
            match renamed {
                true => format!("{} is called {} now, not {name}", id.value, holder.name()),
                false => format!("{} was given to {}: it is never given to anybody else", id.value, holder.name()),
            },
        )
        .at(id.span, "")
        .also(holder.span, "the ledger remembers");
        out.push(match before {
            Some((old, _)) if *old != id.value => diagnostic.help(format!("write the old number of {name}: {old}")),
            _ if renamed => diagnostic.help(format!("rename the file to {noun}s/{}.toml", holder.name())),
            _ => diagnostic.help(format!(
                "write a number that the ledger does not have (`debrole {noun} add` chooses one); who was renamed: debrole {noun} rename"
            )),
        });
        return;
    }
    match before {
        Some((old, holder)) => out.push(
            Diagnostic::new(
                &rules::id_changed::RULE,
                format!("the {noun} {name} has the number {old}, not {}", id.value),
            )
            .at(id.span, "")
            .also(holder.span, "the ledger remembers")
            .help(format!("write {old}: on machines the files are {old}'s; somebody else needs another name")),
        ),
        None => out.push(
            Diagnostic::new(&rules::not_in_ledger::RULE, format!("ledger.toml does not have the {noun} {name}"))
                .at(id.span, "")
                .help("debrole ledger")
                .note("it writes down the numbers that are new, so that they are never given to somebody else"),
        ),
    }
}

/// A key is one person's: who has it is whom the log names.
fn shared_keys(people: &People, out: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<&str, (&UserName, Span)> = BTreeMap::new();
    for user in people.users.values() {
        for key in &user.keys {
            match seen.get(key.key.base64()) {
                Some((other, first)) => out.push(
                    Diagnostic::new(
                        &rules::ssh_key_shared::RULE,
                        format!("{} and {} have the same key, {}", other, user.name.value, key.key.fingerprint()),
                    )
                    .at(key.key.span, "here")
                    .also(*first, format!("and here, of {other}"))
                    .help("let each person have a key of their own: the log could not tell who it was"),
                ),
                None => {
                    seen.insert(key.key.base64(), (&user.name.value, key.key.span));
                }
            }
        }
    }
}

/// What only shows with roles and hosts: groups and people that nothing lets in, host keys of two machines.
pub fn between(
    people: &People,
    roles: &BTreeMap<RoleName, Role>,
    hosts: &BTreeMap<HostName, Host>,
    hearing: &BTreeSet<GroupName>,
    out: &mut Vec<Diagnostic>,
) {
    let contents = roles.values().flat_map(|role| role.contents.values().map(AsRef::as_ref));
    let accesses = contents.chain(hosts.values().map(|host| &host.content)).map(|content| &content.access);
    let mut logins: BTreeSet<&GroupName> = BTreeSet::new();
    let mut sudo: BTreeMap<&GroupName, Span> = BTreeMap::new();
    for access in accesses {
        logins.extend(access.login.iter().map(|group| &group.value));
        for rule in &access.sudo {
            sudo.entry(&rule.group.value).or_insert(rule.group.span);
        }
    }
    for (group, span) in sudo.iter().filter(|(group, _)| !logins.contains(*group)) {
        out.push(
            Diagnostic::new(
                &rules::sudo_without_login::RULE,
                format!("the group {group} has sudo, but no login anywhere"),
            )
            .at(*span, "nobody of the group has an account where the rule is")
            .help("add the group to `login`, here or in a role that the machines have, too"),
        );
    }
    for (name, group) in &people.groups {
        if !logins.contains(name) && !sudo.contains_key(name) && !hearing.contains(name) {
            out.push(
                Diagnostic::new(
                    &rules::group_without_grant::RULE,
                    format!("no role and no host lets the group {name} in"),
                )
                .at(group.name.span, "")
                .help(format!("add [access] with login = [\"{name}\"] to a role, or remove the group")),
            );
        }
    }
    let members: BTreeSet<&UserName> = people.groups.values().flat_map(|group| group.members.keys()).collect();
    for (name, user) in people.users.iter().filter(|(name, _)| !members.contains(name)) {
        out.push(
            Diagnostic::new(
                &rules::user_without_group::RULE,
                format!("{name} is in no group, and so has no account anywhere"),
            )
            .at(user.name.span, "")
            .help(format!("debrole group add-member GROUP {name}; who has left: debrole user retire {name}")),
        );
    }
    let mut seen: BTreeMap<&str, (&HostName, Span)> = BTreeMap::new();
    for (name, host) in hosts {
        for key in &host.host_keys {
            if let Some((other, first)) = seen.get(key.base64()).filter(|(other, _)| *other != name) {
                out.push(
                    Diagnostic::new(
                        &rules::host_key_shared::RULE,
                        format!("{other} and {name} have the same host key, {}", key.fingerprint()),
                    )
                    .at(key.span, "here")
                    .also(*first, format!("and here, of {other}"))
                    .help("make new ones on the machine that was copied: rm /etc/ssh/ssh_host_*; dpkg-reconfigure openssh-server"),
                );
            }
            seen.entry(key.base64()).or_insert((name, key.span));
            if let Some(retired) = host.retired_host_keys.iter().find(|old| old.same(key)) {
                out.push(
                    Diagnostic::new(
                        &rules::host_key_retired::RULE,
                        format!("the host key {} is in use and retired", key.fingerprint()),
                    )
                    .at(retired.span, "retired here")
                    .also(key.span, "in use here")
                    .help("keep one of them"),
                );
            }
        }
    }
}
