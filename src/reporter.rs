//! The only place that prints. Results go to standard output, everything else to standard error; with
//! `--format json` one document is printed to standard output at the end and nothing else.

use crate::cli::{Colour, Format, Global};
use debrole::diagnostics::{Diagnostic, render};
use debrole::source::Sources;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub struct Reporter {
    format: Format,
    colour: bool,
    quiet: bool,
    /// The members of the JSON document, in the order in which they came.
    document: Mutex<serde_json::Map<String, serde_json::Value>>,
    /// Why a part of the result could not be written.
    lost: Mutex<Option<std::io::Error>>,
}

impl Reporter {
    pub fn new(global: &Global) -> Self {
        let colour = match global.color {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => {
                std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
            }
        };
        Reporter {
            format: global.format,
            colour,
            quiet: global.quiet,
            document: Mutex::default(),
            lost: Mutex::default(),
        }
    }

    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    fn document(&self) -> MutexGuard<'_, serde_json::Map<String, serde_json::Value>> {
        self.document.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line (or several) of the command's result.
    pub fn result(&self, text: impl Display) {
        if !self.is_json() {
            self.print_result(&text);
        }
    }

    fn print_result(&self, text: &dyn Display) {
        if let Err(error) = print(&mut std::io::stdout().lock(), text) {
            self.lost.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }

    /// A line about the result that `--quiet` leaves out.
    pub fn summary(&self, text: impl Display) {
        if !self.quiet && !self.is_json() {
            self.print_result(&printable(&text));
        }
    }

    /// What goes on meanwhile.
    pub fn note(&self, text: impl Display) {
        if !self.is_json() && !self.quiet {
            let _ = print(&mut std::io::stderr().lock(), &printable(&text));
        }
    }

    /// What a person should know before it is too late, and that stops nothing.
    pub fn warn(&self, text: impl Display) {
        if self.is_json() {
            let mut document = self.document();
            match document.get_mut("warnings").and_then(|warnings| warnings.as_array_mut()) {
                Some(warnings) => warnings.push(text.to_string().into()),
                None => drop(document.insert("warnings".into(), vec![text.to_string()].into())),
            }
        } else {
            let word = if self.colour { "\x1b[1;33mwarning\x1b[0m" } else { "warning" };
            let _ = print(&mut std::io::stderr().lock(), &format_args!("{word}: {}", printable(&text)));
        }
    }

    /// A result that is not text: straight to standard output.
    pub fn bytes(&self, bytes: &[u8]) -> std::io::Result<()> {
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush())
    }

    /// Why the request itself can't be carried out: what is wrong and what to do, in one sentence.
    pub fn refusal(&self, why: &str) {
        if self.is_json() {
            self.document().insert("refused".into(), why.into());
        } else {
            let _ = print(&mut std::io::stderr().lock(), &format_args!("{}: {}", self.error(), printable(&why)));
        }
    }

    /// The word that every failure begins with.
    fn error(&self) -> &'static str {
        if self.colour { "\x1b[1;31merror\x1b[0m" } else { "error" }
    }

    /// A member of the JSON document.
    pub fn member(&self, name: &str, value: impl serde::Serialize) {
        if self.is_json() {
            let value = serde_json::to_value(value).expect("a result is plain data, which JSON can hold");
            self.document().insert(name.to_owned(), value);
        }
    }

    pub fn diagnostics(&self, diagnostics: &[Diagnostic], sources: &Sources) {
        if self.is_json() {
            let new: serde_json::Value = serde_json::from_str(&render::json(diagnostics, sources))
                .expect("what was written as JSON can be read");
            let mut document = self.document();
            match document.get_mut("diagnostics").and_then(|d| d.as_array_mut()) {
                Some(have) => have.extend(new.as_array().cloned().unwrap_or_default()),
                None => {
                    document.insert("diagnostics".into(), new);
                }
            }
        } else {
            let shown: Vec<Diagnostic> = diagnostics.iter().filter(|d| !self.quiet || d.is_error()).cloned().collect();
            if !shown.is_empty() {
                let style = render::Style { color: self.colour, ..render::Style::default() };
                let text = render::text(&shown, sources, style);
                let _ = print(&mut std::io::stderr().lock(), &text.trim_end());
            }
        }
    }

    /// The environment's or debrole's own failure: the causes in one line each.
    pub fn failure(&self, error: &anyhow::Error) {
        if self.is_json() {
            let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
            self.document().insert("failure".into(), causes.into());
            return;
        }
        let mut stderr = std::io::stderr().lock();
        let _ = print(&mut stderr, &format_args!("{}: {}", self.error(), printable(error)));
        for cause in error.chain().skip(1) {
            let _ = print(&mut stderr, &format_args!("  because: {}", printable(&cause)));
        }
    }

    /// A spinner on a terminal while something takes long; it disappears when dropped.
    pub fn busy(&self, text: impl Into<std::borrow::Cow<'static, str>>) -> Busy {
        if self.is_json() || self.quiet || !std::io::stderr().is_terminal() {
            return Busy(None);
        }
        let bar = indicatif::ProgressBar::new_spinner().with_message(text);
        bar.enable_steady_tick(Duration::from_millis(120));
        Busy(Some(bar))
    }

    /// Prints the JSON document, if that is what was asked for. False where not all of the result could be written (a full
    /// disk): whoever asked must not take a part for the whole.
    pub fn finish(&self) -> bool {
        if self.is_json() {
            let document = serde_json::Value::Object(std::mem::take(&mut *self.document()));
            self.print_result(&format_args!("{document:#}"));
        }
        let Some(error) = self.lost.lock().unwrap_or_else(PoisonError::into_inner).take() else { return true };
        let _ =
            print(&mut std::io::stderr().lock(), &format_args!("{}: can't write the result: {error}", self.error()));
        false
    }
}

pub struct Busy(Option<indicatif::ProgressBar>);

impl Busy {
    pub fn say(&self, text: impl Into<std::borrow::Cow<'static, str>>) {
        if let Some(bar) = &self.0 {
            bar.set_message(text);
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// Names of files and words of other programs are in what is told: what would steer a terminal is shown instead.
fn printable(text: &dyn Display) -> String {
    render::printable(&text.to_string())
}

/// A reader that went away (`| head`) is no error of ours: what it did not take is dropped.
fn print(to: &mut impl Write, text: &dyn Display) -> std::io::Result<()> {
    match writeln!(to, "{text}").and_then(|()| to.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}
