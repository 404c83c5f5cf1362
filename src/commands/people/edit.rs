//! Editing the tree's files on people in place: comments, order and spacing stay as somebody wrote them. Edits are made
//! in memory, tried on the tree as a whole, and taken back if they would break it.

use super::super::load::{self, Places};
use super::super::{Failure, Outcome, check, key};
use crate::reporter::Reporter;
use anyhow::{Context, anyhow};
use debrole::diagnostics::rules;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use toml_edit::{Array, DocumentMut, Item, Table, Value};

/// What ledger.toml begins with.
const LEDGER: &str = "\
# Every number that a person or a group of the fleet ever had. Written by debrole; commit it, and remove no line: what
# somebody who left owns keeps their number, and nobody else gets it.
";

/// The users, groups and numbers of a tree, whether or not it is right, and the edits that are to be made.
pub struct Tree<'a> {
    places: &'a Places,
    /// Path relative to the root → the new text; None: the file goes.
    edits: BTreeMap<PathBuf, Option<String>>,
}

/// Number → all names that it had, the present one last.
pub type Numbers = BTreeMap<u32, Vec<String>>;

impl<'a> Tree<'a> {
    pub fn new(places: &'a Places) -> Self {
        Tree { places, edits: BTreeMap::new() }
    }

    /// The file as it is to be; None where there is none.
    pub fn text(&self, path: &str) -> Result<Option<String>, Failure> {
        if let Some(edited) = self.edits.get(Path::new(path)) {
            return Ok(edited.clone());
        }
        match fs::read_to_string(self.places.root.join(path)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(anyhow!(error).context(format!("can't read {path}")).into()),
        }
    }

    /// The file, to be edited; an empty one where there is none.
    pub fn document(&self, path: &str) -> Result<DocumentMut, Failure> {
        let text = self.text(path)?.unwrap_or_default();
        let parsed = text.parse::<DocumentMut>();
        Ok(parsed.with_context(|| format!("{path} is not TOML: `debrole check` says where"))?)
    }

    pub fn put(&mut self, path: &str, text: impl Into<String>) {
        self.edits.insert(path.into(), Some(text.into()));
    }

    pub fn remove(&mut self, path: &str) {
        self.edits.insert(path.into(), None);
    }

    /// The names of the files in a folder, as they are to be.
    pub fn names(&self, folder: &str) -> Result<Vec<String>, Failure> {
        let mut names: Vec<String> = match fs::read_dir(self.places.root.join(folder)) {
            Ok(entries) => entries
                .flatten()
                .filter_map(|entry| entry.file_name().into_string().ok()?.strip_suffix(".toml").map(str::to_owned))
                .collect(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(anyhow!(error).context(format!("can't read {folder}")).into()),
        };
        for (path, text) in &self.edits {
            if path.parent() == Some(Path::new(folder))
                && let Some(stem) = path.file_stem().and_then(|stem| stem.to_str())
            {
                names.retain(|name| name != stem);
                if text.is_some() {
                    names.push(stem.to_owned());
                }
            }
        }
        names.retain(|name| !name.starts_with('.'));
        names.sort();
        Ok(names)
    }

    /// An integer at the top of each file of a folder: `uid`, `gid`.
    pub fn numbers(&self, folder: &str, field: &str) -> Result<BTreeMap<String, u32>, Failure> {
        let mut numbers = BTreeMap::new();
        for name in self.names(folder)? {
            let document = self.document(&format!("{folder}/{name}.toml"))?;
            let number = document.get(field).and_then(Item::as_integer).and_then(|n| u32::try_from(n).ok());
            numbers.extend(number.map(|number| (name, number)));
        }
        Ok(numbers)
    }

    /// A table of the ledger.
    pub fn ledger(&self, table: &str) -> Result<Numbers, Failure> {
        let document = self.document("ledger.toml")?;
        let entries = document.get(table).and_then(Item::as_table_like);
        let entries = entries.into_iter().flat_map(|table| table.iter()).filter_map(|(id, value)| {
            let names = match value.as_array() {
                Some(list) => list.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect(),
                None => vec![value.as_str()?.to_owned()],
            };
            Some((id.parse().ok()?, names))
        });
        Ok(entries.collect())
    }

    /// Writes a number down.
    pub fn record(&mut self, table: &str, id: u32, names: &[String]) -> Result<(), Failure> {
        let mut document = self.document("ledger.toml")?;
        let value = match names {
            [name] => Value::from(name.as_str()),
            names => Value::Array(names.iter().map(String::as_str).collect::<Array>()),
        };
        let entries = document.entry(table).or_insert(Item::Table(Table::new()));
        let entries = entries.as_table_like_mut().ok_or_else(|| anyhow!("[{table}] of ledger.toml is no table"))?;
        entries.insert(&id.to_string(), Item::Value(value));
        self.put_ledger(&document)?;
        Ok(())
    }

    /// What is to become of the home of somebody who leaves; None: nothing in particular.
    pub fn record_home(&mut self, id: u32, policy: Option<&str>) -> Result<(), Failure> {
        let mut document = self.document("ledger.toml")?;
        match policy {
            Some(policy) => {
                let entries = document.entry("home").or_insert(Item::Table(Table::new()));
                let entries =
                    entries.as_table_like_mut().ok_or_else(|| anyhow!("[home] of ledger.toml is no table"))?;
                entries.insert(&id.to_string(), toml_edit::value(policy));
            }
            None => {
                if let Some(entries) = document.get_mut("home").and_then(Item::as_table_like_mut) {
                    entries.remove(&id.to_string());
                }
            }
        }
        self.put_ledger(&document)?;
        Ok(())
    }

    fn put_ledger(&mut self, document: &DocumentMut) -> Result<(), Failure> {
        let head = if self.text("ledger.toml")?.is_none() { format!("{LEDGER}\n") } else { String::new() };
        self.put("ledger.toml", format!("{head}{document}"));
        Ok(())
    }

    /// Changes the members of a group; true where that changed something.
    pub fn members(&mut self, group: &str, change: impl FnOnce(&mut Array) -> bool) -> Result<bool, Failure> {
        let path = format!("groups/{group}.toml");
        let mut document = self.document(&path)?;
        let members = document.entry("members").or_insert(toml_edit::value(Array::new()));
        let members = members.as_array_mut().ok_or_else(|| anyhow!("\"members\" of {path} is no list"))?;
        let changed = change(members);
        if changed {
            self.put(&path, document.to_string());
        }
        Ok(changed)
    }

    /// A number that nobody ever had: the first after all that were given, so that gaps stay gaps.
    pub fn free_number(&self, band: (u32, u32)) -> Result<u32, Failure> {
        let mut taken: Vec<u32> = self.ledger("users")?.into_keys().chain(self.ledger("groups")?.into_keys()).collect();
        taken.extend(self.numbers("users", "uid")?.into_values());
        taken.extend(self.numbers("groups", "gid")?.into_values());
        taken.retain(|id| (band.0..=band.1).contains(id));
        let next = taken.iter().max().map_or(band.0, |last| last + 1);
        let free = (next..=band.1).chain(band.0..next).find(|id| !taken.contains(id));
        Ok(free.ok_or_else(|| {
            anyhow!("every number from {} to {} was given: widen `uids` in debrole.toml", band.0, band.1)
        })?)
    }

    /// Makes the edits, and takes them back where the tree has errors by them that it did not have before. `said`: what
    /// was done by them.
    pub fn commit(self, said: impl std::fmt::Display, reporter: &Reporter) -> Outcome {
        let errors = || {
            let mut loaded = load::load(self.places);
            load::lower(&mut loaded, &check::placeholder_keyring(), key::now());
            loaded
        };
        let told = |loaded: &load::Loaded| -> Vec<(&str, String)> {
            loaded.diagnostics.iter().filter(|d| d.is_error()).map(|d| (d.rule.code, d.message.clone())).collect()
        };
        let before = errors();
        let known = told(&before);
        let mut kept: BTreeMap<&PathBuf, Option<Vec<u8>>> = BTreeMap::new();
        for path in self.edits.keys() {
            kept.insert(path, fs::read(self.places.root.join(path)).ok());
        }
        let write = |path: &Path, bytes: Option<&[u8]>| -> anyhow::Result<()> {
            let full = self.places.root.join(path);
            let context = || format!("can't write {}", path.display());
            let Some(bytes) = bytes else {
                return match fs::remove_file(&full) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).with_context(context),
                    _ => Ok(()),
                };
            };
            let folder = full.parent().unwrap_or(Path::new("."));
            fs::create_dir_all(folder).with_context(context)?;
            let mut new = tempfile::Builder::new().prefix(".debrole-").tempfile_in(folder).with_context(context)?;
            std::io::Write::write_all(&mut new, bytes).with_context(context)?;
            let mode =
                fs::metadata(&full).map_or(0o644, |meta| std::os::unix::fs::PermissionsExt::mode(&meta.permissions()));
            fs::set_permissions(new.path(), std::os::unix::fs::PermissionsExt::from_mode(mode))
                .with_context(context)?;
            new.persist(&full).with_context(context)?;
            Ok(())
        };
        let back = || kept.iter().try_for_each(|(path, bytes)| write(path, bytes.as_deref()));
        for (path, text) in &self.edits {
            if let Err(error) = write(path, text.as_ref().map(String::as_bytes)) {
                back()?;
                return Err(error.into());
            }
        }
        let after = errors();
        let new: Vec<_> = after
            .diagnostics
            .iter()
            .filter(|d| d.is_error() && !known.contains(&(d.rule.code, d.message.clone())))
            .cloned()
            .collect();
        // Who administers machines is asked of a tree without mistakes: what mends the last one may uncover that nobody
        // does, and is no reason for it.
        let left: BTreeSet<_> = told(&after).into_iter().collect();
        let mends = known.iter().any(|error| !left.contains(error));
        let uncovered = mends && new.iter().all(|d| d.rule.code == rules::no_administrator::RULE.code);
        if !new.is_empty() {
            reporter.diagnostics(&new, &after.tree.sources);
        }
        if !new.is_empty() && !uncovered {
            back()?;
            reporter.refusal("nothing was changed: the tree would be wrong");
            return Err(Failure::Wrong);
        }
        let old: Vec<_> = before.diagnostics.iter().map(|d| d.message.as_str()).collect();
        let warnings = after.diagnostics.iter().filter(|d| !d.is_error() && !old.contains(&d.message.as_str()));
        let warnings: Vec<_> = warnings.cloned().collect();
        reporter.diagnostics(&warnings, &after.tree.sources);
        reporter.summary(said);
        for (path, text) in &self.edits {
            let verb = match (text, kept.get(path).is_some_and(Option::is_some)) {
                (None, _) => "removed",
                (_, true) => "changed",
                (_, false) => "new",
            };
            reporter.summary(format_args!("  {}: {verb}", path.display()));
        }
        reporter.member("files", self.edits.keys().collect::<Vec<_>>());
        Ok(())
    }
}
