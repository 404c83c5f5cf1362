//! Whether something brings the programs that checks run.

use crate::diagnostics::{Diagnostic, rules};
use crate::model::monitoring::{Check, CheckKind};
use crate::model::{Content, Host, Role, closure};
use crate::names::{Codename, HostName, MachinePath, PackageName, RoleName};
use crate::near::nearest;
use crate::resolve::plugins;
use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet};

/// The packages that checks and plugins need which Debian brings: by their places in the content.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Brought {
    checks: Vec<(usize, &'static str)>,
    munin: Vec<(usize, &'static str)>,
}

impl Brought {
    pub fn add(&self, content: &mut Content) {
        let put = |packages: &mut Vec<PackageName>, name: &str| {
            let package = PackageName::parse(name).expect("a package of Debian");
            if !packages.contains(&package) {
                packages.push(package);
            }
        };
        self.checks.iter().for_each(|(at, name)| put(&mut content.checks[*at].packages, name));
        self.munin.iter().for_each(|(at, name)| put(&mut content.munin[*at].packages, name));
    }
}

/// Programs that nothing brings, in a content that is whole, on its release; and the packages that those need which Debian
/// brings. What the monitoring server runs may be of any of the fleet's `releases`: see [`servers`].
pub fn programs(content: &Content, release: &Codename, releases: &[Codename], out: &mut Vec<Diagnostic>) -> Brought {
    let mut brought = Brought::default();
    if content.checks.is_empty() && content.munin.is_empty() {
        return brought;
    }
    let shipped: BTreeSet<String> = {
        let files = content.files.iter().map(|file| &file.path.value);
        let links = content.symlinks.iter().map(|link| &link.path.value);
        files.chain(links).map(|path| path.canonical().to_string()).collect()
    };
    let is_shipped =
        |path: &str| MachinePath::parse(path).is_ok_and(|path| shipped.contains(path.canonical().as_str()));
    let mut look = |program: &str, directory, packages: &[PackageName], on: &[Codename], span| -> Vec<&'static str> {
        let name = of(program, directory);
        let lists: Vec<_> =
            on.iter().filter_map(|release| plugins::find(directory, name.unwrap_or_default(), release)).collect();
        // Of packages whose plugins are known, it has to be one of those.
        let elsewhere = packages.iter().any(|package| name.is_none() || !plugins::is_listed(package.as_str()));
        let named = |list: &plugins::List| packages.iter().any(|package| package.as_str() == list.package);
        if !lists.iter().any(|list| list.brings || named(list)) && !elsewhere && !is_shipped(program) {
            out.push(nothing_brings(program, directory, release, span));
        }
        lists.into_iter().filter(|list| list.brings).map(|list| list.package).collect()
    };
    for (at, check) in content.checks.iter().enumerate() {
        let Some(command) = check.command() else { continue };
        let on = if is_active(check) { releases } else { std::slice::from_ref(release) };
        let packages = look(&command.words[0], plugins::NAGIOS, &check.packages, on, command.span);
        brought.checks.extend(packages.into_iter().map(|package| (at, package)));
    }
    for (at, plugin) in content.munin.iter().enumerate() {
        let on = std::slice::from_ref(release);
        let packages = look(&plugin.target, plugins::MUNIN, &plugin.packages, on, plugin.name.span);
        brought.munin.extend(packages.into_iter().map(|package| (at, package)));
    }
    brought
}

fn is_active(check: &Check) -> bool {
    matches!(check.kind, CheckKind::Active(_))
}

/// The name of a program in a directory of plugins.
fn of<'p>(program: &'p str, directory: &str) -> Option<&'p str> {
    program.strip_prefix(directory)?.strip_prefix('/')
}

/// Plugins that a monitoring server is to run and that its release does not have.
pub fn servers(roles: &BTreeMap<RoleName, Role>, hosts: &BTreeMap<HostName, Host>, out: &mut Vec<Diagnostic>) {
    let is_server = |host: &&Host| {
        let mut names = closure(roles, host.roles.iter().map(|role| &role.value)).into_iter();
        names.any(|name| roles.get(name).is_some_and(|role| role.monitoring.nagios_server.is_some()))
    };
    // (Few roles are servers: machines need not be looked at one by one where none is.)
    if roles.values().all(|role| role.monitoring.nagios_server.is_none()) {
        return;
    }
    let servers: BTreeMap<&Codename, &Host> =
        hosts.values().filter(is_server).map(|host| (&host.release.value, host)).collect();
    let contents = roles.values().flat_map(|role| role.contents.values().map(AsRef::as_ref));
    let contents = contents.chain(hosts.values().map(|host| &host.content));
    for check in contents.flat_map(|content: &Content| &content.checks).filter(|check| is_active(check)) {
        let Some(command) = check.command() else { continue };
        let Some(name) = of(&command.words[0], plugins::NAGIOS) else { continue };
        let elsewhere = check.packages.iter().any(|package| !plugins::is_listed(package.as_str()));
        let known = plugins::somewhere(plugins::NAGIOS, name).is_some();
        for (release, host) in servers.iter().filter(|_| known && !elsewhere) {
            if plugins::find(plugins::NAGIOS, name, release).is_none() {
                out.push(
                    nothing_brings(&command.words[0], plugins::NAGIOS, release, command.span)
                        .also(host.release.span, format!("{}, which is to run it", host.name.value)),
                );
            }
        }
    }
}

fn nothing_brings(program: &str, directory: &str, release: &Codename, span: Span) -> Diagnostic {
    let name = program.rsplit('/').next().unwrap_or_default();
    let in_place = of(program, directory).is_some();
    let near = nearest(name, plugins::names(directory, release));
    let said = |message: String| Diagnostic::new(&rules::unknown_plugin::RULE, message).at(span, "");
    match (plugins::find(directory, name, release), plugins::somewhere(directory, name)) {
        (Some(list), _) if in_place => said(format!("nothing brings {program}"))
            .help(format!("it is in {0}: add depends = [\"{0}\"]", list.package)),
        (None, Some(list)) if in_place => {
            let only = list.only.unwrap_or("another release");
            let diagnostic = said(format!("nothing brings {program} on {release}: it is of {only} alone"))
                .help(format!("say what is of one release alone in [release.{only}] of the role"));
            match near {
                Some(near) => diagnostic.help(format!("or write {directory}/{near}, if that is meant")),
                None => diagnostic,
            }
        }
        _ => said(format!("nothing brings {program}")).help(match near {
            Some(near) if near == name => format!("write {directory}/{near}"),
            Some(near) => format!("did you mean {directory}/{near}?"),
            None => "name the package that brings it in `depends`, or ship it by [[file]] in the same role".to_owned(),
        }),
    }
}
