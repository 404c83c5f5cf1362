//! ledger.toml: every number that a person or a group of the fleet ever had.

use crate::diagnostics::{Diagnostic, rules};
use crate::model::{HomePolicy, Value};
use crate::names::{GroupName, UserName};
use crate::schema::{ValueTable, ast};
use crate::source::Span;
use std::collections::BTreeMap;

/// The ledger, as far as it can be read.
#[derive(Default)]
pub struct Ledger {
    /// False where there is no file.
    pub exists: bool,
    pub users: Numbers,
    pub groups: Numbers,
    pub homes: BTreeMap<u32, (HomePolicy, Span)>,
}

/// Number → who had it.
pub type Numbers = BTreeMap<u32, Holder>;

pub struct Holder {
    /// The present name last. Never empty.
    pub names: Vec<String>,
    pub span: Span,
}

impl Holder {
    pub fn name(&self) -> &str {
        self.names.last().map_or("", String::as_str)
    }
}

pub fn resolve(ast: Option<&ast::Ledger>, out: &mut Vec<Diagnostic>) -> Ledger {
    let Some(ast) = ast else { return Ledger::default() };
    let users = numbers(ast.users.as_ref(), "user", |name| UserName::parse(name).map(|_| ()), out);
    let groups = numbers(ast.groups.as_ref(), "group", |name| GroupName::parse(name).map(|_| ()), out);
    for (id, group) in &groups {
        if let Some(user) = users.get(id) {
            out.push(
                Diagnostic::new(
                    &rules::id_used_twice::RULE,
                    format!("{id} is the number of the user {} and of the group {}", user.name(), group.name()),
                )
                .at(group.span, "the group")
                .also(user.span, "the user, whose own group has the number")
                .help("give the group another number; `debrole group add` chooses one"),
            );
        }
    }
    let mut homes = BTreeMap::new();
    for (key, value) in ast.home.iter().flat_map(|table| &table.0) {
        let policy = HomePolicy::ALL.into_iter().find(|policy| policy.as_str() == value.value);
        match (key.value.parse::<u32>().ok().filter(|id| users.contains_key(id)), policy) {
            (Some(id), Some(policy)) => {
                homes.insert(id, (policy, key.span));
            }
            (None, _) => out.push(bad(key.span, format!("\"{}\" is no number of a user", key.value.escape_debug()))),
            (_, None) => out.push(bad(value.span, format!("\"{}\" is not keep, archive or remove", value.value))),
        }
    }
    Ledger { exists: true, users, groups, homes }
}

fn bad(span: Span, message: String) -> Diagnostic {
    Diagnostic::new(&rules::invalid_ledger::RULE, message)
        .at(span, "")
        .help("write NUMBER = \"NAME\", or NUMBER = [\"OLD\", \"NEW\"] for what was renamed")
        .note("git has the line as `debrole` wrote it")
}

fn numbers(
    table: Option<&ValueTable>,
    noun: &str,
    valid: impl Fn(&str) -> Result<(), String>,
    out: &mut Vec<Diagnostic>,
) -> Numbers {
    let mut numbers = Numbers::new();
    let mut named: BTreeMap<String, (u32, Span)> = BTreeMap::new();
    for (key, value) in table.iter().flat_map(|table| &table.0) {
        let Some(id) = key.value.parse::<u32>().ok().filter(|id| id.to_string() == key.value && *id > 0) else {
            out.push(bad(key.span, format!("\"{}\" is no number of a {noun}", key.value.escape_debug())));
            continue;
        };
        let names: Option<Vec<String>> = match &value.value {
            Value::String(name) => Some(vec![name.clone()]),
            Value::Array(list) => list
                .iter()
                .map(|one| match one {
                    Value::String(name) => Some(name.clone()),
                    _ => None,
                })
                .collect(),
            _ => None,
        };
        let Some(names) = names.filter(|names| !names.is_empty()) else {
            out.push(bad(value.span, format!("{id} has no name")));
            continue;
        };
        if let Some(error) = names.iter().find_map(|name| valid(name).err()) {
            out.push(bad(value.span, format!("{id} has a name that no {noun} can have: {error}")));
            continue;
        }
        for name in &names {
            if let Some((other, first)) = named.insert(name.clone(), (id, value.span)).filter(|(other, _)| *other != id)
            {
                out.push(
                    bad(value.span, format!("{name} has the numbers {other} and {id}"))
                        .also(first, format!("{other} here"))
                        .help("remove the line that was never in use; who comes back gets the old number"),
                );
            }
        }
        numbers.insert(id, Holder { names, span: key.span });
    }
    numbers
}
