use crate::diagnostics::{Rule, Severity};

pub static RULE: Rule = Rule {
    code: "clock-implausible",
    severity: Severity::Error,
    summary: "the time of the build lies outside the years 1970 to 9999",
    explanation: "\
Versions begin with the date of the build and files in packages carry its time. The clock, or what was given as the time,
is no date that can be written.

Refused:   a clock in the year 1960 or 30000.
Accepted:  the clock set (`timedatectl`), or a time given in seconds since 1970.",
};
