//! When somebody hears of problems: `[monitoring.periods]`.

use crate::diagnostics::{Diagnostic, rules};
use crate::model::monitoring::{DAYS, Period};
use crate::near::nearest;
use crate::schema::{Named, Text, ast};
use crate::source::Spanned;
use std::collections::BTreeMap;

pub(super) fn known_period(
    text: Option<&Text>,
    periods: Option<&Named<ast::Period>>,
    out: &mut Vec<Diagnostic>,
) -> Option<Spanned<String>> {
    let text = text?;
    let names = periods.iter().flat_map(|named| &named.0).map(|(name, _)| name.value.as_str());
    if names.clone().any(|name| name == text.value) {
        return Some(text.clone());
    }
    out.push(
        Diagnostic::new(&rules::unknown_period::RULE, format!("there is no period \"{}\"", text.value.escape_debug()))
            .at(text.span, "")
            .help(match nearest(&text.value, names) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => {
                    format!("add [monitoring.periods.{}], or remove the line: always, then", text.value.escape_debug())
                }
            }),
    );
    None
}

pub(super) fn period(name: &Text, ast: &ast::Period, out: &mut Vec<Diagnostic>) -> Period {
    let mut days: BTreeMap<u8, Vec<String>> = BTreeMap::new();
    for text in ast.days.iter().flat_map(|list| &list.value) {
        match times(&text.value) {
            Ok((which, times)) => {
                for day in which {
                    days.entry(day).or_default().extend(times.iter().cloned());
                }
            }
            Err(problem) => out.push(
                Diagnostic::new(
                    &rules::invalid_period::RULE,
                    format!("\"{}\" is no time of the week: {problem}", text.value.escape_debug()),
                )
                .at(text.span, "")
                .help("write days and times, such as \"monday-friday 09:00-17:30\" or \"sunday 00:00-24:00\""),
            ),
        }
    }
    if let Some(list) = ast.days.as_ref().filter(|list| list.value.is_empty()) {
        out.push(
            Diagnostic::new(&rules::invalid_period::RULE, "a period without days is never")
                .at(list.span, "")
                .help("write days and times, such as \"monday-friday 09:00-17:30\""),
        );
    }
    for times in days.values_mut() {
        times.sort();
        times.dedup();
    }
    Period { days, span: name.span }
}

/// `monday-friday 09:00-12:00,13:00-17:30`.
fn times(text: &str) -> Result<(Vec<u8>, Vec<String>), String> {
    let (days, times) = text.split_once(' ').ok_or("it has no times")?;
    let day = |name: &str| match DAYS.iter().position(|day| *day == name) {
        Some(day) => Ok(day as u8),
        None => Err(match nearest(name, DAYS) {
            Some(near) => format!("\"{}\" is not a day; is it \"{near}\"?", name.escape_debug()),
            None => format!("\"{}\" is not a day", name.escape_debug()),
        }),
    };
    let (first, last) = match days.split_once('-') {
        Some((first, last)) => (day(first)?, day(last)?),
        None => (day(days)?, day(days)?),
    };
    let mut which = vec![first];
    while which.last() != Some(&last) {
        which.push((which[which.len() - 1] + 1) % 7);
    }
    let clock = |text: &str| -> Option<u32> {
        let (hours, minutes) = text.split_once(':')?;
        let digits = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        let (hours, minutes): (u32, u32) =
            (digits(hours).then(|| hours.parse().ok())??, digits(minutes).then(|| minutes.parse().ok())??);
        (minutes < 60 && hours * 60 + minutes <= 24 * 60).then_some(hours * 60 + minutes)
    };
    let mut ranges = Vec::new();
    for range in times.split(',') {
        let parsed = range.split_once('-').and_then(|(from, to)| Some((clock(from)?, clock(to)?)));
        match parsed {
            Some((from, to)) if from < to => ranges.push(range.to_owned()),
            Some(_) => return Err(format!("\"{range}\" ends before it begins")),
            None => return Err(format!("\"{}\" is not from one time to another", range.escape_debug())),
        }
    }
    Ok((which, ranges))
}
