//! From text to [`Relation`]. Every error marks the part of the text that is wrong.

use super::{Comparison, Possibility, Relation, RelationField};
use crate::names::{Architecture, PackageName};
use std::ops::Range;
use std::str::FromStr;
use winnow::combinator::{opt, preceded};
use winnow::prelude::*;
use winnow::stream::{LocatingSlice, Location};
use winnow::token::{rest, take_till, take_while};

/// What is wrong with a relation, and which bytes of its text are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationError {
    pub kind: RelationErrorKind,
    pub range: Range<usize>,
    pub message: String,
    pub help: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelationErrorKind {
    Syntax,
    PackageName,
    Version,
    /// `<`, `>` and operators that there are none of.
    Operator,
    /// `[amd64]`: for source packages only.
    ArchitectureRestriction,
    /// `<!nocheck>`: for source packages only.
    BuildProfile,
    /// `a | b` in a field that takes no alternatives.
    Alternatives,
    /// Another operator than `=` in Provides.
    ProvidedVersion,
}

use RelationErrorKind as Kind;

fn error(kind: Kind, range: Range<usize>, message: impl Into<String>, help: impl Into<String>) -> RelationError {
    RelationError { kind, range, message: message.into(), help: help.into() }
}

/// A part of the text and where it is.
type Part<'s> = (&'s str, Range<usize>);
type Input<'s> = LocatingSlice<&'s str>;

/// One possibility, cut into its parts; none of them checked.
struct Raw<'s> {
    name: Part<'s>,
    qualifier: Option<Part<'s>>,
    version: Option<RawVersion<'s>>,
    /// What follows, if anything does.
    rest: Part<'s>,
}

struct RawVersion<'s> {
    operator: Part<'s>,
    number: Part<'s>,
    /// The closing parenthesis is there.
    closed: bool,
}

fn blank(input: &mut Input<'_>) -> ModalResult<()> {
    take_while(0.., [' ', '\t']).void().parse_next(input)
}

fn version<'s>(input: &mut Input<'s>) -> ModalResult<RawVersion<'s>> {
    ('(', blank).parse_next(input)?;
    let operator = take_while(0.., ['<', '>', '=', '!', '~']).with_span().parse_next(input)?;
    blank(input)?;
    let number = take_till(0.., [' ', '\t', ')']).with_span().parse_next(input)?;
    blank(input)?;
    let closed = opt(')').parse_next(input)?.is_some();
    Ok(RawVersion { operator, number, closed })
}

fn possibility<'s>(input: &mut Input<'s>) -> ModalResult<Raw<'s>> {
    blank(input)?;
    let name = take_till(0.., [' ', '\t', '(', ':', '[', '<', ')', ',']).with_span().parse_next(input)?;
    let qualifier =
        opt(preceded(':', take_till(0.., [' ', '\t', '(', '[', '<', ',']).with_span())).parse_next(input)?;
    blank(input)?;
    let version = opt(version).parse_next(input)?;
    blank(input)?;
    let start = input.current_token_start();
    let tail: &str = rest.parse_next(input)?;
    let tail = tail.trim_end();
    Ok(Raw { name, qualifier, version, rest: (tail, start..start + tail.len()) })
}

/// Parses one entry of a relation field: `a (>= 1) | b:any`.
pub fn parse(text: &str, field: RelationField) -> Result<Relation, Vec<RelationError>> {
    let mut errors = Vec::new();
    if text.trim().is_empty() {
        let help = "write a package's name, or remove the entry";
        return Err(vec![error(Kind::Syntax, 0..text.len(), "an empty relation", help)]);
    }
    if let Some(at) = text.find(|c: char| c.is_control() && c != '\t') {
        let help = "write it on one line; each relation is a string of its own";
        return Err(vec![error(Kind::Syntax, at..at + 1, "a relation is one line", help)]);
    }
    if let Some(comma) = text.find(',') {
        let parts: Vec<String> = text.split(',').map(|part| format!("{:?}", part.trim())).collect();
        return Err(vec![error(
            Kind::Syntax,
            comma..comma + 1,
            "a comma separates relations: here each is a string of its own",
            format!("write {}", parts.join(", ")),
        )]);
    }
    let mut possibilities = Vec::with_capacity(text.matches('|').count() + 1);
    let mut offset = 0;
    for (i, part) in text.split('|').enumerate() {
        if i == 1 && !field.allows_alternatives() {
            let bar = offset - 1;
            errors.push(error(
                Kind::Alternatives,
                bar..bar + 1,
                format!("{} takes no alternatives (Debian Policy 7.1)", field.control_name()),
                "write each package as a string of its own",
            ));
        }
        let mut found = Vec::new();
        let checked = one(part, field, &mut found);
        errors.extend(
            found.into_iter().map(|e| RelationError { range: e.range.start + offset..e.range.end + offset, ..e }),
        );
        possibilities.extend(checked);
        offset += part.len() + 1;
    }
    if errors.is_empty() { Ok(Relation(possibilities)) } else { Err(errors) }
}

fn one(text: &str, field: RelationField, errors: &mut Vec<RelationError>) -> Option<Possibility> {
    if text.trim().is_empty() {
        errors.push(error(
            Kind::Syntax,
            0..text.len(),
            "there is no package on this side of the \"|\"",
            "write a package's name, or remove the \"|\"",
        ));
        return None;
    }
    let Ok(raw) = possibility.parse(LocatingSlice::new(text)) else {
        errors.push(error(
            Kind::Syntax,
            0..text.len(),
            "this is not a relation",
            "write it as in a control file: nginx (>= 1.22)",
        ));
        return None;
    };
    let name = name(&raw, errors);
    let qualifier = raw.qualifier.as_ref().and_then(|(text, range)| {
        if *text == "any" || (*text != "native" && Architecture::parse(text).is_ok()) {
            return Some((*text).to_owned());
        }
        let message = match *text {
            "native" => "\":native\" is for build dependencies only".to_owned(),
            "" => "there is no architecture after the \":\"".to_owned(),
            other => format!("\"{other}\" is neither \"any\" nor an architecture"),
        };
        errors.push(error(
            Kind::Syntax,
            range.clone(),
            message,
            "write \":any\", an architecture or nothing (deb-control(5))",
        ));
        None
    });
    let version = raw.version.as_ref().and_then(|v| restriction(v, text, field, errors));
    tail(&raw, errors);
    Some(Possibility { name: name?, qualifier, version })
}

fn name(raw: &Raw<'_>, errors: &mut Vec<RelationError>) -> Option<PackageName> {
    let (text, range) = &raw.name;
    match PackageName::parse(text) {
        Ok(name) => Some(name),
        Err(_) if text.is_empty() => {
            errors.push(error(
                Kind::Syntax,
                range.start..(range.start + 1).min(raw.rest.1.end.max(range.start + 1)),
                "a relation begins with a package's name",
                "write it as in a control file: nginx (>= 1.22)",
            ));
            None
        }
        Err(message) => {
            let lower = text.to_lowercase();
            let help = match PackageName::parse(&lower) {
                Ok(_) => format!("package names are in lower case: {lower}"),
                Err(_) if text.starts_with("${") => {
                    "substitution variables exist only in source packages: write the package's name".into()
                }
                Err(_) => "a package name is made of lower case letters, digits, \"+\", \"-\" and \".\"".into(),
            };
            errors.push(error(Kind::PackageName, range.clone(), format!("\"{text}\": {message}"), help));
            None
        }
    }
}

fn restriction(
    v: &RawVersion<'_>,
    text: &str,
    field: RelationField,
    errors: &mut Vec<RelationError>,
) -> Option<(Comparison, String)> {
    let (number, number_range) = &v.number;
    let (operator, operator_range) = &v.operator;
    if !v.closed {
        let at = text.trim_end().len().max(operator_range.start);
        let help = format!("close it: ({operator} {number})");
        errors.push(error(Kind::Syntax, operator_range.start..at, "the parenthesis is not closed", help));
        return None;
    }
    let comparison = Comparison::ALL.into_iter().find(|c| c.as_str() == *operator);
    if comparison.is_none() {
        let (message, help) = match *operator {
            "" => {
                ("there is no operator before the version".to_owned(), format!("write (= {number}) or (>= {number})"))
            }
            "<" => (
                "\"<\" is deprecated: to dpkg it means \"<=\"".to_owned(),
                "write \"<<\" for earlier, \"<=\" for earlier or equal".into(),
            ),
            ">" => (
                "\">\" is deprecated: to dpkg it means \">=\"".to_owned(),
                "write \">>\" for later, \">=\" for later or equal".into(),
            ),
            "==" => ("there is no operator \"==\"".to_owned(), "write \"=\"".into()),
            other => (
                format!("there is no operator \"{other}\""),
                "the operators are << <= = >= >> (Debian Policy 7.1)".into(),
            ),
        };
        let mut range = operator_range.clone();
        if range.is_empty() {
            range = number_range.clone();
        }
        errors.push(error(Kind::Operator, range, message, help));
    }
    if let Err((range, message)) = check_version(number) {
        let range = if number.is_empty() {
            operator_range.clone()
        } else {
            number_range.start + range.start..number_range.start + range.end
        };
        errors.push(error(
            Kind::Version,
            range,
            message,
            "a version is [EPOCH:]UPSTREAM[-REVISION] (Debian Policy 5.6.12)",
        ));
        return None;
    }
    if field == RelationField::Provides && comparison.is_some_and(|c| c != Comparison::Exactly) {
        errors.push(error(
            Kind::ProvidedVersion,
            operator_range.clone(),
            "what is provided has one version: only \"=\" can stand here (Debian Policy 7.5)",
            format!("write (= {number})"),
        ));
    }
    Some((comparison?, (*number).to_owned()))
}

fn tail(raw: &Raw<'_>, errors: &mut Vec<RelationError>) {
    let (text, range) = &raw.rest;
    match text.chars().next() {
        None => {}
        Some('[') => errors.push(error(
            Kind::ArchitectureRestriction,
            range.clone(),
            "architecture restrictions are for source packages: they have no effect in a binary package",
            "remove it (the generated packages are the same for all architectures)",
        )),
        Some('<') => errors.push(error(
            Kind::BuildProfile,
            range.clone(),
            "build profiles are for source packages: they have no effect in a binary package",
            "remove it",
        )),
        Some('>' | '=') => errors.push(error(
            Kind::Syntax,
            range.clone(),
            "a version stands in parentheses",
            format!("write {} ({text})", raw.name.0),
        )),
        Some(_) => errors.push(error(
            Kind::Syntax,
            range.clone(),
            "this does not belong to the relation",
            "write it as in a control file: nginx (>= 1.22); alternatives are separated by \"|\"",
        )),
    }
}

/// Whether a text is a version in the sense of Debian Policy 5.6.12; if not, which bytes are wrong and why.
pub fn check_version(text: &str) -> Result<(), (Range<usize>, String)> {
    let all = 0..text.len();
    if text.is_empty() {
        return Err((all, "there is no version".into()));
    }
    let (epoch, rest) = match text.split_once(':') {
        Some((epoch, rest)) => (Some(epoch), rest),
        None => (None, text),
    };
    let start = text.len() - rest.len();
    if let Some(epoch) = epoch
        && (epoch.is_empty() || !epoch.bytes().all(|b| b.is_ascii_digit()) || epoch.parse::<i32>().is_err())
    {
        return Err((0..epoch.len().max(1), format!("the epoch \"{epoch}\" is not a small number")));
    }
    let (upstream, revision) = match rest.rsplit_once('-') {
        Some((upstream, revision)) => (upstream, Some(revision)),
        None => (rest, None),
    };
    if upstream.is_empty() {
        return Err((all, "the version has no upstream part".into()));
    }
    if !upstream.starts_with(|c: char| c.is_ascii_digit()) {
        let width = upstream.chars().next().map_or(0, char::len_utf8);
        return Err((start..start + width, "a version starts with a digit".into()));
    }
    let bad = |part: &str, base: usize, allowed: &str, what: &str| {
        let found = part.char_indices().find(|(_, c)| !c.is_ascii_alphanumeric() && !allowed.contains(*c));
        found.map(|(at, c)| (base + at..base + at + c.len_utf8(), format!("{what} may not contain {c:?}")))
    };
    let allowed = if epoch.is_some() { ".+~-:" } else { ".+~-" };
    if let Some(found) = bad(upstream, start, allowed, "a version") {
        return Err(found);
    }
    if let Some(revision) = revision {
        let base = text.len() - revision.len();
        if revision.is_empty() {
            return Err((base - 1..base, "there is no Debian revision after the \"-\"".into()));
        }
        if let Some(found) = bad(revision, base, ".+~", "a Debian revision") {
            return Err(found);
        }
    }
    debversion::Version::from_str(text).map(|_| ()).map_err(|error| (all, error.to_string()))
}
