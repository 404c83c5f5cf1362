//! Release files: the text that is signed. Pure.

use super::COMPONENT;
use super::manifest::{FileHash, Manifest};
use crate::names::Codename;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The text of a suite's Release file, as apt's documentation and the wiki's "DebianRepository/Format" have it.
///
/// - `Date` and `Valid-Until` are in UTC, written `UTC`.
/// - Origin, Label, Suite and Codename never change: apt refuses a repository in which they do.
/// - Only SHA256: MD5 and SHA-1 are no use to anybody who reads it.
/// - The uncompressed Packages is listed too; with the compressed ones alone apt finds no packages and says nothing.
/// - Architectures are the fleet's; packages for all are in each index, so `all` is not listed.
pub fn release(manifest: &Manifest, suite: &Codename, files: &BTreeMap<String, FileHash>) -> String {
    let architectures: Vec<&str> = manifest.architectures.iter().map(|a| a.as_str()).collect();
    let mut text = format!(
        "Origin: {}\nLabel: {}\nSuite: {suite}\nCodename: {suite}\nDate: {}\nValid-Until: {}\nAcquire-By-Hash: yes\n\
         Architectures: {}\nComponents: {COMPONENT}\nDescription: {} for Debian {suite}\nSHA256:\n",
        manifest.origin,
        manifest.label,
        date(manifest.date),
        date(manifest.valid_until),
        architectures.join(" "),
        manifest.label,
    );
    for (path, hash) in files {
        let _ = writeln!(text, " {} {:>9} {path}", hash.sha256, hash.size);
    }
    text
}

/// A time as Release files have it: `Sun, 22 Nov 2026 13:24:24 UTC`. `time` in seconds since 1970 UTC.
pub fn date(time: i64) -> String {
    let time = jiff::Timestamp::from_second(time).unwrap_or(jiff::Timestamp::MAX);
    time.strftime("%a, %d %b %Y %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_in_utc_with_english_names() {
        assert_eq!(date(0), "Thu, 01 Jan 1970 00:00:00 UTC");
        assert_eq!(date(1_795_354_464), "Sun, 22 Nov 2026 13:34:24 UTC");
    }
}
