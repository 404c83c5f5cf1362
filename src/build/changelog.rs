//! The changelog that each package carries (deb-changelog(5)): a new entry on top of those of the published version.

use crate::names::{Codename, PackageName};

/// How many entries a changelog keeps, the new one counted.
pub const ENTRIES: usize = 20;
/// How many items an entry lists before it says "and N more".
const ITEMS: usize = 100;
const COLUMNS: usize = 79;

/// What stands in the head and foot of an entry.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    pub name: &'a PackageName,
    pub version: &'a str,
    pub releases: &'a [Codename],
    /// `Name <mail@address>`.
    pub maintainer: &'a str,
    /// Seconds since 1970 UTC.
    pub time: i64,
}

/// The whole changelog: a new entry, one bullet for each item, then the newest of `earlier`'s entries.
pub fn write(head: Head<'_>, items: &[String], earlier: &str) -> String {
    let releases: Vec<&str> = head.releases.iter().map(Codename::as_str).collect();
    let mut out = format!("{} ({}) {}; urgency=medium\n\n", head.name, head.version, releases.join(" "));
    for item in items.iter().take(ITEMS) {
        bullet(&mut out, item);
    }
    if items.len() > ITEMS {
        bullet(&mut out, &format!("And {} more.", items.len() - ITEMS));
    }
    out.push_str(&format!("\n -- {}  {}\n", head.maintainer, date(head.time)));
    for entry in entries(earlier).take(ENTRIES - 1) {
        out.push('\n');
        out.push_str(entry.trim_end());
        out.push('\n');
    }
    // All of a build's are kept until their packages are made.
    out.shrink_to_fit();
    out
}

/// `  * text`, filled to 79 columns; a word that is longer has a line of its own.
fn bullet(out: &mut String, text: &str) {
    out.push_str("  *");
    let mut column = 3;
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if column + 1 + width > COLUMNS && column > 4 {
            out.push_str("\n   ");
            column = 3;
        }
        out.push(' ');
        out.push_str(word);
        column += 1 + width;
    }
    out.push('\n');
}

/// The entries of a changelog, newest first: each begins with a line that has no white space before it.
fn entries(text: &str) -> impl Iterator<Item = &str> {
    let mut starts: Vec<usize> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if !line.starts_with([' ', '\t', '\n', '\r']) {
            starts.push(at);
        }
        at += line.len();
    }
    starts.push(text.len());
    (1..starts.len()).map(move |i| &text[starts[i - 1]..starts[i]])
}

/// RFC 5322, UTC: `Sun, 22 Nov 2026 13:24:12 +0000`.
pub fn date(time: i64) -> String {
    let time = jiff::Timestamp::from_second(time).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.to_zoned(jiff::tz::TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

/// When an item was told last, newest entry first, and the oldest entry's date where it is in none: that is as far as the
/// changelog goes back. Dates as RFC 5322 writes them; None where there is no entry.
pub fn told(text: &str, item: &str) -> Option<(bool, i64)> {
    let time = |entry: &str| {
        let foot = entry.lines().find_map(|line| line.strip_prefix(" -- "))?;
        let zoned = jiff::fmt::rfc2822::parse(foot.rsplit_once("  ")?.1).ok()?;
        Some(zoned.timestamp().as_second())
    };
    let mut oldest = None;
    for entry in entries(text) {
        let unfilled = entry.replace("\n   ", "");
        let when = time(entry);
        if unfilled.lines().any(|line| line.strip_prefix("  * ") == Some(item)) {
            return when.map(|when| (true, when));
        }
        oldest = when.or(oldest);
    }
    // The entry that began the package has no items of its own; one that was left out for its age had an older one.
    let first = text.contains("  * First version.") || text.contains("  * Back in the fleet.");
    oldest.map(|when| (first, when))
}
