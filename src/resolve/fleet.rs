//! debrole.toml → [`Fleet`].

use super::relations;
use super::text::{duplicates, one_line};
use super::values;
use crate::diagnostics::{Diagnostic, rules};
use crate::model::{ArchiveSource, Drift, Fleet, FleetPlaces, Refresh, Release};
use crate::names::{Architecture, Codename, Prefix};
use crate::schema::{self, Number, Text, Texts, ast};
use crate::source::Spanned;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// What could be made of debrole.toml, whole or in part.
pub struct Resolved {
    pub prefix: Option<Prefix>,
    pub codenames: Option<Vec<Codename>>,
    /// The numbers of users and groups.
    pub uids: RangeInclusive<u32>,
    pub fleet: Option<Fleet>,
}

const KNOWN_RELEASES: &[(&str, u32)] = &[("bookworm", 12), ("trixie", 13), ("forky", 14)];
/// Debian's architectures and ports (https://www.debian.org/ports/, ports.debian.org).
const ARCHITECTURES: &[&str] = &[
    "alpha",
    "amd64",
    "arm64",
    "armel",
    "armhf",
    "hppa",
    "hurd-amd64",
    "hurd-i386",
    "i386",
    "ia64",
    "loong64",
    "m68k",
    "mips64el",
    "mipsel",
    "powerpc",
    "ppc64",
    "ppc64el",
    "riscv64",
    "s390x",
    "sh4",
    "sparc64",
    "x32",
];
const MIRROR: &str = "http://deb.debian.org/debian";
const SECURITY: &str = "http://security.debian.org/debian-security";
pub const MINUTE: u64 = 60;
pub const HOUR: u64 = 3_600;
pub const DAY: u64 = 86_400;
/// What Debian leaves to the administrator (Debian Policy 9.2.2), and what of it is people's where the tree says nothing.
const USER_IDS: RangeInclusive<u32> = 1000..=59_999;
pub const UIDS: RangeInclusive<u32> = 2000..=59_999;

pub fn resolve(ast: &ast::Debrole, out: &mut Vec<Diagnostic>) -> Resolved {
    if let Some(schema) = &ast.schema
        && schema.value != schema::VERSION
    {
        out.push(
            Diagnostic::new(
                &rules::schema_version::RULE,
                format!("this debrole reads schema {}, not {}", schema::VERSION, schema.value),
            )
            .at(schema.span, "")
            .help(match schema.value > schema::VERSION {
                true => "install a later debrole".to_owned(),
                false => format!("write schema = {}", schema::VERSION),
            }),
        );
    }
    let fleet_values = values::resolve(ast.values.as_ref(), "fleet", values::FLEET_BUILT_IN, out);
    let host_values = values::resolve(ast.host_values.as_ref(), "host", values::HOST_BUILT_IN, out);
    let drift = drift(ast, out);
    let releases = releases(ast, out);
    let codenames: Vec<Codename> = releases.iter().map(|r| r.codename.value.clone()).collect();
    let codenames = Some(codenames).filter(|names| !names.is_empty());
    let Some(schema::One(fleet)) = &ast.fleet else {
        return Resolved { prefix: None, codenames, uids: UIDS, fleet: None };
    };
    let prefix = fleet.prefix.as_ref().and_then(|text| match Prefix::parse(&text.value) {
        Ok(prefix) => Some(prefix),
        Err(error) => {
            out.push(
                Diagnostic::new(
                    &rules::invalid_prefix::RULE,
                    format!("\"{}\" can't begin package names: {error}", text.value.escape_debug()),
                )
                .at(text.span, "")
                .help("write 2 to 16 lower case letters and digits, a letter first, such as \"pg\""),
            );
            None
        }
    });
    let origin = fleet.origin.as_ref().filter(|text| release_field(text, "origin", out));
    let label = fleet.label.as_ref().filter(|text| release_field(text, "label", out));
    let maintainer = fleet.maintainer.as_ref().filter(|text| valid_maintainer(text, out));
    let fleet_uri = fleet.uri.as_ref().and_then(|text| uri(text, &["http", "https", "file"], out));
    let homepage = fleet.homepage.as_ref().map(|text| uri(text, &["http", "https"], out).map(|uri| uri.value));
    let architectures = fleet.architectures.as_ref().and_then(|list| architectures(list, out));
    let valid_for = match &fleet.valid_for {
        None => Some(10 * DAY),
        Some(text) => duration(text, &[('h', HOUR), ('d', DAY), ('w', 7 * DAY)], DAY..=90 * DAY, "10d", out),
    };
    let pin_allow = ast.pin.as_ref().and_then(|schema::One(pin)| pin.allow.as_ref()).map(|list| {
        duplicates(list, "the package", out);
        list.value.iter().filter_map(|text| relations::package_name(text, out)).collect()
    });
    let refresh = refresh(ast.refresh.as_ref().map(|schema::One(refresh)| refresh), out);
    let key = fleet.key.as_ref().map(|text| fingerprint(text, out));
    let uids = fleet.uids.as_ref().and_then(|text| band(text, out)).unwrap_or(UIDS);
    // What is wrong or absent is told already; without it the rest can be looked at all the same.
    let text = |text: Option<&Text>| text.map(|text| text.value.clone()).unwrap_or_default();
    let place = |text: Option<&Text>| text.map_or(ast.span, |text| text.span);
    let build = || {
        Some(Fleet {
            prefix: prefix.clone()?,
            origin: text(origin),
            label: text(label),
            maintainer: text(maintainer),
            uri: fleet_uri.unwrap_or(Spanned::new(String::new(), ast.span)),
            homepage: homepage.flatten(),
            architectures: architectures.unwrap_or_default(),
            releases,
            valid_for: valid_for.unwrap_or(10 * DAY),
            pin_allow: pin_allow.unwrap_or_default(),
            refresh: refresh.unwrap_or_default(),
            key: key.flatten(),
            drift,
            // Set when the groups are known.
            monitoring: crate::model::monitoring::Monitoring::default(),
            // Resolved by themselves, since hosts are looked at by them where the rest is wrong.
            networks: BTreeMap::new(),
            uids: (*uids.start(), *uids.end()),
            values: fleet_values,
            host_values,
            span: ast.span,
            places: FleetPlaces { prefix: place(fleet.prefix.as_ref()), origin: place(origin), label: place(label) },
        })
    };
    let built = build();
    Resolved { prefix, codenames, uids, fleet: built }
}

fn drift(ast: &ast::Debrole, out: &mut Vec<Diagnostic>) -> Drift {
    let default = Drift::default();
    let Some(schema::One(drift)) = &ast.drift else { return default };
    let mut number = |given: Option<&Number>, most: u32, default: u32| {
        let Some(given) = given else { return default };
        match u32::try_from(given.value).ok().filter(|value| (1..=most).contains(value)) {
            Some(value) => value,
            None => {
                out.push(
                    Diagnostic::new(
                        &rules::number_out_of_range::RULE,
                        format!("{} is not between 1 and {most}", given.value),
                    )
                    .at(given.span, "")
                    .help(format!("write a number from 1 to {most}; without the key it is {default}")),
                );
                default
            }
        }
    };
    Drift {
        repair: drift.repair.as_ref().map_or(default.repair, |flag| flag.value),
        copies: number(drift.copies.as_ref(), 1000, default.copies),
        copy_days: number(drift.copy_days.as_ref(), 3650, default.copy_days),
    }
}

fn releases(ast: &ast::Debrole, out: &mut Vec<Diagnostic>) -> Vec<Release> {
    let mut found: Vec<Release> = Vec::new();
    let named = ast.release.iter().flat_map(|named| &named.0);
    for (name, table) in named {
        let codename = match Codename::parse(&name.value) {
            Ok(codename) => codename,
            Err(error) => {
                out.push(
                    Diagnostic::new(
                        &rules::invalid_codename::RULE,
                        format!("\"{}\" can't name a release: {error}", name.value.escape_debug()),
                    )
                    .at(name.span, "")
                    .help("write the codename of a Debian release, such as bookworm"),
                );
                continue;
            }
        };
        if ["stable", "testing", "unstable", "oldstable", "oldoldstable"].contains(&codename.as_str()) {
            out.push(
                Diagnostic::new(
                    &rules::invalid_codename::RULE,
                    format!("\"{codename}\" means another release every two years"),
                )
                .at(name.span, "")
                .help("write the release's codename, such as bookworm"),
            );
            continue;
        }
        let known = KNOWN_RELEASES.iter().find(|(k, _)| *k == codename.as_str()).map(|(_, version)| *version);
        let version = match (&table.version, known) {
            (Some(given), Some(known)) if given.value != i64::from(known) => {
                out.push(
                    Diagnostic::new(
                        &rules::release_version_differs::RULE,
                        format!("{codename} is Debian {known}, not {}", given.value),
                    )
                    .at(given.span, "")
                    .help("remove the line: the number is known"),
                );
                continue;
            }
            (Some(given), _) if !(1..=9999).contains(&given.value) => {
                out.push(
                    Diagnostic::new(
                        &rules::release_version_differs::RULE,
                        format!("{} can't be the number of a release", given.value),
                    )
                    .at(given.span, "")
                    .help("write a number from 1 to 9999"),
                );
                continue;
            }
            (Some(given), _) => given.value as u32,
            (None, Some(known)) => known,
            (None, None) => {
                let names = KNOWN_RELEASES.iter().map(|(name, _)| *name);
                let help = match crate::near::nearest(codename.as_str(), names) {
                    Some(near) => format!("did you mean {near}? Otherwise add version = NUMBER"),
                    None => "add version = NUMBER".to_owned(),
                };
                out.push(
                    Diagnostic::new(
                        &rules::release_without_version::RULE,
                        format!("debrole does not know which Debian version {codename} is"),
                    )
                    .at(name.span, "")
                    .help(help)
                    .note("versions of packages carry the number (+deb12), so that they sort by release"),
                );
                continue;
            }
        };
        if let Some(other) = found.iter().find(|r| r.version == version) {
            out.push(
                Diagnostic::new(
                    &rules::release_version_differs::RULE,
                    format!("{codename} and {} can't both be version {version}", other.codename.value),
                )
                .at(name.span, "")
                .also(other.codename.span, "the other one")
                .help("give each release the number that its /etc/debian_version begins with"),
            );
            continue;
        }
        let codename = Spanned::new(codename, name.span);
        let keyring = table.signed_by.as_ref().map(|text| mirror_keyring(text, out));
        if let (Some(sources), None | Some(Some(_))) = (sources(codename.value.as_str(), table, out), &keyring) {
            found.push(Release { codename, version, sources, keyring: keyring.flatten() });
        }
    }
    if ast.release.as_ref().is_some_and(|named| named.0.is_empty()) {
        out.push(
            Diagnostic::new(&rules::missing_key::RULE, "the fleet has no release")
                .at(ast.span, "")
                .help("add [release.bookworm]"),
        );
    }
    found.sort_by_key(|r| r.version);
    found
}

/// The keyring of a mirror that somebody else than Debian signs. Its path is written into sources files as it is, where
/// blanks and commas divide, and apt goes by how its name ends.
fn mirror_keyring(text: &Text, out: &mut Vec<Diagnostic>) -> Option<PathBuf> {
    let path = Path::new(&text.value);
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._+-".contains(c);
    let (range, problem) = if !path.is_absolute() {
        (0..text.value.len(), "does not begin with /".to_owned())
    } else if let Some((at, c)) = text.value.char_indices().find(|(_, c)| !plain(*c)) {
        (at..at + c.len_utf8(), format!("may not hold {c:?}"))
    } else if !["gpg", "pgp", "asc"].iter().any(|end| path.extension().is_some_and(|found| found == *end)) {
        (0..text.value.len(), "does not end in .gpg, .pgp or .asc, which apt asks for".to_owned())
    } else {
        return Some(path.to_owned());
    };
    out.push(
        Diagnostic::new(
            &rules::invalid_keyring_path::RULE,
            format!("the keyring's path \"{}\" {problem}", text.value.escape_debug()),
        )
        .at(text.part(range), "")
        .help("write where it is on the machine that runs debrole, such as \"/etc/apt/keyrings/mirror.gpg\""),
    );
    None
}

fn sources(codename: &str, table: &ast::Release, out: &mut Vec<Diagnostic>) -> Option<Vec<ArchiveSource>> {
    const SCHEMES: &[&str] = &["http", "https", "file"];
    let mut components = Vec::new();
    let mut valid = true;
    if let Some(list) = &table.components {
        duplicates(list, "the component", out);
        for item in &list.value {
            let fits = |c: char| c.is_ascii_alphanumeric() || "-_/.".contains(c);
            if item.value.is_empty() || !item.value.chars().all(fits) {
                out.push(
                    Diagnostic::new(
                        &rules::invalid_component::RULE,
                        format!("\"{}\" is not a component of an archive", item.value.escape_debug()),
                    )
                    .at(item.span, "")
                    .help("write main, contrib, non-free or non-free-firmware (Debian Policy 2.2)"),
                );
                valid = false;
            } else if !components.contains(&item.value) {
                components.push(item.value.clone());
            }
        }
        if list.value.is_empty() {
            out.push(
                Diagnostic::new(&rules::invalid_component::RULE, "a release without components has no packages")
                    .at(list.span, "")
                    .help("write [\"main\"]"),
            );
            valid = false;
        }
    } else {
        components.push("main".to_owned());
    }
    let mirror = match &table.mirror {
        None => Some(MIRROR.to_owned()),
        Some(text) => uri(text, SCHEMES, out).map(|uri| uri.value),
    };
    let security = match &table.security {
        None => Some(SECURITY.to_owned()),
        Some(text) if text.value.is_empty() => Some(String::new()),
        Some(text) => uri(text, SCHEMES, out).map(|uri| uri.value),
    };
    let (mirror, security) = (mirror?, security?);
    let source =
        |uri: &str, suite: String| ArchiveSource { uri: uri.to_owned(), suite, components: components.clone() };
    let mut sources = vec![source(&mirror, codename.to_owned()), source(&mirror, format!("{codename}-updates"))];
    if !security.is_empty() {
        sources.push(source(&security, format!("{codename}-security")));
    }
    valid.then_some(sources)
}

fn release_field(text: &Text, what: &str, out: &mut Vec<Diagnostic>) -> bool {
    if !one_line(text, &format!("the {what}"), out) {
        return false;
    }
    let at = text.value.find([':', ',']);
    let problem = match at {
        Some(at) => Some((at..at + 1, format!("may not hold \"{}\"", &text.value[at..at + 1]))),
        None if text.value.trim().is_empty() => Some((0..text.value.len(), "is empty".to_owned())),
        None if text.value.trim() != text.value => Some((0..text.value.len(), "has blanks around it".to_owned())),
        None if text.value.len() > 100 => Some((0..text.value.len(), "is longer than 100 bytes".to_owned())),
        None => None,
    };
    let Some((range, problem)) = problem else { return true };
    out.push(
        Diagnostic::new(&rules::invalid_origin::RULE, format!("the {what} {problem}"))
            .at(text.part(range), "")
            .help("write a short name of the fleet, such as \"Example Project\"")
            .note("unattended-upgrades and apt preferences match it in patterns that \":\" and \",\" separate"),
    );
    false
}

fn valid_maintainer(text: &Text, out: &mut Vec<Diagnostic>) -> bool {
    if !one_line(text, "the maintainer", out) {
        return false;
    }
    let problem = match text.value.split_once(" <") {
        None => "has no mail address in angle brackets",
        Some((name, _)) if name.trim().is_empty() => "has no name before the mail address",
        Some((name, _)) if name.contains(['<', '>', '"']) => "has brackets or quotes in the name",
        Some((name, _)) if name.contains(',') => "has a comma in the name (it would read as two people)",
        Some((_, rest)) => match rest.strip_suffix('>') {
            None => "does not end after the mail address",
            Some(address) => match address.rsplit_once('@') {
                Some((local, domain))
                    if !local.is_empty()
                        && !domain.is_empty()
                        && !address.contains(|c: char| c.is_whitespace() || "<>,;()".contains(c))
                        && !local.contains('@')
                        && domain.split('.').all(|label| {
                            !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-')
                        }) =>
                {
                    return true;
                }
                _ => "has something in angle brackets that is not a mail address",
            },
        },
    };
    out.push(
        Diagnostic::new(&rules::invalid_maintainer::RULE, format!("the maintainer {problem}"))
            .at(text.span, "")
            .help("write \"Name <mail@example.org>\" (Debian Policy 5.6.2)"),
    );
    false
}

/// A URI with one of the schemes, without its final slashes.
fn uri(text: &Text, schemes: &[&str], out: &mut Vec<Diagnostic>) -> Option<Spanned<String>> {
    let value = text.value.trim_end_matches('/');
    let bad = text.value.char_indices().find(|(_, c)| c.is_control() || !c.is_ascii() || " \"<>\\^`{|}#".contains(*c));
    let (scheme, rest) = value.split_once(':').unwrap_or(("", value));
    let host = rest.strip_prefix("//").map(|rest| rest.split('/').next().unwrap_or(""));
    let problem = if let Some((at, c)) = bad {
        Some((at..at + c.len_utf8(), format!("a URI may not hold {c:?}")))
    } else if scheme.is_empty() || !schemes.contains(&scheme) {
        Some((
            0..text.value.len(),
            format!("a URI begins with {}", schemes.iter().map(|s| format!("{s}:")).collect::<Vec<_>>().join(" or ")),
        ))
    } else if scheme == "file" {
        let path = rest.strip_prefix("//").unwrap_or(rest);
        (!path.starts_with('/')).then(|| (0..text.value.len(), "a file: URI has an absolute path".to_owned()))
    } else {
        match host {
            None | Some("") => Some((0..text.value.len(), "there is no host in it".to_owned())),
            Some(host) if host.contains('@') => Some((
                0..text.value.len(),
                "it holds a user or password, which every machine's users could read".to_owned(),
            )),
            Some(_) => None,
        }
    };
    let Some((range, problem)) = problem else { return Some(Spanned::new(value.to_owned(), text.span)) };
    out.push(
        Diagnostic::new(
            &rules::invalid_uri::RULE,
            format!("\"{}\" is not a URI to use here: {problem}", text.value.escape_debug()),
        )
        .at(text.part(range), "")
        .help("write it as in sources.list(5), such as \"http://apt.example.org\""),
    );
    None
}

fn architectures(list: &Texts, out: &mut Vec<Diagnostic>) -> Option<BTreeSet<Architecture>> {
    duplicates(list, "the architecture", out);
    let mut set = BTreeSet::new();
    let mut valid = true;
    for item in &list.value {
        let known = Architecture::parse(&item.value).and_then(|architecture| {
            let known = ARCHITECTURES.contains(&architecture.as_str());
            if known { Ok(architecture) } else { Err("dpkg knows none of this name".to_owned()) }
        });
        match known {
            Ok(architecture) => {
                set.insert(architecture);
            }
            Err(error) => {
                valid = false;
                let help = match item.value.as_str() {
                    "x86_64" | "x86-64" | "x64" => "Debian calls it amd64".to_owned(),
                    "aarch64" => "Debian calls it arm64".to_owned(),
                    other => match crate::near::nearest(other, ARCHITECTURES.iter().copied()) {
                        Some(near) => format!("did you mean \"{near}\"?"),
                        None => "`dpkg --print-architecture` on a machine says what it is".to_owned(),
                    },
                };
                out.push(
                    Diagnostic::new(
                        &rules::invalid_architecture::RULE,
                        format!("\"{}\" is not an architecture: {error}", item.value.escape_debug()),
                    )
                    .at(item.span, "")
                    .help(help),
                );
            }
        }
    }
    if list.value.is_empty() {
        valid = false;
        out.push(
            Diagnostic::new(&rules::invalid_architecture::RULE, "the fleet has no architecture")
                .at(list.span, "")
                .help("write those of its machines, such as [\"amd64\"]"),
        );
    }
    valid.then_some(set)
}

fn refresh(ast: Option<&ast::Refresh>, out: &mut Vec<Diagnostic>) -> Option<Refresh> {
    const UNITS: &[(char, u64)] = &[('m', MINUTE), ('h', HOUR), ('d', DAY)];
    let mut period = |text: Option<&Text>, default: u64, range, example| match text {
        None => Some(default),
        Some(text) => duration(text, UNITS, range, example, out),
    };
    let default = Refresh::default();
    let keyring = period(ast.and_then(|r| r.keyring.as_ref()), default.keyring, MINUTE..=DAY, "10m");
    let roles = period(ast.and_then(|r| r.roles.as_ref()), default.roles, MINUTE..=7 * DAY, "4h");
    Some(Refresh { keyring: keyring?, roles: roles? })
}

/// A number and a unit, as seconds.
pub(super) fn duration(
    text: &Text,
    units: &[(char, u64)],
    range: RangeInclusive<u64>,
    example: &str,
    out: &mut Vec<Diagnostic>,
) -> Option<u64> {
    let value = text.value.as_str();
    let unit = units.iter().find(|(unit, _)| value.ends_with(*unit)).map(|(_, seconds)| *seconds);
    let digits = value.get(..value.len().saturating_sub(1)).unwrap_or("");
    let number = digits.parse::<u64>().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()));
    let seconds = number.zip(unit).and_then(|(number, unit): (u64, u64)| number.checked_mul(unit));
    let found = match seconds {
        Some(seconds) if range.contains(&seconds) => return Some(seconds),
        found => found,
    };
    // Bounds are whole numbers of a unit.
    let spelt = |seconds: u64| {
        let (unit, size) = units
            .iter()
            .rev()
            .find(|(_, size)| seconds.is_multiple_of(*size) && seconds / size <= 90)
            .unwrap_or(&units[0]);
        format!("{}{unit}", seconds / size)
    };
    let message = match found {
        Some(_) => format!("{value} is not between {} and {}", spelt(*range.start()), spelt(*range.end())),
        None => format!("\"{}\" is not a duration", value.escape_debug()),
    };
    let names: Vec<String> = units.iter().map(|(unit, _)| unit.to_string()).collect();
    let (last, most) = names.split_last().expect("there are units");
    out.push(
        Diagnostic::new(&rules::invalid_duration::RULE, message)
            .at(text.span, "")
            .help(format!("write a number and {} or {last}, such as \"{example}\"", most.join(", "))),
    );
    None
}

fn fingerprint(text: &Text, out: &mut Vec<Diagnostic>) -> Option<Spanned<String>> {
    let digits: String = text.value.chars().filter(|c| *c != ' ').collect::<String>().to_uppercase();
    if digits.len() == 40 && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Some(Spanned::new(digits, text.span));
    }
    let message = match digits.len() {
        8 | 16 if digits.bytes().all(|b| b.is_ascii_hexdigit()) => {
            "a key id is not a fingerprint: two keys can have the same"
        }
        _ => "this is not the fingerprint of a key",
    };
    out.push(
        Diagnostic::new(&rules::invalid_fingerprint::RULE, message)
            .at(text.span, "")
            .help("write the 40 hexadecimal digits that `debrole key show` prints"),
    );
    None
}

/// `2000-59999`
fn band(text: &Text, out: &mut Vec<Diagnostic>) -> Option<RangeInclusive<u32>> {
    let number = |digits: &str| digits.parse::<u32>().ok().filter(|n| n.to_string() == digits);
    let band = text.value.split_once('-').and_then(|(first, last)| Some(number(first)?..=number(last)?));
    let message = match band {
        Some(band) if band.is_empty() => format!("the band {} has no number in it", text.value),
        Some(band) if USER_IDS.contains(band.start()) && USER_IDS.contains(band.end()) => return Some(band),
        Some(_) => format!("the band {} is not for people: 0-999 and from 60000 on are Debian's", text.value),
        None => format!("\"{}\" is not a band of numbers", text.value.escape_debug()),
    };
    out.push(
        Diagnostic::new(&rules::invalid_uid_band::RULE, message)
            .at(text.span, "")
            .help("write the first and the last number, such as \"2000-59999\", within 1000-59999")
            .note("Debian Policy 9.2.2 says which numbers are whose"),
    );
    None
}
