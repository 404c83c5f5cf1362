//! What roles and hosts have in common → [`Content`].

use super::paths::{self, Use};
use super::text::{account, one_line, script};
use super::{Facts, command, relations, units};
use crate::diagnostics::{Diagnostic, Rule, rules};
use crate::model::{Absent, Content, Directory, File, FilePolicy, FileText, Symlink};
use crate::names::{MachinePath, PackageName};
use crate::schema::{Text, ast};
use crate::source::{Sources, Span, Spanned};
use crate::tree::{Definition, TreeFile};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Whose content it is.
pub struct Site<'a> {
    pub facts: &'a Facts,
    pub definition: &'a Definition,
    pub sources: &'a Sources,
    /// `roles/web`
    pub folder: String,
    /// `pg-role-web`, where the prefix is known.
    pub package: Option<String>,
    /// The shipped files that something uses.
    pub used: BTreeSet<PathBuf>,
}

pub fn resolve(ast: &ast::Content, site: &mut Site<'_>, out: &mut Vec<Diagnostic>) -> Content {
    let mut content = Content { relations: relations::resolve(ast, site, out), ..Content::default() };
    for file in ast.file.iter().flat_map(|many| &many.0) {
        content.files.extend(files(file, site, out));
    }
    for link in ast.symlink.iter().flat_map(|many| &many.0) {
        content.symlinks.extend(symlink(link, site, out));
    }
    for directory in ast.directory.iter().flat_map(|many| &many.0) {
        let path = directory.path.as_ref().and_then(|text| paths::machine(text, Use::Directory, site, out));
        let mode = paths::mode(directory.mode.as_ref(), directory.special.as_ref(), 0o755, true, out);
        let owner = account(directory.owner.as_ref(), "user", out);
        let group = account(directory.group.as_ref(), "group", out);
        let exclusive = directory.exclusive.as_ref().filter(|flag| flag.value).map(|flag| flag.span);
        let reload = units::names(directory.reload.as_ref(), out);
        let restart = units::names(directory.restart.as_ref(), out);
        if let (Some(flag), Some(path)) = (exclusive, &path)
            && !path.value.as_str().starts_with("/etc/")
        {
            out.push(
                Diagnostic::new(
                    &rules::exclusive_outside_etc::RULE,
                    format!("{} may hold data: it can't be exclusive", path.value),
                )
                .at(flag, "")
                .also(path.span, "not below /etc")
                .help("remove exclusive = true"),
            );
        }
        let exclusive = exclusive.is_some();
        content.directories.extend(path.map(|path| Directory { path, mode, owner, group, exclusive, reload, restart }));
    }
    for service in ast.service.iter().flat_map(|many| &many.0) {
        content.services.extend(units::service(service, out));
    }
    for unit in ast.unit.iter().flat_map(|many| &many.0) {
        content.units.extend(units::unit(unit, site, out));
    }
    for cron in ast.cron.iter().flat_map(|many| &many.0) {
        content.cron.extend(command::cron(cron, out));
    }
    for answer in ast.debconf.iter().flat_map(|many| &many.0) {
        content.debconf.extend(command::debconf(answer, out));
    }
    for absent in ast.absent.iter().flat_map(|many| &many.0) {
        let path = absent.path.as_ref().and_then(|text| paths::machine(text, Use::File, site, out));
        let reload = units::names(absent.reload.as_ref(), out);
        let restart = units::names(absent.restart.as_ref(), out);
        content.absent.extend(path.map(|path| Absent { path, reload, restart }));
    }
    for account in ast.account.iter().flat_map(|many| &many.0) {
        content.accounts.extend(super::account::resolve(account, site, out));
    }
    for secret in ast.secret.iter().flat_map(|many| &many.0) {
        content.secrets.extend(super::secrets::secret(secret, out));
    }
    content.access = ast.access.as_ref().map(|access| super::access::resolve(&access.0, site, out)).unwrap_or_default();
    for backup in ast.backup.iter().flat_map(|many| &many.0) {
        content.backups.extend(super::backup::job(backup, out));
    }
    content.backup_server = ast.backup_server.as_ref().and_then(|server| super::backup::server(&server.0, out));
    for check in ast.check.iter().flat_map(|many| &many.0) {
        content.checks.extend(super::monitoring::check(check, site, out));
    }
    for plugin in ast.munin.iter().flat_map(|many| &many.0) {
        content.munin.extend(super::monitoring::munin(plugin, out));
    }
    content.sysctl = ast.sysctl.as_ref().map(|table| command::sysctl(table, out)).unwrap_or_default();
    content.environment = ast.environment.as_ref().map(|table| command::environment(table, out)).unwrap_or_default();
    content.setup = ast.setup.as_ref().and_then(|text| script(text, "`setup`", out));
    content.teardown = ast.teardown.as_ref().and_then(|text| script(text, "`teardown`", out));
    twice(&content, out);
    content.files.shrink_to_fit();
    content.services.shrink_to_fit();
    content
}

/// A text of a `content` or `source`.
pub struct Body<'a> {
    pub bytes: Arc<[u8]>,
    /// None where it is not text. The span covers the text as exactly as can be.
    pub text: Option<Spanned<Arc<str>>>,
    /// Where it is named in the TOML.
    pub place: Span,
    /// The shipped file.
    pub file: Option<&'a TreeFile>,
}

/// Exactly one of `content` and `source`.
pub fn text_or_source<'a>(
    content: Option<&Text>,
    source: Option<&Text>,
    table: &str,
    span: Span,
    site: &mut Site<'a>,
    out: &mut Vec<Diagnostic>,
) -> Option<Body<'a>> {
    match (content, source) {
        (Some(content), None) => {
            let text: Arc<str> = content.value.as_str().into();
            Some(Body {
                bytes: text.clone().into(),
                text: Some(Spanned::new(text, content.span)),
                place: content.span,
                file: None,
            })
        }
        (None, Some(source)) => {
            let path = paths::in_folder(source, site, out)?;
            let definition = site.definition;
            match definition.files.get(&path) {
                Some(file) => {
                    site.used.insert(path);
                    let text = file.text.map(|id| {
                        let text = site.sources.shared_text(id);
                        let span = Span::new(id, 0..text.len());
                        Spanned::new(text, span)
                    });
                    Some(Body { bytes: file.bytes.clone(), text, place: source.span, file: Some(file) })
                }
                None => {
                    let near = nearest_file(source, site);
                    // Not to be reported once more, as a file that nothing uses.
                    site.used.extend(near.map(PathBuf::from));
                    out.push(missing_source(source, &path, site));
                    None
                }
            }
        }
        (Some(content), Some(source)) => {
            out.push(
                Diagnostic::new(&rules::file_text_choice::RULE, format!("{table} has both `content` and `source`"))
                    .at(source.span, "this")
                    .also(content.span, "and this exclude each other")
                    .help("keep one of them"),
            );
            None
        }
        (None, None) => {
            out.push(
                Diagnostic::new(&rules::file_text_choice::RULE, format!("{table} has neither `content` nor `source`"))
                    .at(span, "")
                    .help("add content = \"…\", or source = \"FILE\""),
            );
            None
        }
    }
}

fn nearest_file<'a>(source: &Text, site: &Site<'a>) -> Option<&'a str> {
    let definition = site.definition;
    crate::near::nearest(&source.value, definition.files.keys().filter_map(|path| path.to_str()))
}

fn missing_source(source: &Text, path: &Path, site: &Site<'_>) -> Diagnostic {
    let folder = &site.folder;
    let diagnostic = Diagnostic::new(
        &rules::missing_source::RULE,
        format!("there is no file {folder}/{}", source.value.escape_debug()),
    )
    .at(source.span, "not there");
    if site.definition.directories.contains(path) {
        return diagnostic.help(format!("it is a folder: write directory = \"{}\"", source.value));
    }
    match nearest_file(source, site) {
        Some(near) => diagnostic.help(format!("did you mean \"{near}\"?")),
        None => diagnostic.help(format!("put the file into {folder}/")),
    }
}

fn files(ast: &ast::File, site: &mut Site<'_>, out: &mut Vec<Diagnostic>) -> Vec<File> {
    let usage = if ast.directory.is_some() { Use::Parent } else { Use::File };
    let path = ast.path.as_ref().and_then(|text| paths::machine(text, usage, site, out));
    let owner = account(ast.owner.as_ref(), "user", out);
    let group = account(ast.group.as_ref(), "group", out);
    let mut validate = Vec::new();
    for command in ast.validate.iter().flat_map(|commands| &commands.0) {
        if command.value.trim().is_empty() {
            out.push(
                Diagnostic::new(&rules::empty_text::RULE, "the command of `validate` is empty")
                    .at(command.span, "nothing to run")
                    .help("write what checks the file, such as \"nginx -t\""),
            );
        } else if one_line(command, "the command of `validate`", out) {
            validate.push(command.clone());
        }
    }
    let reload = units::names(ast.reload.as_ref(), out);
    let restart = units::names(ast.restart.as_ref(), out);
    for unit in &reload {
        if let Some(other) = restart.iter().find(|u| *u == unit) {
            out.push(
                Diagnostic::new(&rules::reload_and_restart::RULE, format!("{} is reloaded and restarted", unit.value))
                    .at(unit.span, "reloaded")
                    .also(other.span, "and restarted")
                    .help("keep one of them: a restart reads the file, too"),
            );
        }
    }
    let policy = policy(ast, out);
    let secret = ast.secret.as_ref().filter(|flag| flag.value).map(|flag| flag.span);
    if let Some(flag) = secret {
        super::secrets::file(ast, flag, out);
    }
    let template = ast.template.as_ref().filter(|flag| flag.value).map(|flag| flag.span).or(secret);
    let make = |path: Spanned<MachinePath>, body: Body<'_>, out: &mut Vec<Diagnostic>| {
        let default = if body.file.is_some_and(|file| file.executable) { 0o755 } else { 0o644 };
        let mode = paths::mode(ast.mode.as_ref(), ast.special.as_ref(), default, false, out);
        let text = match (template, body.text) {
            (None, _) => FileText::Plain(body.bytes),
            (Some(_), Some(text)) => FileText::Template(text),
            (Some(flag), None) => {
                out.push(
                    Diagnostic::new(&rules::template_not_text::RULE, "a template is text: this file is not UTF-8")
                        .at(flag, "")
                        .also(body.place, "this file")
                        .help("convert the file to UTF-8, or remove template = true"),
                );
                return None;
            }
        };
        Some(File {
            path,
            text,
            mode,
            owner: owner.clone(),
            group: group.clone(),
            validate: validate.clone(),
            reload: reload.clone(),
            restart: restart.clone(),
            policy: policy.clone(),
            secret: secret.is_some(),
        })
    };
    let Some(directory) = &ast.directory else {
        let body = text_or_source(ast.content.as_ref(), ast.source.as_ref(), "[[file]]", ast.span, site, out);
        // A mode is wrong whether or not the rest is right.
        let (Some(path), Some(body)) = (path, body) else {
            paths::mode(ast.mode.as_ref(), ast.special.as_ref(), 0o644, false, out);
            return Vec::new();
        };
        return make(path, body, out).into_iter().collect();
    };
    if let Some(other) = ast.content.as_ref().or(ast.source.as_ref()) {
        out.push(
            Diagnostic::new(&rules::file_text_choice::RULE, "[[file]] has `directory` and a file's text")
                .at(directory.span, "this")
                .also(other.span, "and this exclude each other")
                .help("keep one of them; write a [[file]] for each"),
        );
        return Vec::new();
    }
    let Some(folder) = paths::in_folder(directory, site, out) else { return Vec::new() };
    let definition = site.definition;
    let inside: Vec<_> =
        definition.files.iter().filter(|(path, _)| path.starts_with(&folder) && **path != folder).collect();
    if inside.is_empty() {
        out.push(no_files(directory, &folder, site));
        return Vec::new();
    }
    let mut made = Vec::new();
    let mut reported = BTreeSet::new();
    for (relative, file) in inside {
        site.used.insert(relative.clone());
        let below = relative.strip_prefix(&folder).unwrap_or(relative);
        let Some(path) = &path else { continue };
        let full = format!("{}/{}", path.value, below.to_string_lossy());
        let machine = match MachinePath::parse(&full) {
            Ok(machine) => machine,
            Err(error) => {
                out.push(
                    Diagnostic::new(
                        &rules::path_characters::RULE,
                        format!("{}/{} can't be put on a machine: {error}", site.folder, relative.display()),
                    )
                    .at(directory.span, "in this folder")
                    .help("rename the file"),
                );
                continue;
            }
        };
        if let Some(why) = paths::forbidden(&machine, Use::File, site) {
            if reported.insert(why.clone()) {
                out.push(
                    Diagnostic::new(
                        &rules::forbidden_path::RULE,
                        format!("{machine} is not a role's or host's to manage"),
                    )
                    .at(path.span, "")
                    .help("choose another path")
                    .note(why),
                );
            }
            continue;
        }
        let text = file.text.map(|id| {
            let text = site.sources.shared_text(id);
            let span = Span::new(id, 0..text.len());
            Spanned::new(text, span)
        });
        let body = Body { bytes: file.bytes.clone(), text, place: directory.span, file: Some(file) };
        made.extend(make(Spanned::new(machine, path.span), body, out));
    }
    made
}

/// `policy` and `adopt`.
fn policy(ast: &ast::File, out: &mut Vec<Diagnostic>) -> FilePolicy {
    let policy = match &ast.policy {
        None => FilePolicy::Managed,
        Some(text) => match text.value.as_str() {
            "managed" => FilePolicy::Managed,
            "initial" => FilePolicy::Initial,
            "divert" => FilePolicy::Divert,
            other => {
                let diagnostic = Diagnostic::new(
                    &rules::invalid_policy::RULE,
                    format!("there is no policy \"{}\"", other.escape_debug()),
                )
                .at(text.span, "");
                let near = crate::near::nearest(other, ["managed", "initial", "divert"]);
                out.push(match near {
                    Some(near) => diagnostic.help(format!("did you mean \"{near}\"?")),
                    None => diagnostic.help("write \"managed\", \"initial\" or \"divert\""),
                });
                FilePolicy::Managed
            }
        },
    };
    let Some(adopt) = &ast.adopt else { return policy };
    if let Some(text) = &ast.policy
        && policy != FilePolicy::Managed
    {
        out.push(
            Diagnostic::new(
                &rules::invalid_policy::RULE,
                format!("a file of the policy \"{}\" can't be adopted, too", text.value),
            )
            .at(adopt.span, "this")
            .also(text.span, "and this exclude each other")
            .help(
                "keep one of them: dpkg -S tells which files dpkg installed (divert); scripts made the others (adopt)",
            ),
        );
        return policy;
    }
    match PackageName::parse(&adopt.value) {
        Ok(package) => FilePolicy::Adopt(package),
        Err(error) => {
            out.push(
                Diagnostic::new(
                    &rules::invalid_package_name::RULE,
                    format!("\"{}\" can't be a package: {error}", adopt.value.escape_debug()),
                )
                .at(adopt.span, "")
                .help("write the name of the package whose scripts make the file, such as \"postfix\""),
            );
            policy
        }
    }
}

fn no_files(directory: &Text, folder: &Path, site: &Site<'_>) -> Diagnostic {
    let shown = format!("{}/{}", site.folder, directory.value.escape_debug());
    if site.definition.directories.contains(folder) {
        return Diagnostic::new(&rules::empty_directory::RULE, format!("there is no file in {shown}/"))
            .at(directory.span, "an empty folder")
            .help("put files into it; an empty directory on the machine is written as [[directory]]");
    }
    let diagnostic = Diagnostic::new(&rules::missing_source::RULE, format!("there is no folder {shown}/"))
        .at(directory.span, "not there");
    if site.definition.files.contains_key(folder) {
        return diagnostic.help(format!("it is a file: write source = \"{}\"", directory.value));
    }
    let names = site.definition.directories.iter().filter_map(|path| path.to_str());
    match crate::near::nearest(&directory.value, names) {
        Some(near) => diagnostic.help(format!("did you mean \"{near}\"?")),
        None => diagnostic.help(format!("put the folder into {}/", site.folder)),
    }
}

fn symlink(ast: &ast::Symlink, site: &Site<'_>, out: &mut Vec<Diagnostic>) -> Option<Symlink> {
    let path = ast.path.as_ref().and_then(|text| paths::machine(text, Use::File, site, out));
    let target = ast.target.as_ref().filter(|text| {
        let problem = if text.value.is_empty() {
            Some("is empty".to_owned())
        } else if text.value.len() > 1024 {
            Some("has more than 1024 bytes".to_owned())
        } else if text.value.trim() != text.value {
            Some("has blanks around it".to_owned())
        } else {
            None
        };
        if let Some(problem) = problem {
            out.push(
                Diagnostic::new(
                    &rules::invalid_symlink_target::RULE,
                    format!("the target of a symbolic link {problem}"),
                )
                .at(text.span, "")
                .help("write the path that it points to"),
            );
            return false;
        }
        one_line(text, "the target of a symbolic link", out)
    });
    let (path, target) = (path?, target?);
    if path.value.as_str() == target.value {
        out.push(
            Diagnostic::new(&rules::invalid_symlink_target::RULE, format!("{} would point to itself", path.value))
                .at(target.span, "")
                .help("write the path that it points to"),
        );
        return None;
    }
    Some(Symlink { path, target: target.value.clone() })
}

/// Units, jobs and questions that one section names twice.
fn twice(content: &Content, out: &mut Vec<Diagnostic>) {
    fn check<'a, K: Ord>(
        items: impl Iterator<Item = (K, &'a str, Span)>,
        rule: &'static Rule,
        table: &str,
        out: &mut Vec<Diagnostic>,
    ) {
        let mut seen = BTreeMap::new();
        for (key, name, span) in items {
            match seen.get(&key) {
                Some(first) => out.push(
                    Diagnostic::new(rule, format!("there are two {table} for {name}"))
                        .at(span, "again here")
                        .also(*first, "first here")
                        .help("make one of them"),
                ),
                None => {
                    seen.insert(key, span);
                }
            }
        }
    }
    let rule = &rules::duplicate_name::RULE;
    check(content.services.iter().map(|s| (s.unit.as_str(), s.unit.as_str(), s.unit.span)), rule, "[[service]]", out);
    check(content.units.iter().map(|u| (u.name.as_str(), u.name.as_str(), u.name.span)), rule, "[[unit]]", out);
    check(content.cron.iter().map(|c| (c.name.as_str(), c.name.as_str(), c.name.span)), rule, "[[cron]]", out);
    check(content.accounts.iter().map(|a| (a.name.as_str(), a.name.as_str(), a.name.span)), rule, "[[account]]", out);
    check(content.secrets.iter().map(|s| (s.name.as_str(), s.name.as_str(), s.name.span)), rule, "[[secret]]", out);
    check(content.backups.iter().map(|b| (b.name.as_str(), b.name.as_str(), b.name.span)), rule, "[[backup]]", out);
    check(content.checks.iter().map(|c| (c.name.as_str(), c.name.as_str(), c.name.span)), rule, "[[check]]", out);
    check(content.munin.iter().map(|m| (m.name.as_str(), m.name.as_str(), m.name.span)), rule, "[[munin]]", out);
    let questions = content.debconf.iter();
    check(
        questions.map(|q| ((q.package.as_str(), q.question.as_str()), q.question.as_str(), q.question.span)),
        rule,
        "[[debconf]]",
        out,
    );
}

/// The common part with a release's part: lists added, what has the same path, unit or name replaced.
pub fn merge(common: &Content, release: &Content) -> Content {
    fn replaced<T: Clone, K: PartialEq>(common: &[T], release: &[T], key: impl Fn(&T) -> K) -> Vec<T> {
        let kept = common.iter().filter(|c| !release.iter().any(|r| key(r) == key(c)));
        kept.chain(release).cloned().collect()
    }
    let mut relations = common.relations.clone();
    for (field, added) in &release.relations {
        let list = relations.entry(*field).or_default();
        for relation in added {
            if !list.contains(relation) {
                list.push(relation.clone());
            }
        }
    }
    let mut sysctl = common.sysctl.clone();
    sysctl.extend(release.sysctl.clone());
    let mut environment = common.environment.clone();
    environment.extend(release.environment.clone());
    // A path that the release makes another kind of thing of is only that.
    let taken: BTreeSet<MachinePath> = all_paths(release).map(|(_, path)| path.value.canonical()).collect();
    let kept = |path: &Spanned<MachinePath>| !taken.contains(&path.value.canonical());
    fn join<T: Clone>(common: &[T], release: &[T], kept: impl Fn(&T) -> bool) -> Vec<T> {
        common.iter().filter(|c| kept(c)).chain(release).cloned().collect()
    }
    Content {
        relations,
        files: join(&common.files, &release.files, |x| kept(&x.path)),
        symlinks: join(&common.symlinks, &release.symlinks, |x| kept(&x.path)),
        directories: join(&common.directories, &release.directories, |x| kept(&x.path)),
        absent: join(&common.absent, &release.absent, |x| kept(&x.path)),
        services: replaced(&common.services, &release.services, |x| x.unit.value.clone()),
        units: replaced(&common.units, &release.units, |x| x.name.value.clone()),
        cron: replaced(&common.cron, &release.cron, |x| x.name.value.clone()),
        debconf: replaced(&common.debconf, &release.debconf, |x| (x.package.value.clone(), x.question.value.clone())),
        accounts: replaced(&common.accounts, &release.accounts, |x| x.name.value.clone()),
        secrets: replaced(&common.secrets, &release.secrets, |x| x.name.value.clone()),
        access: super::access::merge(&common.access, &release.access),
        backups: replaced(&common.backups, &release.backups, |x| x.name.value.clone()),
        backup_server: release.backup_server.clone().or_else(|| common.backup_server.clone()),
        checks: replaced(&common.checks, &release.checks, |x| x.name.value.clone()),
        munin: replaced(&common.munin, &release.munin, |x| x.name.value.clone()),
        sysctl,
        environment,
        setup: release.setup.clone().or_else(|| common.setup.clone()),
        teardown: release.teardown.clone().or_else(|| common.teardown.clone()),
    }
}

/// Every path that a content has a say about, and the table that says it.
fn all_paths(content: &Content) -> impl Iterator<Item = (&'static str, &Spanned<MachinePath>)> {
    let files = content.files.iter().map(|x| ("[[file]]", &x.path));
    let links = content.symlinks.iter().map(|x| ("[[symlink]]", &x.path));
    let directories = content.directories.iter().map(|x| ("[[directory]]", &x.path));
    let absent = content.absent.iter().map(|x| ("[[absent]]", &x.path));
    files.chain(links).chain(directories).chain(absent)
}

/// Paths of one package that can't be there together.
pub fn clashes(content: &Content, out: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<MachinePath, (&str, Span)> = BTreeMap::new();
    for (table, path) in all_paths(content) {
        let canonical = path.value.canonical();
        if let Some((other, first)) = seen.get(&canonical) {
            out.push(
                Diagnostic::new(&rules::duplicate_path::RULE, format!("{} is given twice", path.value))
                    .at(path.span, format!("again by this {table}"))
                    .also(*first, format!("first by this {other}"))
                    .help("keep one of them"),
            );
        } else {
            seen.insert(canonical, (table, path.span));
        }
    }
    for (path, (table, span)) in &seen {
        let mut parent = path.parent();
        while parent != "/" {
            if let Some((other, above)) = seen.get(parent)
                && *other != "[[directory]]"
            {
                out.push(
                    Diagnostic::new(
                        &rules::path_below_file::RULE,
                        format!("{path} can't be there: {parent} is no directory"),
                    )
                    .at(*span, format!("this {table} is below"))
                    .also(*above, format!("this {other}"))
                    .help("change one of the paths"),
                );
            }
            parent = match parent.rfind('/') {
                Some(0) | None => "/",
                Some(at) => &parent[..at],
            };
        }
    }
}

/// Warns of shipped files that nothing uses.
pub fn unused(site: &Site<'_>, out: &mut Vec<Diagnostic>) {
    for path in site.definition.files.keys() {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        if !site.used.contains(path) && !name.starts_with("README") && !name.starts_with('.') {
            let full = Path::new(&site.folder).join(path);
            out.push(
                Diagnostic::new(&rules::unused_file::RULE, format!("nothing uses {}", full.display()))
                    .in_file(&full)
                    .help(format!(
                        "add a [[file]] with source = \"{}\" to {}.toml, or remove it",
                        path.display(),
                        site.folder
                    )),
            );
        }
    }
}
