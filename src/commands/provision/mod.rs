//! From a host's file to a running machine, and its end.

mod end;
mod follow;
mod guard;
mod machines;
mod make;
mod places;
mod settle;
mod site;
pub mod wanted;

pub use end::run as deprovision;
pub use guard::run as guard;
pub use machines::{hypervisor, vm};
pub use make::provision;

use super::Failure;
use crate::reporter::Reporter;
use std::io::{BufRead, IsTerminal};

/// Whether a person at the terminal wants what can't be taken back: they type the machine's name.
fn asked(name: &str, what: &str, reporter: &Reporter) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        reporter.refusal(&format!("{name}: {what}; nobody can be asked here: say that it is meant with --yes"));
        return Ok(false);
    }
    reporter.note(format_args!("{name}: {what}. Type its name to go on:"));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if answer.trim() == name {
        return Ok(true);
    }
    reporter.refusal(&format!("that is not {name}: nothing was changed"));
    Ok(false)
}
