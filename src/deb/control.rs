//! The text of a binary package's control file (Debian Policy 5.3, deb-control(5)), with its fields in the order in
//! which dpkg-gencontrol writes them. A value can never end its field: what would is refused.

use super::{CONTENT_FIELD, MOVED_FIELD, Package, Stamp, Unwritable};
use crate::relation::{Relation, RelationField};
use std::fmt::Write;

/// dpkg's order of the relation fields (deb-control(5) names them by strength).
pub const RELATIONS: [RelationField; 9] = [
    RelationField::PreDepends,
    RelationField::Depends,
    RelationField::Recommends,
    RelationField::Suggests,
    RelationField::Enhances,
    RelationField::Conflicts,
    RelationField::Breaks,
    RelationField::Replaces,
    RelationField::Provides,
];

/// Fields that are always written here, so never taken from [`crate::plan::DebContent::fields`].
const OWN: &[&str] = &[
    "Package",
    "Version",
    "Architecture",
    "Maintainer",
    "Installed-Size",
    "Section",
    "Priority",
    "Homepage",
    "Description",
    CONTENT_FIELD,
    MOVED_FIELD,
];

/// The control file, with a final newline. Without a stamp: what the content hash is taken over, that is without
/// version, hash, installed size (in KiB) and generated relations.
pub(super) fn text(package: &Package<'_>, stamp: Option<(&Stamp<'_>, u64)>) -> Result<String, Unwritable> {
    let content = package.content;
    let mut out = String::with_capacity(1024);
    field(&mut out, "Package", package.name.as_str())?;
    if let Some((stamp, _)) = stamp {
        field(&mut out, "Version", stamp.version)?;
    }
    field(&mut out, "Architecture", "all")?;
    field(&mut out, "Maintainer", package.maintainer)?;
    if let Some((_, size)) = stamp {
        field(&mut out, "Installed-Size", &size.to_string())?;
    }
    let moved = stamp.map_or(&[][..], |(stamp, _)| stamp.moved_from);
    for kind in RELATIONS {
        let declared = content.relations.get(&kind).map_or(&[][..], Vec::as_slice);
        let generated = match kind {
            RelationField::Breaks | RelationField::Replaces => moved,
            _ => &[],
        };
        let mut all: Vec<&Relation> = declared.iter().collect();
        all.extend(generated.iter().filter(|relation| !declared.contains(relation)));
        if !all.is_empty() {
            field(&mut out, kind.control_name(), &join(all))?;
        }
    }
    field(&mut out, "Section", "admin")?;
    field(&mut out, "Priority", "optional")?;
    // Multi-Arch is dpkg's own and has its place; other additional fields follow the known ones.
    if let Some((name, value)) = content.fields.iter().find(|(name, _)| *name == "Multi-Arch") {
        field(&mut out, name, value)?;
    }
    if let Some(homepage) = &content.homepage {
        field(&mut out, "Homepage", homepage)?;
    }
    field(&mut out, "Description", &content.summary)?;
    out.push_str(&extended_description(&content.description));
    for (name, value) in content.fields {
        if let Some(own) = OWN
            .iter()
            .chain(RELATIONS.map(RelationField::control_name).iter())
            .find(|own| own.eq_ignore_ascii_case(name))
        {
            return Err(Unwritable(format!("the control field {own} is not one that can be added")));
        }
        if *name != "Multi-Arch" {
            field(&mut out, name, value)?;
        }
    }
    if let Some((stamp, _)) = stamp {
        if !moved.is_empty() {
            field(&mut out, MOVED_FIELD, &join(moved.iter().collect()))?;
        }
        field(&mut out, CONTENT_FIELD, stamp.content_hash)?;
    }
    Ok(out)
}

fn join(relations: Vec<&Relation>) -> String {
    let mut text = String::new();
    for (i, relation) in relations.into_iter().enumerate() {
        let _ = write!(text, "{}{relation}", if i == 0 { "" } else { ", " });
    }
    text
}

/// Appends `name: value`. A value is one line (Debian Policy 5.1: "simple").
fn field(out: &mut String, name: &str, value: &str) -> Result<(), Unwritable> {
    // Policy 5.1: printable ASCII without a colon, and neither `#` nor `-` first.
    if name.is_empty() || name.starts_with(['#', '-']) || !name.bytes().all(|b| b.is_ascii_graphic() && b != b':') {
        return Err(Unwritable(format!("{name:?} can't be the name of a control field (Debian Policy 5.1)")));
    }
    if value.trim().is_empty() {
        return Err(Unwritable(format!("the control field {name} has an empty value")));
    }
    if let Some(c) = value.chars().find(|&c| is_break(c) && c != '\t') {
        return Err(Unwritable(format!(
            "the control field {name} is one line of text, but its value holds {c:?} (Debian Policy 5.1)"
        )));
    }
    let _ = writeln!(out, "{name}: {}", value.trim());
    Ok(())
}

/// What can end a line or disturb a terminal: control characters and the line separators of Unicode.
fn is_break(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// The columns of a line of the description, its leading space counted (Debian Policy 5.6.13: "less than 80").
const COLUMNS: usize = 79;

/// The extended description in control-file markup (Debian Policy 5.6.13), a newline after each line; empty for
/// empty text. Paragraphs are separated by blank lines and filled to 79 columns; a line that starts with white space
/// or with `- ` or `* ` is kept as it is (a list, an example). Nothing in the text can end the field: every line of
/// the result starts with a space and has something after it.
pub fn extended_description(text: &str) -> String {
    let mut out = String::new();
    let mut paragraph: Vec<&str> = Vec::new();
    let mut blank = false;
    for line in text.split(|c: char| c != '\t' && is_break(c) && c != '\r') {
        if line.trim().is_empty() {
            fill(&mut out, &mut paragraph);
            blank = !out.is_empty();
            continue;
        }
        let verbatim = line.starts_with([' ', '\t']) || line.starts_with("- ") || line.starts_with("* ");
        if std::mem::take(&mut blank) {
            out.push_str(" .\n");
        }
        if verbatim {
            fill(&mut out, &mut paragraph);
            let clean = line.trim_end().trim_end_matches('\r').replace(['\t', '\r'], " ");
            let _ = writeln!(out, "  {}", clean.strip_prefix(' ').unwrap_or(&clean));
        } else {
            paragraph.extend(line.split_whitespace());
        }
    }
    fill(&mut out, &mut paragraph);
    out
}

/// Writes the words as lines of at most [`COLUMNS`]; a longer word has a line of its own.
fn fill(out: &mut String, words: &mut Vec<&str>) {
    let mut line: Vec<&str> = Vec::new();
    let width = |line: &[&str]| line.iter().map(|word| 1 + word.chars().count()).sum::<usize>();
    let mut used = 0;
    let mut put = |line: &[&str]| {
        // A line may not begin with a full stop (" .x" is reserved); with two spaces it is verbatim.
        out.push_str(if line[0].starts_with('.') { "  " } else { " " });
        for (i, word) in line.iter().enumerate() {
            if i > 0 {
                out.push(' ');
            }
            out.push_str(word);
        }
        out.push('\n');
    };
    for word in words.drain(..) {
        let wide = 1 + word.chars().count();
        if !line.is_empty() && used + wide > COLUMNS {
            // Such a word takes the one before it along to the next line.
            let next = match word.starts_with('.') {
                true => line.split_off(line.iter().rposition(|word| !word.starts_with('.')).unwrap_or(0)),
                false => Vec::new(),
            };
            if !line.is_empty() {
                put(&line);
            }
            used = width(&next);
            line = next;
        }
        used += wide;
        line.push(word);
    }
    if !line.is_empty() {
        put(&line);
    }
}
