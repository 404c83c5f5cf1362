//! What most commands begin with: find the tree, read it, resolve it, lower it.

use super::{Failure, Outcome};
use crate::cli::Global;
use crate::reporter::Reporter;
use anyhow::{Context, anyhow};
use debrole::diagnostics::Diagnostic;
use debrole::lower::{self, Keyring};
use debrole::model::Model;
use debrole::plan::PackagePlan;
use debrole::resolve;
use debrole::tree::Tree;
use std::path::PathBuf;

/// Where the tree is and where its repository goes.
pub struct Places {
    pub root: PathBuf,
    pub out: PathBuf,
}

/// `-C TREE`, else the nearest debrole.toml upwards; `--out DIR`, else `TREE/repo-out`.
pub fn places(global: &Global) -> Result<Places, Failure> {
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
    Ok(Places { root, out })
}

/// The tree as read, what it means, and everything that was found wrong on the way.
pub struct Loaded {
    pub tree: Tree,
    pub model: Option<Model>,
    pub diagnostics: Vec<Diagnostic>,
}

impl Loaded {
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// Reports everything; an error ends the command.
    pub fn report(&self, reporter: &Reporter) -> Outcome {
        reporter.diagnostics(&self.diagnostics, &self.tree.sources);
        if self.has_errors() { Err(Failure::Wrong) } else { Ok(()) }
    }
}

pub fn load(places: &Places) -> Loaded {
    let (mut tree, mut diagnostics) = Tree::read(&places.root);
    let (model, more) = resolve::resolve(&mut tree);
    diagnostics.extend(more);
    Loaded { tree, model, diagnostics }
}

/// Lowers what was resolved. What lowering finds wrong is added to the tree's own diagnostics, so that all of it is
/// reported at once; without a model there are no plans.
pub fn lower(loaded: &mut Loaded, keyring: &Keyring) -> Vec<PackagePlan> {
    let Some(model) = &loaded.model else { return Vec::new() };
    let (plans, more) = lower::lower(model, keyring);
    loaded.diagnostics.extend(more);
    plans
}
