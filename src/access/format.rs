//! The files that tell a machine who may be on it: `members` of a group's package, `grants` of a role's or a host's,
//! `people` of `<prefix>-access`. One record a line, fields separated by single spaces; only a record's last field may
//! hold spaces. The machine's side is in `lower/runtime/`.

use crate::model::{Access, Adopt, Group, People, User, UserKey};
use crate::names::{GroupName, PackageName, Prefix, UserName};
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The number in the first line of each file. A runtime refuses another.
pub const FORMAT: u32 = 1;

/// Who is in a group, and how they log in. As text:
///
/// ```text
/// debrole-access 1
/// package PACKAGE
/// group NAME GID
/// user NAME UID SHELL EXPIRES HOME FULL NAME…
/// key NAME EXPIRES FROM HOSTS TYPE BASE64 COMMENT…
/// adopt NAME OLD-NAME OLD-UID FILES HOSTS
/// ```
///
/// EXPIRES is the last day, `YYYY-MM-DD` in UTC, or `-`. HOME is keep, archive or remove. FROM and HOSTS are separated
/// by commas, `-` for everywhere. FILES is home, all, or `-` where the numbers are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    pub package: PackageName,
    pub group: GroupName,
    pub gid: u32,
    pub users: BTreeMap<UserName, Member>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub uid: u32,
    pub shell: String,
    pub expires: Option<Date>,
    pub home: String,
    pub full_name: String,
    /// The lines' fields after the user's name, but for the key's comment: what makes a difference.
    pub keys: BTreeSet<Key>,
    pub adopt: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub expires: Option<Date>,
    pub from: String,
    pub hosts: String,
    /// `TYPE BASE64 COMMENT`
    pub key: String,
}

fn day(day: Option<Date>) -> String {
    day.map_or_else(|| "-".to_owned(), |day| day.to_string())
}

fn list<'a>(items: impl Iterator<Item = &'a str>) -> String {
    let joined = items.collect::<Vec<_>>().join(",");
    if joined.is_empty() { "-".to_owned() } else { joined }
}

impl Key {
    fn of(key: &UserKey) -> Key {
        let mut text = key.key.to_string();
        if !key.key.comment().is_empty() {
            text.push(' ');
            text.push_str(key.key.comment());
        }
        Key {
            expires: key.expires.map(|day| day.value),
            from: list(key.from.iter().map(String::as_str)),
            hosts: list(key.hosts.iter().map(|host| host.as_str())),
            key: text,
        }
    }
}

impl Member {
    fn of(user: &User) -> Member {
        let adopt = |adopt: &Adopt| {
            let files = adopt.files.map_or("-", |files| files.as_str());
            format!("{} {} {files} {}", adopt.name, adopt.uid, list(adopt.hosts.iter().map(|host| host.as_str())))
        };
        Member {
            uid: user.uid.value,
            shell: user.shell.to_string(),
            expires: user.expires.map(|day| day.value),
            home: user.home.as_str().to_owned(),
            full_name: user.full_name.clone(),
            keys: user.keys.iter().map(Key::of).collect(),
            adopt: user.adopt.iter().map(adopt).collect(),
        }
    }
}

impl Members {
    pub fn of(prefix: &Prefix, group: &Group, people: &People) -> Members {
        let users = group.members.keys().filter_map(|name| people.users.get(name));
        Members {
            package: prefix.access_package(&group.name),
            group: group.name.value.clone(),
            gid: group.gid.value,
            users: users.map(|user| (user.name.value.clone(), Member::of(user))).collect(),
        }
    }

    /// Reads what [`fmt::Display`] writes. The error names the line (from 1) and says what is wrong with it.
    pub fn parse(text: &str) -> Result<Members, String> {
        let mut lines = head(text, "debrole-access")?;
        let (_, package) = &lines.next().ok_or("line 2: the package's name is missing")?;
        let package = package.strip_prefix("package ").ok_or("line 2: the package's name is missing")?;
        let package = PackageName::parse(package)?;
        let (number, line) = lines.next().ok_or("line 3: the group is missing")?;
        let fields: Vec<&str> = line.split(' ').collect();
        let (group, gid) = match fields.as_slice() {
            ["group", name, gid] => (GroupName::parse(name)?, gid.parse().map_err(|_| at(number, "no number"))?),
            _ => return Err(at(number, "the group is missing")),
        };
        let mut members = Members { package, group, gid, users: BTreeMap::new() };
        for (number, line) in lines {
            members.record(line).map_err(|error| at(number, &error))?;
        }
        Ok(members)
    }

    fn record(&mut self, line: &str) -> Result<(), String> {
        let few = || "a field is missing".to_owned();
        let (kind, rest) = line.split_once(' ').ok_or_else(few)?;
        let (name, rest) = rest.split_once(' ').ok_or_else(few)?;
        let name = UserName::parse(name)?;
        let date = |text: &str| match text {
            "-" => Ok(None),
            text => text.parse::<Date>().map(Some).map_err(|_| format!("{text:?} is no day")),
        };
        match kind {
            "user" => {
                let mut fields = rest.splitn(5, ' ');
                let mut next = || fields.next().ok_or_else(few);
                let uid = next()?.parse().map_err(|_| "no number".to_owned())?;
                let shell = next()?.to_owned();
                let expires = date(next()?)?;
                let (home, full_name) = (next()?.to_owned(), next()?.to_owned());
                let member =
                    Member { uid, shell, expires, home, full_name, keys: BTreeSet::new(), adopt: BTreeSet::new() };
                self.users.insert(name, member);
            }
            "key" => {
                let mut fields = rest.splitn(4, ' ');
                let mut next = || fields.next().ok_or_else(few);
                let expires = date(next()?)?;
                let (from, hosts, key) = (next()?.to_owned(), next()?.to_owned(), next()?.to_owned());
                let user = self.users.get_mut(&name).ok_or("a key of no user")?;
                user.keys.insert(Key { expires, from, hosts, key });
            }
            "adopt" => {
                let user = self.users.get_mut(&name).ok_or("an account of no user")?;
                user.adopt.insert(rest.to_owned());
            }
            other => return Err(format!("{other:?} is not a record")),
        }
        Ok(())
    }
}

fn at(number: usize, what: &str) -> String {
    format!("line {}: {what}", number + 1)
}

fn head<'t>(text: &'t str, name: &str) -> Result<std::iter::Enumerate<std::str::Lines<'t>>, String> {
    let mut lines = text.lines().enumerate();
    match lines.next() {
        Some((_, line)) if line == format!("{name} {FORMAT}") => Ok(lines),
        _ => Err(format!("line 1: the file starts with \"{name} {FORMAT}\"")),
    }
}

impl fmt::Display for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "debrole-access {FORMAT}\npackage {}\ngroup {} {}", self.package, self.group, self.gid)?;
        for (name, user) in &self.users {
            let Member { uid, shell, home, full_name, .. } = user;
            writeln!(f, "user {name} {uid} {shell} {} {home} {full_name}", day(user.expires))?;
            for key in &user.keys {
                writeln!(f, "key {name} {} {} {} {}", day(key.expires), key.from, key.hosts, key.key)?;
            }
            for adopt in &user.adopt {
                writeln!(f, "adopt {name} {adopt}")?;
            }
        }
        Ok(())
    }
}

/// What a role or a host lets groups do. As text:
///
/// ```text
/// debrole-grants 1
/// package PACKAGE
/// login GROUP
/// admin GROUP
/// sudo GROUP LINE…
/// ```
///
/// `admin`: the group's sudo makes administrators. LINE is a rule of sudoers(5); the rules themselves are in force by
/// the package's own file in /etc/sudoers.d, here they are for who asks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants {
    pub login: BTreeSet<GroupName>,
    pub admin: BTreeSet<GroupName>,
    pub sudo: BTreeMap<GroupName, BTreeSet<String>>,
}

impl Grants {
    pub fn of(access: &Access) -> Grants {
        let mut grants = Grants::default();
        grants.login.extend(access.login.iter().map(|group| group.value.clone()));
        for rule in &access.sudo {
            let group = &rule.group.value;
            if rule.is_everything() {
                grants.admin.insert(group.clone());
            }
            grants.sudo.entry(group.clone()).or_default().insert(rule.line());
        }
        grants
    }

    pub fn text(&self, package: &PackageName) -> String {
        let mut out = format!("debrole-grants {FORMAT}\npackage {package}\n");
        out.extend(self.login.iter().map(|group| format!("login {group}\n")));
        out.extend(self.admin.iter().map(|group| format!("admin {group}\n")));
        for (group, lines) in &self.sudo {
            out.extend(lines.iter().map(|line| format!("sudo {group} {line}\n")));
        }
        out
    }

    /// Reads what [`Grants::text`] writes.
    pub fn parse(text: &str) -> Result<Grants, String> {
        let mut grants = Grants::default();
        for (number, line) in head(text, "debrole-grants")?.skip(1) {
            let group = |name: &str| GroupName::parse(name).map_err(|error| at(number, &error));
            match line.split_once(' ') {
                Some(("login", name)) => {
                    grants.login.insert(group(name)?);
                }
                Some(("admin", name)) => {
                    grants.admin.insert(group(name)?);
                }
                Some(("sudo", rest)) => {
                    let (name, rule) = rest.split_once(' ').ok_or_else(|| at(number, "the rule is missing"))?;
                    grants.sudo.entry(group(name)?).or_default().insert(rule.to_owned());
                }
                _ => return Err(at(number, "not a record")),
            }
        }
        Ok(grants)
    }
}

/// What every machine with people on it knows of the fleet's:
///
/// ```text
/// debrole-people 1
/// band FIRST LAST
/// departed UID HOME NAME…
/// ```
///
/// The numbers that the fleet gives, and who had one and has left. HOME is `-` where it is as their account said;
/// NAME is all that the account was called, the last one last.
pub fn people(people: &People, band: (u32, u32)) -> String {
    let mut out = format!("debrole-people {FORMAT}\nband {} {}\n", band.0, band.1);
    for (uid, departed) in &people.departed {
        let names: Vec<&str> = departed.names.iter().map(|name| name.as_str()).collect();
        let home = departed.home.map_or("-", |home| home.as_str());
        out.push_str(&format!("departed {uid} {home} {}\n", names.join(" ")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let text = "\
debrole-access 1
package pg-access-webteam
group webteam 3001
user alice 2001 /bin/bash - keep Alice Example
key alice - - - ssh-ed25519 AAAA alice@laptop
key alice 2027-12-31 192.0.2.0/24,!192.0.2.7 web1.example.org ssh-rsa BBBB
adopt alice asmith 1000 home -
user bob 2002 /usr/bin/zsh 2027-06-30 archive Bob de Example
";
        assert_eq!(Members::parse(text).unwrap().to_string(), text);
        let text = "\
debrole-grants 1
package pg-role-web
login sysadmins
login webteam
admin sysadmins
sudo sysadmins %sysadmins ALL=(root) NOPASSWD: ALL
sudo webteam %webteam ALL=(root) NOPASSWD: /usr/bin/systemctl reload nginx.service
";
        let package = PackageName::parse("pg-role-web").unwrap();
        assert_eq!(Grants::parse(text).unwrap().text(&package), text);
    }

    #[test]
    fn what_is_broken_is_refused_with_its_line() {
        let head = "debrole-access 1\npackage pg-access-x\ngroup x 3001\n";
        for line in
            ["user alice 2001 /bin/bash", "user Alice 1 /bin/sh - keep A", "key alice - - - ssh-rsa A", "what now x"]
        {
            let error = Members::parse(&format!("{head}{line}\n")).unwrap_err();
            assert!(error.starts_with("line 4: "), "{line}: {error}");
        }
        assert!(Members::parse("debrole-access 2\n").is_err());
        assert!(Grants::parse("debrole-grants 1\npackage pg-role-x\nlogin Root\n").is_err());
        assert!(Grants::parse("debrole-grants 1\npackage pg-role-x\nsudo root\n").is_err());
    }
}
