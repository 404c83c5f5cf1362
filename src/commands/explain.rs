//! `debrole explain CODE`: what a diagnostic means.

use super::{Failure, Outcome};
use crate::cli::Explain;
use crate::reporter::Reporter;
use debrole::diagnostics::{Rule, Severity, rules};

pub fn run(args: &Explain, reporter: &Reporter) -> Outcome {
    let Some(code) = &args.code else {
        let width = rules::ALL.iter().map(|rule| rule.code.len()).max().unwrap_or(0);
        for rule in rules::ALL {
            reporter.result(format_args!("{:width$}  {}", rule.code, rule.summary));
        }
        reporter.member("rules", rules::ALL.iter().map(|rule| json(rule)).collect::<Vec<_>>());
        return Ok(());
    };
    let Some(rule) = rules::find(code) else {
        let near = rules::ALL
            .iter()
            .max_by(|a, b| strsim::jaro_winkler(a.code, code).total_cmp(&strsim::jaro_winkler(b.code, code)));
        reporter.refusal(&format!(
            "there is no diagnostic {code:?}; the nearest is {:?} (`debrole explain` lists all)",
            near.map_or("", |rule| rule.code)
        ));
        return Err(Failure::Wrong);
    };
    reporter.result(format_args!(
        "{} ({}): {}\n\n{}",
        rule.code,
        severity(rule),
        rule.summary,
        rule.explanation.trim_end()
    ));
    reporter.member("rule", json(rule));
    Ok(())
}

fn severity(rule: &Rule) -> &'static str {
    match rule.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn json(rule: &Rule) -> serde_json::Value {
    serde_json::json!({
        "code": rule.code,
        "severity": severity(rule),
        "summary": rule.summary,
        "explanation": rule.explanation,
    })
}
