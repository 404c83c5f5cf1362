//! What a person sees while machines are made.

use crate::reporter::{Busy, Reporter};
use debrole::provision::{Phase, Progress};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The steps of one machine, each with its time.
pub struct Follow<'a> {
    reporter: &'a Reporter,
    /// Said before each line where several machines are made at once; then there is no spinner.
    name: Option<String>,
    now: Mutex<Now>,
}

#[derive(Default)]
struct Now {
    step: Option<Step>,
    busy: Option<Busy>,
    done: Vec<(&'static str, Duration)>,
}

struct Step {
    name: &'static str,
    detail: String,
    since: Instant,
}

impl<'a> Follow<'a> {
    pub fn new(reporter: &'a Reporter, name: Option<&str>) -> Follow<'a> {
        Follow { reporter, name: name.map(str::to_owned), now: Mutex::default() }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something begins; what was going on has ended.
    pub fn begin(&self, name: &'static str, detail: &str) {
        let mut now = self.now();
        match &mut now.step {
            Some(step) if step.name == name => {
                if !detail.is_empty() {
                    detail.clone_into(&mut step.detail);
                }
            }
            _ => {
                self.end(&mut now);
                now.step = Some(Step { name, detail: detail.to_owned(), since: Instant::now() });
            }
        }
        self.spin(&mut now, detail);
    }

    fn spin(&self, now: &mut Now, text: &str) {
        let Some(step) = &now.step else { return };
        let text = if text.is_empty() { step.name.to_owned() } else { format!("{}: {text}", step.name) };
        match &now.busy {
            Some(busy) => busy.say(text),
            None if self.name.is_none() => now.busy = Some(self.reporter.busy(text)),
            None => {}
        }
    }

    fn end(&self, now: &mut Now) {
        let Some(step) = now.step.take() else { return };
        // The spinner goes before a line is printed.
        now.busy = None;
        let took = step.since.elapsed();
        let detail = if step.detail.is_empty() { String::new() } else { format!(" ({})", step.detail) };
        self.line(&format!("{:8} {:6.1} s{detail}", step.name, took.as_secs_f64()));
        now.done.push((step.name, took));
    }

    fn line(&self, text: &str) {
        match &self.name {
            Some(name) => self.reporter.note(format_args!("{name}: {text}")),
            None => self.reporter.note(format_args!("  {text}")),
        }
    }

    /// The last step has ended: each with its time, in their order.
    pub fn finish(&self) -> Vec<(&'static str, Duration)> {
        let mut now = self.now();
        self.end(&mut now);
        std::mem::take(&mut now.done)
    }

    /// The step that goes on does not come to its end: which one it is.
    pub fn stop(&self) -> Option<&'static str> {
        let mut now = self.now();
        now.busy = None;
        now.step.take().map(|step| step.name)
    }
}

impl Progress for Follow<'_> {
    fn phase(&self, phase: Phase, detail: &str) {
        let name = match phase {
            Phase::Base => "base",
            Phase::Install => "install",
            Phase::Image => "image",
            Phase::Place => "place",
            Phase::Start => "start",
            Phase::Ready => "ready",
        };
        self.begin(name, detail);
    }

    fn say(&self, text: &str) {
        let mut now = self.now();
        // Where a base tree comes from is told with its time; what else goes on by then is for who looks on.
        if let Some(step) = &mut now.step
            && step.name == "base"
        {
            text.clone_into(&mut step.detail);
        }
        self.spin(&mut now, text);
    }
}
