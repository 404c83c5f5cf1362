//! `<prefix>-agent`, on every machine of a fleet that is monitored: NRPE and munin-node, who may ask them, and the checks
//! that every machine has.

use super::role::{munin_list, nrpe_service};
use super::{agent_entries, agent_setup, agent_units};
use crate::lower::content::{Assembly, Owner, Rank, Text, Texts};
use crate::lower::role::Variants;
use crate::model::monitoring::{IMPLIED, Thresholds};
use crate::model::{Content, File, FilePolicy, FileText, Host, Model, Service, ServiceState, Unit};
use crate::names::{AccountName, MachinePath, PackageName, Prefix, UnitName};
use crate::plan::{Entry, PackageKind, PackagePlan};
use crate::relation::{Relation, RelationField};
use crate::source::{Span, Spanned};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Munin's plugins on every machine.
const PLUGINS: [&str; 11] =
    ["cpu", "df", "df_inode", "diskstats", "load", "memory", "open_files", "processes", "swap", "uptime", "users"];

/// One of the packages that are neither a role's nor a host's, but are applied as theirs are.
pub struct Made {
    pub content: Content,
    /// In place, beside what is managed.
    pub entries: BTreeMap<MachinePath, Entry>,
    pub summary: String,
    pub description: String,
}

/// The package on all releases.
pub fn plan(model: &Model, package: PackageName, made: &Made) -> PackagePlan {
    let prefix = &model.fleet.prefix;
    let owner = Owner { prefix, home: home(prefix, &package), package, rank: Rank::Role, secrets: &model.secrets };
    let mut variants = Variants::default();
    for release in &model.fleet.releases {
        let codename = &release.codename.value;
        let mut assembly = Assembly::new(&owner, codename);
        assembly.add(&made.content, &texts(&made.content));
        for (path, entry) in &made.entries {
            assembly.in_place(path.clone(), entry.clone(), model.fleet.span);
        }
        let (deb, claims, _) =
            assembly.finish(made.summary.clone(), made.description.clone(), model.fleet.homepage.clone());
        variants.add(codename, deb, claims);
    }
    variants.into_plan(owner.package.clone(), PackageKind::Monitoring, None)
}

/// Where the payload of such a package is: `/usr/share/<prefix>/agent` of `<prefix>-agent`.
pub fn home(prefix: &Prefix, package: &PackageName) -> MachinePath {
    let name = package.as_str().strip_prefix(&format!("{prefix}-")).unwrap_or(package.as_str());
    path(&format!("/usr/share/{prefix}/{name}"))
}

fn texts(content: &Content) -> Texts {
    let text = |text: &FileText| match text {
        FileText::Plain(bytes) => Text::Bytes(bytes.clone()),
        FileText::Template(text) => Text::Bytes(text.value.as_bytes().into()),
    };
    Texts {
        files: content.files.iter().map(|file| text(&file.text)).collect(),
        units: content.units.iter().map(|unit| text(&unit.text)).collect(),
        secrets: Vec::new(),
    }
}

pub fn path(text: &str) -> MachinePath {
    MachinePath::parse(text).expect("a prefix and debrole's own names make valid paths")
}

pub fn unit(text: &str) -> UnitName {
    UnitName::parse(text).expect("a unit of Debian's or of debrole's own")
}

pub fn account(text: &str) -> AccountName {
    AccountName::parse(text).expect("an account of debrole's own")
}

/// Pieces of a [`Content`] that nobody wrote; `span`, debrole.toml's begin, is the best place there is.
pub struct Pieces {
    pub span: Span,
}

impl Pieces {
    pub fn file(&self, at: &str, text: String, validate: &str, reload: &[&str], restart: &[&str]) -> File {
        let units = |names: &[&str]| names.iter().map(|name| Spanned::new(unit(name), self.span)).collect();
        File {
            path: Spanned::new(path(at), self.span),
            text: FileText::Plain(text.into_bytes().into()),
            mode: 0o644,
            owner: account("root"),
            group: account("root"),
            validate: Some(validate)
                .filter(|command| !command.is_empty())
                .map(|command| Spanned::new(command.to_owned(), self.span))
                .into_iter()
                .collect(),
            reload: units(reload),
            restart: units(restart),
            policy: FilePolicy::Managed,
            secret: false,
        }
    }

    pub fn enabled(&self, name: &str, drop_in: Option<String>) -> Service {
        Service {
            unit: Spanned::new(unit(name), self.span),
            state: ServiceState::Enabled,
            drop_in: drop_in.map(|text| Spanned::new(text, self.span)),
        }
    }

    pub fn depends(&self, names: &[&str]) -> Vec<Spanned<Relation>> {
        let package = |name: &&str| PackageName::parse(name).expect("a package's name");
        names.iter().map(|name| Spanned::new(Relation::on(package(name)), self.span)).collect()
    }
}

pub fn text(text: String) -> Entry {
    Entry::File { mode: 0o644, bytes: text.into_bytes().into() }
}

/// The first line of a generated file, so that nobody edits it in vain.
pub fn head(package: &PackageName) -> String {
    format!("# Managed by {package}: what is changed here is changed back.\n")
}

/// The file that holds the checks that every machine has: its path, and its text for all machines or for one.
pub fn checks_path(prefix: &Prefix) -> MachinePath {
    path(&format!("/etc/nagios/nrpe.d/20-{prefix}-agent.cfg"))
}

/// `package`: whose the text is, the agent's or a host's.
pub fn checks(model: &Model, package: &PackageName, host: Option<&Host>) -> String {
    let prefix = &model.fleet.prefix;
    let mut out = head(package);
    for implied in IMPLIED.iter().filter(|implied| implied.measure.is_some()) {
        let thresholds = model.implied_thresholds(host, implied);
        let (warning, critical) = (Thresholds::text(&thresholds.warning), Thresholds::text(&thresholds.critical));
        let name = implied.name;
        out.push_str(&format!("command[machine_{name}]=/usr/lib/{prefix}/check {name} {warning} {critical}\n"));
    }
    out
}

/// None where nothing is monitored.
pub fn lower(model: &Model) -> Option<PackagePlan> {
    if !model.has_agent() {
        return None;
    }
    let fleet = &model.fleet;
    let prefix = &fleet.prefix;
    let package = prefix.agent_package();
    let pieces = Pieces { span: fleet.span };
    let nrpe = nrpe_service();
    let own_home = home(prefix, &package);
    let addresses = |hosts: Vec<&Host>| -> Vec<IpAddr> {
        hosts.iter().flat_map(|host| &host.addresses).map(|address| address.value).collect()
    };
    let mut depends =
        vec!["dbus", "monitoring-plugins-basic", "munin-node", "nagios-nrpe-server", "openssh-client", "openssl"];
    let known_hosts = prefix.known_hosts_package();
    if model.hosts.values().any(|host| !host.host_keys.is_empty()) {
        depends.push(known_hosts.as_str());
    }
    let content = Content {
        relations: BTreeMap::from([(RelationField::Depends, pieces.depends(&depends))]),
        files: vec![
            pieces.file(
                &format!("/etc/nagios/nrpe.d/10-{prefix}-agent.cfg"),
                nrpe_settings(prefix, &package, &addresses(model.nagios_servers().collect())),
                "",
                &[],
                &[nrpe.as_str()],
            ),
            pieces.file(
                checks_path(prefix).as_str(),
                checks(model, &package, None),
                "",
                &[],
                &[nrpe.as_str()],
            ),
            pieces.file(
                &format!("/etc/munin/{prefix}-node.conf"),
                munin_node(&package, &addresses(model.munin_servers().collect()), listens_on(model)),
                "",
                &[],
                &["munin-node.service"],
            ),
        ],
        services: vec![
            pieces.enabled(nrpe.as_str(), None),
            pieces.enabled(
                "munin-node.service",
                // Its own file has no place for others' lines, and stays as Debian's package has it. Early in a boot it may
                // not be able to listen (see listens_on): Debian's unit tries five times within a second, and no more.
                Some(format!(
                    "[Service]\nExecStart=\nExecStart=/usr/sbin/munin-node --config /etc/munin/{prefix}-node.conf --foreground $DAEMON_ARGS\nRestartSec=5s\n"
                )),
            ),
        ],
        units: agent_units(prefix)
            .into_iter()
            .map(|(name, enable, text)| Unit {
                name: Spanned::new(unit(&name), fleet.span),
                text: FileText::Plain(text.into_bytes().into()),
                enable,
            })
            .collect(),
        setup: Some(Spanned::new(agent_setup(prefix), fleet.span)),
        ..Content::default()
    };
    let monitors: String = model
        .nagios_servers()
        .map(|host| {
            let addresses = host.addresses.iter().map(|address| format!(" {}", address.value)).collect::<String>();
            format!("{}{addresses}\n", host.name.value)
        })
        .collect();
    let mut entries = agent_entries(prefix);
    entries.insert(own_home.join(&path("/monitors")), text(monitors));
    let plugins = PLUGINS.map(|name| (name.to_owned(), name.to_owned()));
    let only = if fleet.monitoring.detected_plugins { "" } else { "only\n" };
    entries.extend(munin_list(&package, plugins).map(|list| (own_home.join(&path("/munin")), text(list + only))));
    let made = Made {
        content,
        entries,
        summary: format!("lets the monitoring servers of {} ask this machine", fleet.label),
        description: format!(
            "This package has NRPE and munin-node answer the monitoring servers of {}, and nobody else. NRPE asks for a \
             certificate: each machine makes its own, and they are exchanged by SSH with the servers, whose host keys \
             are known ({prefix}-known-hosts). The roles' packages add their own checks and plugins; what every machine \
             is asked is here.",
            fleet.label
        ),
    };
    Some(plan(model, package, &made))
}

fn nrpe_settings(prefix: &Prefix, package: &PackageName, monitors: &[IpAddr]) -> String {
    let addresses: String = monitors.iter().map(|address| format!(",{address}")).collect();
    let head = head(package);
    let place = format!("/var/lib/{prefix}/nrpe");
    format!(
        "\
{head}allowed_hosts=127.0.0.1,::1{addresses}
dont_blame_nrpe=0
ssl_version=TLSv1.2+
ssl_client_certs=2
ssl_cert_file={place}/agent.pem
ssl_privatekey_file={place}/agent.key
ssl_cacert_file={place}/monitors.pem
"
    )
}

/// Where munin-node listens. For `*` it takes a socket of IPv6 that IPv4 reaches too, which it gets only where an interface
/// has an address of IPv6 (Net::Server 2.013 by IO::Socket::IP, whose getaddrinfo(3) has AI_ADDRCONFIG): not on a machine
/// of IPv4 alone, and on others not until their first interface is up. So it is not asked for where Munin asks by IPv4 alone.
fn listens_on(model: &Model) -> &'static str {
    let asked_by_v4 = |host: &Host| host.addresses.first().is_some_and(|address| address.value.is_ipv4());
    if model.hosts.values().all(asked_by_v4) { "0.0.0.0" } else { "*" }
}

fn munin_node(package: &PackageName, servers: &[IpAddr], listens_on: &str) -> String {
    let head = head(package);
    // `allow` is a regular expression. A socket of both families shows an IPv4 address as one of IPv6.
    let allow: String = servers
        .iter()
        .map(|address| match address {
            IpAddr::V4(address) => format!("allow ^(?:::ffff:)?{}$\n", address.to_string().replace('.', r"\.")),
            IpAddr::V6(address) => format!("allow ^{address}$\n"),
        })
        .collect();
    format!(
        r"{head}log_level 4
log_file /var/log/munin/munin-node.log
pid_file /run/munin/munin-node.pid
background 1
setsid 1
user root
group root
ignore_file [\#~]$
ignore_file DEADJOE$
ignore_file \.bak$
ignore_file %$
ignore_file \.dpkg-(tmp|new|old|dist)$
ignore_file \.rpm(save|new)$
ignore_file \.pod$
allow ^127\.0\.0\.1$
allow ^::1$
{allow}host {listens_on}
port 4949
"
    )
}
