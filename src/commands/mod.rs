//! One file a subcommand: the only place that wires the stages together.

mod completions;
mod explain;

use crate::cli::{Cli, Command};
use crate::reporter::Reporter;

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

pub fn run(cli: &Cli, reporter: &Reporter) -> Outcome {
    match &cli.command {
        Command::Explain(args) => explain::run(args, reporter),
        Command::Completions(args) => completions::run(args, reporter),
        _ => todo!(),
    }
}
