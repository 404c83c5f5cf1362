//! Things that a machine has one of: a unit's state, a kernel parameter, an environment variable, an answer to
//! debconf, a system account. Two packages that can meet may not set one differently.

use super::meeting::{Meeting, Party};
use crate::diagnostics::{Diagnostic, Rule, rules};
use crate::model::{Content, Model, ServiceState};
use crate::names::{Codename, PackageName};
use crate::source::Span;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Service,
    Sysctl,
    Environment,
    Debconf,
    Account,
}

impl Kind {
    fn rule(self) -> &'static Rule {
        match self {
            Self::Service => &rules::service_state_clash::RULE,
            Self::Sysctl => &rules::sysctl_clash::RULE,
            Self::Environment => &rules::environment_clash::RULE,
            Self::Debconf => &rules::debconf_clash::RULE,
            Self::Account => &rules::account_clash::RULE,
        }
    }
    /// Whether a host may say otherwise than a role. Of answers to debconf nobody knows which comes last, and an account
    /// is as it was first made.
    fn host_wins(self) -> bool {
        !matches!(self, Self::Debconf | Self::Account)
    }
}

struct Setting<'m> {
    value: String,
    span: Span,
    release: &'m Codename,
    package: PackageName,
    party: Party<'m>,
}

type Settings<'m> = BTreeMap<(Kind, String), Vec<Setting<'m>>>;

/// All settings that clash.
pub fn check<'m>(model: &'m Model, meeting: &Meeting<'m>) -> Vec<Diagnostic> {
    let mut settings = Settings::new();
    for (name, role) in &model.roles {
        for (release, content) in &role.contents {
            collect(&mut settings, content, release, &model.fleet.prefix.role_package(name), Party::Role(role));
        }
    }
    for (name, host) in &model.hosts {
        let package = model.fleet.prefix.host_package(name);
        collect(&mut settings, &host.content, &host.release.value, &package, Party::Host(host));
    }
    let mut diagnostics = Vec::new();
    for ((kind, key), all) in &settings {
        // Those of one mind are kept together: thousands of roles may want the same.
        let mut minds: BTreeMap<&str, Vec<&Setting<'_>>> = BTreeMap::new();
        for one in all {
            let others = minds.iter().filter(|(value, _)| **value != one.value).flat_map(|(_, all)| all);
            let clashing = others.filter(|other| clash(*kind, one, other, meeting));
            if let Some(other) = clashing.min_by_key(|other| &other.package) {
                diagnostics.push(report(*kind, key, one, other));
            }
            minds.entry(&one.value).or_default().push(one);
        }
    }
    diagnostics
}

/// Whether two different values are a clash.
fn clash<'m>(kind: Kind, a: &Setting<'m>, b: &Setting<'m>, meeting: &Meeting<'m>) -> bool {
    if a.release != b.release {
        return false;
    }
    if a.package == b.package {
        return true;
    }
    let apart = matches!((a.party, b.party), (Party::Host(_), Party::Role(_)) | (Party::Role(_), Party::Host(_)));
    !(apart && kind.host_wins()) && meeting.can_meet(a.party, b.party, a.release)
}

fn collect<'m>(
    settings: &mut Settings<'m>,
    content: &'m Content,
    release: &'m Codename,
    package: &PackageName,
    party: Party<'m>,
) {
    let mut set = |kind, key: String, value: String, span| {
        settings.entry((kind, key)).or_default().push(Setting {
            value,
            span,
            release,
            package: package.clone(),
            party,
        });
    };
    for service in &content.services {
        let state = match service.state {
            ServiceState::Enabled => "enabled",
            ServiceState::Disabled => "disabled",
            ServiceState::Masked => "masked",
            ServiceState::Unchanged => continue,
        };
        set(Kind::Service, service.unit.to_string(), state.into(), service.unit.span);
    }
    for unit in content.units.iter().filter(|unit| unit.enable) {
        set(Kind::Service, unit.name.to_string(), "enabled".into(), unit.name.span);
    }
    for (key, value) in &content.sysctl {
        // systemd-sysctl takes both separators (sysctl.d(5)).
        set(Kind::Sysctl, key.replace('/', "."), value.value.clone(), value.span);
    }
    for (name, value) in &content.environment {
        set(Kind::Environment, name.clone(), value.value.clone(), value.span);
    }
    for account in &content.accounts {
        let value = format!("{} {} {:?}", account.home, account.shell, account.description);
        set(Kind::Account, account.name.to_string(), value, account.name.span);
    }
    for answer in &content.debconf {
        let key = format!("{} {}", answer.package.value, answer.question.value);
        set(Kind::Debconf, key, format!("{} {}", answer.kind, answer.value.value), answer.question.span);
    }
}

fn report(kind: Kind, key: &str, one: &Setting<'_>, other: &Setting<'_>) -> Diagnostic {
    let (a, b) = (&other.package, &one.package);
    let (mine, theirs) = (&one.value, &other.value);
    let message = match kind {
        Kind::Service if a == b => format!("{a} wants {key} both {theirs} and {mine}"),
        Kind::Service => format!("{a} wants {key} {theirs}, {b} wants it {mine}"),
        Kind::Sysctl => format!("{a} sets {key} to {theirs}, {b} to {mine}"),
        Kind::Environment => format!("{a} sets {key} to {theirs:?}, {b} to {mine:?}"),
        Kind::Account => format!("{a} makes the account {key} with {theirs}, {b} with {mine}"),
        Kind::Debconf => format!("{a} answers {key} with {theirs:?}, {b} with {mine:?}"),
    };
    let diagnostic = Diagnostic::new(kind.rule(), message)
        .at(one.span, format!("{mine} here"))
        .also(other.span, format!("{theirs} here"));
    if a == b {
        diagnostic.help("remove one of them")
    } else {
        diagnostic.help(format!("let one package decide, or let them exclude each other: conflicts = [\"{a}\"]"))
    }
}
