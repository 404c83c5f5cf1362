//! What is asked about machines, by Nagios and by Munin, and who hears of the answers.

use super::{Content, Host, Model, Role};
use crate::names::{AccountName, GroupName, HostName, PackageName, RoleName};
use crate::source::{Span, Spanned};
use jiff::civil::Date;
use std::collections::BTreeMap;

/// `[monitoring]` of debrole.toml.
#[derive(Debug, Clone)]
pub struct Monitoring {
    pub contacts: Vec<Spanned<GroupName>>,
    /// Seconds from one check to the next.
    pub interval: u64,
    /// The same while a problem is not certain yet.
    pub retry: u64,
    /// After so many checks that found it a problem is certain.
    pub attempts: u32,
    /// Seconds from one notification of a problem to the next; 0: there is one only.
    pub repeat: u64,
    /// One of `periods`; None: always.
    pub period: Option<Spanned<String>>,
    pub flapping: bool,
    /// Whether plugins of Munin stay that munin-node's installation found useful and no role names.
    pub detected_plugins: bool,
    pub thresholds: BTreeMap<String, Thresholds>,
    pub escalations: Vec<Escalation>,
    pub periods: BTreeMap<String, Period>,
}

impl Default for Monitoring {
    fn default() -> Self {
        Monitoring {
            contacts: Vec::new(),
            interval: 300,
            retry: 60,
            attempts: 4,
            repeat: 14_400,
            period: None,
            flapping: true,
            detected_plugins: true,
            thresholds: BTreeMap::new(),
            escalations: Vec::new(),
            periods: BTreeMap::new(),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Escalation {
    pub after: u32,
    pub contacts: Vec<Spanned<GroupName>>,
    /// Seconds.
    pub repeat: Option<u64>,
    pub period: Option<Spanned<String>>,
}

/// Times of the week.
#[derive(Debug, Clone)]
pub struct Period {
    /// Days from 0, Sunday, to 6, and their times as Nagios has them: `09:00-17:30`.
    pub days: BTreeMap<u8, Vec<String>>,
    pub span: Span,
}

/// The days of the week as Nagios names them.
pub const DAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

/// From what on a check finds a problem: what of it is said at one place.
#[derive(Debug, Clone, Default)]
pub struct Thresholds {
    /// Where it is for something: the key of `[monitoring.thresholds]`.
    pub key: Option<Span>,
    pub warning: Option<Spanned<String>>,
    pub critical: Option<Spanned<String>>,
}

impl Thresholds {
    /// These with what another place, which takes precedence, says.
    pub fn under(&self, other: Option<&Thresholds>) -> Thresholds {
        let Some(other) = other else { return self.clone() };
        Thresholds {
            key: other.key.or(self.key),
            warning: other.warning.clone().or_else(|| self.warning.clone()),
            critical: other.critical.clone().or_else(|| self.critical.clone()),
        }
    }
    pub fn warning(&self) -> Option<&Spanned<String>> {
        self.warning.as_ref()
    }
    pub fn critical(&self) -> Option<&Spanned<String>> {
        self.critical.as_ref()
    }
    pub fn text(part: &Option<Spanned<String>>) -> &str {
        part.as_ref().map_or("", |text| text.value.as_str())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worse {
    Higher,
    Lower,
}

impl Worse {
    pub fn word(self) -> &'static str {
        match self {
            Worse::Higher => "higher",
            Worse::Lower => "lower",
        }
    }

    /// Whether a problem would be CRITICAL before it is WARNING. None where that can't be told: the two are of different
    /// kinds.
    pub fn is_inverted(self, warning: &str, critical: &str) -> Option<bool> {
        let (warnings, criticals): (Vec<&str>, Vec<&str>) =
            (warning.split(',').collect(), critical.split(',').collect());
        if warnings.len() != criticals.len() {
            return None;
        }
        let mut inverted = false;
        for (warning, critical) in warnings.into_iter().zip(criticals) {
            inverted |= match (measure(warning), measure(critical)) {
                (Some((warning, w)), Some((critical, c))) => {
                    w == c
                        && match self {
                            Worse::Higher => warning > critical,
                            Worse::Lower => warning < critical,
                        }
                }
                // All is well within a range, so that of CRITICAL has to reach at least as far.
                _ => {
                    let ((low, high), (lower, higher)) = (range(warning)?, range(critical)?);
                    lower > low || higher < high
                }
            };
        }
        Some(inverted)
    }
}

/// A number and its unit.
fn measure(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-')).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = Some(unit).filter(|unit| !unit.contains(':'))?;
    Some((number.parse().ok()?, unit))
}

/// `10:20`, `10:`, `~:20`.
fn range(text: &str) -> Option<(f64, f64)> {
    let (low, high) = text.split_once(':')?;
    let low = if low == "~" { f64::NEG_INFINITY } else { low.parse().ok()? };
    let high = if high.is_empty() { f64::INFINITY } else { high.parse().ok()? };
    Some((low, high))
}

/// A check that every machine has.
#[derive(Debug)]
pub struct Implied {
    pub name: &'static str,
    /// What is asked.
    pub summary: &'static str,
    /// What its thresholds count, which side is worse, and what they are where nobody says so. None: it has none.
    pub measure: Option<Measure>,
}

#[derive(Debug, Clone, Copy)]
pub struct Measure {
    pub unit: &'static str,
    pub worse: Worse,
    pub warning: &'static str,
    pub critical: &'static str,
}

/// Whether NRPE answers at all: what all the others depend on.
pub const NRPE: &str = "nrpe";
/// In `skip`: the machine is not monitored.
pub const EVERYTHING: &str = "all";

const fn measured(
    name: &'static str,
    summary: &'static str,
    unit: &'static str,
    worse: Worse,
    [warning, critical]: [&'static str; 2],
) -> Implied {
    Implied { name, summary, measure: Some(Measure { unit, worse, warning, critical }) }
}

/// The checks that every machine has, beside that it can be reached. `/usr/lib/<prefix>/check NAME WARNING CRITICAL` on
/// the machine makes them; but for the first.
pub const IMPLIED: [Implied; 11] = [
    Implied { name: NRPE, summary: "NRPE answers", measure: None },
    measured("clock", "the clock is right", "seconds", Worse::Higher, ["0.5", "2"]),
    measured("disk", "room and inodes on its file systems", "percent free", Worse::Lower, ["10", "5"]),
    measured(
        "drift",
        "managed files are as they should be",
        "hours since that was last looked at",
        Worse::Higher,
        ["36", "72"],
    ),
    measured("kernel", "the newest kernel runs", "days that a reboot is due", Worse::Higher, ["1", "14"]),
    measured("load", "load of 15 minutes", "processes for each CPU", Worse::Higher, ["2", "4"]),
    measured("memory", "memory that can be had", "percent", Worse::Lower, ["10", "5"]),
    measured("patcher", "unattended-upgrades works", "hours since its last success", Worse::Higher, ["36", "72"]),
    measured(
        "refresh",
        "packages of the fleet are refreshed",
        "hours since the last success",
        Worse::Higher,
        ["12", "26"],
    ),
    measured("units", "no unit of systemd has failed", "units", Worse::Higher, ["1", "1"]),
    measured("updates", "security updates are installed", "hours that one has waited", Worse::Higher, ["30", "72"]),
];

pub fn implied(name: &str) -> Option<&'static Implied> {
    IMPLIED.iter().find(|implied| implied.name == name)
}

/// `[[check]]`.
#[derive(Debug, Clone)]
pub struct Check {
    pub name: Spanned<String>,
    pub kind: CheckKind,
    pub thresholds: Thresholds,
    pub worse: Worse,
    /// Groups that hear of its problems; none: those of the role, else of the fleet.
    pub contacts: Vec<Spanned<GroupName>>,
    /// Seconds.
    pub interval: Option<u64>,
    pub notes: Option<String>,
    /// Packages that the command needs.
    pub packages: Vec<PackageName>,
}

#[derive(Debug, Clone)]
pub enum CheckKind {
    Nrpe {
        command: CheckCommand,
        /// Who runs it by sudo, where it is not nagios.
        user: Option<AccountName>,
    },
    Active(CheckCommand),
    /// Seconds after which it is missed.
    Passive {
        freshness: u64,
    },
}

impl Check {
    pub fn command(&self) -> Option<&CheckCommand> {
        match &self.kind {
            CheckKind::Nrpe { command, .. } | CheckKind::Active(command) => Some(command),
            CheckKind::Passive { .. } => None,
        }
    }
}

/// A program and its arguments. `{warning}` and the like are in the words as they are written.
#[derive(Debug, Clone)]
pub struct CheckCommand {
    pub words: Vec<String>,
    pub span: Span,
}

impl CheckCommand {
    /// As a shell reads it, with the values of `{name}` set in.
    pub fn text(&self, values: &[(&str, &str)]) -> String {
        let words = self.words.iter().map(|word| {
            let set =
                values.iter().fold(word.clone(), |word, (name, value)| word.replace(&format!("{{{name}}}"), value));
            quoted(&set)
        });
        words.collect::<Vec<_>>().join(" ")
    }

    pub fn uses(&self, name: &str) -> bool {
        self.words.iter().any(|word| word.contains(&format!("{{{name}}}")))
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// `[[munin]]`.
#[derive(Debug, Clone)]
pub struct MuninPlugin {
    /// The name of its link.
    pub name: Spanned<String>,
    /// What the link is to.
    pub target: String,
    pub user: Option<AccountName>,
    pub group: Option<AccountName>,
    pub env: BTreeMap<String, String>,
    pub packages: Vec<PackageName>,
}

/// `[monitoring]` of a role, and what it is for others.
#[derive(Debug, Clone, Default)]
pub struct RoleMonitoring {
    pub contacts: Vec<Spanned<GroupName>>,
    pub thresholds: BTreeMap<String, Thresholds>,
    pub nagios_server: Option<NagiosServer>,
    pub munin_server: Option<MuninServer>,
}

impl RoleMonitoring {
    pub fn is_server(&self) -> bool {
        self.nagios_server.is_some() || self.munin_server.is_some()
    }
}

#[derive(Debug, Clone)]
pub struct NagiosServer {
    pub notify: bool,
    pub span: Span,
}

#[derive(Debug, Clone)]
pub struct MuninServer {
    pub span: Span,
}

/// `[monitoring]` of a host.
#[derive(Debug, Clone, Default)]
pub struct HostMonitoring {
    pub contacts: Vec<Spanned<GroupName>>,
    pub parents: Vec<Spanned<HostName>>,
    pub thresholds: BTreeMap<String, Thresholds>,
    pub skips: Vec<Skip>,
}

#[derive(Debug, Clone)]
pub struct Skip {
    /// `disk`, `web/http` or `all`.
    pub check: Spanned<String>,
    pub reason: String,
    /// The last day.
    pub until: Spanned<Date>,
}

impl Host {
    pub fn skips(&self, check: &str) -> bool {
        self.monitoring.skips.iter().any(|skip| skip.check.value == check || skip.check.value == EVERYTHING)
    }
}

/// Whose a check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place<'m> {
    Role(&'m RoleName),
    Host,
}

impl Place<'_> {
    /// As `thresholds` and `skip` of a host name the check, and as Nagios does with ": " for the slash.
    pub fn key(&self, check: &str) -> String {
        format!("{}/{check}", self.word())
    }
    pub fn service(&self, check: &str) -> String {
        format!("{}: {check}", self.word())
    }
    /// NRPE's name of it. (No role's name has a `_`.)
    pub fn command(&self, check: &str) -> String {
        format!("{}_{check}", self.word())
    }
    fn word(&self) -> &str {
        match self {
            Place::Role(role) => role.as_str(),
            Place::Host => "host",
        }
    }
}

impl Model {
    /// The roles that a machine has, each with what it is on the machine's release.
    pub fn roles_of<'m>(&'m self, host: &'m Host) -> impl Iterator<Item = &'m Role> {
        let names = self.closure(host.roles.iter().map(|role| &role.value));
        names.into_iter().filter_map(|name| self.roles.get(name))
    }

    /// What its roles are on the machine's release, and what is its own.
    pub fn contents_of<'m>(&'m self, host: &'m Host) -> impl Iterator<Item = &'m Content> {
        let roles = self.roles_of(host).filter_map(|role| role.contents.get(&host.release.value));
        roles.map(AsRef::as_ref).chain([&host.content])
    }

    /// All `[[check]]` of a machine.
    pub fn checks<'m>(&'m self, host: &'m Host) -> impl Iterator<Item = (Place<'m>, &'m Check)> {
        let roles = self.roles_of(host).filter_map(|role| Some((role, role.contents.get(&host.release.value)?)));
        let of_roles = roles
            .flat_map(|(role, content)| content.checks.iter().map(move |check| (Place::Role(&role.name.value), check)));
        of_roles.chain(host.content.checks.iter().map(|check| (Place::Host, check)))
    }

    /// The machines that ask others by Nagios.
    pub fn nagios_servers(&self) -> impl Iterator<Item = &Host> {
        self.hosts.values().filter(|host| self.roles_of(host).any(|role| role.monitoring.nagios_server.is_some()))
    }

    pub fn munin_servers(&self) -> impl Iterator<Item = &Host> {
        self.hosts.values().filter(|host| self.roles_of(host).any(|role| role.monitoring.munin_server.is_some()))
    }

    /// Whether there is anything that `<prefix>-agent` is for.
    pub fn has_agent(&self) -> bool {
        let contents = self.roles.values().flat_map(|role| role.contents.values().map(AsRef::as_ref));
        let mut contents = contents.chain(self.hosts.values().map(|host| &host.content));
        contents.any(super::Content::needs_agent) || self.roles.values().any(|role| role.monitoring.is_server())
    }

    /// The thresholds of a check that every machine has: what the fleet says, then its roles, then the machine itself.
    pub fn implied_thresholds(&self, host: Option<&Host>, implied: &Implied) -> Thresholds {
        let Some(measure) = &implied.measure else { return Thresholds::default() };
        let nowhere = self.fleet.span;
        let given = Thresholds {
            key: None,
            warning: Some(Spanned::new(measure.warning.to_owned(), nowhere)),
            critical: Some(Spanned::new(measure.critical.to_owned(), nowhere)),
        };
        let fleet = given.under(self.fleet.monitoring.thresholds.get(implied.name));
        let Some(host) = host else { return fleet };
        let first = |of| self.thresholds_of_roles(host, implied.name, of).first().map(|(_, text)| (*text).clone());
        let roles =
            Thresholds { key: None, warning: first(Thresholds::warning), critical: first(Thresholds::critical) };
        fleet.under(Some(&roles)).under(host.monitoring.thresholds.get(implied.name))
    }

    /// What the roles of a machine say of one threshold, each with the role's name: those that no other of them includes,
    /// because a role takes precedence over what it includes.
    pub fn thresholds_of_roles<'m>(
        &'m self,
        host: &'m Host,
        check: &str,
        of: fn(&Thresholds) -> Option<&Spanned<String>>,
    ) -> Vec<(&'m RoleName, &'m Spanned<String>)> {
        let said = |role: &'m Role| Some((&role.name.value, of(role.monitoring.thresholds.get(check)?)?));
        // Few roles say anything: the others of the fleet need not be looked for on each machine.
        let saying: Vec<_> = self.roles.values().filter_map(said).collect();
        if saying.is_empty() {
            return Vec::new();
        }
        let on_machine = self.closure(host.roles.iter().map(|role| &role.value));
        let all: Vec<_> = saying.into_iter().filter(|(name, _)| on_machine.contains(name)).collect();
        let includes = |one: &RoleName, other: &RoleName| one != other && self.closure([one]).contains(other);
        let last = |(name, _): &(&RoleName, _)| !all.iter().any(|(other, _)| includes(other, name));
        all.iter().filter(|one| last(one)).copied().collect()
    }

    /// The thresholds of a role's or a host's check on a machine.
    pub fn thresholds(&self, host: &Host, place: Place<'_>, check: &Check) -> Thresholds {
        check.thresholds.under(host.monitoring.thresholds.get(&place.key(&check.name.value)))
    }
}
