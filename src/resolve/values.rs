//! `[values]` and `[host_values]`: names that templates read.

use crate::diagnostics::{Diagnostic, rules};
use crate::model::Values;
use crate::schema::ValueTable;

/// What `host.NAME` is without anybody's doing.
pub const HOST_BUILT_IN: &[&str] = &["fqdn", "name", "domain", "addresses", "ipv4", "ipv6", "release", "roles"];
/// What `fleet.NAME` is from `[fleet]`.
pub const FLEET_BUILT_IN: &[&str] =
    &["prefix", "origin", "label", "uri", "maintainer", "homepage", "architectures", "key"];

/// `namespace`: `host` or `fleet`.
pub fn resolve(table: Option<&ValueTable>, namespace: &str, built_in: &[&str], out: &mut Vec<Diagnostic>) -> Values {
    let mut map = Values::new();
    for (key, value) in table.iter().flat_map(|table| &table.0) {
        let name = key.value.as_str();
        let identifier = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !identifier {
            let fixed: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
            out.push(
                Diagnostic::new(
                    &rules::invalid_value_name::RULE,
                    format!("\"{}\" can't be used in a template", name.escape_debug()),
                )
                .at(key.span, "")
                .help(format!(
                    "write letters, digits and \"_\", a digit not first, such as {namespace}.{}",
                    fixed.trim_start_matches(|c: char| c.is_ascii_digit())
                )),
            );
        } else if built_in.contains(&name) {
            out.push(
                Diagnostic::new(
                    &rules::reserved_value_name::RULE,
                    format!("{namespace}.{name} has a meaning of its own in templates"),
                )
                .at(key.span, "")
                .help("choose another name")
                .note(format!("the names that are taken: {}", built_in.join(", "))),
            );
        } else {
            map.insert(key.value.clone(), value.clone());
        }
    }
    map
}
