//! `debrole backup list|restore`: what the backup servers have. They are asked through SSH; whoever may be root there may
//! read the backups.

use super::load;
use super::{Failure, Outcome};
use crate::cli::{Backup, BackupRestore, BackupServers, Global};
use crate::reporter::Reporter;
use anyhow::{Context, anyhow};
use debrole::exec;
use debrole::lower::backup::servers;
use debrole::model::Model;
use debrole::names::HostName;
use debrole::near::nearest;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

mod records;

/// How long a server may take to list what it has.
const LIST_LIMIT: Duration = Duration::from_secs(300);

pub fn run(command: &Backup, global: &Global, reporter: &Reporter) -> Outcome {
    let places = load::places(global, reporter)?;
    let loaded = load::load(&places);
    let Some(model) = &loaded.model else { return loaded.report(reporter) };
    match command {
        Backup::List { host, servers } => list(host.as_deref(), servers, model, reporter),
        Backup::Restore(args) => restore(args, model, reporter),
    }
}

fn refuse<T>(why: &str, reporter: &Reporter) -> Result<T, Failure> {
    reporter.refusal(why);
    Err(Failure::Wrong)
}

/// A machine's name as it may stand in a command; the machine need not be in the tree any more.
fn host_name(text: &str, reporter: &Reporter) -> Result<HostName, Failure> {
    HostName::parse(text).or_else(|why| refuse(&format!("\"{}\": {why}", text.escape_debug()), reporter))
}

/// The servers to ask: name and destination of each.
fn asked(args: &BackupServers, model: &Model, reporter: &Reporter) -> Result<Vec<(String, String)>, Failure> {
    let all: Vec<&str> = servers(model).iter().map(|host| host.name.value.as_str()).collect();
    let Some(wanted) = &args.server else {
        if all.is_empty() {
            return refuse("no machine of the tree keeps backups: give one a role with [backup_server]", reporter);
        }
        return Ok(all.into_iter().map(|name| (name.to_owned(), name.to_owned())).collect());
    };
    if !all.contains(&wanted.as_str()) {
        let help = match nearest(wanted, all.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None if all.is_empty() => "no machine has a role with [backup_server]".to_owned(),
            None => format!("those are {}", all.join(", ")),
        };
        return refuse(&format!("\"{}\" keeps no backups: {help}", wanted.escape_debug()), reporter);
    }
    Ok(vec![(wanted.clone(), args.ssh.clone().unwrap_or_else(|| wanted.clone()))])
}

/// What ssh(1) is told: the destination is one argument and never an option, and what is run there, as root.
fn remote(model: &Model, destination: &str, arguments: &[&str]) -> Vec<String> {
    let quoted: Vec<String> =
        arguments.iter().map(|argument| format!("'{}'", argument.replace('\'', r"'\''"))).collect();
    let program = format!("{}-backup-server {}", model.fleet.prefix, quoted.join(" "));
    let shell = format!("if [ \"$(id -u)\" = 0 ]; then exec {program}; else exec sudo -n {program}; fi");
    ["-o", "BatchMode=yes", "--", destination, &shell].map(str::to_owned).to_vec()
}

fn list(host: Option<&str>, args: &BackupServers, model: &Model, reporter: &Reporter) -> Outcome {
    let host = host.map(|text| host_name(text, reporter)).transpose()?;
    let (mut machines, mut jobs) = (Vec::new(), Vec::new());
    let mut silent = Vec::new();
    let asked = asked(args, model, reporter)?;
    for (server, destination) in &asked {
        let mut arguments = vec!["list"];
        arguments.extend(reporter.is_json().then_some("--records"));
        arguments.extend(host.as_ref().map(HostName::as_str));
        let output = {
            let _busy = reporter.busy(format!("asking {server}"));
            let ssh = exec::Command::new("ssh").args(remote(model, destination, &arguments)).limit(LIST_LIMIT);
            match std::env::var_os("SSH_AUTH_SOCK") {
                Some(agent) => ssh.env("SSH_AUTH_SOCK", agent).run()?,
                None => ssh.run()?,
            }
        };
        if !output.success() {
            silent.push(format!("{server}: {}", output.stderr_text().trim()));
            continue;
        }
        let text = output.stdout_text();
        if reporter.is_json() {
            match records::read(server, &text) {
                Ok((its_machines, its_jobs)) => {
                    machines.extend(its_machines);
                    jobs.extend(its_jobs);
                }
                Err(why) => silent.push(format!("{server}: {why}")),
            }
            continue;
        }
        if asked.len() > 1 {
            reporter.result(format_args!("on {server}:"));
        }
        reporter.result(text.trim_end());
    }
    reporter.member("machines", machines);
    reporter.member("jobs", jobs);
    match silent.as_slice() {
        [] => Ok(()),
        some => Err(anyhow!("what is there could not be listed: {}", some.join("; ")).into()),
    }
}

fn restore(args: &BackupRestore, model: &Model, reporter: &Reporter) -> Outcome {
    let host = host_name(&args.host, reporter)?;
    let plain = |text: &str, more: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || more.contains(c))
    };
    if !plain(&args.job, "_-") {
        return refuse(
            &format!("\"{}\" is no job's name: debrole backup list {host}", args.job.escape_debug()),
            reporter,
        );
    }
    let mut arguments = vec!["restore", host.as_str(), &args.job];
    if let Some(id) = &args.snapshot {
        if !plain(id, "") {
            return refuse(
                &format!("\"{}\" is no backup's id: debrole backup list {host}", id.escape_debug()),
                reporter,
            );
        }
        arguments.extend(["--snapshot", id]);
    }
    if let Some(path) = &args.path {
        if !path.starts_with('/') || path.contains(char::is_control) {
            return refuse(&format!("\"{}\" is no absolute path", path.escape_debug()), reporter);
        }
        arguments.extend(["--path", path]);
    }
    empty_directory(&args.to, reporter)?;
    let asked = asked(&args.servers, model, reporter)?;
    let mut faults = Vec::new();
    for (server, destination) in &asked {
        let command = remote(model, destination, &arguments);
        match receive(&command, &args.to)? {
            None => {
                reporter.summary(format_args!(
                    "{} of {host} is restored into {}, from {server}",
                    args.job,
                    args.to.display()
                ));
                reporter.member("server", server);
                return Ok(());
            }
            Some(fault) => faults.push(format!("{server}: {fault}")),
        }
        // What came of it half is no backup.
        if std::fs::read_dir(&args.to).is_ok_and(|mut entries| entries.next().is_some()) {
            faults.push(format!("what is in {} is not whole", args.to.display()));
            break;
        }
    }
    Err(anyhow!("nothing was restored: {}", faults.join("; ")).into())
}

fn empty_directory(to: &Path, reporter: &Reporter) -> Outcome {
    std::fs::create_dir_all(to).with_context(|| format!("can't make {}", to.display()))?;
    let mut entries = std::fs::read_dir(to).with_context(|| format!("can't read {}", to.display()))?;
    match entries.next() {
        None => Ok(()),
        Some(_) => refuse(&format!("{} is not empty: name a directory of its own", to.display()), reporter),
    }
}

/// An archive from there, unpacked here as it comes. What went wrong, if anything did.
fn receive(command: &[String], to: &Path) -> Result<Option<String>, Failure> {
    let ssh =
        Command::new("ssh").args(command).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut ssh = ssh.context("can't run ssh; install it with: apt-get install openssh-client")?;
    let archive = ssh.stdout.take().ok_or_else(|| anyhow!("ssh has no output"))?;
    let tar =
        Command::new("tar").args(["-x", "-p", "-f", "-", "-C"]).arg(to).stdin(archive).stderr(Stdio::piped()).spawn();
    let tar = tar.context("can't run tar")?;
    let unpacked = tar.wait_with_output().context("tar is lost")?;
    let sent = ssh.wait_with_output().context("ssh is lost")?;
    let last =
        |text: &[u8]| String::from_utf8_lossy(text).trim().lines().last().unwrap_or("it said nothing").to_owned();
    Ok(match (sent.status.success(), unpacked.status.success()) {
        (true, true) => None,
        (false, _) => Some(last(&sent.stderr)),
        (true, false) => Some(format!("tar: {}", last(&unpacked.stderr))),
    })
}
