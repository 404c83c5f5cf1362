//! From what on a check warns, and from what on it is critical.

use crate::diagnostics::{Diagnostic, rules};
use crate::model::monitoring::{Thresholds, Worse};
use crate::schema::Measure;
use crate::source::Span;

pub(super) fn thresholds(
    key: Option<Span>,
    warning: &Option<Measure>,
    critical: &Option<Measure>,
    out: &mut Vec<Diagnostic>,
) -> Thresholds {
    let mut part = |measure: &Option<Measure>| {
        let Measure(text) = measure.as_ref()?;
        let plain = |c: char| c.is_ascii_alphanumeric() || ".,:~@%+-".contains(c);
        let fits = !text.value.is_empty()
            && text.value.len() <= 100
            && text.value.chars().all(plain)
            && text.value.contains(|c: char| c.is_ascii_digit());
        if !fits {
            out.push(
                Diagnostic::new(
                    &rules::invalid_threshold::RULE,
                    format!("\"{}\" can't be a threshold", text.value.escape_debug()),
                )
                .at(text.span, "")
                .help(
                    "write a number such as 10, several such as \"5,4,3\", or a range of the plugin's such as \"1:50\"",
                ),
            );
            return None;
        }
        Some(text.clone())
    };
    Thresholds { key, warning: part(warning), critical: part(critical) }
}

/// The checks that every machine has compare plain numbers.
pub(super) fn plain_numbers(given: &Thresholds, out: &mut Vec<Diagnostic>) {
    for text in [&given.warning, &given.critical].into_iter().flatten() {
        if text.value.parse::<f64>().is_err()
            || text.value.starts_with(['-', '+'])
            || text.value.contains(['e', 'E', 'n'])
        {
            out.push(
                Diagnostic::new(
                    &rules::invalid_threshold::RULE,
                    format!("\"{}\" is not a number from 0 on", text.value.escape_debug()),
                )
                .at(text.span, "")
                .help("write a number such as 10 or 0.5"),
            );
        }
    }
}

/// Where both are said at one place and the warning would come after the critical one.
pub(super) fn inverted(given: &Thresholds, worse: Worse, out: &mut Vec<Diagnostic>) {
    out.extend(inversion(given, worse));
}

/// The error where the warning would come after the critical one.
pub(super) fn inversion(given: &Thresholds, worse: Worse) -> Option<Diagnostic> {
    let (warning, critical) = (given.warning.as_ref()?, given.critical.as_ref()?);
    if !worse.is_inverted(&warning.value, &critical.value)? {
        return None;
    }
    let side = worse.word();
    let message = format!(
        "WARNING from {} on and CRITICAL from {} on: it would never be a mere warning, because {side} is worse",
        warning.value, critical.value
    );
    Some(
        Diagnostic::new(&rules::inverted_thresholds::RULE, message)
            .at(warning.span, "warning")
            .also(critical.span, "critical")
            .help(match worse {
                Worse::Higher => "exchange them; for a check in which a lower number is worse, write worse = \"lower\"",
                Worse::Lower => "exchange them",
            }),
    )
}
