//! Which Debian packages the pool has to hold: what each role of the example fleet depends on, and what single tests
//! ask for. Read from the TOML directly, not through the stages that the tests are there to judge.

use super::Release;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Sets that a test installs by itself, without a role.
const OTHERS: &[&str] = &[
    "age",
    "nginx",
    "cron",
    "varnish",
    "debconf-utils postfix",
    // What every watched machine gets, and what asks it.
    "dbus monitoring-plugins-basic munin-node nagios-nrpe-plugin nagios-nrpe-server openssh-client openssh-server openssl",
    // What a test asks web pages with.
    "curl",
    "at cron libpam-systemd openssh-client openssh-server sudo",
];

/// What pg-agent and pg-nagios-config ask for.
const AGENT: &str = "dbus monitoring-plugins-basic munin-node nagios-nrpe-server openssh-client openssl";
const NAGIOS: &str = "apache2 bsd-mailx monitoring-plugins-basic nagios-nrpe-plugin nagios4 openssh-server";

/// What debrole itself is linked with: the repository's machine runs it.
pub fn libraries(release: Release) -> &'static str {
    match release {
        Release::Bookworm => "libgpgme11",
        Release::Trixie => "libgpgme11t64",
    }
}

/// The example fleet: the project's own root.
pub fn example_fleet() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// What is installed together on one machine, a set each: every role of the example fleet with all that it includes.
pub fn installations(release: Release) -> Vec<BTreeSet<String>> {
    let others = OTHERS.iter().copied().chain([libraries(release)]);
    let mut sets: BTreeSet<BTreeSet<String>> = others.map(|set| set.split(' ').map(str::to_owned).collect()).collect();
    sets.extend(role_packages(&example_fleet(), release).into_values());
    sets.into_iter().collect()
}

/// What the example fleet's role `base` brings of Debian's to a machine that is not watched.
pub fn base(release: Release) -> BTreeSet<String> {
    let mut packages = role_packages(&example_fleet(), release).remove("base").expect("the example fleet's first role");
    packages.retain(|package| !AGENT.split(' ').any(|agents| agents == package));
    packages
}

/// The Debian packages that each role of the tree asks for (the first of alternatives), with those of the roles that
/// it includes.
pub fn role_packages(tree: &Path, release: Release) -> BTreeMap<String, BTreeSet<String>> {
    let mut own = BTreeMap::new();
    for entry in std::fs::read_dir(tree.join("roles")).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let table: toml::Table = text.parse().unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            own.insert(path.file_stem().expect("a name").to_string_lossy().into_owned(), table);
        }
    }
    let strings = |table: &toml::Table, key: &str| -> Vec<String> {
        let values = table.get(key).and_then(toml::Value::as_array).cloned().unwrap_or_default();
        values.iter().filter_map(toml::Value::as_str).map(str::to_owned).collect()
    };
    let mut sets = BTreeMap::new();
    for (role, table) in &own {
        let releases = strings(table, "releases");
        if !releases.is_empty() && !releases.iter().any(|r| r == release.codename()) {
            continue;
        }
        let (mut packages, mut seen, mut todo) = (BTreeSet::new(), BTreeSet::new(), vec![role.clone()]);
        while let Some(role) = todo.pop() {
            let Some(table) = own.get(&role).filter(|_| seen.insert(role.clone())) else { continue };
            todo.extend(strings(table, "includes"));
            let particular = table.get("release").and_then(|r| r.get(release.codename())).and_then(|r| r.as_table());
            for table in [Some(table), particular].into_iter().flatten() {
                for relation in ["pre_depends", "depends"].iter().flat_map(|key| strings(table, key)) {
                    let name = relation.split(['|', '(', '[', ':', ' ']).next().unwrap_or_default();
                    packages.insert(name.to_owned());
                }
                packages.extend(access(tree, table).into_iter().map(str::to_owned));
                for one in
                    ["check", "munin"].iter().flat_map(|key| table.get(*key).and_then(toml::Value::as_array)).flatten()
                {
                    packages.extend(strings(one.as_table().expect("a table"), "depends"));
                }
                if table.contains_key("nagios_server") {
                    packages.extend(NAGIOS.split(' ').map(str::to_owned));
                }
                if table.contains_key("munin_server") {
                    packages.extend(["apache2", "cron", "munin"].map(str::to_owned));
                }
                if table.contains_key("backup") {
                    packages.extend(["age", "openssh-client", "restic"].map(str::to_owned));
                }
                if table.contains_key("backup_server") {
                    packages.extend(["age", "openssh-server", "rclone", "restic", "systemd"].map(str::to_owned));
                }
            }
        }
        if own.values().any(|table| table.contains_key("nagios_server")) {
            packages.extend(AGENT.split(' ').map(str::to_owned));
        }
        sets.insert(role.clone(), packages);
    }
    sets
}

/// What [access] and [[account]] ask for: sshd and what ends sessions, sudo, the shells of members, sysusers.
fn access(tree: &Path, table: &toml::Table) -> BTreeSet<&'static str> {
    let mut packages = BTreeSet::new();
    if table.contains_key("account") {
        packages.insert("systemd");
    }
    let Some(access) = table.get("access").and_then(toml::Value::as_table) else { return packages };
    packages.extend(["openssh-server", "libpam-systemd"]);
    if access.contains_key("sudo") {
        packages.insert("sudo");
    }
    let read = |path: PathBuf| -> toml::Table { std::fs::read_to_string(path).unwrap().parse().unwrap() };
    let groups = access.get("login").and_then(toml::Value::as_array).into_iter().flatten();
    for group in groups.filter_map(toml::Value::as_str) {
        let group = read(tree.join(format!("groups/{group}.toml")));
        for member in group["members"].as_array().unwrap() {
            let user = read(tree.join(format!("users/{}.toml", member.as_str().unwrap())));
            if user.get("shell").is_some_and(|shell| shell.as_str() == Some("/usr/bin/zsh")) {
                packages.insert("zsh");
            }
        }
    }
    packages
}
