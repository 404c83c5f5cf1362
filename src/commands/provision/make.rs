//! `debrole provision` and `debrole vm rebuild`: from a host's file to a running machine.

use super::follow::Follow;
use super::guard::{self, OurHands, Run};
use super::places::{self, Choice};
use super::settle::{self, Settled};
use super::site::{self, Site};
use super::wanted;
use crate::cli::{self, Global, Making};
use crate::commands::load::Loaded;
use crate::commands::{Failure, Outcome, key};
use crate::reporter::Reporter;
use anyhow::anyhow;
use debrole::model::Model;
use debrole::provision::record::{Known, Lock, Place, State};
use debrole::provision::run::State as Runs;
use debrole::provision::steps::{self, Task};
use debrole::provision::undo::{Act, Hands, Head, Journal};
use debrole::provision::{Accelerator, Machine, Repository};
use serde_json::json;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// A machine that is being made.
struct Job {
    name: String,
    journal: Journal,
    /// Held until all is done, also what is taken back.
    _lock: Lock,
    /// There is one already: whether that one runs.
    instead: Option<bool>,
}

/// A machine that is settled: what is to be, where, and by what.
struct Plan {
    job: Job,
    machine: Machine,
    settled: Settled,
    choice: Choice,
    repository: Repository,
}

/// How a machine came out.
struct Made {
    name: String,
    outcome: Result<(Place, Accelerator), String>,
    steps: Vec<(&'static str, Duration)>,
    addresses: Vec<String>,
}

pub fn provision(args: &cli::Provision, global: &Global, reporter: &Reporter) -> Outcome {
    let word = guard::marked()?;
    let (site, loaded) = Site::open(&args.making.stores, global, reporter)?;
    let model = loaded.model.as_ref().ok_or(Failure::Wrong)?;
    let names = match args.all {
        true => absent(model, &site)?,
        false => named(&args.hosts, model, reporter)?,
    };
    if names.is_empty() {
        reporter.summary("every machine with [vm] is there already");
        return Ok(());
    }
    let work = Work { site: &site, making: &args.making, on: &args.on, jobs: args.jobs, rebuild: false };
    work.all(&names, word)
}

pub fn rebuild(args: &cli::Rebuild, global: &Global, reporter: &Reporter) -> Outcome {
    let word = guard::marked()?;
    let (site, loaded) = Site::open(&args.making.stores, global, reporter)?;
    let model = loaded.model.as_ref().ok_or(Failure::Wrong)?;
    site::host(model, &args.host, reporter)?;
    if site.record(&args.host)?.is_none() && !site.state.journal(&args.host).exists() {
        return site.refuse(format!("{} was not made from here: make it with `debrole provision {0}`", args.host));
    }
    if !args.yes && !super::asked(&args.host, "its disks are made anew, and what is on them is lost", reporter)? {
        return Err(Failure::Wrong);
    }
    let on = cli::On::default();
    let work = Work { site: &site, making: &args.making, on: &on, jobs: 1, rebuild: true };
    work.all(std::slice::from_ref(&args.host), word)
}

/// Machines with `[vm]` of which nothing is known here.
fn absent(model: &Model, site: &Site<'_>) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for host in model.hosts.values().filter(|host| host.vm.is_some()) {
        let name = host.name.value.to_string();
        if site.record(&name)?.is_none() {
            names.push(name);
        }
    }
    Ok(names)
}

fn named(asked: &[String], model: &Model, reporter: &Reporter) -> Result<Vec<String>, Failure> {
    let mut names: Vec<String> = Vec::new();
    for name in asked {
        let host = site::host(model, name, reporter)?;
        if host.vm.is_none() {
            reporter.refusal(&format!("{name} is no virtual machine: give hosts/{name}.toml a [vm]"));
            return Err(Failure::Wrong);
        }
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    Ok(names)
}

struct Work<'a> {
    site: &'a Site<'a>,
    making: &'a Making,
    on: &'a cli::On,
    jobs: u32,
    rebuild: bool,
}

/// Publishing again is put off until all that is to be taken back is.
struct PutOff<'a> {
    hands: OurHands<'a>,
    /// The host keys that are withdrawn by that; None where nothing was published.
    withdrawn: Mutex<Option<Vec<String>>>,
}

impl<'a> PutOff<'a> {
    fn new(hands: OurHands<'a>) -> PutOff<'a> {
        PutOff { hands, withdrawn: Mutex::default() }
    }

    /// Does what was put off.
    fn done(self, site: &Site<'_>) -> Result<(), Failure> {
        let withdrawn = self.withdrawn.into_inner().expect("no panic while it is held");
        let Some(withdrawn) = withdrawn else { return Ok(()) };
        let published = self.hands.publish(&site.places.root, &site.places.out, &withdrawn);
        published.map_err(|why| anyhow!("the tree is not published again as it was: {why}").into())
    }
}

impl Hands for PutOff<'_> {
    fn remove(&self, name: &str, place: &Place) -> Result<(), String> {
        self.hands.remove(name, place)
    }
    fn bring_back(&self, name: &str, place: &Place, running: bool) -> Result<(), String> {
        self.hands.bring_back(name, place, running)
    }
    fn drop_aside(&self, name: &str, place: &Place) -> Result<(), String> {
        self.hands.drop_aside(name, place)
    }
    fn publish(&self, _: &Path, _: &Path, withdrawn: &[String]) -> Result<(), String> {
        let mut all = self.withdrawn.lock().expect("no panic while it is held");
        all.get_or_insert_default().extend_from_slice(withdrawn);
        Ok(())
    }
}

impl Work<'_> {
    fn what(&self) -> &'static str {
        if self.rebuild { "debrole vm rebuild" } else { "debrole provision" }
    }

    fn all(&self, names: &[String], word: String) -> Outcome {
        let began = Instant::now();
        let run = Run::begin(word, &self.site.state, self.site.global)?;
        let outcome = self.made(names, &run, began);
        run.done();
        outcome
    }

    fn made(&self, names: &[String], run: &Run, began: Instant) -> Outcome {
        let mut jobs = Vec::new();
        for name in names {
            match self.job(name, run) {
                Ok(job) => jobs.push(job),
                Err(failure) => return self.back(jobs, failure),
            }
        }
        let plans = match self.settled(jobs) {
            Ok(plans) => plans,
            Err((jobs, failure)) => return self.back(jobs, failure),
        };
        let hands = PutOff::new(self.site.hands());
        let several = plans.len() > 1;
        let queue = Mutex::new(VecDeque::from(plans));
        let done: Mutex<Vec<Made>> = Mutex::default();
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.min(u32::try_from(names.len()).unwrap_or(u32::MAX)) {
                scope.spawn(|| {
                    loop {
                        let next = queue.lock().expect("no panic while it is held").pop_front();
                        let Some(plan) = next else { return };
                        let made = self.one(plan, several, &hands);
                        done.lock().expect("no panic while it is held").push(made);
                    }
                });
            }
        });
        let published_again = hands.done(self.site);
        let mut done = done.into_inner().expect("no thread has panicked");
        done.sort_by(|a, b| a.name.cmp(&b.name));
        let outcome = self.report(&done, began.elapsed());
        published_again.and(outcome)
    }

    /// Takes one machine for this run.
    fn job(&self, name: &str, run: &Run) -> Result<Job, Failure> {
        let site = self.site;
        let lock = site.lock(name, self.what())?;
        let record = site.record(name)?;
        let instead = match (self.rebuild, &record) {
            (false, Some(_)) => {
                return site.refuse(format!(
                    "{name} is there already: make it anew with `debrole vm rebuild {name}`, or end it with `debrole \
                     deprovision {name}`"
                ));
            }
            (true, None) => {
                return site.refuse(format!("{name} was not made from here: make it with `debrole provision {name}`"));
            }
            (false, None) => None,
            (true, Some(record)) => {
                let at = places::Whereabouts::of(&record.place, &site.state);
                Some(at.hypervisor.state(name).map_err(|error| anyhow!(error))? == Runs::Running)
            }
        };
        let head = Head {
            name: name.to_owned(),
            what: format!("{} {name}", self.what()),
            tree: site.places.root.clone(),
            out: site.places.out.clone(),
            run: run.word.clone(),
        };
        let journal = Journal::begin(&site.state.journal(name), &head).map_err(anyhow::Error::new)?;
        Ok(Job { name: name.to_owned(), journal, _lock: lock, instead })
    }

    /// What the tree leaves open is chosen and written into it, the hypervisors are asked, and the tree is published with
    /// all of it.
    fn settled(&self, mut jobs: Vec<Job>) -> Result<Vec<Plan>, (Vec<Job>, Failure)> {
        let site = self.site;
        let mut settled = Vec::new();
        let held = match settle::hold(&site.places) {
            Ok(held) => held,
            Err(error) => return Err((jobs, error.into())),
        };
        for at in 0..jobs.len() {
            match self.settle(&mut jobs[at]) {
                Ok(one) => settled.push(one),
                Err(failure) => return Err((jobs, failure)),
            }
        }
        drop(held);
        let mut chosen = Vec::new();
        match site::tree(&site.places, site.reporter).and_then(|loaded| {
            for job in &jobs {
                chosen.push(self.choose(job, &loaded)?);
            }
            Ok(())
        }) {
            Ok(()) => {}
            Err(failure) => return Err((jobs, failure)),
        }
        for (job, settled) in jobs.iter_mut().zip(&settled) {
            let host_keys = vec![plain(&settled.identity.host_key_public)];
            if let Err(fault) = job.journal.will(&Act::Publish { host_keys }) {
                return Err((jobs, anyhow::Error::new(fault).into()));
            }
        }
        let follow = Follow::new(site.reporter, None);
        follow.begin("publish", "");
        if let Err(failure) = site.publish(&self.making.publishing) {
            follow.stop();
            return Err((jobs, failure));
        }
        follow.finish();
        let each = jobs.into_iter().zip(settled).zip(chosen);
        Ok(each
            .map(|((job, settled), (machine, choice, repository))| Plan { job, machine, settled, choice, repository })
            .collect())
    }

    fn settle(&self, job: &mut Job) -> Result<Settled, Failure> {
        let site = self.site;
        // With what was written for the machine before it.
        let loaded = site::tree(&site.places, site.reporter)?;
        let model = loaded.model.as_ref().ok_or(Failure::Wrong)?;
        let host = site::host(model, &job.name, site.reporter)?;
        let settled = settle::settle(&site.places, &loaded, host).or_else(|why| site.refuse(why))?;
        for edit in &settled.edits {
            let path = site.places.root.join(&edit.path);
            job.journal.edit(&path, edit.before.as_deref(), Some(&edit.after)).map_err(anyhow::Error::new)?;
        }
        Ok(settled)
    }

    /// What is to be made, where and by what, and that nothing stands in its way there.
    fn choose(&self, job: &Job, loaded: &Loaded) -> Result<(Machine, Choice, Repository), Failure> {
        let site = self.site;
        let model = loaded.model.as_ref().ok_or(Failure::Wrong)?;
        let host = site::host(model, &job.name, site.reporter)?;
        let machine = wanted::machine(model, host).map_err(|open| anyhow!("{} is not settled: {open:?}", job.name))?;
        let home = wanted::home(model, host).ok_or(Failure::Wrong)?;
        let asked: Vec<Accelerator> = self.making.accel.iter().map(|accel| accelerator(*accel)).collect();
        let allowed = if asked.is_empty() { &machine.accelerators } else { &asked };
        let choice = match site.record(&job.name)? {
            // It is made anew where it is.
            Some(record) => {
                let at = places::Whereabouts::of(&record.place, &site.state);
                let known = [Accelerator::Kvm, Accelerator::Tcg, Accelerator::Nspawn];
                let by = known.into_iter().find(|known| known.word() == record.accelerator);
                let by =
                    asked.first().copied().or(by).ok_or_else(|| anyhow!("the record of {} is not sound", job.name))?;
                Choice { at, accelerator: by, warning: None }
            }
            None => {
                let cache = site::base_cache(self.making.base_cache.as_deref());
                places::choose(&machine, &home, self.on, allowed, &site.owner, &site.state, &cache)
                    .or_else(|why| site.refuse(why))?
            }
        };
        if let Some(warning) = &choice.warning {
            site.reporter.warn(warning);
        }
        if job.instead.is_none()
            && let Err(errors) = choice.at.hypervisor.free(&machine)
        {
            return site.refuse(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  and "));
        }
        let prefix = &model.fleet.prefix;
        let keyring = format!("{}-{}.deb", prefix.keyring_package(), machine.release.codename);
        let repository = Repository {
            directory: site.places.out.clone(),
            keyring: site.places.out.join(keyring),
            packages: vec![prefix.host_package(&host.name.value).to_string()],
            prefix: prefix.to_string(),
        };
        Ok((machine, choice, repository))
    }

    /// Makes one machine; a failure is taken back here.
    fn one(&self, plan: Plan, several: bool, hands: &PutOff<'_>) -> Made {
        let site = self.site;
        let Plan { mut job, machine, settled, choice, repository } = plan;
        let follow = Follow::new(site.reporter, several.then_some(job.name.as_str()));
        let cache = site::base_cache(self.making.base_cache.as_deref());
        let work = site.state.home(&format!("{}.work", job.name));
        let task = Task {
            machine: &machine,
            identity: &settled.identity,
            repository: &repository,
            hypervisor: choice.at.hypervisor.as_ref(),
            place: &choice.at.place,
            accelerator: choice.accelerator,
            cache: &cache,
            work: &work,
            limit: Duration::from_secs(self.making.timeout),
            instead: job.instead,
        };
        let addresses: Vec<String> =
            machine.networks.iter().flat_map(|n| &n.addresses).map(ToString::to_string).collect();
        let made = steps::make(&task, &mut job.journal, &follow).map_err(|fault| fault.to_string());
        let made = made.and_then(|ready| {
            for warning in &ready.warnings {
                site.reporter.warn(format_args!("{}: {warning}", job.name));
            }
            self.remember(&mut job, &machine, &settled, &choice, &addresses).map_err(|error| format!("{error:#}"))
        });
        let name = job.name.clone();
        let outcome = match made {
            Ok(()) => {
                let dropped = match job.instead {
                    Some(_) => choice.at.hypervisor.drop_aside(&name).map_err(|error| error.to_string()),
                    None => Ok(()),
                };
                match dropped.and_then(|()| job.journal.done().map_err(|fault| fault.to_string())) {
                    Ok(()) => {}
                    Err(why) => site.reporter.note(format_args!("{name}: {why}")),
                }
                Ok((choice.at.place.clone(), choice.accelerator))
            }
            Err(why) => {
                let at = follow.stop().unwrap_or("its end");
                let why = format!("{name} was not made, at {at}: {why}");
                site.reporter.refusal(&why);
                self.undone(job, hands);
                Err(why)
            }
        };
        Made { name, outcome, steps: follow.finish(), addresses }
    }

    fn remember(
        &self,
        job: &mut Job,
        machine: &Machine,
        settled: &Settled,
        choice: &Choice,
        addresses: &[String],
    ) -> anyhow::Result<()> {
        let site = self.site;
        let known = Known {
            name: job.name.clone(),
            fleet: site.fleet.clone(),
            place: choice.at.place.clone(),
            accelerator: choice.accelerator.word().to_owned(),
            release: machine.release.codename.clone(),
            made: key::now(),
            host_key: settled.identity.host_key_public.trim().to_owned(),
            addresses: addresses.to_vec(),
            bridges: machine.networks.iter().map(|network| network.bridge.clone()).collect(),
        };
        let path = site.state.record_path(&job.name);
        let before = std::fs::read(&path).ok();
        job.journal.edit(&path, before.as_deref(), Some(&State::text(&known.into())))?;
        job.journal.will(&Act::Arrived { name: job.name.clone(), place: choice.at.place.clone() })?;
        Ok(())
    }

    fn undone(&self, job: Job, hands: &PutOff<'_>) {
        let site = self.site;
        if self.making.keep_failed {
            site.reporter.note(format_args!(
                "{}: kept as it is, to look at: `debrole vm console {0}`, `debrole vm log {0}`; `debrole deprovision {0}` \
                 takes all of it back",
                job.name
            ));
            return;
        }
        if let Err(Failure::Environment(error)) = guard::taken(&job.name, &site.state, hands, site.reporter) {
            site.reporter.note(format_args!("{}: not taken back: {error:#}", job.name));
        }
    }

    /// Nothing was made yet; what was written is taken back.
    fn back(&self, jobs: Vec<Job>, failure: Failure) -> Outcome {
        if let Failure::Environment(error) = &failure {
            self.site.reporter.note(format_args!("nothing was made: {error:#}"));
        }
        let hands = PutOff::new(self.site.hands());
        for job in jobs {
            let name = job.name.clone();
            if let Err(Failure::Environment(error)) = guard::taken(&name, &self.site.state, &hands, self.site.reporter)
            {
                self.site.reporter.note(format_args!("{name}: not taken back: {error:#}"));
            }
        }
        hands.done(self.site)?;
        Err(failure)
    }

    fn report(&self, done: &[Made], took: Duration) -> Outcome {
        let reporter = self.site.reporter;
        let documents: Vec<_> = done
            .iter()
            .map(|made| {
                let steps: serde_json::Map<_, _> =
                    made.steps.iter().map(|(name, took)| ((*name).to_owned(), took.as_secs_f64().into())).collect();
                match &made.outcome {
                    Ok((place, accelerator)) => json!({
                        "name": made.name, "ready": true, "by": accelerator.word(), "form": place.form.as_str(),
                        "hypervisor": place.uri, "addresses": made.addresses, "seconds": steps,
                    }),
                    Err(why) => json!({ "name": made.name, "ready": false, "why": why, "seconds": steps }),
                }
            })
            .collect();
        reporter.member("machines", documents);
        for made in done {
            if let Ok((place, accelerator)) = &made.outcome {
                let address = made.addresses.first().map_or("no address", String::as_str);
                reporter.summary(format_args!(
                    "{} is ready: {} ({}), {address}; made in {:.1} s",
                    made.name,
                    accelerator.word(),
                    place.uri.as_deref().unwrap_or(place.form.as_str()),
                    took.as_secs_f64()
                ));
            }
        }
        let failed: Vec<&str> =
            done.iter().filter(|made| made.outcome.is_err()).map(|made| made.name.as_str()).collect();
        match failed.as_slice() {
            [] => Ok(()),
            failed => {
                if done.len() > 1 {
                    reporter.note(format_args!(
                        "{} of {} were not made: {}",
                        failed.len(),
                        done.len(),
                        failed.join(", ")
                    ));
                }
                // Why is told already.
                Err(Failure::Wrong)
            }
        }
    }
}

/// A public key without its comment.
fn plain(key: &str) -> String {
    key.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

fn accelerator(accel: cli::Accel) -> Accelerator {
    match accel {
        cli::Accel::Kvm => Accelerator::Kvm,
        cli::Accel::Tcg => Accelerator::Tcg,
        cli::Accel::Nspawn => Accelerator::Nspawn,
    }
}
