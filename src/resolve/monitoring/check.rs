//! `[[check]]`: its kind, its command, its thresholds.

use super::thresholds::{inverted, thresholds};
use super::{INJECTING, MINUTES_DAYS, MINUTES_HOURS, check_name, contacts, plain_line};
use crate::diagnostics::{Diagnostic, rules};
use crate::model::monitoring::{Check, CheckCommand, CheckKind, Worse};
use crate::names::PackageName;
use crate::near::nearest;
use crate::resolve::content::Site;
use crate::resolve::fleet::{DAY, HOUR, MINUTE, duration};
use crate::resolve::text::{account, duplicates, one_line};
use crate::resolve::{plugins, relations};
use crate::schema::{Measure, Text, Texts, ast};
use crate::source::Span;

pub fn check(ast: &ast::Check, site: &Site<'_>, out: &mut Vec<Diagnostic>) -> Option<Check> {
    let name = ast.name.as_ref().filter(|name| check_name(name, "a check", out));
    let kind = choice(ast.kind.as_ref(), "nrpe", &["nrpe", "active", "passive"], "a kind of check", out);
    let worse = match choice(ast.worse.as_ref(), "higher", &["higher", "lower"], "a direction", out) {
        Some("lower") => Worse::Lower,
        _ => Worse::Higher,
    };
    let given = thresholds(None, &ast.warning, &ast.critical, out);
    inverted(&given, worse, out);
    let notes = ast.notes.as_ref().filter(|text| plain_line(text, "a note", out)).map(|text| text.value.clone());
    let interval = ast.interval.as_ref();
    let interval = interval.and_then(|text| duration(text, MINUTES_HOURS, MINUTE..=24 * HOUR, "5m", out));
    let freshness = ast.freshness.as_ref();
    let fresh = freshness.and_then(|text| duration(text, MINUTES_DAYS, MINUTE..=90 * DAY, "26h", out));
    let packages = packages(ast.depends.as_ref(), out);
    let user = ast.user.as_ref().map(|text| account(Some(text), "user", out)).filter(|user| user.as_str() != "nagios");
    let command = ast.command.as_ref().and_then(|text| command(text, kind == Some("active"), out));
    let contacts = contacts(ast.contacts.as_ref(), site.facts, out);
    let label = name.map_or("the check".to_owned(), |name| format!("the check {}", name.value));
    let mut misplaced = |key: &str, span: Span, why: &str| {
        out.push(
            Diagnostic::new(&rules::check_kind_keys::RULE, format!("{label} has `{key}`, {why}"))
                .at(span, "")
                .help("remove the line, or write another `kind`"),
        );
    };
    let span_of = |measure: &Option<Measure>| measure.as_ref().map(|measure| measure.0.span);
    if kind == Some("passive") {
        let keys = [
            ("command", ast.command.as_ref().map(|text| text.span)),
            ("user", ast.user.as_ref().map(|text| text.span)),
            ("warning", span_of(&ast.warning)),
            ("critical", span_of(&ast.critical)),
            ("interval", ast.interval.as_ref().map(|text| text.span)),
        ];
        for (key, span) in keys.into_iter().filter_map(|(key, span)| Some((key, span?))) {
            misplaced(key, span, "but nobody runs a passive one: the machine tells by itself");
        }
    }
    if let (Some("active"), Some(user)) = (kind, &ast.user) {
        misplaced("user", user.span, "but an active one runs on the monitoring server, as nagios");
    }
    if let (Some("nrpe" | "active"), Some(text)) = (kind, freshness) {
        misplaced("freshness", text.span, "which is for passive ones: this one is asked");
    }
    let kind = match kind? {
        "passive" => {
            if freshness.is_none() {
                out.push(missing(
                    &label,
                    "freshness",
                    "\"26h\"",
                    "a passive one that says nothing has to be missed",
                    ast.span,
                ));
            }
            CheckKind::Passive { freshness: fresh? }
        }
        _ if ast.command.is_none() => {
            out.push(missing(&label, "command", "\"/usr/lib/nagios/plugins/…\"", "there is nothing to run", ast.span));
            return None;
        }
        "active" => CheckKind::Active(command?),
        _ => CheckKind::Nrpe { command: command?, user },
    };
    let check = Check { name: name?.clone(), kind, thresholds: given, worse, contacts, interval, notes, packages };
    placeholders(&check, out);
    Some(check)
}

fn missing(label: &str, key: &str, example: &str, why: &str, span: Span) -> Diagnostic {
    Diagnostic::new(&rules::check_kind_keys::RULE, format!("{label} has no `{key}`: {why}"))
        .at(span, format!("\"{key}\" is missing here"))
        .help(format!("add {key} = {example}"))
}

pub fn choice<'v>(
    text: Option<&Text>,
    default: &'v str,
    values: &[&'v str],
    what: &str,
    out: &mut Vec<Diagnostic>,
) -> Option<&'v str> {
    let Some(text) = text else { return Some(default) };
    let found = values.iter().find(|value| **value == text.value).copied();
    if found.is_none() {
        out.push(
            Diagnostic::new(&rules::invalid_choice::RULE, format!("\"{}\" is not {what}", text.value.escape_debug()))
                .at(text.span, "")
                .help(match nearest(&text.value, values.iter().copied()) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => format!("write one of {}", values.join(", ")),
                }),
        );
    }
    found
}

pub(super) fn packages(list: Option<&Texts>, out: &mut Vec<Diagnostic>) -> Vec<PackageName> {
    let Some(list) = list else { return Vec::new() };
    duplicates(list, "the package", out);
    list.value.iter().filter_map(|text| relations::package_name(text, out)).map(|name| name.value).collect()
}

/// What is in `{}` in a command, and in those of which kind.
const PLACES: [(&str, bool); 4] = [("warning", false), ("critical", false), ("address", true), ("fqdn", true)];

/// Splits a command as a shell would, without being one.
fn command(text: &Text, active: bool, out: &mut Vec<Diagnostic>) -> Option<CheckCommand> {
    if !one_line(text, "the command of a check", out) {
        return None;
    }
    let value = text.value.as_str();
    let mut fault = |range: std::ops::Range<usize>, message: String, help: &str| {
        out.push(Diagnostic::new(&rules::check_characters::RULE, message).at(text.part(range), "").help(help));
        None
    };
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<(usize, char)> = None;
    for (at, c) in value.char_indices() {
        let here = at..at + c.len_utf8();
        if INJECTING.contains(&c) && (c != '|' || quote.is_none()) {
            return fault(
                here,
                format!("the command of a check can't hold {c:?}"),
                "put the command into a script that the role ships ([[file]]), and write its path here",
            );
        }
        match quote {
            Some((_, mark)) if c == mark => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if c == '"' || c == '\'' => {
                quote = Some((at, c));
                word.get_or_insert_default();
            }
            None if c == ' ' => words.extend(word.take()),
            None if "&<>()*?~#[]".contains(c) => {
                return fault(
                    here,
                    format!("no shell runs the command of a check: {c:?} means nothing in it"),
                    "put the argument in quotes if it is meant as it stands, else the command into a script that the role ships",
                );
            }
            None => word.get_or_insert_default().push(c),
        }
    }
    if let Some((at, _)) = quote {
        return fault(at..at + 1, "a quote in the command of a check is never closed".into(), "close it");
    }
    words.extend(word);
    for word in &words {
        for (at, _) in word.match_indices('{') {
            let name = word[at + 1..].split_once('}').map(|(name, _)| name);
            let known = PLACES.iter().find(|(place, _)| Some(*place) == name);
            if known.is_none_or(|(_, of_active)| *of_active && !active) {
                let shown = name.map_or("{".to_owned(), |name| format!("{{{name}}}"));
                let start = value.find(&shown).unwrap_or(0);
                let help = match known {
                    Some(_) => {
                        "leave it out: the machine itself runs the command; kind = \"active\" has the monitoring server run it"
                    }
                    None if active => "write {warning}, {critical}, {address} or {fqdn}",
                    None => "write {warning} or {critical}",
                };
                return fault(
                    start..start + shown.len(),
                    format!("\"{shown}\" stands for nothing in this command"),
                    help,
                );
            }
        }
    }
    let Some(program) = words.first() else {
        out.push(
            Diagnostic::new(&rules::empty_text::RULE, "the command of a check is empty")
                .at(text.span, "nothing to run")
                .help("write a plugin's path and its arguments"),
        );
        return None;
    };
    if crate::names::MachinePath::parse(program).is_err() {
        let length = value.find(' ').unwrap_or(value.len());
        let plain = program.rsplit('/').next().unwrap_or(program);
        let help = match plugins::somewhere(plugins::NAGIOS, plain) {
            Some(_) => format!("write \"{}/{plain}\"", plugins::NAGIOS),
            None => "write the whole path of the program".to_owned(),
        };
        out.push(
            Diagnostic::new(
                &rules::unknown_plugin::RULE,
                format!("\"{}\" is no absolute path of a program", program.escape_debug()),
            )
            .at(text.part(0..length), "")
            .help(help),
        );
        return None;
    }
    Some(CheckCommand { words, span: text.span })
}

/// Thresholds without a place in the command, and places without a threshold.
fn placeholders(check: &Check, out: &mut Vec<Diagnostic>) {
    let Some(command) = check.command() else { return };
    let parts = [("warning", &check.thresholds.warning), ("critical", &check.thresholds.critical)];
    for (name, value) in parts {
        match (command.uses(name), value) {
            (true, None) => out.push(
                Diagnostic::new(
                    &rules::threshold_without_place::RULE,
                    format!("the check {} does not say what {{{name}}} is", check.name.value),
                )
                .at(command.span, "")
                .help(format!("add {name} = NUMBER")),
            ),
            (false, Some(value)) => out.push(
                Diagnostic::new(
                    &rules::threshold_without_place::RULE,
                    format!("the command of the check {} never uses {{{name}}}", check.name.value),
                )
                .at(value.span, "without effect")
                .also(command.span, "the command")
                .help(format!("write {{{name}}} in the command, or remove the line")),
            ),
            _ => {}
        }
    }
}
