//! The machine's side of monitoring: the texts in this folder, with the fleet's prefix set in. What is compiled of hosts
//! and roles is put beside them by who lowers the packages.

pub mod agent;
mod faults;
pub mod munin;
pub mod nagios;
pub mod role;

pub use faults::check;

use crate::names::{MachinePath, Prefix};
use crate::plan::Entry;
use std::collections::BTreeMap;

/// What every machine is asked: a plugin of Nagios.
pub const CHECK: &str = include_str!("check.sh");
/// Certificates, and what root alone can find out.
pub const AGENT: &str = include_str!("agent.sh");
/// The setup fragment of `<prefix>-agent`.
const SETUP: &str = include_str!("setup");
const TEARDOWN: &str = include_str!("teardown");
const NAGIOS_CONF: &str = include_str!("nagios.conf");
const MUNIN_CONF: &str = include_str!("munin.conf");
const CGI_CFG: &str = include_str!("cgi.cfg");

/// The units of `<prefix>-agent` in place: name, whether it is enabled, text.
pub fn agent_units(prefix: &Prefix) -> Vec<(String, bool, String)> {
    [
        ("agent-exchange.service", false, include_str!("exchange.service")),
        ("agent-exchange.timer", true, include_str!("exchange.timer")),
        ("agent-status.service", false, include_str!("status.service")),
        ("agent-status.timer", true, include_str!("status.timer")),
    ]
    .map(|(name, enabled, text)| (format!("{prefix}-{name}"), enabled, set(prefix, text)))
    .into()
}

/// The programs of `<prefix>-agent`.
pub fn agent_entries(prefix: &Prefix) -> BTreeMap<MachinePath, Entry> {
    let program = |name: &str, text: &str| {
        let path = MachinePath::parse(&format!("/usr/lib/{prefix}/{name}")).expect("a prefix makes valid paths");
        (path, Entry::File { mode: 0o755, bytes: set(prefix, text).into_bytes().into() })
    };
    BTreeMap::from([program("agent", AGENT), program("check", CHECK)])
}

/// The setup fragment of `<prefix>-agent`.
pub fn agent_setup(prefix: &Prefix) -> String {
    set(prefix, SETUP)
}

/// The teardown fragment of `<prefix>-nagios-config`.
pub fn nagios_teardown(prefix: &Prefix) -> String {
    set(prefix, TEARDOWN)
}

/// Managed files of `<prefix>-nagios-config` for the web pages: path and text. Apache is reloaded when one changes.
pub fn nagios_web(prefix: &Prefix) -> Vec<(String, String)> {
    vec![
        (format!("/etc/apache2/conf-enabled/zz-{prefix}-nagios.conf"), set(prefix, NAGIOS_CONF)),
        (format!("/etc/nagios4/{prefix}-cgi.cfg"), set(prefix, CGI_CFG)),
    ]
}

/// The same of `<prefix>-munin-config`.
pub fn munin_web(prefix: &Prefix) -> Vec<(String, String)> {
    vec![(format!("/etc/apache2/conf-enabled/zz-{prefix}-munin.conf"), set(prefix, MUNIN_CONF))]
}

fn set(prefix: &Prefix, text: &str) -> String {
    text.replace("@PREFIX@", prefix.as_str())
}
