//! `[[munin]]`.

use super::check::packages;
use crate::diagnostics::{Diagnostic, rules};
use crate::model::monitoring::MuninPlugin;
use crate::names::AccountName;
use crate::resolve::plugins;
use crate::resolve::text::account;
use crate::schema::{Scalars, ast};
use crate::source::Spanned;
use std::collections::BTreeMap;

pub fn munin(ast: &ast::Munin, out: &mut Vec<Diagnostic>) -> Option<MuninPlugin> {
    let user = ast.user.as_ref().map(|text| account(Some(text), "user", out));
    let group = ast.group.as_ref().map(|text| account(Some(text), "group", out));
    let user = user.filter(|user: &AccountName| user.as_str() != "munin");
    let packages = packages(ast.depends.as_ref(), out);
    let env = ast.env.as_ref().map(|table| env(table, out)).unwrap_or_default();
    let plugin = ast.plugin.as_ref()?;
    let absolute = plugin.value.starts_with('/');
    let file_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
    };
    let base = plugin.value.rsplit('/').next().unwrap_or_default();
    if !file_name(base)
        || (absolute && crate::names::MachinePath::parse(&plugin.value).is_err())
        || (!absolute && plugin.value.contains('/'))
    {
        out.push(
            Diagnostic::new(
                &rules::unknown_plugin::RULE,
                format!("\"{}\" can't be a plugin of Munin", plugin.value.escape_debug()),
            )
            .at(plugin.span, "")
            .help("write a name from /usr/share/munin/plugins, or an absolute path"),
        );
        return None;
    }
    let name = match &ast.name {
        Some(name) if !file_name(&name.value) || name.value.ends_with('_') || name.value.len() > 100 => {
            out.push(
                Diagnostic::new(
                    &rules::invalid_check_name::RULE,
                    format!("\"{}\" can't be the name of a plugin", name.value.escape_debug()),
                )
                .at(name.span, "")
                .help("write letters, digits, \"_\", \".\" and \"-\", at most 100, no \"_\" at the end"),
            );
            return None;
        }
        Some(name) if base.ends_with('_') && !name.value.starts_with(base) => {
            out.push(
                Diagnostic::new(
                    &rules::munin_wildcard::RULE,
                    format!("{base} would not understand the name \"{}\"", name.value),
                )
                .at(name.span, "")
                .also(plugin.span, "it takes what follows its own name")
                .help(format!("write \"{base}{}\"", name.value)),
            );
            return None;
        }
        Some(name) => name.clone(),
        None if base.ends_with('_') => {
            out.push(
                Diagnostic::new(&rules::munin_wildcard::RULE, format!("{base} does not say what it is to look at"))
                    .at(plugin.span, "a plugin that takes the rest of its name")
                    .help(format!("add name = \"{base}…\", such as \"if_eth0\" for if_")),
            );
            return None;
        }
        None => Spanned::new(base.to_owned(), plugin.span),
    };
    let target = if absolute { plugin.value.clone() } else { format!("{}/{}", plugins::MUNIN, plugin.value) };
    Some(MuninPlugin { name, target, user, group, env, packages })
}

fn env(table: &Scalars, out: &mut Vec<Diagnostic>) -> BTreeMap<String, String> {
    let named = crate::resolve::command::environment(table, out);
    named.into_iter().map(|(name, value)| (name, value.value)).collect()
}
