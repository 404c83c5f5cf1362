//! Secrets in packages: always as age(1) encrypted them. A text that holds some is cut at each of them when the package
//! is made; the machine puts the pieces together, decrypted, in /run (`runtime/secrets.sh`).

use crate::age::Recipient;
use crate::diagnostics::{Diagnostic, rules};
use crate::model::{Host, Model};
use crate::names::{AccountName, HostName, MachinePath, PackageName, Prefix, SecretName, UnitName};
use crate::near::nearest;
use crate::plan::{Entry, PackagePlan, SecretUse};
use crate::source::Span;
use crate::ssh_key::PublicKey;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What stands for a secret in a rendered text, around its name, until the text is cut. No text of the tree that may
/// hold secrets has a NUL, so nothing else looks like it; and whatever a filter would do to a secret (upper, escape,
/// replace …), it does to this, so that it is found out.
const OPEN: &str = "\0<\"'&/sEcReT:";
const CLOSE: &str = ">\0";

/// The mark of a secret in a rendered text.
pub fn mark(name: &SecretName) -> String {
    format!("{OPEN}{name}{CLOSE}")
}

/// A piece of a text that is put together on the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    Secret(SecretName),
}

/// Cuts a rendered text at its secrets. None where a mark is no longer as it was made.
pub fn cut(text: &str) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        let (name, after) = after.split_once(CLOSE)?;
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        pieces.push(Piece::Secret(SecretName::parse(name).ok()?));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    let whole = |piece: &Piece| !matches!(piece, Piece::Text(text) if text.contains('\0'));
    pieces.iter().all(whole).then_some(pieces)
}

/// A file below `/run/<prefix>-secrets`.
#[derive(Debug, Clone)]
pub struct Out {
    pub owner: AccountName,
    pub pieces: Vec<Piece>,
    pub validate: Vec<String>,
    pub reload: BTreeSet<UnitName>,
    pub restart: BTreeSet<UnitName>,
}

/// All of a package, by their path below `/run/<prefix>-secrets`.
pub type Outs = BTreeMap<String, Out>;

/// What a package ships for them: the list, which says how to put each together, the texts and the secrets.
///
/// ```text
/// debrole-secrets 1
/// package pg-role-web
/// out web/pgpass www-data            a file, and the user who may read it; of it, in this order:
/// text text.1                        a text, beside this list
/// secret db_password                 a secret, beside this list in db_password.age
/// validate COMMAND                   must succeed before a change of it takes effect
/// reload UNIT                        when it changed
/// restart UNIT
/// ```
pub fn entries(
    outs: &Outs,
    package: &PackageName,
    directory: &MachinePath,
    known: &BTreeMap<SecretName, crate::model::SecretFile>,
) -> BTreeMap<MachinePath, Entry> {
    let mut entries = BTreeMap::new();
    let path = |name: &str| directory.join(&MachinePath::parse(&format!("/{name}")).expect("a name of debrole's own"));
    let file = |bytes: Arc<[u8]>| Entry::File { mode: 0o644, bytes };
    let mut list = format!("debrole-secrets 1\npackage {package}\n");
    let mut texts = 0;
    for (out, Out { owner, pieces, validate, reload, restart }) in outs {
        list.push_str(&format!("out {out} {owner}\n"));
        for piece in pieces {
            match piece {
                Piece::Text(text) => {
                    texts += 1;
                    let bytes: Arc<[u8]> = text.as_bytes().into();
                    list.push_str(&format!("text text.{texts}\n"));
                    entries.insert(path(&format!("text.{texts}")), file(bytes));
                }
                Piece::Secret(name) => {
                    let Some(secret) = known.get(name) else { continue };
                    list.push_str(&format!("secret {name}\n"));
                    entries.insert(path(&format!("{name}.age")), file(secret.bytes.clone()));
                }
            }
        }
        list.extend(validate.iter().map(|command| format!("validate {command}\n")));
        list.extend(reload.iter().map(|unit| format!("reload {unit}\n")));
        list.extend(restart.iter().map(|unit| format!("restart {unit}\n")));
    }
    entries.insert(path("list"), file(list.into_bytes().into()));
    entries
}

/// Who needs a secret.
#[derive(Debug, Clone, Default)]
pub struct Need<'m> {
    /// The packages that hold it.
    pub packages: BTreeSet<PackageName>,
    pub machines: BTreeMap<&'m HostName, &'m Host>,
    /// Where it is used first.
    pub span: Option<Span>,
}

/// Every secret that something uses, with who needs it.
pub fn needs<'m>(model: &'m Model, plans: &[PackagePlan]) -> BTreeMap<SecretName, Need<'m>> {
    let mut needs: BTreeMap<SecretName, Need<'m>> = BTreeMap::new();
    let mut users = BTreeMap::new();
    for plan in plans.iter().filter(|plan| !plan.secrets.is_empty()) {
        users.insert(&plan.name, &plan.secrets);
        for SecretUse { name, span, .. } in &plan.secrets {
            let need = needs.entry(name.clone()).or_default();
            need.packages.insert(plan.name.clone());
            need.span = Some(need.span.map_or(*span, |first| first.min(*span)));
        }
    }
    if users.is_empty() {
        return needs;
    }
    for (fqdn, host) in &model.hosts {
        for package in packages(model, &model.fleet.prefix, host) {
            for one in users.get(&package).into_iter().flat_map(|uses| uses.iter()) {
                if one.releases.contains(&host.release.value) {
                    needs.entry(one.name.clone()).or_default().machines.insert(fqdn, host);
                }
            }
        }
    }
    needs
}

/// The fleet's packages that a machine has and that may hold secrets.
fn packages(model: &Model, prefix: &Prefix, host: &Host) -> Vec<PackageName> {
    let roles = model.closure(host.roles.iter().map(|role| &role.value)).into_iter();
    roles.map(|role| prefix.role_package(role)).chain([prefix.host_package(&host.name)]).collect()
}

/// The administrators' keys, with whose each is: every secret is encrypted to them.
pub fn administrators(model: &Model) -> Vec<(String, &PublicKey)> {
    let mut keys: Vec<(String, &PublicKey)> = Vec::new();
    for group in &model.secrets.groups {
        let members = model.people.groups.get(&group.value).into_iter().flat_map(|group| group.members.keys());
        for user in members.filter_map(|name| model.people.users.get(name)) {
            keys.extend(user.keys.iter().map(|key| (user.name.to_string(), &key.key.value)));
        }
    }
    let whose = |key: &PublicKey| if key.comment().is_empty() { key.fingerprint() } else { key.comment().to_owned() };
    keys.extend(model.secrets.recipients.iter().map(|key| (whose(&key.value), &key.value)));
    let mut seen = BTreeSet::new();
    keys.retain(|(_, key)| crate::age::takes(key) && seen.insert(key.base64().to_owned()));
    keys
}

/// The key by which a machine decrypts: its Ed25519 host key, which every Debian machine with an sshd has.
pub fn machine_key(host: &Host) -> Option<&PublicKey> {
    host.host_keys.iter().map(|key| &key.value).find(|key| key.kind() == "ssh-ed25519")
}

/// What is wrong between the secrets, those who need them, and those who can read them.
pub fn check(model: &Model, plans: &[PackagePlan]) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    let needs = needs(model, plans);
    let secrets = &model.secrets;
    let first = needs.values().filter_map(|need| need.span).min();
    if let (false, Some(span)) = (secrets.here, first) {
        out.push(
            Diagnostic::new(
                &rules::secrets_elsewhere::RULE,
                "there is no secrets/ here: packages that need a secret can't be built",
            )
            .at(span, match needs.len() {
                1 => "used here".to_owned(),
                count => format!("{count} are used, one of them here"),
            })
            .help("put secrets/ into the tree, or a symbolic link to where it is kept; debrole secret set makes a new one"),
        );
    }
    let administrators = administrators(model);
    if let (true, Some(span)) = (administrators.is_empty(), first) {
        out.push(
            Diagnostic::new(
                &rules::secret_without_administrator::RULE,
                "no administrator could decrypt the secrets: with a machine's host key its secrets would be lost",
            )
            .at(span, "used here")
            .help("name who can in debrole.toml: [secrets] with groups = [\"sysadmins\"], or the keys as recipients"),
        );
    }
    for (name, need) in &needs {
        let Some(span) = need.span else { continue };
        for (fqdn, host) in &need.machines {
            if machine_key(host).is_none() && !host.is_to_come() {
                out.push(
                    Diagnostic::new(
                        &rules::secret_without_host_key::RULE,
                        format!("{fqdn} needs the secret {name}, and has no Ed25519 host key that it could be encrypted to"),
                    )
                    .at(host.name.span, "ssh_host_key is missing here")
                    .also(span, "used here")
                    .help("write it: ssh_host_key = \"ssh-ed25519 …\", as in /etc/ssh/ssh_host_ed25519_key.pub of the machine"),
                );
            }
        }
        if !secrets.here {
            continue;
        }
        let Some(file) = secrets.files.get(name) else {
            let near = nearest(name.as_str(), secrets.files.keys().map(SecretName::as_str));
            let diagnostic = Diagnostic::new(&rules::secret_not_set::RULE, format!("there is no secrets/{name}.age"))
                .at(span, "used here");
            out.push(match near {
                Some(near) => diagnostic.help(format!("did you mean secret.{near}?")),
                None => {
                    diagnostic.help(format!("set it: debrole secret set {name}, which reads it from standard input"))
                }
            });
            continue;
        };
        let mut readers: BTreeSet<Recipient> = file.recipients.iter().cloned().collect();
        let machines = need.machines.iter().filter_map(|(fqdn, host)| Some((fqdn, Recipient::of(machine_key(host)?)?)));
        let without: Vec<String> =
            machines.filter(|(_, reader)| !readers.contains(reader)).map(|(fqdn, _)| fqdn.to_string()).collect();
        let rekey = format!("encrypt it anew: debrole secret rekey {name}");
        if !without.is_empty() {
            out.push(
                Diagnostic::new(
                    &rules::secret_not_for_machine::RULE,
                    format!("secrets/{name}.age can't be decrypted by {}", some(&without)),
                )
                .at(span, "needed there")
                .help(rekey.clone())
                .note("it is encrypted to other keys: the machine, its roles or its host key are newer"),
            );
        }
        let people: Vec<(&String, Recipient)> =
            administrators.iter().filter_map(|(who, key)| Some((who, Recipient::of(key)?))).collect();
        let without: Vec<String> =
            people.iter().filter(|(_, reader)| !readers.contains(reader)).map(|(who, _)| (*who).clone()).collect();
        for needed in need.machines.values().filter_map(|host| Recipient::of(machine_key(host)?)) {
            readers.remove(&needed);
        }
        for (_, needed) in &people {
            readers.remove(needed);
        }
        if !without.is_empty() || !readers.is_empty() {
            let mut faults = Vec::new();
            if !without.is_empty() {
                faults.push(format!("not to {}", some(&without)));
            }
            if !readers.is_empty() {
                faults.push(format!(
                    "also to {}",
                    some(&readers.iter().map(|reader| whose(model, reader)).collect::<Vec<_>>())
                ));
            }
            let diagnostic = Diagnostic::new(
                &rules::secret_recipients::RULE,
                format!("secrets/{name}.age is encrypted {}", faults.join(", and ")),
            )
            .at(span, "used here")
            .help(rekey);
            out.push(match readers.is_empty() {
                true => diagnostic,
                false => diagnostic.note("who could read it knows it: where that matters, set another one"),
            });
        }
    }
    for name in secrets.files.keys().filter(|name| !needs.contains_key(*name)) {
        out.push(
            Diagnostic::new(&rules::secret_unused::RULE, format!("nothing uses secrets/{name}.age"))
                .in_file(format!("secrets/{name}.age"))
                .help(format!("use it as secret.{name} in a [[secret]] or a file with secret = true, or remove it")),
        );
    }
    out
}

/// Whose key it is, as far as the tree knows.
fn whose(model: &Model, reader: &Recipient) -> String {
    let is = |key: &PublicKey| Recipient::of(key).as_ref() == Some(reader);
    for (fqdn, host) in &model.hosts {
        if host.host_keys.iter().any(|key| is(&key.value)) {
            return fqdn.to_string();
        }
        if host.retired_host_keys.iter().any(|key| is(&key.value)) {
            return format!("the retired key of {fqdn}");
        }
    }
    let mine = |user: &&crate::model::User| user.keys.iter().any(|key| is(&key.key.value));
    match model.people.users.values().find(mine) {
        Some(user) => user.name.to_string(),
        None if reader.tag.is_empty() => format!("a key of the type {}", reader.kind),
        None => format!("a key that the tree does not know ({} {})", reader.kind, reader.tag),
    }
}

/// At most three of them.
fn some(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [one, two] => format!("{one} and {two}"),
        [one, two, three] => format!("{one}, {two} and {three}"),
        [one, two, rest @ ..] => format!("{one}, {two} and {} more", rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> SecretName {
        SecretName::parse(text).unwrap()
    }

    #[test]
    fn a_text_is_cut_at_its_secrets() {
        let text = format!("a={}\nb={}{}", mark(&name("a")), mark(&name("b")), mark(&name("a")));
        let pieces = cut(&text).unwrap();
        let secret = |text| Piece::Secret(name(text));
        assert_eq!(
            pieces,
            [Piece::Text("a=".into()), secret("a"), Piece::Text("\nb=".into()), secret("b"), secret("a")]
        );
        assert_eq!(cut("none").unwrap(), [Piece::Text("none".into())]);
        assert_eq!(cut("").unwrap(), []);
    }

    #[test]
    fn a_package_lists_what_its_machines_put_together() {
        let unit = |name| BTreeSet::from([UnitName::parse(name).unwrap()]);
        let out = Out {
            owner: AccountName::parse("www-data").unwrap(),
            pieces: vec![Piece::Text("a=".into()), Piece::Secret(name("a")), Piece::Text("\n".into())],
            validate: vec!["app --check".into()],
            reload: unit("nginx.service"),
            restart: unit("app.service"),
        };
        let outs = Outs::from([("web/files/etc/app.conf".to_owned(), out)]);
        let file = crate::model::SecretFile { bytes: b"age".as_slice().into(), recipients: Vec::new() };
        let directory = MachinePath::parse("/usr/share/pg/roles/web/secrets").unwrap();
        let package = PackageName::parse("pg-role-web").unwrap();
        let entries = entries(&outs, &package, &directory, &BTreeMap::from([(name("a"), file)]));
        let text: Vec<(&str, &[u8])> = entries
            .iter()
            .map(|(path, entry)| match entry {
                Entry::File { mode: 0o644, bytes } => (path.as_str(), &bytes[..]),
                other => panic!("{path}: {other:?}"),
            })
            .collect();
        let list =
            b"debrole-secrets 1\npackage pg-role-web\nout web/files/etc/app.conf www-data\ntext text.1\nsecret a\n\
                     text text.2\nvalidate app --check\nreload nginx.service\nrestart app.service\n";
        assert_eq!(
            text,
            [
                ("/usr/share/pg/roles/web/secrets/a.age", &b"age"[..]),
                ("/usr/share/pg/roles/web/secrets/list", list),
                ("/usr/share/pg/roles/web/secrets/text.1", b"a="),
                ("/usr/share/pg/roles/web/secrets/text.2", b"\n"),
            ]
        );
    }

    #[test]
    fn what_was_altered_is_found_out() {
        let mark = mark(&name("a_b"));
        for altered in [
            mark.to_uppercase(),
            mark.to_lowercase(),
            mark.replace('&', "&amp;"),
            mark.chars().rev().collect(),
            mark[1..].to_owned(),
            mark[..mark.len() - 1].to_owned(),
            mark.replace("a_b", "a b"),
            "\0".to_owned(),
        ] {
            assert_eq!(cut(&format!("x{altered}y")), None, "{altered:?}");
        }
    }
}
