//! Whoever ends a run before its end, what it did is taken back: by the run itself on an error, by the same process under
//! another name on a signal, by a second process where the first was killed, and by the next command for the machine where
//! both were.

use super::places::Whereabouts;
use crate::cli::{self, Format, Global};
use crate::commands::load::Places;
use crate::commands::signals::before_the_end;
use crate::commands::{Failure, Outcome, build};
use crate::reporter::Reporter;
use anyhow::{Context, anyhow};
use debrole::provision::record::{self, Place, State};
use debrole::provision::run;
use debrole::provision::undo::{self, Hands, RUN, Taken};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// This program, whatever has become of its file meanwhile.
const SELF: &str = "/proc/self/exe";

/// How long the process that takes something back waits for another one that does the same.
const PATIENCE: Duration = Duration::from_secs(600);

/// A run: all processes that it starts are known by its word.
pub struct Run {
    pub word: String,
    guard: Child,
    line: UnixStream,
}

/// The first thing that a run does: its word is in the environment of this process, as of those that it starts. Secrets
/// in this process's memory reach no core dump.
pub fn marked() -> Result<String, Failure> {
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    rustix::process::setrlimit(rustix::process::Resource::Core, none).context("can't turn core dumps off")?;
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
        .context("can't turn core dumps off")?;
    if let Some(word) = std::env::var_os(RUN) {
        return word.into_string().map_err(|_| anyhow!("{RUN} is in the environment, and no run's word").into());
    }
    let mut random = [0; 16];
    std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut random)).context("no random word")?;
    let word = base16ct::lower::encode_string(&random);
    // Only a new program has another environment. It is the same process.
    let error = Command::new(SELF).args(std::env::args_os().skip(1)).env(RUN, &word).exec();
    Err(anyhow!(error).context("can't run this program again").into())
}

impl Run {
    /// Starts the second process, and listens for signals from now on.
    pub fn begin(word: String, state: &State, global: &Global) -> Result<Run, Failure> {
        let (ours, theirs) = UnixStream::pair().context("can't make a pair of sockets")?;
        let mut guard = Command::new(SELF);
        guard.args(arguments(state, &word, global)).arg("--watch").env_remove(RUN);
        guard.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null()).stderr(Stdio::inherit());
        let guard = guard.spawn().context("can't start the process that takes things back")?;
        let mut run = Run { word, guard, line: ours };
        let mut ready = [0];
        run.line.read_exact(&mut ready).context("the process that takes things back did not start")?;
        listen(arguments(state, &run.word, global))?;
        Ok(run)
    }

    /// There is nothing to take back any more.
    pub fn done(mut self) {
        // Where it has gone, nobody takes anything back either.
        let _ = self.line.write_all(b"d");
        let _ = self.guard.wait();
    }
}

fn arguments(state: &State, word: &str, global: &Global) -> Vec<std::ffi::OsString> {
    let mut arguments: Vec<std::ffi::OsString> = vec!["guard".into(), "--state".into(), state.directory().into()];
    arguments.extend(["--run".into(), word.into()]);
    if global.format == Format::Json {
        arguments.extend(["--format".into(), "json".into()]);
    }
    arguments
}

/// On a signal this process becomes the one that takes back: no thread of it goes on meanwhile.
fn listen(arguments: Vec<std::ffi::OsString>) -> Result<(), Failure> {
    let last = move |signal: i32| {
        let mut back = Command::new(SELF);
        let error = back.args(arguments).args(["--status", &(128 + signal).to_string()]).env_remove(RUN).exec();
        // The second process sees that this one has gone.
        std::panic::resume_unwind(Box::new(error));
    };
    Ok(before_the_end(|_| true, last)?)
}

/// `debrole guard`.
pub fn run(args: &cli::Guard, global: &Global, reporter: &Reporter) -> Outcome {
    if args.watch {
        // Neither the terminal's signals nor its end concern this process. (It fails where it has a session already.)
        let _ = rustix::process::setsid();
        let mut word = [0];
        let mut stdin = std::io::stdin();
        let line = UnixStream::from(std::os::fd::AsFd::as_fd(&stdin).try_clone_to_owned().context("no line")?);
        (&line).write_all(b"r").context("nobody waits for this process")?;
        if matches!(stdin.read(&mut word), Ok(1)) {
            return Ok(());
        }
    } else {
        reporter.note("interrupted: what was done is taken back");
    }
    undo::end_run(&args.run);
    let state = State::new(&args.state);
    if args.watch && !state.unfinished().map_err(anyhow::Error::new)?.is_empty() {
        reporter.note("debrole was ended before its end: what was done is taken back");
    }
    let hands = OurHands { state: &state, global };
    let mut whole = true;
    for name in state.unfinished().map_err(anyhow::Error::new)? {
        let ours = || matches!(undo::read(&state.journal(&name)), Ok(Some((head, _))) if head.run == args.run);
        let until = Instant::now() + PATIENCE;
        // Another process may be at the same.
        while ours() && Instant::now() < until {
            match state.lock(&name, "debrole, which takes back what was done,") {
                Ok(_lock) if ours() => whole &= taken(&name, &state, &hands, reporter)?,
                Ok(_) | Err(record::Fault::Busy { .. }) => {}
                Err(fault) => return Err(anyhow::Error::new(fault).into()),
            }
            if !whole {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    if !whole {
        return Err(anyhow!("not all was taken back: the next debrole command for the machine tries again").into());
    }
    if args.watch {
        return Ok(());
    }
    reporter.finish();
    std::process::exit(i32::from(args.status));
}

/// Takes back what a machine's journal says, if there is one, and tells. The caller holds the machine's lock. True where
/// nothing is left.
pub fn taken(name: &str, state: &State, hands: &dyn Hands, reporter: &Reporter) -> Result<bool, Failure> {
    let journal = state.journal(name);
    if !journal.exists() {
        return Ok(true);
    }
    let Taken { back, left, failed } = undo::back(&journal, hands).map_err(anyhow::Error::new)?;
    for line in &back {
        reporter.note(format_args!("  taken back: {line}"));
    }
    for line in left.iter().chain(&failed) {
        reporter.note(format_args!("  not taken back: {line}"));
    }
    Ok(failed.is_empty())
}

/// What a run before this one has left, taken back. The caller holds the machine's lock.
pub fn recovered(name: &str, state: &State, hands: &OurHands<'_>, reporter: &Reporter) -> Outcome {
    match undo::read(&state.journal(name)) {
        Ok(None) => return Ok(()),
        Ok(Some((head, _))) => {
            reporter.note(format_args!("{name}: `{}` did not come to its end; first that is taken back", head.what));
            undo::end_run(&head.run);
        }
        Err(fault) => return Err(anyhow::Error::new(fault).into()),
    }
    match taken(name, state, hands, reporter)? {
        true => Ok(()),
        false => Err(anyhow!(
            "{name}: not all of what a run left could be taken back: see to what stands above, and run this again"
        )
        .into()),
    }
}

/// Takes machines from their hypervisors, and publishes.
pub struct OurHands<'a> {
    pub state: &'a State,
    pub global: &'a Global,
}

impl Hands for OurHands<'_> {
    fn remove(&self, name: &str, place: &Place) -> Result<(), String> {
        Whereabouts::of(place, self.state).hypervisor.remove(name).map_err(|error| error.to_string())
    }

    fn bring_back(&self, name: &str, place: &Place, running: bool) -> Result<(), String> {
        let hypervisor = Whereabouts::of(place, self.state).hypervisor;
        let text = |error: run::RunError| error.to_string();
        if hypervisor.state(name).map_err(text)? == run::State::Absent {
            hypervisor.bring_back(name).map_err(text)?;
        }
        if running && hypervisor.state(name).map_err(text)? == run::State::Off {
            hypervisor.start(name).map(drop).map_err(text)?;
        }
        Ok(())
    }

    fn drop_aside(&self, name: &str, place: &Place) -> Result<(), String> {
        Whereabouts::of(place, self.state).hypervisor.drop_aside(name).map_err(|error| error.to_string())
    }

    fn publish(&self, tree: &Path, out: &Path, withdrawn: &[String]) -> Result<(), String> {
        let places = Places { root: tree.to_owned(), out: out.to_owned() };
        let quiet = Reporter::new(&Global { quiet: true, format: Format::Text, ..self.global.clone() });
        let args = cli::Build {
            refresh: false,
            // It was published like that before.
            no_gate: true,
            first_publish: false,
            wait: true,
            time: None,
            future: false,
            archive_cache: cli::ArchiveCache { archive_cache: None },
        };
        build::publish(&args, &places, withdrawn, &quiet).map_err(|failure| match failure {
            Failure::Wrong => "the tree has errors".to_owned(),
            Failure::Environment(error) => format!("{error:#}"),
        })
    }
}
