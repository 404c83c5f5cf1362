//! `[access]`: logins and rules of sudo.

use super::Facts;
use super::content::Site;
use super::text::{duplicates, one_line};
use crate::diagnostics::{Diagnostic, rules};
use crate::model::{Access, SudoRule};
use crate::names::{AccountName, GroupName};
use crate::schema::{Text, ast};
use crate::source::{Span, Spanned};
use std::collections::{BTreeMap, BTreeSet};

pub fn resolve(ast: &ast::Access, site: &Site<'_>, out: &mut Vec<Diagnostic>) -> Access {
    let mut access = Access::default();
    if let Some(list) = &ast.login {
        duplicates(list, "the group", out);
        for text in &list.value {
            if let Some(group) = group(text, site.facts, out)
                && !access.login.contains(&group)
            {
                access.login.push(group);
            }
        }
    }
    let mut aliases: BTreeMap<&str, (Span, Vec<Spanned<Command>>)> = BTreeMap::new();
    let mut used = BTreeSet::new();
    for (name, table) in ast.alias.iter().flat_map(|named| &named.0) {
        let text = name.value.as_str();
        let valid = text.starts_with(|c: char| c.is_ascii_uppercase())
            && text.len() <= 60
            && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
            && text != "ALL";
        if !valid {
            out.push(
                Diagnostic::new(
                    &rules::invalid_sudo_alias::RULE,
                    format!("\"{}\" can't name a list of commands", text.escape_debug()),
                )
                .at(name.span, "")
                .help("write upper case letters, digits and \"_\", a letter first (sudoers(5)); ALL has a meaning of its own"),
            );
        }
        let commands = table.commands.iter().flat_map(|list| &list.value);
        let commands: Vec<_> = commands.filter_map(|text| command(text, out)).collect();
        if table.commands.as_ref().is_some_and(|list| list.value.is_empty()) {
            out.push(no_commands(table.span, &format!("the alias {text}")));
        }
        if !valid {
            used.insert(text);
        }
        aliases.insert(text, (name.span, commands));
    }
    for rule in ast.sudo.iter().flat_map(|many| &many.0) {
        access.sudo.extend(sudo(rule, &aliases, &mut used, site, out));
    }
    for (name, (span, _)) in aliases.iter().filter(|(name, _)| !used.contains(*name)) {
        out.push(
            Diagnostic::new(&rules::sudo_alias_unused::RULE, format!("no rule uses the alias {name}"))
                .at(*span, "")
                .help(format!("write \"{name}\" among the commands of a rule, or remove it")),
        );
    }
    access
}

/// The common part with a release's part: both hold.
pub fn merge(common: &Access, release: &Access) -> Access {
    let mut access = common.clone();
    for group in &release.login {
        if !access.login.contains(group) {
            access.login.push(group.clone());
        }
    }
    access.sudo.extend(release.sudo.iter().cloned());
    access
}

pub fn group(text: &Text, facts: &Facts, out: &mut Vec<Diagnostic>) -> Option<Spanned<GroupName>> {
    if facts.groups.contains(&text.value)
        && let Ok(name) = GroupName::parse(&text.value)
    {
        return Some(Spanned::new(name, text.span));
    }
    let near = crate::near::nearest(&text.value, facts.groups.iter().map(String::as_str));
    let shown = text.value.escape_debug();
    out.push(
        Diagnostic::new(&rules::unknown_group::RULE, format!("there is no group \"{shown}\"")).at(text.span, "").help(
            match near {
                Some(near) => format!("did you mean \"{near}\"?"),
                None if facts.users.contains(&text.value) => {
                    format!("{shown} is a user: name a group of theirs; `debrole group add` makes one")
                }
                None => format!("debrole group add {shown} --description \"…\" makes it; or remove the entry"),
            },
        ),
    );
    None
}

/// A command as it was written, and what it becomes in sudoers(5).
#[derive(Clone)]
struct Command {
    /// `ALL`, a path, or `sudoedit`.
    program: String,
    /// None: everything.
    arguments: Option<String>,
}

impl Command {
    fn sudoers(&self) -> String {
        match &self.arguments {
            None => self.program.clone(),
            // Without this, any arguments would be allowed.
            Some(arguments) if arguments.is_empty() => format!("{} \"\"", escaped(&self.program)),
            Some(arguments) => format!("{} {}", escaped(&self.program), escaped(arguments)),
        }
    }
}

/// With the characters escaped that end a command or begin a comment (sudoers(5), "Other special characters").
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if ",:=#\\".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn command(text: &Text, out: &mut Vec<Diagnostic>) -> Option<Spanned<Command>> {
    let value = text.value.as_str();
    if value == "ALL" {
        return Some(Spanned::new(Command { program: "ALL".into(), arguments: None }, text.span));
    }
    if !one_line(text, "a command of sudo", out) {
        return None;
    }
    let mut fault = |message: String, help: &str| {
        out.push(Diagnostic::new(&rules::invalid_sudo_command::RULE, message).at(text.span, "").help(help));
        None
    };
    if value.is_empty() || value.trim() != value || value.contains("  ") {
        return fault(
            format!("\"{}\" has blanks where sudo expects none", value.escape_debug()),
            "write the command and its arguments with one blank between",
        );
    }
    if value.starts_with('!') {
        out.push(
            Diagnostic::new(&rules::sudo_negation::RULE, format!("\"{value}\" takes nothing away"))
                .at(text.span, "who may run all but one command runs that one by another name (sudoers(5))")
                .help("list the commands that are allowed"),
        );
        return None;
    }
    if value.starts_with('^') || value.contains(" ^") {
        return fault(
            format!("\"{value}\" is a regular expression, which not every sudo of the fleet reads"),
            "write each command, with its arguments",
        );
    }
    if value.contains(['"', '\'', '`', '$', ';', '|', '&', '<', '>']) {
        return fault(
            format!(
                "\"{}\" is not run by a shell: quotes, variables and pipes mean nothing in it",
                value.escape_debug()
            ),
            "put the commands into a script that the role ships, and allow that",
        );
    }
    let (program, arguments) = value.split_once(' ').unwrap_or((value, ""));
    if program == "sudoedit" {
        if !arguments.starts_with('/') || arguments.contains(' ') {
            return fault(
                "sudoedit needs the absolute path of one file".into(),
                "write \"sudoedit /etc/…\", once for each file",
            );
        }
    } else if !program.starts_with('/') {
        out.push(
            Diagnostic::new(
                &rules::sudo_command_relative::RULE,
                format!("\"{}\" is no absolute path of a command", program.escape_debug()),
            )
            .at(text.span, "")
            .help(format!("write where it is, such as \"/usr/bin/{program}\" (`command -v {program}` says)")),
        );
        return None;
    } else if program.contains("..") || program.ends_with('/') || program.contains(['*', '?', '[', '\\']) {
        return fault(
            format!("\"{program}\" is not one command: sudo compares paths as they are written"),
            "write the command's own path; a directory or a pattern allows whatever somebody puts there",
        );
    }
    Some(Spanned::new(Command { program: program.into(), arguments: Some(arguments.into()) }, text.span))
}

fn no_commands(span: Span, whose: &str) -> Diagnostic {
    Diagnostic::new(&rules::empty_text::RULE, format!("{whose} has no commands"))
        .at(span, "")
        .help("list at least one, or remove it")
}

fn sudo<'a>(
    ast: &'a ast::Sudo,
    aliases: &BTreeMap<&'a str, (Span, Vec<Spanned<Command>>)>,
    used: &mut BTreeSet<&'a str>,
    site: &Site<'_>,
    out: &mut Vec<Diagnostic>,
) -> Option<SudoRule> {
    let group = ast.group.as_ref().and_then(|text| group(text, site.facts, out));
    let noexec = ast.noexec.as_ref().is_some_and(|flag| flag.value);
    let mut commands: Vec<Spanned<Command>> = Vec::new();
    let mut valid = true;
    for text in ast.commands.iter().flat_map(|list| &list.value) {
        if let Some((name, (_, list))) = aliases.get_key_value(text.value.as_str()) {
            used.insert(name);
            commands.extend(list.iter().cloned());
            continue;
        }
        let looks_like_alias = text.value != "ALL"
            && !text.value.is_empty()
            && text.value.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        if looks_like_alias {
            valid = false;
            let near = crate::near::nearest(&text.value, aliases.keys().copied());
            out.push(
                Diagnostic::new(&rules::unknown_sudo_alias::RULE, format!("there is no alias {}", text.value))
                    .at(text.span, "")
                    .help(match near {
                        Some(near) => format!("did you mean \"{near}\"?"),
                        None => format!("add [access.alias.{}] with its commands", text.value),
                    }),
            );
            continue;
        }
        match command(text, out) {
            Some(command) => commands.push(command),
            None => valid = false,
        }
    }
    if ast.commands.as_ref().is_some_and(|list| list.value.is_empty()) {
        out.push(no_commands(ast.span, "the rule"));
    }
    let everything = commands.iter().find(|command| command.program == "ALL");
    let reason = ast.reason.as_ref().filter(|text| one_line(text, "a reason", out));
    if let Some(everything) = everything
        && reason.is_none_or(|text| text.value.trim().is_empty())
    {
        out.push(
            Diagnostic::new(&rules::sudo_all_without_reason::RULE, "a rule that allows everything says why")
                .at(everything.span, "whoever may run this is root")
                .help("add reason = \"…\" to the rule, or list the commands that are needed"),
        );
    }
    let mut run_as = Vec::new();
    for text in ast.run_as.iter().flat_map(|texts| &texts.0) {
        if text.value == "ALL" || AccountName::parse(&text.value).is_ok() {
            run_as.push(text.value.clone());
            continue;
        }
        out.push(
            Diagnostic::new(
                &rules::invalid_run_as::RULE,
                format!("\"{}\" is no user to run a command as", text.value.escape_debug()),
            )
            .at(text.span, "")
            .help("write the name of a user of the machine, such as \"postgres\", or \"ALL\""),
        );
    }
    if run_as.is_empty() {
        run_as.push("root".into());
    }
    // Who acts as root by a detour has all of it; as another user, that user's.
    for command in &commands {
        if !noexec && let Some(risk) = risk(command) {
            out.push(
                Diagnostic::new(&rules::sudo_shell_escape::RULE, format!("{} {risk}", command.program))
                    .at(command.span, "more can be done by it than it says")
                    .help("add noexec = true to the rule where that is enough, or ship a script that does the one thing, and allow that"),
            );
        }
        if let Some(arguments) = &command.arguments
            && arguments.contains(['*', '?', '['])
        {
            out.push(
                Diagnostic::new(
                    &rules::sudo_wildcard::RULE,
                    "a pattern in the arguments matches blanks and slashes, too: any further arguments",
                )
                .at(command.span, "")
                .help("write each command that is needed, with its arguments")
                .note("sudoers(5), \"Wildcards in command arguments\""),
            );
        }
    }
    if !valid || commands.is_empty() {
        return None;
    }
    Some(SudoRule {
        group: group?,
        commands: commands.iter().map(|c| Spanned::new(c.sudoers(), c.span)).collect(),
        run_as,
        password: ast.password.as_ref().is_some_and(|flag| flag.value),
        noexec,
        reason: reason.map(|text| text.value.clone()),
        span: ast.span,
    })
}

/// Programs that are a shell, start one, or run what they are told to.
const SHELLS: &[&str] = &[
    "ash",
    "bash",
    "csh",
    "dash",
    "fish",
    "ksh",
    "mksh",
    "rbash",
    "sh",
    "tcsh",
    "zsh",
    "busybox",
    "env",
    "su",
    "sudo",
    "nsenter",
    "unshare",
    "chroot",
    "setpriv",
    "runuser",
    "screen",
    "tmux",
    "script",
    "expect",
    "xargs",
    "nohup",
    "nice",
    "timeout",
    "watch",
    "systemd-run",
    "machinectl",
    "docker",
    "podman",
    "lxc",
    "at",
    "batch",
    "crontab",
    "strace",
    "ltrace",
    "gdb",
];
/// Programs that interpret a language.
const INTERPRETERS: &[&str] =
    &["awk", "gawk", "lua", "make", "mawk", "node", "perl", "php", "python", "python3", "ruby", "sqlite3", "tclsh"];
/// Programs that offer a shell to whoever sits before them.
const INTERACTIVE: &[&str] = &[
    "ed", "emacs", "ftp", "htop", "info", "joe", "less", "man", "mc", "more", "most", "mysql", "nano", "nvim", "pico",
    "psql", "rview", "rvim", "sftp", "telnet", "top", "vi", "view", "vim", "vimdiff", "visudo", "vipw", "w3m", "lynx",
    "links",
];
/// Programs that page what they print, unless told not to.
const PAGING: &[&str] = &[
    "bootctl",
    "coredumpctl",
    "hostnamectl",
    "journalctl",
    "localectl",
    "loginctl",
    "networkctl",
    "resolvectl",
    "systemctl",
    "timedatectl",
];
/// Options of programs by which they run others, or write where they are told.
const OPTIONS: &[(&str, &str)] = &[
    ("apt", "runs hooks and pagers that its options name"),
    ("apt-get", "runs hooks that its options name"),
    ("aptitude", "runs hooks and a terminal interface"),
    ("dpkg", "runs the scripts of the package that it is given"),
    ("find", "runs commands by -exec and removes files by -delete"),
    ("git", "runs pagers, editors, aliases and hooks"),
    ("pip", "runs the code of what it installs"),
    ("rsync", "runs the program that -e names"),
    ("scp", "runs the program that -S names"),
    ("ssh", "runs the command that ProxyCommand names"),
    ("tar", "runs commands by --checkpoint-action and --to-command"),
    ("tcpdump", "runs the program that -z names"),
    ("zip", "runs the command that -TT names"),
];
/// Programs that write files where they are told: into /etc/sudoers.d, for one.
const WRITERS: &[&str] = &[
    "chgrp", "chmod", "chown", "cp", "dd", "install", "ln", "mount", "mv", "patch", "rm", "sed", "setfacl", "tee",
    "truncate", "wget", "curl",
];

/// What somebody gets by a command beyond what it says; None: nothing that is known.
fn risk(command: &Command) -> Option<String> {
    let arguments = command.arguments.as_deref()?;
    let name = command.program.rsplit('/').next().unwrap_or("");
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let open = arguments.contains(['*', '?', '[']);
    let fixed = !open && !arguments.is_empty();
    if ["/tmp/", "/var/tmp/", "/home/", "/dev/shm/", "/run/user/"].iter().any(|top| command.program.starts_with(top)) {
        return Some("is in a directory where others than root write".into());
    }
    if SHELLS.contains(&name)
        && !(fixed && ["bash", "sh", "dash", "systemd-run"].contains(&name) && !arguments.starts_with('-'))
    {
        return Some("gives a shell, or runs what it is told".into());
    }
    if INTERPRETERS.contains(&name) || INTERPRETERS.contains(&stem) && !stem.is_empty() {
        return (!fixed).then(|| "runs any program of its language".into());
    }
    if INTERACTIVE.contains(&name) {
        return Some("offers a shell to whoever runs it (! in less, :! in vi)".into());
    }
    if PAGING.contains(&name) && !arguments.split(' ').any(|word| word == "--no-pager") && pages(name, arguments) {
        return Some("shows its output in a pager, which offers a shell: --no-pager is missing".into());
    }
    if let Some((_, how)) = OPTIONS.iter().find(|(program, _)| *program == name) {
        let acts = arguments.split(' ').any(|word| {
            ["-exec", "-execdir", "-ok", "-delete"].contains(&word)
                || word.contains("--checkpoint-action")
                || word.contains("ProxyCommand")
        });
        return (!fixed || acts).then(|| (*how).to_owned());
    }
    if WRITERS.contains(&name) && !fixed {
        return Some("writes any file, such as one in /etc/sudoers.d".into());
    }
    None
}

/// Whether it prints enough to be paged.
fn pages(name: &str, arguments: &str) -> bool {
    let quiet = [
        "start",
        "stop",
        "restart",
        "reload",
        "try-restart",
        "reload-or-restart",
        "daemon-reload",
        "enable",
        "disable",
        "is-active",
        "is-enabled",
        "is-failed",
        "kill",
        "reset-failed",
        "reboot",
        "poweroff",
        "halt",
        "suspend",
        "mask",
        "unmask",
        "isolate",
    ];
    let verb = arguments.split(' ').find(|word| !word.starts_with('-')).unwrap_or("");
    name != "systemctl" || !quiet.contains(&verb)
}
