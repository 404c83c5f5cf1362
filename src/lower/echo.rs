//! What lowering has against a tree that was understood in part only, without what follows from the mistakes that are
//! known already: a value that is unknown because its line could not be read, a clash of two roles whose `conflicts`
//! was misspelt.

use super::{Keyring, lower};
use crate::diagnostics::{Diagnostic, rules};
use crate::model::Model;
use crate::source::{FileId, Sources, Span};
use std::collections::BTreeSet;

/// Rules that are about the values of templates.
const OF_VALUES: &[&str] = &[
    rules::unknown_template_value::RULE.code,
    rules::host_value_missing::RULE.code,
    rules::template_failed::RULE.code,
];

/// Mistakes after which the file may have meant to name a value, so that nothing can be said of one that it may name.
const VALUES_LOST: &[&str] = &[
    rules::duplicate_key::RULE.code,
    rules::invalid_value_name::RULE.code,
    rules::reserved_value_name::RULE.code,
    rules::toml_syntax::RULE.code,
    rules::unknown_key::RULE.code,
    rules::wrong_type::RULE.code,
];

/// Mistakes after which it is not known with what the file's package can be installed together.
const RELATIONS_LOST: &[&str] = &[
    rules::alternatives_not_allowed::RULE.code,
    rules::architecture_restriction::RULE.code,
    rules::build_profile::RULE.code,
    rules::invalid_operator::RULE.code,
    rules::invalid_package_name::RULE.code,
    rules::invalid_relation::RULE.code,
    rules::invalid_version::RULE.code,
    rules::provides_needs_equals::RULE.code,
    rules::self_relation::RULE.code,
    rules::unknown_fleet_package::RULE.code,
    rules::unknown_key::RULE.code,
    rules::unknown_role::RULE.code,
    rules::wrong_type::RULE.code,
];

/// Mistakes after which nothing that a file says can be relied on.
const GARBLED: &[&str] = &[rules::toml_syntax::RULE.code, rules::duplicate_key::RULE.code];

/// Rules about who needs which secret: of a tree that was understood in part, that is not known.
const OF_SECRETS: &[&str] = &[
    rules::secret_not_for_machine::RULE.code,
    rules::secret_not_set::RULE.code,
    rules::secret_recipients::RULE.code,
    rules::secret_unused::RULE.code,
    rules::secret_without_administrator::RULE.code,
    rules::secret_without_host_key::RULE.code,
    rules::secrets_elsewhere::RULE.code,
];

/// Rules about which machine's backups go where: likewise.
const OF_BACKUPS: &[&str] = &[
    rules::backup_job_twice::RULE.code,
    rules::backup_only_at_home::RULE.code,
    rules::backup_without_host_key::RULE.code,
    rules::backup_without_recovery::RULE.code,
    rules::no_backup_server::RULE.code,
];

/// Rules about what of the monitoring belongs together: likewise.
const OF_MONITORING: &[&str] = &[
    rules::check_without_contact::RULE.code,
    rules::check_without_server::RULE.code,
    rules::contact_without_mail::RULE.code,
    rules::contacts_unreachable::RULE.code,
    rules::machine_without_host_key::RULE.code,
    rules::server_without_address::RULE.code,
    rules::unknown_check::RULE.code,
];

/// What lowering finds, but for the echo of `known`: what reading and resolving found.
pub fn lower_in_part(model: &Model, keyring: &Keyring, known: &[Diagnostic], sources: &Sources) -> Vec<Diagnostic> {
    let known = Known { errors: known.iter().filter(|d| d.is_error()).collect(), sources };
    let (_, found) = lower(model, keyring);
    found.into_iter().filter(|diagnostic| !known.explain(diagnostic)).collect()
}

struct Known<'a> {
    errors: Vec<&'a Diagnostic>,
    sources: &'a Sources,
}

impl Known<'_> {
    /// The files with an error of one of these rules.
    fn files(&self, codes: &[&str]) -> BTreeSet<FileId> {
        let those = self.errors.iter().filter(|error| codes.contains(&error.rule.code));
        those.filter_map(|error| error.primary.as_ref().map(|label| label.span.file)).collect()
    }

    fn explain(&self, diagnostic: &Diagnostic) -> bool {
        let others: Vec<Span> = diagnostic.secondary.iter().map(|label| label.span).collect();
        let places: Vec<Span> = diagnostic.primary.iter().map(|label| label.span).chain(others.clone()).collect();
        let among = |files: BTreeSet<FileId>, places: &[Span]| places.iter().any(|span| files.contains(&span.file));
        // Of the same place something is told already.
        let told = self.errors.iter().any(|error| {
            let mut labels = error.primary.iter().chain(&error.secondary);
            labels.any(|label| label.span.start < label.span.end && places.contains(&label.span))
        });
        // A file that could not be read as text may have said anything.
        let unread = self.errors.iter().any(|error| error.primary.is_none() && error.path.is_some());
        if [OF_SECRETS, OF_BACKUPS, OF_MONITORING].iter().any(|codes| codes.contains(&diagnostic.rule.code)) {
            return true;
        }
        if told || among(self.files(GARBLED), &places) {
            return true;
        }
        if OF_VALUES.contains(&diagnostic.rule.code) {
            let wrong: BTreeSet<FileId> =
                self.errors.iter().filter_map(|error| error.primary.as_ref().map(|label| label.span.file)).collect();
            return unread || among(wrong, &others) || self.may_be_named(diagnostic);
        }
        !others.is_empty() && (unread || among(self.files(RELATIONS_LOST), &places))
    }

    /// Whether a file whose values are lost mentions one of the names that are marked.
    fn may_be_named(&self, diagnostic: &Diagnostic) -> bool {
        let Some(primary) = &diagnostic.primary else { return true };
        let marked = self.sources.snippet(primary.span);
        let names = words(marked).filter(|name| !["fleet", "host", "release", "role"].contains(name));
        let names: BTreeSet<&str> = names.collect();
        let lost = self.files(VALUES_LOST);
        lost.into_iter().any(|file| words(self.sources.text(file)).any(|word| names.contains(word)))
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
}
