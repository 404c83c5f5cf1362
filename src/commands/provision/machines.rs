//! `debrole vm …` and `debrole hypervisor check`: what was made from here, and what could be.

use super::make;
use super::places::{SOCKETS, SYSTEM, Whereabouts};
use super::site::{self, Site};
use crate::cli::{Global, Hypervisor, Vm};
use crate::commands::{Failure, Outcome};
use crate::reporter::Reporter;
use anyhow::anyhow;
use debrole::model::Model;
use debrole::provision::base;
use debrole::provision::probe::sheet::{self, Condition, Finding};
use debrole::provision::record::Listed;
use debrole::provision::run::libvirt::Libvirt;
use debrole::provision::run::{State as Runs, Stop};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

pub fn vm(command: &Vm, global: &Global, reporter: &Reporter) -> Outcome {
    match command {
        Vm::List { stores } => {
            let (site, _) = Site::open(stores, global, reporter)?;
            list(&site)
        }
        Vm::Console(of) => {
            let (site, _) = Site::open(&of.stores, global, reporter)?;
            let hypervisor = site.whereabouts(&of.host)?.hypervisor;
            hypervisor.attach(&of.host).map_err(|error| anyhow!(error).into())
        }
        Vm::Log(of) => {
            let (site, _) = Site::open(&of.stores, global, reporter)?;
            let at = site.whereabouts(&of.host)?;
            log(&at, &of.host, reporter)
        }
        Vm::Start(of) => {
            let (site, _) = Site::open(&of.stores, global, reporter)?;
            let _lock = site.take(&of.host, "debrole vm start")?;
            let hypervisor = site.whereabouts(&of.host)?.hypervisor;
            if hypervisor.state(&of.host).map_err(|error| anyhow!(error))? == Runs::Running {
                reporter.summary(format_args!("{} runs already", of.host));
                return Ok(());
            }
            hypervisor.start(&of.host).map_err(|error| anyhow!(error))?;
            reporter.summary(format_args!("{} is started; `debrole vm console {0}` shows its console", of.host));
            Ok(())
        }
        Vm::Stop { of, now, timeout } => {
            let (site, _) = Site::open(&of.stores, global, reporter)?;
            let _lock = site.take(&of.host, "debrole vm stop")?;
            let hypervisor = site.whereabouts(&of.host)?.hypervisor;
            let how = match now {
                true => Stop::AtOnce,
                false => Stop::Gracefully { limit: Duration::from_secs(*timeout) },
            };
            let _busy = reporter.busy(format!("{} shuts down", of.host));
            hypervisor.stop(&of.host, how).map_err(|error| anyhow!(error))?;
            reporter.summary(format_args!("{} is off", of.host));
            Ok(())
        }
        Vm::Rebuild(args) => make::rebuild(args, global, reporter),
    }
}

/// The older part first. What another machine keeps is read there.
fn log(at: &Whereabouts, name: &str, reporter: &Reporter) -> Outcome {
    let place = at.hypervisor.log(name);
    let mut text = Vec::new();
    for path in [format!("{place}.1"), place.clone()] {
        match std::fs::read(&path) {
            Ok(bytes) => text.extend(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(anyhow!("can't read {path}: {error}").into()),
        }
    }
    if text.is_empty() {
        reporter.refusal(&format!("the console of {name} has said nothing that is kept here: it is in {place}"));
        return Err(Failure::Wrong);
    }
    reporter.bytes(&text)?;
    Ok(())
}

fn list(site: &Site<'_>) -> Outcome {
    let mut rows = vec![["machine", "state", "by", "on", "made"].map(str::to_owned)];
    let mut documents = Vec::new();
    for Listed { name, record } in site.state.records().map_err(anyhow::Error::new)? {
        let record = match record {
            Ok(record) if record.fleet.is(&site.fleet) => record,
            Ok(_) => continue,
            Err(fault) => {
                site.reporter.note(format_args!("{name}: {fault}"));
                documents.push(json!({ "name": name, "fault": fault.to_string() }));
                continue;
            }
        };
        let hypervisor = Whereabouts::of(&record.place, &site.state).hypervisor;
        let state = match hypervisor.state(&name) {
            Ok(Runs::Running) => "running".to_owned(),
            Ok(Runs::Off) => "off".to_owned(),
            Ok(Runs::Absent) => "gone".to_owned(),
            Err(error) => {
                site.reporter.note(format_args!("{name}: {error}"));
                "unknown".to_owned()
            }
        };
        let made = jiff::Timestamp::from_second(record.made);
        let made = made.map(|time| time.strftime("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default();
        documents.push(json!({
            "name": name, "state": state, "accelerator": record.accelerator, "hypervisor": hypervisor.describe(),
            "made": record.made, "addresses": record.addresses, "release": record.release,
        }));
        rows.push([name, state, record.accelerator, hypervisor.describe(), made]);
    }
    for name in site.state.unfinished().map_err(anyhow::Error::new)? {
        site.reporter.note(format_args!(
            "{name}: something is under way, or did not come to its end: `debrole deprovision {name}` takes it back"
        ));
        documents.push(json!({ "name": name, "unfinished": true }));
    }
    site.reporter.member("machines", documents);
    if rows.len() == 1 {
        site.reporter.summary("no machine was made from here");
        return Ok(());
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [0, 1, 2, 3, 4].map(width);
    for row in &rows {
        let line: String = row.iter().zip(widths).map(|(text, width)| format!("{text:width$}  ")).collect();
        site.reporter.result(line.trim_end());
    }
    Ok(())
}

/// Like a doctor's sheet: what works, and of what does not, why and what to do.
pub fn hypervisor(command: &Hypervisor, global: &Global, reporter: &Reporter) -> Outcome {
    let Hypervisor::Check { host, base_cache } = command;
    // What provisioning would try: some hosts run a boot sector and hang with a kernel.
    let kernel = base::any_kernel(&site::base_cache(base_cache.as_deref()));
    let (name, findings) = match host {
        None => {
            let socket = SOCKETS.iter().any(|socket| Path::new(socket).exists());
            let libvirt = socket.then(|| Libvirt::new(SYSTEM, "default", ""));
            let _busy = reporter.busy("running guests");
            ("this machine".to_owned(), sheet::this_machine(libvirt.as_ref(), &[], kernel.as_deref()))
        }
        Some(name) => {
            let places = crate::commands::load::places(global, reporter)?;
            let loaded = site::tree(&places, reporter)?;
            let model = loaded.model.as_ref().ok_or(Failure::Wrong)?;
            let host = site::host(model, name, reporter)?;
            let Some(hypervisor) = &host.hypervisor else {
                reporter.refusal(&format!("{name} runs no machines: give hosts/{name}.toml a [hypervisor]"));
                return Err(Failure::Wrong);
            };
            let libvirt = Libvirt::new(&hypervisor.uri, &hypervisor.pool, "");
            let _busy = reporter.busy(format!("asking {name}"));
            (name.clone(), sheet::other_machine(&libvirt, &bridges(model, name), kernel.as_deref()))
        }
    };
    reporter.result(format_args!("{name}:"));
    let width = findings.iter().map(|finding| finding.what.chars().count()).max().unwrap_or(0);
    for finding in &findings {
        let word = word(finding.state);
        reporter.result(format_args!("  {:width$}  {word:7}  {}", finding.what, finding.detail));
        if let Some(remedy) = &finding.remedy {
            reporter.result(format_args!("  {:width$}           {remedy}", ""));
        }
    }
    let document = |finding: &Finding| {
        json!({
            "what": finding.what, "state": word(finding.state), "detail": finding.detail, "remedy": finding.remedy,
        })
    };
    reporter.member("machine", &name);
    reporter.member("sheet", findings.iter().map(document).collect::<Vec<_>>());
    Ok(())
}

fn word(state: Condition) -> &'static str {
    match state {
        Condition::Ok => "ok",
        Condition::Warning => "warning",
        Condition::Bad => "bad",
    }
}

/// The bridges that a hypervisor's machines are plugged into.
fn bridges(model: &Model, hypervisor: &str) -> Vec<String> {
    let vms = model.hosts.values().filter_map(|host| host.vm.as_ref());
    let its = vms.filter(|vm| vm.hypervisor.as_ref().is_some_and(|name| name.value.as_str() == hypervisor));
    let networks = its.flat_map(|vm| &vm.interfaces).filter_map(|i| model.fleet.networks.get(&i.network.value));
    networks.map(|network| network.bridge.clone()).collect::<BTreeSet<_>>().into_iter().collect()
}
