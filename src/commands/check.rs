//! `debrole check`: everything that can be known without building.

use super::load::{self, Loaded};
use super::{Failure, Outcome};
use crate::cli::{ArchiveCache, Check, Global};
use crate::reporter::Reporter;
use debrole::lower::Keyring;

pub fn run(args: &Check, global: &Global, reporter: &Reporter) -> Outcome {
    let places = load::places(global)?;
    let mut loaded = load::load(&places);
    let plans = load::lower(&mut loaded, &placeholder_keyring());
    let warned = loaded.diagnostics.iter().any(|d| !d.is_error());
    loaded.report(reporter)?;
    let (roles, hosts) = loaded.model.as_ref().map_or((0, 0), |m| (m.roles.len(), m.hosts.len()));
    reporter.summary(format_args!(
        "{} roles and {} hosts are right{}",
        roles,
        hosts,
        if args.archive { ", and apt would install each of them" } else { "" }
    ));
    reporter.member("roles", roles);
    reporter.member("hosts", hosts);
    if args.strict && warned { Err(Failure::Wrong) } else { Ok(()) }
}

/// The tree's own check without a word where all is well: what `init` runs on what it made.
pub fn quietly(global: &Global, reporter: &Reporter) -> Outcome {
    let places = load::places(global)?;
    let mut loaded = load::load(&places);
    load::lower(&mut loaded, &placeholder_keyring());
    loaded.report(reporter)
}

/// The key has no influence on whether a tree is right, and a tree can be checked where there is none.
pub fn placeholder_keyring() -> Keyring {
    Keyring { binary: Vec::new(), armored: Vec::new() }
}

