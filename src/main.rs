//! The `debrole` command: arguments in, exit status out. The work is in the library; the wiring in [`commands`].

mod cli;
mod commands;
mod reporter;

use clap::Parser;
use commands::Failure;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

/// `debrole help --help` asks for what `debrole help` prints, as of any other command; clap takes it for a command's
/// name.
fn arguments(mut all: Vec<OsString>) -> Vec<OsString> {
    let [.., help, flag] = all.as_slice() else { return all };
    if help == "help" && (flag == "--help" || flag == "-h") && (all.len() == 3 || all.len() == 4 && all[1] == "key") {
        all.pop();
    }
    all
}

/// A build makes some hundred thousand small pieces of text on all processors: glibc's allocator takes a sixth longer.
/// (mimalloc's version 2: 3 is no faster here, for half as much memory again.)
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse_from(arguments(std::env::args_os().collect())) {
        Ok(cli) => cli,
        Err(error) => {
            // --help and --version arrive here too: they are no errors and go to standard output.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 1 } else { 0 });
        }
    };
    // What is published must be readable by the web server, whoever builds; what must not be says so itself.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    if std::env::var_os("RAYON_NUM_THREADS").is_some_and(|threads| threads == "1") {
        // One thread is this one, so that whoever watches the program (strace) sees one order of events. It fails
        // only where a pool exists already, and then there is nothing to do.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global();
    }
    let reporter = Arc::new(reporter::Reporter::new(&cli.global));
    let outcome = commands::run(&cli, &reporter);
    if let Err(Failure::Environment(error)) = &outcome {
        reporter.failure(error);
    }
    let all_written = reporter.finish();
    match outcome {
        Ok(()) if !all_written => ExitCode::from(2),
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Wrong) => ExitCode::from(1),
        Err(Failure::Environment(_)) => ExitCode::from(2),
    }
}
