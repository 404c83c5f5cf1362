//! `debrole completions SHELL`.

use super::Outcome;
use crate::cli::{Cli, Completions};
use crate::reporter::Reporter;
use clap::CommandFactory;

pub fn run(args: &Completions, reporter: &Reporter) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "debrole", &mut script);
    reporter.result(String::from_utf8_lossy(&script).trim_end());
    Ok(())
}
