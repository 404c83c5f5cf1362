//! One file a subcommand: the only place that wires the stages together.

mod access;
mod backup;
mod build;
mod check;
mod completions;
mod edit;
mod explain;
mod host;
mod init;
mod key;
mod load;
mod people;
mod provision;
mod reference;
mod secret;
mod serve;
mod show;
mod signals;

use crate::cli::{Cli, Command};
use crate::reporter::Reporter;
use std::sync::Arc;

/// Why a command did not do what was asked.
#[derive(Debug)]
pub enum Failure {
    /// The tree or the request is wrong; the diagnostics are reported already. Exit status 1.
    Wrong,
    /// The environment, or debrole, is. Exit status 2.
    Environment(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure::Environment(error.into())
    }
}

pub type Outcome = Result<(), Failure>;

pub fn run(cli: &Cli, reporter: &Arc<Reporter>) -> Outcome {
    let global = &cli.global;
    match &cli.command {
        Command::Init(args) => init::run(args, global, reporter),
        Command::Check(args) => check::run(args, global, reporter),
        Command::Build(args) => build::run(args, global, reporter),
        Command::Plan(args) => build::plan(args, global, reporter),
        Command::Show(args) => show::run(args, global, reporter),
        Command::Access(args) => access::run(args, global, reporter),
        Command::User(command) => people::user(command, global, reporter),
        Command::Group(command) => people::group(command, global, reporter),
        Command::Secret(command) => secret::run(command, global, reporter),
        Command::Backup(command) => backup::run(command, global, reporter),
        Command::Provision(args) => provision::provision(args, global, reporter),
        Command::Deprovision(args) => provision::deprovision(args, global, reporter),
        Command::Vm(command) => provision::vm(command, global, reporter),
        Command::Hypervisor(command) => provision::hypervisor(command, global, reporter),
        Command::Guard(args) => provision::guard(args, global, reporter),
        Command::Ledger => people::ledger(global, reporter),
        Command::Explain(args) => explain::run(args, reporter),
        Command::Host(command) => host::run(command, global, reporter),
        Command::Key(command) => key::run(command, global, reporter),
        Command::Completions(args) => completions::run(args, reporter),
        Command::Serve(args) => serve::run(args, global, reporter),
        Command::Reference(args) => reference::run(args, reporter),
    }
}
