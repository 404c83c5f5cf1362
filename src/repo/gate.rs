//! The gate before the commit: a generation is committed only when a real client accepts it. The trait is here, so
//! that publishing knows that there is a gate and not what it is made of; apt's is [`crate::archive::gate`].

use crate::diagnostics::Diagnostic;
use crate::repo::manifest::Manifest;
use std::path::Path;
use std::time::Duration;

/// A generation that is wholly written, signed and durable, but not committed: clients do not see it yet.
#[derive(Debug, Clone, Copy)]
pub struct StagedTree<'a> {
    /// The repository's root (`repo-out/`), with the pool in `pool/`: new pool files are already there.
    pub root: &'a Path,
    /// What `dists` would name after the commit: the directory that holds `<suite>/InRelease` and so on.
    pub dists: &'a Path,
    pub manifest: &'a Manifest,
}

/// Something that must accept a staged generation before it is committed.
pub trait Gate {
    /// Accepts it, or says everything that is wrong with it (at least one error). Changes nothing in the tree.
    fn accept(&self, staged: &StagedTree<'_>) -> Result<GateReport, Vec<Diagnostic>>;
}

/// What a gate that accepted has looked at.
#[derive(Debug, Clone, Default)]
pub struct GateReport {
    /// What was checked and held, one phrase each: `apt-get update of bookworm`.
    pub checked: Vec<String>,
    /// What could not be checked, with the reason; the generation is committed all the same.
    pub skipped: Vec<String>,
    pub warnings: Vec<Diagnostic>,
    pub elapsed: Duration,
}
