//! `debrole build` and `debrole plan`: compile, and publish or say what would be published.

use super::load::{self, Loaded, Places};
use super::{Failure, Outcome, access, check, key, secret};
use crate::cli::{self, Global};
use crate::reporter::Reporter;
use anyhow::anyhow;
use debrole::access::rights::Difference;
use debrole::archive::{self, gate::AptGate};
use debrole::build::{self, Change, Input, NewDeb};
use debrole::deb;
use debrole::diagnostics::{Diagnostic, Label, Rule, rules};
use debrole::lower::Keyring;
use debrole::model::Model;
use debrole::names::Codename;
use debrole::plan::{PackageKind, PackagePlan};
use debrole::repo::manifest::Manifest;
use debrole::repo::publish::{Now, Publication, Published, Reason, Settings, Staging, frozen};
use debrole::repo::{self, Event, Open, Repository};
use debrole::sign::key::{self as archive_key, Chosen};
use jiff::Timestamp;
use std::mem::ManuallyDrop;
use std::sync::Mutex;

pub fn run(args: &cli::Build, global: &Global, reporter: &Reporter) -> Outcome {
    publish(args, &load::places(global, reporter)?, &[], reporter)
}

/// Compiles the tree as it is now, and publishes what has changed. `withdrawn`: see [`Input::withdrawn`].
pub fn publish(args: &cli::Build, places: &Places, withdrawn: &[String], reporter: &Reporter) -> Outcome {
    let Compiled { loaded, plans, keyring } = compile(places, args.time.unwrap_or_else(key::now), reporter)?;
    // The program ends with this command: to take a whole fleet apart before, piece by piece, would be for nothing.
    let (mut loaded, plans, keyring) = (ManuallyDrop::new(loaded), ManuallyDrop::new(plans), &keyring);
    let model = loaded.model.as_ref().ok_or(Failure::Wrong)?;
    let fail = |errors| fail(errors, &loaded, reporter);
    let now = match args.time {
        None => Now::Clock(key::now()),
        Some(time) if time - key::now() > LARGEST_LEAD && !args.future => return Err(fail(vec![too_far_ahead(time)])),
        Some(time) => Now::Supplied(time),
    };

    let busy = reporter.busy("");
    let events = |event: Event| tell(&event, &busy, reporter);
    let options = Open { wait: args.wait, events: &events, keys: Some(&keyring.binary) };
    let mut repository = Repository::open(&places.out, options).map_err(fail)?;

    if repository.head().is_none() && !args.first_publish {
        let suites: Vec<Codename> = model.fleet.releases.iter().map(|r| r.codename.value.clone()).collect();
        repository.fill(&model.fleet.uri.value, &keyring.binary, &suites).map_err(fail)?;
    }

    let pool = Pool(&repository);
    let input =
        Input { model, plans: &plans, previous: repository.head(), published: &pool, time: now.seconds(), withdrawn };
    let draft = build::draft(input).map_err(fail)?;
    let unchanged = draft.is_unchanged();
    reporter.diagnostics(&build::dropped_releases(model, repository.head()), &loaded.tree.sources);
    let people = draft.access.clone();

    let options = check::archive_options(&args.archive_cache, archive::Lists::Refresh);
    let mut not_run: Vec<String> = Vec::new();
    if !unchanged {
        match debrole::sudoers::check(&plans) {
            Ok(wrong) if wrong.is_empty() => {}
            Ok(wrong) => return Err(fail(wrong)),
            Err(error) => not_run.push(format!("visudo -c on the rules of sudo: {error}")),
        }
    }
    let leaks = if unchanged { secret::Search::default() } else { secret::Search::of(model, places) };
    not_run.extend(leaks.not_run());
    leaks.tree(places).map_err(fail)?;
    if args.no_gate {
        not_run.push("the gate and the archive check: --no-gate".to_owned());
    } else if !unchanged {
        busy.say("asking apt's solver");
        not_run.extend(ask_archive(&loaded, &plans, &options, reporter)?);
    }

    let settings = settings(model);
    let built = if unchanged && !args.refresh {
        let built = draft.write(&Mutex::default()).map_err(fail)?;
        // A key that is absent is told at once; what else may be wrong with it, when it is to sign.
        let home = archive_key::open_home(&key::home(places)).map_err(|d| fail(vec![*d]))?;
        let pinned = model.fleet.key.as_ref().map(|key| key.as_str());
        let stays = repository.stays(&built.records, &built.highest, &settings, pinned, now).map_err(fail)?;
        drop(home);
        if let Some(published) = stays {
            drop(busy);
            report(&published, &built.changes, &people, &not_run, &loaded, places, reporter);
            return Ok(());
        }
        Ok(built)
    } else {
        Err(draft)
    };

    busy.say("making packages");
    // The content of each package is wanted until its bytes are made: in a large fleet that is half of all memory.
    drop(ManuallyDrop::into_inner(plans));
    let staging = repository.begin(&settings, now).map_err(fail)?;
    // GnuPG takes its time to say what it has: meanwhile the packages are made.
    let (chosen, built) = std::thread::scope(|scope| {
        let chosen = scope.spawn(|| choose_key(&repository, model, keyring, places, now));
        let built = built.or_else(|draft| draft.write(&NewFiles(&staging, &leaks)));
        (chosen.join(), built)
    });
    // (In this order: an error of the key says more about all that follows than one of a package.)
    let new = staging.finish();
    let chosen = chosen.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let (chosen, built) = match (chosen, built) {
        (Ok(chosen), Ok(built)) => (chosen, built),
        (chosen, built) => {
            // What can't be removed now, the next build removes.
            let _ = repository.abandon();
            return Err(fail([chosen.err(), built.err()].into_iter().flatten().flatten().collect()));
        }
    };
    reporter.diagnostics(&chosen.warnings, &loaded.tree.sources);
    // What the tree says of roles and machines is needed no more: the indexes of a large fleet take as much room.
    if let Some(model) = &mut loaded.model {
        (model.roles, model.hosts) = Default::default();
    }
    let model = loaded.model.as_ref().ok_or(Failure::Wrong)?;
    let fail = |errors| self::fail(errors, &loaded, reporter);
    let gate = AptGate::new(&model.fleet.releases, options);
    let publication = Publication {
        packages: built.records,
        new,
        highest: built.highest,
        settings,
        signer: &chosen.signer,
        now,
        refresh: args.refresh,
        gate: if args.no_gate { None } else { Some(&gate) },
    };
    let before = repository.head().map(|head| head.generation);
    let published = repository.publish(publication).map_err(|errors| {
        let failure = fail(errors);
        match repo::published(&places.out).ok().flatten() {
            Some(live) if before != Some(live.generation) => Failure::Environment(anyhow!(
                "generation {} is what clients see now, but that it will stay is not certain: build again",
                live.generation
            )),
            _ => failure,
        }
    })?;
    drop(busy);
    leaks.repository(places).map_err(|errors| {
        reporter.diagnostics(&errors, &loaded.tree.sources);
        Failure::Environment(anyhow!("it is published already: take the repository off the network until it is gone"))
    })?;
    report(&published, &built.changes, &people, &not_run, &loaded, places, reporter);
    Ok(())
}

/// How far a time that was asked for may be ahead of the clock. Seconds.
const LARGEST_LEAD: i64 = 86_400;

/// What is published at a time can only be followed by what is later: one slip, and nothing more could be published
/// until then.
fn too_far_ahead(time: i64) -> Diagnostic {
    Diagnostic::new(
        &rules::clock_implausible::RULE,
        format!(
            "{} is more than a day after what the clock says: until then nothing more could be published",
            when(time)
        ),
    )
    .help("correct --time (or SOURCE_DATE_EPOCH in the environment), or set the clock right")
    .help("if it is meant, say so: --future")
}

/// The key to sign with, if machines can go on with what it signs.
fn choose_key(
    repository: &Repository<'_>,
    model: &Model,
    keyring: &Keyring,
    places: &Places,
    now: Now,
) -> Result<Chosen, Vec<Diagnostic>> {
    let chosen = archive_key::choose(&key::home(places), model.fleet.key.as_ref(), now.seconds())?;
    let before = published_keyring(repository)?;
    let signed_by = repository.head().map_or(&[][..], |head| &head.signed_by);
    archive_key::judge_keyring(&chosen.signer, &keyring.binary, before.as_deref(), signed_by)?;
    Ok(chosen)
}

/// The keyring that machines have; None before the first publish.
fn published_keyring(repository: &Repository<'_>) -> Result<Option<Vec<u8>>, Vec<Diagnostic>> {
    let records = repository.head().map_or(&[][..], |head| &head.packages);
    let Some(record) = records.iter().rfind(|record| record.kind == PackageKind::Keyring) else { return Ok(None) };
    let bytes = repository.pool_file(&record.filename).map_err(|d| vec![d])?;
    let path = format!("/usr/share/keyrings/{}.gpg", record.name);
    let found = deb::read::read(&bytes, |file| file == path).ok().and_then(|deb| match deb.entries.get(&path) {
        Some(deb::read::Found::File { bytes, .. }) => bytes.clone(),
        _ => None,
    });
    Ok(Some(found.unwrap_or_default()))
}

pub fn plan(args: &cli::Plan, global: &Global, reporter: &Reporter) -> Outcome {
    let places = load::places(global, reporter)?;
    let Compiled { loaded, plans, keyring } = compile(&places, args.time.unwrap_or_else(key::now), reporter)?;
    let model = loaded.model.as_ref().ok_or(Failure::Wrong)?;
    let fail = |errors| fail(errors, &loaded, reporter);
    let head = repo::trusted(&places.out, &keyring.binary).map_err(fail)?;
    if head.is_none() && !args.first_publish {
        reporter.note(format_args!(
            "{} holds no repository: compared with nothing (`debrole build` fetches what {} has first)",
            places.out.display(),
            model.fleet.uri.value
        ));
    }
    let refused: Vec<Diagnostic> = head.iter().flat_map(|head| frozen(head, &settings(model))).collect();
    if !refused.is_empty() {
        return Err(fail(refused));
    }
    let pool = Directory(&places.out);
    let time = args.time.unwrap_or_else(key::now);
    let draft =
        build::draft(Input { model, plans: &plans, previous: head.as_ref(), published: &pool, time, withdrawn: &[] })
            .map_err(fail)?;
    reporter.diagnostics(&build::dropped_releases(model, head.as_ref()), &loaded.tree.sources);
    for change in draft.changes.iter().filter(|c| c.is_change()) {
        reporter.result(change);
    }
    access::report(&draft.access, reporter);
    if draft.is_unchanged() {
        reporter.summary("nothing would change");
    }
    reporter.member("changes", changes(&draft.changes));
    Ok(())
}

/// The tree, compiled as far as it can be without knowing what is published.
struct Compiled {
    loaded: Loaded,
    plans: Vec<PackagePlan>,
    keyring: Keyring,
}

/// Errors of the tree end the command.
fn compile(places: &Places, time: i64, reporter: &Reporter) -> Result<Compiled, Failure> {
    let mut loaded = load::load(places);
    let keyring = key::public(places);
    let plans = load::lower(&mut loaded, keyring.as_ref().unwrap_or(&check::placeholder_keyring()), time);
    let keyring = keyring.map_err(|diagnostic| loaded.diagnostics.push(*diagnostic));
    loaded.report(reporter)?;
    if loaded.diagnostics.iter().any(|d| d.rule.code == rules::secrets_elsewhere::RULE.code) {
        reporter.refusal("there is no secrets/ here: packages that need a secret can't be built");
        return Err(Failure::Wrong);
    }
    Ok(Compiled { loaded, plans, keyring: keyring.map_err(|()| Failure::Wrong)? })
}

fn settings(model: &Model) -> Settings {
    let fleet = &model.fleet;
    Settings {
        origin: fleet.origin.clone(),
        label: fleet.label.clone(),
        suites: fleet.releases.iter().map(|release| release.codename.value.clone()).collect(),
        architectures: fleet.architectures.clone(),
        valid_for: fleet.valid_for as i64,
    }
}

/// Rules whose breach is always the request's, though no file says it.
const OF_THE_REQUEST: &[&Rule] = &[&rules::clock_implausible::RULE, &rules::not_our_repository::RULE];

/// An error that points into the tree, or is one of the arguments', is exit status 1; any other is the environment's
/// (2).
fn fail(mut errors: Vec<Diagnostic>, loaded: &Loaded, reporter: &Reporter) -> Failure {
    if let Some(places) = loaded.model.as_ref().map(|model| model.fleet.places) {
        for error in &mut errors {
            let frozen = [(&rules::origin_changed::RULE, places.origin), (&rules::label_changed::RULE, places.label)];
            if let Some((_, span)) = frozen.into_iter().find(|(rule, _)| rule.code == error.rule.code) {
                error.primary = Some(Label { span, text: "not what machines have".into() });
            }
        }
    }
    reporter.diagnostics(&errors, &loaded.tree.sources);
    let wrong = |d: &Diagnostic| {
        d.primary.is_some() || d.path.is_some() || OF_THE_REQUEST.iter().any(|rule| rule.code == d.rule.code)
    };
    let in_tree = errors.iter().any(|d| d.is_error() && wrong(d));
    if in_tree { Failure::Wrong } else { Failure::Environment(anyhow!("nothing was published")) }
}

/// Has apt's solver judge the plans. What it finds ends the build; that it can't be asked is only told.
fn ask_archive(
    loaded: &Loaded,
    plans: &[PackagePlan],
    options: &archive::Options,
    reporter: &Reporter,
) -> Result<Option<String>, Failure> {
    match check::ask_archive(loaded, plans, options) {
        Ok(found) => {
            reporter.diagnostics(&found, &loaded.tree.sources);
            if found.iter().any(Diagnostic::is_error) { Err(Failure::Wrong) } else { Ok(None) }
        }
        Err(unavailable) => Ok(Some(format!("the archive check: {unavailable}"))),
    }
}

struct Pool<'a>(&'a Repository<'a>);

impl build::Published for Pool<'_> {
    fn read(&self, filename: &str) -> std::io::Result<Vec<u8>> {
        self.0.pool_file(filename).map_err(|d| std::io::Error::other(d.message))
    }
}

struct NewFiles<'a>(&'a Staging<'a>, &'a secret::Search);

impl build::Sink for NewFiles<'_> {
    fn put(&self, deb: NewDeb<'_>) -> Result<(), Diagnostic> {
        self.1.package(deb.filename, deb.bytes)?;
        self.0.put(deb.filename, deb.bytes)
    }
}

struct Directory<'a>(&'a std::path::Path);

impl build::Published for Directory<'_> {
    fn read(&self, filename: &str) -> std::io::Result<Vec<u8>> {
        std::fs::read(self.0.join(filename))
    }
}

fn tell(event: &Event, busy: &crate::reporter::Busy, reporter: &Reporter) {
    match event {
        Event::Waiting { holder } => reporter.note(format_args!("Waiting for {holder}")),
        Event::Repaired { removed } => {
            reporter.note(format_args!("An unfinished publish was cleaned up: {removed} files removed"));
        }
        Event::Spoilt { files } => reporter.note(format_args!(
            "Changed since it was published, and made anew: {}",
            files.iter().take(8).map(String::as_str).collect::<Vec<_>>().join(", ")
        )),
        Event::Fetching { done, total } => busy.say(format!("fetching the public copy: {done} of {total} packages")),
        Event::WaitingForClock { seconds } => {
            busy.say(format!("waiting {seconds} s for the clock to pass the last publish"));
        }
        Event::Writing { files, .. } => busy.say(format!("writing {files} files")),
        Event::Signing { .. } => busy.say("signing"),
        Event::Gate => busy.say("the gate: apt updates and installs from the staged repository"),
        _ => {}
    }
}

fn report(
    published: &Published,
    all: &[Change],
    people: &[Difference],
    not_run: &[String],
    loaded: &Loaded,
    places: &Places,
    reporter: &Reporter,
) {
    reporter.member("changes", changes(all));
    match published {
        Published::NothingChanged { generation, valid_until, .. } => {
            reporter.summary(format_args!(
                "Nothing changed: generation {generation} stays, valid until {}",
                when(*valid_until)
            ));
            reporter.member("published", false);
            reporter.member("generation", generation);
        }
        Published::Generation(new) => {
            for change in all.iter().filter(|c| c.is_change()) {
                reporter.summary(change);
            }
            access::report(people, reporter);
            let manifest: &Manifest = &new.manifest;
            let suites: Vec<&str> = manifest.suites.keys().map(|suite| suite.as_str()).collect();
            reporter.summary(format_args!(
                "{} generation {} in {}: {} packages ({} new) for {}, valid until {}",
                match new.reason {
                    Reason::SignedAnew => "Signed anew:",
                    Reason::First | Reason::Changed => "Published",
                },
                manifest.generation,
                places.out.display(),
                manifest.packages.len(),
                new.new_files,
                suites.join(" and "),
                when(manifest.valid_until),
            ));
            if let Some(gate) = &new.gate {
                reporter.diagnostics(&gate.warnings, &loaded.tree.sources);
                let sqv = gate.checked.iter().any(|check| check.starts_with("sqv "));
                reporter.summary(format_args!(
                    "  gate: {} checks of apt, its solver{} held in {:.1} s (--format json lists them)",
                    gate.checked.len(),
                    if sqv { ", gpgv and sqv" } else { " and gpgv" },
                    gate.elapsed.as_secs_f64()
                ));
                for skipped in &gate.skipped {
                    reporter.summary(format_args!("  gate, not run: {skipped}"));
                }
                reporter.member(
                    "gate",
                    serde_json::json!({
                        "checked": gate.checked, "skipped": gate.skipped, "seconds": gate.elapsed.as_secs_f64(),
                    }),
                );
            }
            reporter.diagnostics(&new.warnings, &loaded.tree.sources);
            reporter.member("published", true);
            reporter.member("generation", manifest.generation);
        }
    }
    for what in not_run {
        reporter.summary(format_args!("  not run: {what}"));
    }
    reporter.member("not_run", not_run);
}

fn changes(all: &[Change]) -> Vec<serde_json::Value> {
    all.iter()
        .filter(|c| c.is_change())
        .map(|c| serde_json::json!({ "package": c.name, "kind": c.kind, "change": c.to_string() }))
        .collect()
}

fn when(seconds: i64) -> String {
    Timestamp::from_second(seconds)
        .map_or_else(|_| seconds.to_string(), |t| t.strftime("%Y-%m-%d %H:%M UTC").to_string())
}
