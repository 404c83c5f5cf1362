//! `debrole deprovision`: the end of a machine.

use super::places::Whereabouts;
use super::site::{self, Site};
use crate::cli::{self, Global};
use crate::commands::{Failure, Outcome};
use crate::reporter::Reporter;
use anyhow::{Context, anyhow};
use debrole::exec;
use debrole::lower::backup;
use debrole::model::Model;
use debrole::provision::record::Lock;
use debrole::provision::run::State as Runs;
use debrole::provision::undo::{Act, Head, Journal};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a last backup may take.
const BACKUP_LIMIT: Duration = Duration::from_secs(6 * 3600);

pub fn run(args: &cli::Deprovision, global: &Global, reporter: &Reporter) -> Outcome {
    let (site, loaded) = Site::open(&args.stores, global, reporter)?;
    let model = loaded.model.as_ref().ok_or(Failure::Wrong)?;
    let name = args.host.as_str();
    let unfinished = site.state.journal(name).exists();
    let Some(record) = site.record(name)? else {
        if !unfinished {
            // Says which one may be meant.
            return site.whereabouts(name).map(drop);
        }
        let _lock = site.lock(name, "debrole deprovision")?;
        reporter.summary(format_args!("{name} was not made to its end, and all of it is taken back"));
        return Ok(());
    };
    if !args.yes && !super::asked(name, "its disks are removed, and what is on them is lost", reporter)? {
        return Err(Failure::Wrong);
    }
    let _lock: Lock = site.lock(name, "debrole deprovision")?;
    let hypervisor = Whereabouts::of(&record.place, &site.state).hypervisor;
    let state = hypervisor.state(name).map_err(|error| anyhow!(error))?;
    if args.backup {
        last_backup(name, model, state, &site)?;
    }
    // The tree first: where it can't go on without the machine, nothing is destroyed.
    if !args.keep && model.hosts.values().any(|host| host.name.value.as_str() == name) {
        leave_tree(name, args, &site)?;
    }
    {
        let _busy = reporter.busy(format!("removing {name}"));
        hypervisor.drop_aside(name).map_err(|error| anyhow!(error))?;
        hypervisor.remove(name).map_err(|error| anyhow!(error))?;
    }
    site.state.forget(name).map_err(anyhow::Error::new)?;
    reporter.summary(format_args!("{name} is gone from {}, with its disks", hypervisor.describe()));
    if args.keep {
        reporter.summary(format_args!("hosts/{name}.toml is kept: `debrole provision {name}` makes it again"));
    }
    reporter.member("removed", name);
    Ok(())
}

/// Takes the machine out of the tree and publishes that: the others are told to monitor, know and expect it no more, and a
/// tombstone follows its package. Taken back where the tree would be wrong.
fn leave_tree(name: &str, args: &cli::Deprovision, site: &Site<'_>) -> Outcome {
    let root = &site.places.root;
    let mut files: Vec<PathBuf> = vec![root.join(format!("hosts/{name}.toml"))];
    let folder = root.join("hosts").join(name);
    below(&folder, &mut files).with_context(|| format!("can't read {}", folder.display()))?;
    let head = Head {
        name: name.to_owned(),
        what: format!("debrole deprovision {name}"),
        tree: root.clone(),
        out: site.places.out.clone(),
        // Nothing is started that would go on by itself.
        run: String::new(),
    };
    let mut journal = Journal::begin(&site.state.journal(name), &head).map_err(anyhow::Error::new)?;
    let gone = (|| -> Outcome {
        for file in &files {
            let before = std::fs::read(file).with_context(|| format!("can't read {}", file.display()))?;
            journal.edit(file, Some(&before), None).map_err(anyhow::Error::new)?;
        }
        site::tree(&site.places, site.reporter)?;
        journal.will(&Act::Publish { host_keys: Vec::new() }).map_err(anyhow::Error::new)?;
        site.publish(&args.publishing)
    })();
    match gone {
        Ok(()) => {
            journal.done().map_err(anyhow::Error::new)?;
            if folder.is_dir() {
                std::fs::remove_dir_all(&folder).with_context(|| format!("can't remove {}", folder.display()))?;
            }
            site.reporter.summary(format_args!("hosts/{name}.toml is removed, and the tree is published without it"));
            Ok(())
        }
        Err(failure) => {
            super::guard::taken(name, &site.state, &site.hands(), site.reporter)?;
            site.reporter.note(format_args!("{name} is as it was: the tree can't be published without it yet"));
            Err(failure)
        }
    }
}

fn below(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.symlink_metadata()?.is_dir() {
            below(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// Each job of the machine once more, asked for through SSH.
fn last_backup(name: &str, model: &Model, state: Runs, site: &Site<'_>) -> Outcome {
    if state != Runs::Running {
        return site.refuse(format!(
            "{name} does not run, so it can't back up: start it with `debrole vm start {name}`, or leave --backup out"
        ));
    }
    let jobs: Vec<String> = backup::jobs(model)
        .into_iter()
        .filter(|job| job.client.name.value.as_str() == name)
        .map(|job| job.name)
        .collect();
    if jobs.is_empty() {
        return site.refuse(format!("{name} has no backup jobs: leave --backup out"));
    }
    for job in &jobs {
        let _busy = site.reporter.busy(format!("{name} backs up {job}"));
        let program = format!("{}-backup run '{job}'", model.fleet.prefix);
        let shell = format!("if [ \"$(id -u)\" = 0 ]; then exec {program}; else exec sudo -n {program}; fi");
        let ssh = exec::Command::new("ssh").args(["-o", "BatchMode=yes", "--", name, &shell]).limit(BACKUP_LIMIT);
        let output = match std::env::var_os("SSH_AUTH_SOCK") {
            Some(agent) => ssh.env("SSH_AUTH_SOCK", agent).run()?,
            None => ssh.run()?,
        };
        if !output.success() {
            return Err(anyhow!(
                "{name} did not back up {job}, and nothing of it was removed: {}",
                output.stderr_text().trim()
            )
            .into());
        }
        site.reporter.summary(format_args!("{name}: {job} is backed up"));
    }
    Ok(())
}
