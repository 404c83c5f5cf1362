//! `secrets/`, `[secrets]` and `[[secret]]`.

use super::text::{account, duplicates};
use super::{Facts, people, units};
use crate::age;
use crate::diagnostics::{Diagnostic, rules};
use crate::model::{Secret, SecretFile, Secrets};
use crate::names::{GroupName, SecretName};
use crate::schema::{self, Text, ast};
use crate::source::{Span, Spanned};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

pub fn resolve(
    debrole: Option<&ast::Debrole>,
    files: Option<&BTreeMap<SecretName, Arc<[u8]>>>,
    facts: &Facts,
    out: &mut Vec<Diagnostic>,
) -> Secrets {
    let mut secrets = Secrets { here: files.is_some(), ..Secrets::default() };
    if let Some(schema::One(table)) = debrole.and_then(|ast| ast.secrets.as_ref()) {
        if let Some(list) = &table.groups {
            duplicates(list, "the group", out);
            secrets.groups = list.value.iter().filter_map(|text| group(text, facts, out)).collect();
        }
        for text in table.recipients.iter().flat_map(|list| &list.value) {
            let Some(key) = people::public_key(text, out) else { continue };
            if age::takes(&key.value) {
                secrets.recipients.push(key);
            } else {
                out.push(
                    Diagnostic::new(
                        &rules::secret_recipient_type::RULE,
                        format!("age(1) can't encrypt to keys of the type {}", key.value.kind()),
                    )
                    .at(text.span, "")
                    .help("write an Ed25519 or RSA key; ssh-keygen -t ed25519 makes one"),
                );
            }
        }
    }
    for (name, bytes) in files.into_iter().flatten() {
        match age::recipients(bytes) {
            Ok(recipients) => {
                secrets.files.insert(name.clone(), SecretFile { bytes: bytes.clone(), recipients });
            }
            Err(error) => {
                let path = Path::new("secrets").join(format!("{name}.age"));
                out.push(
                    Diagnostic::new(
                        &rules::secret_damaged::RULE,
                        format!("{} is no file that age(1) wrote: {error}", path.display()),
                    )
                    .in_file(&path)
                    .help(format!("write it anew: debrole secret set {name}"))
                    .note(
                        "if it holds the secret as it is, the secret is known to whoever has the tree: use another one",
                    ),
                );
            }
        }
    }
    secrets
}

fn group(text: &Text, facts: &Facts, out: &mut Vec<Diagnostic>) -> Option<Spanned<GroupName>> {
    if !facts.groups.contains(&text.value) {
        let near = crate::near::nearest(&text.value, facts.groups.iter().map(String::as_str));
        out.push(
            Diagnostic::new(
                &rules::unknown_group::RULE,
                format!("there is no groups/{}.toml", text.value.escape_debug()),
            )
            .at(text.span, "")
            .help(match near {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => "write the name of a group, or the keys themselves as `recipients`".to_owned(),
            }),
        );
        return None;
    }
    GroupName::parse(&text.value).ok().map(|name| Spanned::new(name, text.span))
}

/// One `[[secret]]`.
pub fn secret(ast: &ast::Secret, out: &mut Vec<Diagnostic>) -> Option<Secret> {
    let owner = account(ast.owner.as_ref(), "user", out);
    let reload = units::names(ast.reload.as_ref(), out);
    let restart = units::names(ast.restart.as_ref(), out);
    let text = ast.name.as_ref()?;
    let name = match SecretName::parse(&text.value) {
        Ok(name) => Spanned::new(name, text.span),
        Err(error) => {
            out.push(
                Diagnostic::new(
                    &rules::invalid_secret_name::RULE,
                    format!("\"{}\" can't name a secret: {error}", text.value.escape_debug()),
                )
                .at(text.span, "")
                .help("write lower case letters, digits and \"_\", such as \"db_password\""),
            );
            return None;
        }
    };
    let text = match &ast.content {
        Some(content) => Spanned::new(content.value.as_str().into(), content.span),
        None => Spanned::new(format!("{{{{ secret.{} }}}}", name.value).into(), name.span),
    };
    Some(Secret { name, text, owner, reload, restart })
}

/// What a file with secrets can't have, too. `flag`: where it says that it has secrets.
pub fn file(ast: &ast::File, flag: Span, out: &mut Vec<Diagnostic>) {
    let options = [
        ("mode", ast.mode.as_ref().map(|text| text.span), "its mode is 0400"),
        ("group", ast.group.as_ref().map(|text| text.span), "its owner alone reads it"),
        ("policy", ast.policy.as_ref().map(|text| text.span), "what is at its path is a link into /run"),
        ("adopt", ast.adopt.as_ref().map(|text| text.span), "what is at its path is a link into /run"),
        ("directory", ast.directory.as_ref().map(|text| text.span), "it is one file"),
    ];
    for (key, span, why) in options {
        let Some(span) = span else { continue };
        out.push(
            Diagnostic::new(&rules::secret_file_option::RULE, format!("a file with secrets has no `{key}`: {why}"))
                .at(span, "this")
                .also(flag, "of a file with secrets")
                .help(format!("remove {key}")),
        );
    }
}
