//! `debrole key init|show|export`: the archive's signing key.

use super::load::{self, Places};
use super::{Failure, Outcome};
use crate::cli::{Global, Key, KeyExport, KeyInit};
use crate::reporter::Reporter;
use anyhow::{Context, anyhow};
use debrole::diagnostics::{Diagnostic, rules};
use debrole::lower::Keyring;
use debrole::sign::key::{self, KeyInfo};
use debrole::sign::packets;
use debrole::source::Sources;
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The private key's GnuPG home.
pub fn home(places: &Places) -> PathBuf {
    places.root.join("keys/private")
}

/// The archive's public key or keys: all `keys/*.gpg`, by name. During a rotation there are two.
pub fn public(places: &Places) -> Result<Keyring, Box<Diagnostic>> {
    let mut keyring = Keyring::default();
    for (path, bytes) in public_files(places)? {
        if let Some(why) = packets::unsound(&bytes) {
            return Err(unsound(places, &path, why));
        }
        keyring.binary.extend(bytes);
        keyring.armored.extend(std::fs::read(path.with_extension("asc")).unwrap_or_default());
    }
    Ok(keyring)
}

/// The files keys/*.gpg with what is in them, by name; at least one.
fn public_files(places: &Places) -> Result<Vec<(PathBuf, Vec<u8>)>, Box<Diagnostic>> {
    let directory = places.root.join("keys");
    let unreadable = |path: &Path, error: std::io::Error| {
        let shown = path.strip_prefix(&places.root).unwrap_or(path);
        Box::new(
            Diagnostic::new(&rules::unreadable_file::RULE, format!("{} can't be read: {error}", shown.display()))
                .in_file(shown)
                .help("give the user that runs debrole the right to read it"),
        )
    };
    let entries = match std::fs::read_dir(&directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(unreadable(&directory, error)),
        entries => entries,
    };
    let mut files: Vec<PathBuf> = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "gpg"))
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(Box::new(
            Diagnostic::new(&rules::key_missing::RULE, "there is no public key of the archive in keys/ (*.gpg)")
                .in_file("keys")
                .help("make a key with `debrole key init`, or put the archive's public key there"),
        ));
    }
    let read = |path: PathBuf| {
        // Neither a pipe, which would be waited for, nor a directory.
        match std::fs::metadata(&path) {
            Ok(meta) if !meta.is_file() => Err(unsound(places, &path, "it is not a file")),
            _ => std::fs::read(&path).map_err(|error| unreadable(&path, error)).map(|bytes| (path, bytes)),
        }
    };
    files.into_iter().map(read).collect()
}

fn unsound(places: &Places, path: &Path, why: &str) -> Box<Diagnostic> {
    let shown = path.strip_prefix(&places.root).unwrap_or(path);
    Box::new(
        Diagnostic::new(
            &rules::keyring_unsound::RULE,
            format!("{} can't be given to machines: {why}", shown.display()),
        )
        .in_file(shown)
        .help("remove it, and write it anew with `debrole key export --renew`"),
    )
}

pub fn run(command: &Key, global: &Global, reporter: &Reporter) -> Outcome {
    match command {
        Key::Init(args) => init(args, global, reporter),
        Key::Show => show(global, reporter),
        Key::Export(args) => export(args, global, reporter),
    }
}

pub fn init(args: &KeyInit, global: &Global, reporter: &Reporter) -> Outcome {
    let places = load::places(global, reporter)?;
    let home = home(&places);
    if args.if_missing && home.is_dir() && !secret_keys(&places, reporter)?.is_empty() {
        return Ok(());
    }
    let Some(days) = days(&args.expires) else {
        reporter.refusal(&format!("--expires {:?}: write a number and d, w, m or y, from 90d to 10y", args.expires));
        return Err(Failure::Wrong);
    };
    let user_id = match &args.user_id {
        Some(user_id) => user_id.clone(),
        None => {
            let loaded = load::load(&places);
            let Some(model) = &loaded.model else {
                reporter.diagnostics(&loaded.diagnostics, &loaded.tree.sources);
                return Err(Failure::Wrong);
            };
            let mail = model.fleet.maintainer.rsplit_once('<').map_or("", |(_, mail)| mail.trim_end_matches('>'));
            format!("{} archive key <{mail}>", model.fleet.origin)
        }
    };
    let request = key::Init {
        home: home.clone(),
        user_id,
        days,
        offline_primary: args.offline_primary.clone(),
        passphrase: args.passphrase,
    };
    let made = wrong(key::init(&request), reporter)?;
    write_public(&places, &made)?;
    reporter.summary(describe(&made, now()));
    reporter.summary(format_args!(
        "The public key is in keys/archive-keyring.gpg and .asc{}. The private key is in {}: back it up{}",
        match ignored(&places, "keys/archive-keyring.gpg") {
            true => " (.gitignore keeps it out of the history: right for a key to try things with; else take the line out and commit them)",
            false => ": commit them",
        },
        home.display(),
        match &args.offline_primary {
            Some(file) => format!("; the primary key is only in {}: take it off this machine", file.display()),
            None => String::new(),
        }
    ));
    reporter.member("fingerprint", made.fingerprint());
    reporter.member("expires", made.expires());
    Ok(())
}

/// Whether git would leave the file out. False where there is no git, or no repository.
fn ignored(places: &Places, file: &str) -> bool {
    let mut git = Command::new("git");
    git.arg("-C").arg(&places.root).args(["check-ignore", "-q", file]);
    git.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    git.status().is_ok_and(|status| status.success())
}

fn write_public(places: &Places, made: &KeyInfo) -> anyhow::Result<()> {
    let opened = key::open_home(&home(places)).map_err(|d| anyhow!(d.message))?;
    let public = key::export_public(&opened, &[made.fingerprint().to_owned()])?;
    for (name, bytes) in [("archive-keyring.gpg", &public.binary), ("archive-keyring.asc", &public.armored)] {
        let path = places.root.join("keys").join(name);
        std::fs::write(&path, bytes).with_context(|| format!("can't write {}", path.display()))?;
    }
    Ok(())
}

fn show(global: &Global, reporter: &Reporter) -> Outcome {
    let places = load::places(global, reporter)?;
    let keys = secret_keys(&places, reporter)?;
    if keys.is_empty() {
        reporter.refusal(&format!("there is no key in {}: make one with `debrole key init`", home(&places).display()));
        return Err(Failure::Wrong);
    }
    let now = now();
    let mut judged: Vec<Diagnostic> = keys.iter().flat_map(|key| key.judge(now)).collect();
    if let Ok(public) = public(&places) {
        let opened = wrong(key::open_home(&home(&places)).map_err(|d| vec![*d]), reporter)?;
        for info in &keys {
            let own = key::export_public(&opened, &[info.fingerprint().to_owned()]);
            let own = wrong(own.map_err(|e| vec![key::diagnostic(&e)]), reporter)?;
            judged.extend(key::outdated(&own.binary, &public.binary));
        }
    }
    for key in &keys {
        reporter.result(describe(key, now));
    }
    reporter.member(
        "keys",
        keys.iter()
            .map(|key| {
                serde_json::json!({
                    "fingerprint": key.fingerprint(),
                    "user_ids": key.user_ids,
                    "expires": key.expires(),
                    "days_left": key.days_left(now),
                    "offline_primary": key.offline_primary(),
                })
            })
            .collect::<Vec<_>>(),
    );
    reporter.diagnostics(&judged, &Sources::default());
    if judged.iter().any(Diagnostic::is_error) { Err(Failure::Wrong) } else { Ok(()) }
}

fn export(args: &KeyExport, global: &Global, reporter: &Reporter) -> Outcome {
    let places = load::places(global, reporter)?;
    if args.renew {
        return renew(&places, reporter);
    }
    let public = wrong(public(&places).map_err(|d| vec![*d]), reporter)?;
    let bytes = if args.binary { &public.binary } else { &public.armored };
    match &args.output {
        Some(path) => std::fs::write(path, bytes).with_context(|| format!("can't write {}", path.display()))?,
        None => reporter.bytes(bytes).context("can't write to standard output")?,
    }
    Ok(())
}

/// Writes keys/*.gpg and *.asc anew from keys/private: each key into the file that holds it alone, or the first one.
fn renew(places: &Places, reporter: &Reporter) -> Outcome {
    let keys = secret_keys(places, reporter)?;
    let opened = wrong(key::open_home(&home(places)).map_err(|d| vec![*d]), reporter)?;
    let there = public_files(places).unwrap_or_default();
    let mut written = 0;
    for info in &keys {
        let public = key::export_public(&opened, &[info.fingerprint().to_owned()]);
        let public = wrong(public.map_err(|e| vec![key::diagnostic(&e)]), reporter)?;
        let primary = packets::first(&public.binary);
        let same = |bytes: &[u8]| packets::primary_keys(bytes) == 1 && packets::first(bytes) == primary;
        let path = match there.iter().find(|(_, bytes)| same(bytes)) {
            Some((path, _)) => path.clone(),
            None if there.is_empty() && written == 0 => places.root.join("keys/archive-keyring.gpg"),
            None => continue,
        };
        for (path, bytes) in [(path.with_extension("asc"), &public.armored), (path, &public.binary)] {
            std::fs::write(&path, bytes).with_context(|| format!("can't write {}", path.display()))?;
            written += 1;
            reporter.summary(format_args!("Written: {}", path.display()));
        }
    }
    if written == 0 {
        reporter.refusal("no file keys/*.gpg holds one of the keys of keys/private alone: move them away first");
        return Err(Failure::Wrong);
    }
    Ok(())
}

fn secret_keys(places: &Places, reporter: &Reporter) -> Result<Vec<KeyInfo>, Failure> {
    let opened = wrong(key::open_home(&home(places)).map_err(|d| vec![*d]), reporter)?;
    wrong(key::secret_keys(&opened).map_err(|e| vec![key::diagnostic(&e)]), reporter)
}

/// Diagnostics that point at no file of the tree.
fn wrong<T>(result: Result<T, Vec<Diagnostic>>, reporter: &Reporter) -> Result<T, Failure> {
    result.map_err(|diagnostics| {
        reporter.diagnostics(&diagnostics, &Sources::default());
        Failure::Wrong
    })
}

fn describe(key: &KeyInfo, now: i64) -> String {
    let mut lines = Vec::new();
    for (i, part) in key.parts.iter().enumerate() {
        let mut can = Vec::new();
        if part.can_certify {
            can.push("certify");
        }
        if part.can_sign {
            can.push("sign");
        }
        let expires = part.expires.map_or("never expires".to_owned(), |at| {
            format!("expires {} ({} days left)", day(at), (at - now).div_euclid(key::DAY))
        });
        lines.push(format!(
            "{} {}  {}, {}, made {}, {expires}, secret part {}{}",
            if i == 0 { "key   " } else { "subkey" },
            part.fingerprint,
            part.algorithm,
            can.join(" and "),
            day(part.created),
            if part.secret { "here" } else { "not here" },
            if part.revoked { ", REVOKED" } else { "" },
        ));
        if i == 0 {
            lines.extend(key.user_ids.iter().map(|id| format!("       {id}")));
        }
    }
    lines.join("\n")
}

fn day(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |t| t.strftime("%Y-%m-%d").to_string())
}

/// `90d`, `26w`, `18m`, `3y` as days; None where it is not one of these or outside 90 days to 10 years.
fn days(text: &str) -> Option<u32> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u32 = number.parse().ok()?;
    let days = match unit {
        "d" => number,
        "w" => number.checked_mul(7)?,
        "m" => number.checked_mul(30)?,
        "y" => number.checked_mul(365)?,
        _ => return None,
    };
    (90..=3653).contains(&days).then_some(days)
}

pub fn now() -> i64 {
    Timestamp::now().as_second()
}
