//! `debrole check`: everything that can be known without building.

use super::load::{self, Loaded};
use super::{Failure, Outcome, access};
use crate::cli::{ArchiveCache, Check, Global};
use crate::reporter::Reporter;
use anyhow::anyhow;
use debrole::archive;
use debrole::build;
use debrole::lower::Keyring;
use debrole::plan::PackagePlan;

pub fn run(args: &Check, global: &Global, reporter: &Reporter) -> Outcome {
    let places = load::places(global, reporter)?;
    let mut loaded = load::load(&places);
    let plans = load::lower(&mut loaded, &placeholder_keyring(), super::key::now());
    if let Some(model) = &loaded.model {
        let found = build::check_site_packages(model, &plans);
        loaded.diagnostics.extend(found);
    }
    let not_run = if loaded.has_errors() { None } else { access::ask_visudo(&mut loaded, &plans) };
    if args.archive && !loaded.has_errors() {
        let busy = reporter.busy("asking apt's solver");
        let found = ask_archive(&loaded, &plans, &archive_options(&args.archive_cache, archive::Lists::Refresh));
        drop(busy);
        match found {
            Ok(found) => loaded.diagnostics.extend(found),
            Err(unavailable) => {
                reporter.diagnostics(&loaded.diagnostics, &loaded.tree.sources);
                return Err(unavailable_failure(&unavailable));
            }
        }
    }
    let warned = loaded.diagnostics.iter().any(|d| !d.is_error());
    loaded.report(reporter)?;
    let (roles, hosts) = loaded.model.as_ref().map_or((0, 0), |m| (m.roles.len(), m.hosts.len()));
    let (users, groups) = loaded.model.as_ref().map_or((0, 0), |m| (m.people.users.len(), m.people.groups.len()));
    let people = match (users, groups) {
        (0, 0) => format!("{} and {}", count(roles, "role"), count(hosts, "host")),
        _ => format!(
            "{}, {}, {} and {}",
            count(roles, "role"),
            count(hosts, "host"),
            count(users, "user"),
            count(groups, "group")
        ),
    };
    reporter.summary(format_args!(
        "{people} are right{}",
        if args.archive { ", and apt would install each of them" } else { "" }
    ));
    if let Some(what) = &not_run {
        reporter.summary(format_args!("  not run: {what}"));
    }
    reporter.member("not_run", &not_run);
    reporter.member("roles", roles);
    reporter.member("hosts", hosts);
    reporter.member("users", users);
    reporter.member("groups", groups);
    if args.strict && warned { Err(Failure::Wrong) } else { Ok(()) }
}

/// The tree's own check without a word where all is well: what `init` runs on what it made.
pub fn quietly(global: &Global, reporter: &Reporter) -> Outcome {
    let places = load::places(global, reporter)?;
    let mut loaded = load::load(&places);
    load::lower(&mut loaded, &placeholder_keyring(), super::key::now());
    loaded.report(reporter)
}

/// The key has no influence on whether a tree is right, and a tree can be checked where there is none.
pub fn placeholder_keyring() -> Keyring {
    Keyring { binary: Vec::new(), armored: Vec::new() }
}

pub fn archive_options(args: &ArchiveCache, lists: archive::Lists) -> archive::Options {
    let mut options = archive::Options::new(lists);
    if let Some(cache) = &args.archive_cache {
        options.cache = cache.clone();
    }
    options
}

pub fn ask_archive(
    loaded: &Loaded,
    plans: &[PackagePlan],
    options: &archive::Options,
) -> Result<Vec<debrole::diagnostics::Diagnostic>, archive::Unavailable> {
    match &loaded.model {
        Some(model) => archive::check(model, plans, options),
        None => Ok(Vec::new()),
    }
}

pub fn unavailable_failure(unavailable: &archive::Unavailable) -> Failure {
    let help = unavailable.help.iter().map(|line| format!("\n  help: {line}")).collect::<String>();
    Failure::Environment(anyhow!("the archive can't be asked: {unavailable}{help}"))
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
