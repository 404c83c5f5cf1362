//! Records that can't stand beside each other, or beside what is published.

use super::manifest::{Manifest, PackageRecord};
use crate::diagnostics::{Diagnostic, rules};
use std::collections::BTreeMap;

/// Two records of one set that want the same file, with other contents.
pub(super) fn clashes(packages: &[PackageRecord]) -> Vec<Diagnostic> {
    let mut seen: BTreeMap<&str, &PackageRecord> = BTreeMap::new();
    let mut found = Vec::new();
    for record in packages {
        if let Some(other) = seen.insert(&record.filename, record)
            && other.sha256 != record.sha256
        {
            found.push(
                Diagnostic::new(
                    &rules::version_republished::RULE,
                    format!("{} {} comes twice, with different contents", record.name, record.version),
                )
                .help("keep one of them, or give one a higher version"),
            );
        }
    }
    found
}

/// Records whose version was published with other contents.
pub(super) fn republished(head: &Manifest, packages: &[PackageRecord]) -> Vec<Diagnostic> {
    let mut known: BTreeMap<&str, &str> = head.retained.iter().map(|r| (r.path.as_str(), r.sha256.as_str())).collect();
    known.extend(head.packages.iter().map(|r| (r.filename.as_str(), r.sha256.as_str())));
    packages
        .iter()
        .filter(|record| known.get(record.filename.as_str()).is_some_and(|&sha256| sha256 != record.sha256))
        .map(|record| {
            Diagnostic::new(
                &rules::version_republished::RULE,
                format!("{} {} was published with other contents", record.name, record.version),
            )
            .help("give the changed contents a higher version")
        })
        .collect()
}
