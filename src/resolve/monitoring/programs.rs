//! Whether something brings the programs that checks run.

use crate::diagnostics::{Diagnostic, rules};
use crate::model::Content;
use crate::names::PackageName;
use crate::near::nearest;
use crate::resolve::plugins;
use crate::source::Span;
use std::collections::BTreeSet;

/// Programs that nothing brings, in a content that is whole; and the packages that those need which Debian brings.
pub fn programs(content: &mut Content, out: &mut Vec<Diagnostic>) {
    let shipped: BTreeSet<String> = {
        let files = content.files.iter().map(|file| &file.path.value);
        let links = content.symlinks.iter().map(|link| &link.path.value);
        files.chain(links).map(|path| path.canonical().to_string()).collect()
    };
    let canonical = |path: &str| crate::names::MachinePath::parse(path).map(|path| path.canonical().to_string());
    let is_shipped = |path: &str| canonical(path).is_ok_and(|path| shipped.contains(&path));
    for check in &mut content.checks {
        let Some(command) = check.command() else { continue };
        let (program, span) = (command.words[0].clone(), command.span);
        let known = program.strip_prefix(plugins::NAGIOS).and_then(|rest| plugins::nagios(rest.strip_prefix('/')?));
        if let Some(package) = known {
            let package = PackageName::parse(package).expect("a package of Debian");
            if !check.packages.contains(&package) {
                check.packages.push(package);
            }
        } else if check.packages.is_empty() && !is_shipped(&program) {
            let name = program.rsplit('/').next().unwrap_or_default();
            out.push(nothing_brings(&program, name, plugins::NAGIOS, plugins::all_nagios(), span));
        }
    }
    for plugin in &mut content.munin {
        let known = plugin.target.strip_prefix(plugins::MUNIN).and_then(|rest| plugins::munin(rest.strip_prefix('/')?));
        if let Some(package) = known {
            let package = PackageName::parse(package).expect("a package of Debian");
            if !plugin.packages.contains(&package) {
                plugin.packages.push(package);
            }
        } else if plugin.packages.is_empty() && !is_shipped(&plugin.target) {
            let name = plugin.target.rsplit('/').next().unwrap_or_default();
            out.push(nothing_brings(&plugin.target, name, plugins::MUNIN, plugins::all_munin(), plugin.name.span));
        }
    }
}

fn nothing_brings(
    program: &str,
    name: &str,
    directory: &str,
    known: impl Iterator<Item = &'static str>,
    span: Span,
) -> Diagnostic {
    let near = nearest(name, known);
    Diagnostic::new(&rules::unknown_plugin::RULE, format!("nothing brings {program}")).at(span, "").help(match near {
        Some(near) if near == name => format!("write {directory}/{near}"),
        Some(near) => format!("did you mean {directory}/{near}?"),
        None => "name the package that brings it in `depends`, or ship it by [[file]] in the same role".to_owned(),
    })
}
