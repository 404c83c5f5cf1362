//! What most commands begin with: find the tree, read it, resolve it, lower it.

use super::{Failure, Outcome};
use crate::cli::Global;
use crate::reporter::Reporter;
use anyhow::{Context, anyhow};
use debrole::access::guard;
use debrole::diagnostics::Diagnostic;
use debrole::lower::{self, Keyring};
use debrole::model::Model;
use debrole::plan::PackagePlan;
use debrole::resolve;
use debrole::tree::Tree;
use std::path::{Path, PathBuf};

/// Where the tree is and where its repository goes.
pub struct Places {
    pub root: PathBuf,
    pub out: PathBuf,
}

/// The directories of the tree that hold what people write.
const SOURCES: &[&str] = &["groups", "hosts", "keys", "packages", "roles", "secrets", "users"];

/// `-C TREE`, else the nearest debrole.toml upwards; `--out DIR`, else `TREE/repo-out`.
pub fn places(global: &Global, reporter: &Reporter) -> Result<Places, Failure> {
    let root = match &global.tree {
        Some(tree) => tree.clone(),
        None => {
            let here = std::env::current_dir().context("can't tell the current directory")?;
            Tree::find_root(&here).ok_or_else(|| {
                anyhow!(
                    "there is no debrole.toml in {} or above it: name the tree with -C, or make one with `debrole init`",
                    here.display()
                )
            })?
        }
    };
    let out = global.out.clone().unwrap_or_else(|| root.join("repo-out"));
    // The repository's files among the sources would be read as part of the tree, and a sweep could take sources away.
    let absolute = |path: &Path| std::fs::canonicalize(path).or_else(|_| std::path::absolute(path));
    let (real_root, real_out) = (absolute(&root)?, absolute(&out)?);
    let below = real_out.strip_prefix(&real_root).ok().and_then(|rest| rest.components().next());
    let among_sources = real_root.starts_with(&real_out)
        || below.is_some_and(|first| SOURCES.iter().any(|name| first.as_os_str() == *name));
    if among_sources {
        reporter.refusal(&format!("--out {} is among the tree's sources: name a directory of its own", out.display()));
        return Err(Failure::Wrong);
    }
    Ok(Places { root, out })
}

/// The tree as read, what it means, and everything that was found wrong on the way.
pub struct Loaded {
    pub tree: Tree,
    /// None where resolving found an error.
    pub model: Option<Model>,
    /// What is sound of a tree with errors, where there is no model.
    part: Option<Model>,
    pub diagnostics: Vec<Diagnostic>,
}

impl Loaded {
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// What the tree means, or of a wrong one what is sound of it.
    pub fn understood(&self) -> Option<&Model> {
        self.model.as_ref().or(self.part.as_ref())
    }

    /// Reports everything; an error ends the command.
    pub fn report(&self, reporter: &Reporter) -> Outcome {
        reporter.diagnostics(&self.diagnostics, &self.tree.sources);
        if self.has_errors() { Err(Failure::Wrong) } else { Ok(()) }
    }
}

pub fn load(places: &Places) -> Loaded {
    understood(Tree::read(&places.root))
}

/// What a tree means that was read, and perhaps added to.
pub fn understood((mut tree, mut diagnostics): (Tree, Vec<Diagnostic>)) -> Loaded {
    let (understood, more) = resolve::understand(&mut tree);
    let (model, part) = match more.iter().any(Diagnostic::is_error) {
        true => (None, understood),
        false => (understood, None),
    };
    diagnostics.extend(more);
    Loaded { tree, model, part, diagnostics }
}

/// Lowers what was resolved. What lowering finds wrong is added to the tree's own diagnostics, so that all of it is
/// reported at once; without a model there are no plans.
///
/// `time`, in seconds since 1970 UTC, is that on which people's access is judged.
pub fn lower(loaded: &mut Loaded, keyring: &Keyring, time: i64) -> Vec<PackagePlan> {
    let Some(model) = &loaded.model else {
        let in_part = |part| lower::lower_in_part(part, keyring, &loaded.diagnostics, &loaded.tree.sources);
        let found = loaded.part.as_ref().map(in_part).unwrap_or_default();
        loaded.diagnostics.extend(found);
        return Vec::new();
    };
    let (plans, more) = lower::lower(model, keyring);
    loaded.diagnostics.extend(more);
    loaded.diagnostics.extend(guard::check(model, time));
    plans
}
