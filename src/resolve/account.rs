//! `[[account]]`: system accounts that the software of a role needs.

use super::content::Site;
use super::text::{account, one_line};
use crate::diagnostics::{Diagnostic, rules};
use crate::model::Account;
use crate::names::{AccountName, MachinePath};
use crate::schema::{Text, ast};
use crate::source::Spanned;

pub fn resolve(ast: &ast::Account, site: &Site<'_>, out: &mut Vec<Diagnostic>) -> Option<Account> {
    let name = ast.name.as_ref().and_then(|text| {
        let name = account(Some(text), "user", out);
        if site.facts.users.contains(&text.value) || site.facts.groups.contains(&text.value) {
            let folder = if site.facts.users.contains(&text.value) { "users" } else { "groups" };
            out.push(
                Diagnostic::new(
                    &rules::account_is_a_person::RULE,
                    format!("{} is the name of {folder}/{}.toml", text.value, text.value),
                )
                .at(text.span, "a system account can't have it, too")
                .help("choose another name for the system account"),
            );
            return None;
        }
        if text.value == "root" {
            out.push(
                Diagnostic::new(&rules::invalid_account::RULE, "root is there already: it is made by Debian")
                    .at(text.span, "")
                    .help("remove the [[account]]"),
            );
            return None;
        }
        AccountName::parse(&text.value).ok().map(|_| Spanned::new(name, text.span))
    });
    let description =
        ast.description.as_ref().filter(|text| one_line(text, "the account's description", out)).filter(|text| {
            match text.value.find([':', '"', '\\', '%']) {
                Some(at) => {
                    out.push(
                        Diagnostic::new(
                            &rules::invalid_full_name::RULE,
                            format!("the description of an account can't hold {:?}", &text.value[at..at + 1]),
                        )
                        .at(text.part(at..at + 1), "")
                        .help("leave it out: the line in /etc/passwd would mean something else (passwd(5))"),
                    );
                    false
                }
                None => true,
            }
        });
    let home = path(ast.home.as_ref(), "/nonexistent", out);
    let shell = path(ast.shell.as_ref(), "/usr/sbin/nologin", out);
    let groups = ast.groups.iter().flat_map(|list| &list.value).map(|text| account(Some(text), "group", out)).collect();
    Some(Account { name: name?, description: description?.value.clone(), home: home?, shell: shell?, groups })
}

fn path(text: Option<&Text>, default: &str, out: &mut Vec<Diagnostic>) -> Option<MachinePath> {
    let value = text.map_or(default, |text| text.value.as_str());
    match MachinePath::parse(value) {
        Ok(path) if !value.contains(':') => Some(path),
        parsed => {
            let error = parsed.err().unwrap_or_else(|| "a path in /etc/passwd has no \":\"".into());
            let diagnostic = Diagnostic::new(
                &rules::invalid_shell::RULE,
                format!("\"{}\" can't be an account's home or shell: {error}", value.escape_debug()),
            )
            .help("write an absolute path, such as \"/srv/git\"");
            out.push(match text {
                Some(text) => diagnostic.at(text.span, ""),
                None => diagnostic,
            });
            None
        }
    }
}
