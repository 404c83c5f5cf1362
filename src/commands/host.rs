//! `debrole host adopt|collector`: an existing machine into the tree.

use super::load::{self, Places};
use super::{Failure, Outcome};
use crate::cli::{Adopt, Global, Host};
use crate::reporter::Reporter;
use anyhow::{Context, anyhow};
use debrole::adopt::{self, Change, Facts, Near};
use debrole::exec;
use debrole::model::Model;
use debrole::names::{HostName, RoleName};
use debrole::near;
use debrole::plan::PackagePlan;
use debrole::scratch::Scratch;
use debrole::tree::{Definition, Tree};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::Duration;

/// How long a machine may take to tell what is on it.
const COLLECT_LIMIT: Duration = Duration::from_secs(300);

pub fn run(command: &Host, global: &Global, reporter: &Reporter) -> Outcome {
    let places = load::places(global, reporter)?;
    let mut loaded = load::load(&places);
    let plans = load::lower(&mut loaded, &super::check::placeholder_keyring(), super::key::now());
    // A tree that is wrong already would hide what adopting adds.
    if loaded.has_errors() {
        return loaded.report(reporter);
    }
    let Some(model) = &loaded.model else { return Err(Failure::Wrong) };
    match command {
        Host::Collector => {
            let script = adopt::collector(&plans);
            if reporter.is_json() {
                reporter.member("script", script);
            } else {
                reporter.bytes(script.as_bytes()).context("can't write to standard output")?;
            }
            Ok(())
        }
        Host::Adopt(args) => adopt(args, &places, model, &plans, reporter),
    }
}

fn adopt(args: &Adopt, places: &Places, model: &Model, plans: &[PackagePlan], reporter: &Reporter) -> Outcome {
    let refuse = |why: String| -> Outcome {
        reporter.refusal(&why);
        Err(Failure::Wrong)
    };
    let name = match HostName::parse(&args.name) {
        Ok(name) => name,
        Err(why) => return refuse(format!("\"{}\": {why}: write the machine's name in full", args.name)),
    };
    let path = PathBuf::from(format!("hosts/{name}.toml"));
    if places.root.join(&path).symlink_metadata().is_ok() {
        return refuse(format!("{} is there already and is never overwritten: remove it first", path.display()));
    }
    let facts = match Facts::parse(&collect(args, plans, reporter)?) {
        Ok(facts) => facts,
        Err(why) => return refuse(format!("what the machine told can't be read: {why}")),
    };
    let releases: Vec<&str> = model.fleet.releases.iter().map(|r| r.codename.value.as_str()).collect();
    if !releases.contains(&facts.release.as_str()) {
        return refuse(format!(
            "the machine runs {}, and the fleet is for {}: add [release.{}] to debrole.toml",
            facts.release,
            releases.join(" and "),
            facts.release
        ));
    }
    let near = adopt::near(model, &facts);
    let roles = match chosen(args, model) {
        Ok(roles) if args.role.is_empty() => {
            debug_assert!(roles.is_empty());
            adopt::likely(model, &near)
        }
        Ok(roles) => roles,
        Err(why) => return refuse(why),
    };
    let text = adopt::host_toml(&facts, &roles);

    // The tree as it would be: with the new file, which is not on the disk yet.
    let (mut tree, diagnostics) = Tree::read(&places.root);
    let toml = tree.sources.add(&path, text.clone());
    let definition = Definition { toml, files: BTreeMap::new(), directories: BTreeSet::new() };
    tree.hosts.insert(name.to_string(), definition);
    let mut with_host = load::understood((tree, diagnostics));
    let plans = load::lower(&mut with_host, &super::check::placeholder_keyring(), super::key::now());
    let (changes, same) = match &with_host.model {
        Some(model) => adopt::changes(model, &plans, &name, &facts),
        None => (Vec::new(), 0),
    };

    describe(&name, &facts, &near, &roles, args, reporter);
    show(&changes, same, &facts, reporter)?;
    reporter.member("file", &text);
    reporter.diagnostics(&with_host.diagnostics, &with_host.tree.sources);
    if args.dry_run {
        reporter.summary(format_args!("{} would be:\n{}", path.display(), text.trim_end()));
        return if with_host.has_errors() { Err(Failure::Wrong) } else { Ok(()) };
    }
    let place = places.root.join(&path);
    std::fs::create_dir_all(place.parent().unwrap_or(&places.root)).context("can't make hosts/")?;
    let mut file = std::fs::File::create_new(&place).with_context(|| format!("can't write {}", place.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("can't write {}", place.display()))?;
    reporter.summary(format_args!("{} is written", path.display()));
    if with_host.has_errors() {
        reporter.note("mend it as the messages above say, then go on with `debrole plan`");
        return Err(Failure::Wrong);
    }
    reporter.summary(format_args!(
        "Next: `debrole build`, and on the machine `apt install {}` once it has {}",
        model.fleet.prefix.host_package(&name),
        model.fleet.prefix.keyring_package()
    ));
    Ok(())
}

/// What the machine tells, by whichever way was asked for.
fn collect(args: &Adopt, plans: &[PackagePlan], reporter: &Reporter) -> Result<String, Failure> {
    let script = adopt::collector(plans);
    let _busy = reporter.busy("reading what is on the machine");
    let command = if let Some(destination) = &args.ssh {
        // A destination is one argument, and never an option.
        let shell = "if [ \"$(id -u)\" = 0 ]; then exec sh -s; else exec sudo -n sh -s; fi";
        exec::Command::new("ssh").args(["-o", "BatchMode=yes", "--", destination, shell])
    } else if let Some(root) = &args.root {
        if !root.join("var/lib/dpkg").is_dir() {
            reporter.refusal(&format!("{} is no machine's tree: it has no var/lib/dpkg", root.display()));
            return Err(Failure::Wrong);
        }
        let root = std::fs::canonicalize(root).with_context(|| format!("can't use {}", root.display()))?;
        exec::Command::new("sh").arg("-s").env("ROOT", root)
    } else {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("can't read standard input")?;
        return Ok(text);
    };
    let output = command.input(script).limit(COLLECT_LIMIT).run()?;
    if !output.success() {
        let what = args.ssh.as_deref().unwrap_or("this machine");
        return Err(anyhow!("{what} did not tell what is on it: {}", output.stderr_text().trim()).into());
    }
    Ok(output.stdout_text())
}

fn chosen(args: &Adopt, model: &Model) -> Result<Vec<RoleName>, String> {
    args.role
        .iter()
        .map(|text| match model.roles.keys().find(|name| name.as_str() == text) {
            Some(name) => Ok(name.clone()),
            None => Err(match near::nearest(text, model.roles.keys().map(|name| name.as_str())) {
                Some(near) => format!("there is no role \"{text}\": did you mean \"{near}\"?"),
                None => format!("there is no role \"{text}\": roles are in roles/"),
            }),
        })
        .collect()
}

fn names(roles: &[RoleName]) -> String {
    if roles.is_empty() {
        return "none".to_owned();
    }
    roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ")
}

fn describe(name: &HostName, facts: &Facts, near: &[Near], roles: &[RoleName], args: &Adopt, reporter: &Reporter) {
    let addresses: Vec<String> = facts.addresses.iter().map(ToString::to_string).collect();
    let addresses = if addresses.is_empty() { "no address known".to_owned() } else { addresses.join(", ") };
    reporter.result(format_args!("{name}: Debian {}, {addresses}, {} packages", facts.release, facts.packages.len()));
    if facts.name != name.as_str() && facts.name != name.as_str().split('.').next().unwrap_or_default() {
        reporter.note(format_args!(
            "the machine calls itself {}: nothing of the package for {name} is applied there until it is renamed (/etc/hostname)",
            facts.name
        ));
    }
    if facts.partial {
        reporter.note("it was not read as root: files that only root may read are shown as if they were different");
    }
    let how = if args.role.is_empty() { ", by the software that is there" } else { "" };
    reporter.result(format_args!("  roles: {}{how}", names(roles)));
    for near in near.iter().filter(|near| !near.missing.is_empty() && near.missing.len() <= near.there) {
        reporter.result(format_args!("  not {}: {} not installed", near.role, are(&near.missing)));
    }
    reporter.member("release", &facts.release);
    reporter.member("addresses", &facts.addresses);
    reporter.member("roles", roles.iter().map(|role| role.as_str()).collect::<Vec<_>>());
}

fn are(items: &[String]) -> String {
    format!("{} {}", items.join(", "), if items.len() == 1 { "is" } else { "are" })
}

fn show(changes: &[Change], same: usize, facts: &Facts, reporter: &Reporter) -> Outcome {
    let install: Vec<&str> =
        changes.iter().filter_map(|c| if let Change::Install(name) = c { Some(name.as_str()) } else { None }).collect();
    if !install.is_empty() {
        reporter.result(format_args!("\nwould install: {}", install.join(", ")));
    }
    let count = changes.len() - install.len();
    if count == 0 {
        reporter.result(format_args!("\nwould change nothing; {same} paths are as the roles have them"));
    } else {
        reporter.result(format_args!("\nwould change ({same} paths are as the roles have them):"));
    }
    let mut listed: Vec<serde_json::Value> = Vec::new();
    for change in changes {
        let (line, subject) = match change {
            Change::Install(_) => continue,
            Change::New { path, package } => (format!("{path} is new ({package})"), path.as_str()),
            Change::Content { path, package, before, .. } => {
                let told = if before.is_some() { "" } else { ", the content was not told" };
                (format!("{path} gets another content ({package}){told}"), path.as_str())
            }
            Change::Attributes { path, package, before, after } => {
                (format!("{path}: {before} becomes {after} ({package})"), path.as_str())
            }
            Change::Replaced { path, package, before } => (
                format!("{path} is {before}: it is saved and replaced, or a mark says why not ({package})"),
                path.as_str(),
            ),
            Change::Exclusive { path, package } => {
                (format!("{path} is there: what no package put into it is moved away ({package})"), path.as_str())
            }
            Change::Away { path, package } => (format!("{path} is kept away ({package})"), path.as_str()),
            Change::Unit { unit, package, before, after } => {
                (format!("{unit} is {before}, becomes {after} ({package})"), unit.as_str())
            }
        };
        reporter.result(format_args!("  {line}"));
        let mut item = serde_json::json!({ "subject": subject, "what": line });
        if let Change::Content { path, before: Some(before), after, .. } = change {
            let diff = diff(path.as_str(), before, after)?;
            reporter
                .result(diff.lines().map(|line| format!("    {line}\n")).collect::<String>().trim_end_matches('\n'));
            item["diff"] = diff.into();
        }
        listed.push(item);
    }
    reporter.member("install", install);
    reporter.member("changes", listed);
    reporter.member("unchanged", same);
    reporter.member("machine", &facts.name);
    Ok(())
}

/// By diff(1), which every Debian has.
fn diff(path: &str, before: &[u8], after: &[u8]) -> anyhow::Result<String> {
    if std::str::from_utf8(before).is_err() || std::str::from_utf8(after).is_err() {
        return Ok(format!("(not text: {} bytes, {} afterwards)", before.len(), after.len()));
    }
    let directory = Scratch::new().context("can't make a temporary directory")?;
    for (name, bytes) in [("before", before), ("after", after)] {
        std::fs::write(directory.path().join(name), bytes).context("can't write a temporary file")?;
    }
    let output = exec::Command::new("diff")
        .args(["-u", &format!("--label={path} (now)"), &format!("--label={path}"), "before", "after"])
        .directory(directory.path())
        .run()?;
    Ok(output.stdout_text())
}
