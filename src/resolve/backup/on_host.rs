//! `[backup_job."ROLE/JOB"]` of a host: a role's job as it is on that machine. What the host says is put in the place of what
//! the role says as both are written, so that whatever holds for a job holds for what comes of it.

use crate::diagnostics::{Diagnostic, Label, rules};
use crate::model::{Host, Role, closure};
use crate::names::{HostName, RoleName};
use crate::near::nearest;
use crate::resolve::Parsed;
use crate::schema::{Text, ast};
use crate::source::{Span, Spanned};
use std::collections::{BTreeMap, BTreeSet};

/// A job as it is written, and the release whose section it is in.
type Written = (Option<String>, ast::Backup);

/// The tables of all hosts, and the jobs that they name as the roles have them.
pub struct OwnJobs {
    /// By host.
    tables: Vec<(String, Vec<(Text, ast::BackupJob)>)>,
    /// By role and job.
    written: BTreeMap<(String, String), Vec<Written>>,
}

/// Takes them from what was parsed, before that is gone.
pub fn take(hosts: &mut Parsed<'_, ast::Host>, roles: &Parsed<'_, ast::Role>) -> OwnJobs {
    let tables: Vec<_> =
        hosts.iter_mut().filter_map(|(host, (_, ast))| Some(((*host).to_owned(), ast.backup_job.take()?.0))).collect();
    let mut written = BTreeMap::new();
    for (name, _) in tables.iter().flat_map(|(_, tables)| tables) {
        let Some((role, job)) = name.value.split_once('/') else { continue };
        let Some((_, ast)) = roles.get(role) else { continue };
        let sections = ast.release.iter().flat_map(|named| &named.0);
        let sections = sections.map(|(release, part)| (Some(release.value.clone()), &part.content));
        let all = [(None, &ast.content)].into_iter().chain(sections).flat_map(|(release, content)| {
            let jobs = content.backup.iter().flat_map(|many| &many.0);
            let named = jobs.filter(|backup| backup.name.as_ref().is_some_and(|name| name.value == job));
            named.map(move |backup| (release.clone(), backup.clone()))
        });
        written.insert((role.to_owned(), job.to_owned()), all.collect());
    }
    OwnJobs { tables, written }
}

impl OwnJobs {
    /// The job as it is written for a release.
    fn written(&self, role: &RoleName, job: &str, release: &str) -> Option<&ast::Backup> {
        let all = self.written.get(&(role.to_string(), job.to_owned()))?;
        let of = |wanted: Option<&str>| all.iter().find(|(release, _)| release.as_deref() == wanted);
        of(Some(release)).or_else(|| of(None)).map(|(_, backup)| backup)
    }
}

/// Gives each host its jobs.
pub fn resolve(
    own: &OwnJobs,
    roles: &BTreeMap<RoleName, Role>,
    hosts: &mut BTreeMap<HostName, Host>,
    out: &mut Vec<Diagnostic>,
) {
    let errors = out.iter().filter(|diagnostic| diagnostic.is_error());
    let wrong: BTreeSet<_> = errors.filter_map(|error| error.primary.as_ref().map(|label| label.span.file)).collect();
    for (name, tables) in &own.tables {
        let Some(host) = HostName::parse(name).ok().and_then(|name| hosts.get_mut(&name)) else { continue };
        let names = closure(roles, host.roles.iter().map(|role| &role.value));
        let of_machine: Vec<&Role> = names.iter().filter_map(|name| roles.get(*name)).collect();
        // Of files in which something is wrong it is not known what else they have.
        let understood = !wrong.contains(&host.name.span.file);
        let known = understood
            && of_machine.len() == names.len()
            && of_machine.iter().all(|role| !wrong.contains(&role.name.span.file));
        let mut jobs = BTreeMap::new();
        for (name, table) in tables {
            let found = name.value.split_once('/').and_then(|(role, job)| {
                let role = of_machine.iter().find(|known| known.name.value.as_str() == role)?;
                let usual = own.written(&role.name.value, job, host.release.value.as_str())?;
                Some((&role.name.value, usual))
            });
            match found {
                Some((role, usual)) => {
                    out.extend(Some(table).filter(|table| understood && is_empty(table)).map(|_| empty(name)));
                    let merged = on_machine(name, usual, table, out);
                    jobs.extend(
                        merged.map(|job| ((role.clone(), job.name.value.clone()), Spanned::new(job, name.span))),
                    );
                }
                None if known => out.push(unknown(name, host, &of_machine)),
                None => {}
            }
        }
        host.backup_jobs = jobs;
    }
}

/// The job on a machine, with what only then is wrong.
fn on_machine(
    name: &Text,
    usual: &ast::Backup,
    table: &ast::BackupJob,
    out: &mut Vec<Diagnostic>,
) -> Option<crate::model::Backup> {
    let (mut of_role, mut found) = (Vec::new(), Vec::new());
    super::job(usual, &mut of_role);
    let job = super::job(&merged(usual, table), &mut found);
    let told = |one: &Diagnostic| {
        let same = |other: &Diagnostic| {
            (other.rule.code, &other.message, &other.primary) == (one.rule.code, &one.message, &one.primary)
        };
        of_role.iter().any(same)
    };
    out.extend(found.into_iter().filter(|one| !told(one)).map(|one| on_the_hosts_line(one, name.span)));
    job
}

fn empty(name: &Text) -> Diagnostic {
    let message = format!("nothing of the job {} is another on this machine", name.value);
    Diagnostic::new(&rules::empty_backup_job::RULE, message)
        .at(name.span, "")
        .help("write what is, such as schedule = \"hourly\", or remove the table")
}

fn unknown(name: &Text, host: &Host, roles: &[&Role]) -> Diagnostic {
    let jobs: Vec<String> = roles
        .iter()
        .filter_map(|role| Some((&role.name.value, role.contents.get(&host.release.value)?)))
        .flat_map(|(role, content)| content.backups.iter().map(move |backup| format!("{role}/{}", backup.name.value)))
        .collect();
    let value = name.value.as_str();
    let own = value.strip_prefix("host/").or_else(|| value.strip_prefix("machine")?.strip_prefix(['/', '_']));
    let own = own.unwrap_or(value);
    let message = format!("no role of {} has a backup job \"{}\"", host.name.value, value.escape_debug());
    Diagnostic::new(&rules::unknown_backup_job::RULE, message).at(name.span, "").help(
        match nearest(value, jobs.iter().map(String::as_str)) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None if host.content.backups.iter().any(|backup| backup.name.value == own) => {
                "the machine's own job is changed where it is written, in its [[backup]]".to_owned()
            }
            None if jobs.is_empty() => "none of its roles has a job".to_owned(),
            None => format!("those of its roles are {}", jobs.join(", ")),
        },
    )
}

fn is_empty(table: &ast::BackupJob) -> bool {
    let ast::BackupJob {
        span: _,
        exclude,
        schedule,
        keep,
        keep_daily,
        keep_weekly,
        keep_monthly,
        warn_after,
        critical_after,
        at_least,
    } = table;
    let texts = [schedule, keep, keep_daily, keep_weekly, keep_monthly, warn_after, critical_after, at_least];
    exclude.is_none() && texts.iter().all(|text| text.is_none())
}

/// What the host says in the place of what the role says.
fn merged(usual: &ast::Backup, own: &ast::BackupJob) -> ast::Backup {
    fn of<T: Clone>(own: &Option<T>, usual: &Option<T>) -> Option<T> {
        own.as_ref().or(usual.as_ref()).cloned()
    }
    ast::Backup {
        exclude: of(&own.exclude, &usual.exclude),
        schedule: of(&own.schedule, &usual.schedule),
        keep: of(&own.keep, &usual.keep),
        keep_daily: of(&own.keep_daily, &usual.keep_daily),
        keep_weekly: of(&own.keep_weekly, &usual.keep_weekly),
        keep_monthly: of(&own.keep_monthly, &usual.keep_monthly),
        warn_after: of(&own.warn_after, &usual.warn_after),
        critical_after: of(&own.critical_after, &usual.critical_after),
        at_least: of(&own.at_least, &usual.at_least),
        ..usual.clone()
    }
}

/// The role's job is right without the host: the mistake is where the host says something.
fn on_the_hosts_line(mut diagnostic: Diagnostic, table: Span) -> Diagnostic {
    let is_hosts = |label: &Label| label.span.file == table.file;
    if diagnostic.primary.as_ref().is_some_and(is_hosts) {
        return diagnostic;
    }
    let label = match diagnostic.secondary.iter().position(is_hosts) {
        Some(at) => diagnostic.secondary.remove(at),
        None => Label { span: table, text: "as it is on this machine".to_owned() },
    };
    if let Some(mut other) = diagnostic.primary.replace(label) {
        if other.text.is_empty() {
            other.text = "the role's".to_owned();
        }
        diagnostic.secondary.insert(0, other);
    }
    diagnostic
}
