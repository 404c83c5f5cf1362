//! The `debrole` command: arguments in, exit status out. The work is in the library; the wiring in [`commands`].

mod cli;
mod commands;
mod reporter;

use clap::Parser;
use commands::Failure;
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // --help and --version arrive here too: they are no errors and go to standard output.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 1 } else { 0 });
        }
    };
    let reporter = Arc::new(reporter::Reporter::new(&cli.global));
    let outcome = commands::run(&cli, &reporter);
    if let Err(Failure::Environment(error)) = &outcome {
        reporter.failure(error);
    }
    reporter.finish();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Wrong) => ExitCode::from(1),
        Err(Failure::Environment(_)) => ExitCode::from(2),
    }
}
