//! What is asked of which machine. A service is written once for all machines on which it is the same: Nagios makes one of
//! it for each.

use super::objects::{Lines, minutes, names};
use super::people::contacts;
use super::{backup_key, watched};
use crate::model::Model;
use crate::model::monitoring::{CheckKind, EVERYTHING, IMPLIED, NRPE, Place, Thresholds};
use crate::names::HostName;
use std::collections::{BTreeMap, BTreeSet};

/// A service on all machines on which it is the same.
pub(super) struct Service {
    pub description: String,
    /// The lines of its definition, but for those that say where.
    pub lines: Lines,
    /// Whether it is asked by NRPE, so that it is quiet while that does not answer.
    pub by_nrpe: bool,
    pub hosts: BTreeSet<HostName>,
}

#[derive(Default)]
pub(super) struct Services {
    /// By description and lines.
    pub services: BTreeMap<(String, Lines), Service>,
    /// Of active checks: name → line.
    pub commands: BTreeMap<String, String>,
}

impl Services {
    fn add(&mut self, host: &HostName, description: String, lines: Vec<(&'static str, String)>, by_nrpe: bool) {
        let key = (description.clone(), lines.clone());
        let service =
            self.services.entry(key).or_insert_with(|| Service { description, lines, by_nrpe, hosts: BTreeSet::new() });
        service.hosts.insert(host.clone());
    }
}

/// `$` begins a macro of Nagios, `;` a comment.
fn command_line(text: &str) -> String {
    text.replace('$', "$$").replace(';', "\\;")
}

/// The services of all machines.
pub(super) fn services(model: &Model) -> Services {
    let mut all = Services::default();
    for host in watched(model) {
        let name = &host.name.value;
        let own = names(contacts(model, host, None));
        for implied in IMPLIED.iter().filter(|implied| !host.skips(implied.name)) {
            let command = match implied.name {
                NRPE => "nrpe_answers".to_owned(),
                check => format!("nrpe!machine_{check}"),
            };
            let lines = vec![
                ("use", "machine".to_owned()),
                ("check_command", command),
                ("contact_groups", own.clone()),
                ("notes", implied.summary.to_owned()),
            ];
            all.add(name, implied.name.to_owned(), lines, implied.name != NRPE);
        }
        for (place, check) in model.checks(host) {
            let key = place.key(&check.name.value);
            if host.skips(&key) {
                continue;
            }
            let mut lines = Vec::new();
            match &check.kind {
                CheckKind::Nrpe { .. } => {
                    lines.push(("use", "machine".to_owned()));
                    lines.push(("check_command", format!("nrpe!{}", place.command(&check.name.value))));
                }
                CheckKind::Active(command) => {
                    let thresholds = model.thresholds(host, place, check);
                    let given = |thresholds: &Thresholds| {
                        command_line(&command.text(&[
                            ("warning", Thresholds::text(&thresholds.warning)),
                            ("critical", Thresholds::text(&thresholds.critical)),
                            // Stay as they are: the values have neither.
                            ("address", "{address}"),
                            ("fqdn", "{fqdn}"),
                        ]))
                        .replace("{address}", "$HOSTADDRESS$")
                        .replace("{fqdn}", "$HOSTNAME$")
                    };
                    let (line, usual) = (given(&thresholds), given(&check.thresholds));
                    let mut command = format!("active_{}", place.command(&check.name.value));
                    if place == Place::Host || line != usual {
                        command.push_str(&format!("@{name}"));
                    }
                    all.commands.insert(command.clone(), line);
                    lines.push(("use", "machine".to_owned()));
                    lines.push(("check_command", command));
                }
                CheckKind::Passive { freshness } => {
                    lines.push(("use", "told".to_owned()));
                    lines.push(("freshness_threshold", freshness.to_string()));
                }
            }
            let groups = contacts(model, host, Some((place, check)));
            lines.push(("contact_groups", names(groups)));
            lines.extend(check.interval.map(|seconds| ("check_interval", minutes(seconds))));
            lines.extend(check.notes.iter().map(|notes| ("notes", notes.clone())));
            let by_nrpe = matches!(check.kind, CheckKind::Nrpe { .. });
            all.add(name, place.service(&check.name.value), lines, by_nrpe);
        }
    }
    // The age of each job's backups is asked where they are kept; those hear of it who hear of the machine they are of.
    for age in crate::lower::backup::checks(model) {
        let (Some(server), Some(client)) = (model.hosts.get(&age.server), model.hosts.get(&age.client)) else {
            continue;
        };
        if client.skips(&backup_key(&age.job)) || server.skips(EVERYTHING) {
            continue;
        }
        let lines = vec![
            ("use", "machine".to_owned()),
            ("check_command", format!("nrpe!{}", age.command)),
            ("contact_groups", names(contacts(model, client, None))),
        ];
        all.add(&age.server, format!("backup: {} {}", age.client, age.job), lines, true);
    }
    all
}
