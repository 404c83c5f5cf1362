//! What the checks and plugins of a role or host put on its machines: commands of NRPE, rules of sudo for them, the list
//! of Munin's plugins and their settings.

use crate::model::Content;
use crate::model::monitoring::{Check, CheckKind, Place, Thresholds};
use crate::names::{PackageName, UnitName};
use std::collections::BTreeSet;

pub fn nrpe_service() -> UnitName {
    UnitName::parse("nagios-nrpe-server.service").expect("a unit's name")
}

pub fn munin_service() -> UnitName {
    UnitName::parse("munin-node.service").expect("a unit's name")
}

/// The commands of NRPE, one a line; empty where there are none.
pub fn commands(place: Place<'_>, content: &Content, thresholds: impl Fn(&Check) -> Thresholds) -> String {
    let mut out = String::new();
    for check in &content.checks {
        let CheckKind::Nrpe { command, user } = &check.kind else { continue };
        let thresholds = thresholds(check);
        let text = command.text(&[
            ("warning", Thresholds::text(&thresholds.warning)),
            ("critical", Thresholds::text(&thresholds.critical)),
        ]);
        let sudo = user.as_ref().map(|user| format!("/usr/bin/sudo -n -u {user} ")).unwrap_or_default();
        out.push_str(&format!("command[{}]={sudo}{text}\n", place.command(&check.name.value)));
    }
    out
}

/// Rules of sudoers(5) for the commands that another user than nagios runs. Their thresholds may differ from machine to
/// machine, so what stands for them is any one word of such characters.
pub fn sudoers(content: &Content) -> String {
    let mut out = String::new();
    for check in &content.checks {
        let CheckKind::Nrpe { command, user: Some(user) } = &check.kind else { continue };
        let mut words = command.words.iter().map(|word| {
            let escaped = escaped(word);
            escaped.replace("{warning}", "[0-9.\\,\\:~@%+a-zA-Z-]*").replace("{critical}", "[0-9.\\,\\:~@%+a-zA-Z-]*")
        });
        let program = words.next().unwrap_or_default();
        let arguments: Vec<String> = words.collect();
        // Without this, any arguments would be allowed.
        let arguments = if arguments.is_empty() { "\"\"".to_owned() } else { arguments.join(" ") };
        out.push_str(&format!("nagios ALL=({user}) NOPASSWD: {program} {arguments}\n"));
    }
    out
}

/// Escaped for sudoers(5), where also fnmatch(3) has characters of its own.
fn escaped(word: &str) -> String {
    let mut out = String::new();
    for c in word.chars() {
        if ",:=#\\*?[]!\"".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// The list of Munin's plugins that the runtime's reconciler reads; None where there are none.
pub fn munin_list(package: &PackageName, plugins: impl IntoIterator<Item = (String, String)>) -> Option<String> {
    let links: BTreeSet<(String, String)> = plugins.into_iter().collect();
    let lines: String = links.iter().map(|(link, target)| format!("plugin {link} {target}\n")).collect();
    (!lines.is_empty()).then(|| format!("debrole-munin 1\npackage {package}\n{lines}"))
}

/// Settings of the plugins, for `/etc/munin/plugin-conf.d`; empty where there are none.
pub fn munin_settings(content: &Content) -> String {
    let mut out = String::new();
    for plugin in &content.munin {
        let user = plugin.user.iter().map(|user| format!("user {user}\n"));
        let group = plugin.group.iter().map(|group| format!("group {group}\n"));
        let env = plugin.env.iter().map(|(name, value)| format!("env.{name} {value}\n"));
        let lines: String = user.chain(group).chain(env).collect();
        if !lines.is_empty() {
            out.push_str(&format!("[{}]\n{lines}\n", plugin.name.value));
        }
    }
    out
}

/// The packages of Debian that its checks and plugins need on the machine itself, but for those that the agent has.
pub fn packages(content: &Content) -> BTreeSet<PackageName> {
    let checks = content.checks.iter().filter(|check| matches!(check.kind, CheckKind::Nrpe { .. }));
    let all = checks.flat_map(|check| &check.packages).chain(content.munin.iter().flat_map(|plugin| &plugin.packages));
    all.filter(|name| !["monitoring-plugins-basic", "munin-plugins-core"].contains(&name.as_str())).cloned().collect()
}
