//! The life of the archive key: made, shown, judged, exported.

use super::gpgme::{export, failed};
use super::home::Home;
use super::packets;
use super::{SignError, Signer, gpgme::GpgSigner};
use crate::diagnostics::Diagnostic;
use crate::diagnostics::rules;
use crate::scratch::Scratch;
use gpgme::{CreateKeyFlags, ExportMode, KeyAlgorithm};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub const DAY: i64 = 86_400;
/// A key that has fewer days left signs nothing new: machines must have its successor before it expires.
pub const REFUSE_DAYS: i64 = 60;
/// From here on each build says that the key will have to be replaced.
pub const WARN_DAYS: i64 = 120;
/// How long a new key lasts.
pub const DEFAULT_DAYS: u32 = 3 * 365;

/// A key as GnuPG knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    pub user_ids: Vec<String>,
    /// The primary key, then its subkeys.
    pub parts: Vec<KeyPart>,
    /// What binds itself with a broken digest; see [`packets::weak_bindings`].
    pub weak_bindings: Vec<String>,
}

/// A primary key or a subkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPart {
    /// Upper case hex.
    pub fingerprint: String,
    /// gpg's name for it: `ed25519`, `rsa4096`.
    pub algorithm: String,
    /// Seconds since 1970 UTC.
    pub created: i64,
    /// Seconds since 1970 UTC; None: never.
    pub expires: Option<i64>,
    pub revoked: bool,
    pub can_certify: bool,
    pub can_sign: bool,
    /// Its secret half is in the home.
    pub secret: bool,
    /// What apt has against its algorithm.
    pub weakness: Option<String>,
}

impl KeyPart {
    /// Whether it can make a signature at that time.
    fn signs(&self, now: i64) -> bool {
        self.can_sign && self.secret && !self.revoked && self.expires.is_none_or(|expires| expires > now)
    }
}

impl KeyInfo {
    pub fn primary(&self) -> &KeyPart {
        &self.parts[0]
    }
    pub fn fingerprint(&self) -> &str {
        &self.primary().fingerprint
    }
    /// When signatures stop: the primary's expiry, or that of the last part that can sign, whichever is first.
    pub fn expires(&self) -> Option<i64> {
        let signing = self.parts.iter().filter(|p| p.can_sign && p.secret && !p.revoked);
        let last_signing = signing.map(|p| p.expires.unwrap_or(i64::MAX)).max().unwrap_or(i64::MAX);
        let first = last_signing.min(self.primary().expires.unwrap_or(i64::MAX));
        (first != i64::MAX).then_some(first)
    }
    /// Whole days until [`KeyInfo::expires`]; negative when past.
    pub fn days_left(&self, now: i64) -> Option<i64> {
        Some((self.expires()? - now).div_euclid(DAY))
    }
    /// The primary's secret half is kept elsewhere.
    pub fn offline_primary(&self) -> bool {
        !self.primary().secret && self.parts.iter().any(|part| part.secret)
    }

    /// All that stands against publishing with this key, and what will soon.
    pub fn judge(&self, now: i64) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let fingerprint = self.fingerprint();
        let renew = "Make a new key and let machines have both for a while (SECURITY.md, \"Rotation\"), or extend this \
                     one where its primary key is: gpg --quick-set-expire FINGERPRINT 3y.";
        if self.primary().revoked {
            found.push(
                Diagnostic::new(&rules::key_revoked::RULE, format!("the archive key {fingerprint} is revoked"))
                    .help("make a new key by `debrole key init` in an empty home"),
            );
        }
        for part in &self.parts {
            if let Some(weakness) = &part.weakness
                && (part.can_sign || part.can_certify)
            {
                found.push(
                    Diagnostic::new(
                        &rules::key_weak::RULE,
                        format!("the key {} is {}: {weakness}", part.fingerprint, part.algorithm),
                    )
                    .help("use ed25519, which `debrole key init` makes"),
                );
            }
        }
        if !self.weak_bindings.is_empty() {
            found.push(
                Diagnostic::new(
                    &rules::key_weak::RULE,
                    format!("the key {fingerprint} signs itself with a broken digest: {}", self.weak_bindings.join(", ")),
                )
                .help("sign it anew with SHA-512 (gpg --cert-digest-algo SHA512 --quick-set-expire FINGERPRINT 3y), or make a new key")
                .note("apt of Debian 13 rejects SHA-1 self-signatures since February 2026."),
            );
        }
        let signing: Vec<&KeyPart> = self.parts.iter().filter(|p| p.can_sign).collect();
        let expired = |part: &KeyPart| part.expires.is_some_and(|expires| expires <= now);
        if expired(self.primary()) || (!signing.is_empty() && signing.iter().all(|part| expired(part))) {
            let when = self.expires().or(self.primary().expires).unwrap_or(now);
            found.push(
                Diagnostic::new(
                    &rules::key_expired::RULE,
                    format!("the archive key {fingerprint} expired on {}", date(when)),
                )
                .help(renew),
            );
        } else if !signing.iter().any(|part| part.signs(now)) {
            found.push(
                Diagnostic::new(
                    &rules::key_secret_absent::RULE,
                    format!("no part of the archive key {fingerprint} can sign here: the secret half is absent"),
                )
                .help("import the secret signing key into keys/private (gpg --homedir keys/private --import FILE)"),
            );
        } else if let Some(days) = self.days_left(now) {
            let when = date(self.expires().unwrap_or(now));
            if days < REFUSE_DAYS {
                found.push(
                    Diagnostic::new(
                        &rules::key_expiring::RULE,
                        format!(
                            "the archive key {fingerprint} expires on {when}, in {days} days: too late to replace it \
                             calmly, so nothing more is published with it"
                        ),
                    )
                    .help(renew),
                );
            } else if days < WARN_DAYS {
                found.push(
                    Diagnostic::new(
                        &rules::key_expires_soon::RULE,
                        format!("the archive key {fingerprint} expires on {when}, in {days} days"),
                    )
                    .help(renew)
                    .note(format!("from {REFUSE_DAYS} days before on, nothing is published with it")),
                );
            }
        }
        found
    }
}

/// A day as in Debian's changelogs: 2026-11-22.
fn date(time: i64) -> String {
    jiff::Timestamp::from_second(time).map_or_else(|_| time.to_string(), |t| t.strftime("%Y-%m-%d").to_string())
}

fn seconds(time: Option<SystemTime>) -> Option<i64> {
    time.and_then(|t| t.duration_since(UNIX_EPOCH).ok()).map(|d| d.as_secs() as i64)
}

fn weakness(subkey: &gpgme::Subkey<'_>) -> Option<String> {
    let curve = subkey.curve().unwrap_or_default();
    match subkey.algorithm() {
        KeyAlgorithm::Rsa | KeyAlgorithm::RsaSign => {
            (subkey.length() < 2048).then(|| "apt of Debian 13 rejects RSA below 2048 bits".into())
        }
        KeyAlgorithm::Eddsa | KeyAlgorithm::Ecdsa | KeyAlgorithm::Ecc => {
            // gpg's own names; it writes the same curve as "Ed25519" and "ed25519".
            let accepted = ["ed25519", "nistp256", "nistp384", "nistp521", "NIST P-256", "NIST P-384", "NIST P-521"];
            (!accepted.iter().any(|name| name.eq_ignore_ascii_case(curve)))
                .then(|| format!("apt of Debian 13 rejects the curve {curve}"))
        }
        KeyAlgorithm::Dsa => Some("apt of Debian 13 rejects DSA".into()),
        _ => None,
    }
}

/// The keys of a home that have a secret part in it, sorted by fingerprint.
pub fn secret_keys(home: &Home) -> Result<Vec<KeyInfo>, SignError> {
    Ok(held(home)?.into_iter().map(|held| held.info).collect())
}

/// A key with a secret part in a home.
struct Held {
    info: KeyInfo,
    key: gpgme::Key,
    /// Its public half, binary.
    public: Vec<u8>,
}

fn held(home: &Home) -> Result<Vec<Held>, SignError> {
    home.start_agent()?;
    let mut context = home.context()?;
    let keys: Vec<gpgme::Key> =
        context.secret_keys().map_err(|e| failed("The keys can't be listed", e))?.filter_map(Result::ok).collect();
    let mut found = Vec::new();
    for key in keys {
        let parts: Vec<KeyPart> = key
            .subkeys()
            .map(|subkey| KeyPart {
                fingerprint: subkey.fingerprint().unwrap_or_default().to_owned(),
                algorithm: subkey.algorithm_name().unwrap_or_default(),
                created: seconds(subkey.creation_time()).unwrap_or(0),
                expires: if subkey.never_expires() { None } else { seconds(subkey.expiration_time()) },
                revoked: subkey.is_revoked(),
                can_certify: subkey.can_certify(),
                can_sign: subkey.can_sign(),
                secret: subkey.is_secret(),
                weakness: weakness(&subkey),
            })
            .collect();
        let Some(primary) = parts.first() else { continue };
        let public = export(home, std::slice::from_ref(&primary.fingerprint), false)?;
        let info = KeyInfo {
            user_ids: key.user_ids().map(|u| u.id().unwrap_or_default().to_owned()).collect(),
            weak_bindings: packets::weak_bindings(&public),
            parts,
        };
        found.push(Held { info, key, public });
    }
    found.sort_by(|a, b| a.info.fingerprint().cmp(b.info.fingerprint()));
    Ok(found)
}

/// Opens a home, with what is wrong with it as a diagnostic.
pub fn open_home(path: &Path) -> Result<Home, Box<Diagnostic>> {
    if !path.is_dir() {
        return Err(Box::new(
            Diagnostic::new(
                &rules::key_missing::RULE,
                format!("there is no archive key: {} is absent", path.display()),
            )
            .help("make one by `debrole key init`, or put the home of the existing one there"),
        ));
    }
    let unusable = |e: std::io::Error| {
        Box::new(
            Diagnostic::new(
                &rules::signing_failed::RULE,
                format!("the key's home {} can't be opened: {e}", path.display()),
            )
            .help("run debrole as the user to whom the home belongs"),
        )
    };
    let home = Home::open(path).map_err(unusable)?;
    if let Some(wrong) = home.wrong_permissions().map_err(unusable)? {
        let shown = path.display();
        return Err(Box::new(if wrong.owner != wrong.us {
            Diagnostic::new(
                &rules::key_home_permissions::RULE,
                format!("{shown} belongs to uid {}, debrole runs as uid {}", wrong.owner, wrong.us),
            )
            .help("run debrole as the user to whom the home belongs")
        } else {
            Diagnostic::new(
                &rules::key_home_permissions::RULE,
                format!("{shown} has mode {:04o}: others can get at the archive's private key", wrong.mode),
            )
            .help(format!("chmod 0700 {shown}"))
        }));
    }
    Ok(home)
}

/// The key to publish with.
#[derive(Debug)]
pub struct Chosen {
    pub signer: GpgSigner,
    pub key: KeyInfo,
    /// What will stand against it soon.
    pub warnings: Vec<Diagnostic>,
}

/// Opens the home and takes its key: the one with the full fingerprint `pinned`, or the only one. Refuses a key that
/// apt would reject now or soon; every reason is reported.
pub fn choose(
    path: &Path,
    pinned: Option<&crate::source::Spanned<String>>,
    now: i64,
) -> Result<Chosen, Vec<Diagnostic>> {
    let home = open_home(path).map_err(|d| vec![*d])?;
    let mut keys = held(&home).map_err(|e| vec![diagnostic(&e)])?;
    let list = |keys: &[Held]| {
        let shown = |held: &Held| format!("{} ({})", held.info.fingerprint(), held.info.user_ids.join(", "));
        keys.iter().map(shown).collect::<Vec<_>>().join("; ")
    };
    let key = match pinned {
        None if keys.len() > 1 => {
            return Err(vec![
                Diagnostic::new(
                    &rules::key_ambiguous::RULE,
                    format!("{} holds {} secret keys and debrole.toml names none", path.display(), keys.len()),
                )
                .help("name one: `key = \"FINGERPRINT\"` under [fleet] in debrole.toml")
                .note(format!("there are: {}", list(&keys))),
            ]);
        }
        None => keys.pop(),
        Some(pinned) => {
            let there = list(&keys);
            let found = keys.into_iter().find(|held| held.info.fingerprint() == pinned.value);
            if found.is_none() && !there.is_empty() {
                return Err(vec![
                    Diagnostic::new(
                        &rules::key_fingerprint_mismatch::RULE,
                        format!("{} does not hold the archive key that debrole.toml names", path.display()),
                    )
                    .at(pinned.span, "this fingerprint")
                    .help("put the right home there, or correct the fingerprint")
                    .note(format!("there are: {there}")),
                ]);
            }
            found
        }
    };
    let Some(Held { info, key, public }) = key else {
        return Err(vec![
            Diagnostic::new(&rules::key_missing::RULE, format!("there is no secret key in {}", path.display()))
                .help("make one by `debrole key init`, or import the existing one"),
        ]);
    };
    let (errors, warnings): (Vec<_>, Vec<_>) = info.judge(now).into_iter().partition(Diagnostic::is_error);
    if errors.is_empty() {
        Ok(Chosen { signer: GpgSigner::of_key(home, key, public), key: info, warnings })
    } else {
        Err(errors)
    }
}

/// Whether machines could go on with what `signer` signs: `keyring` is what they will have, `published` (None before
/// the first publish) what they have, signed by `signed_by`. Else no machine could read the archive any more.
pub fn judge_keyring(
    signer: &GpgSigner,
    keyring: &[u8],
    published: Option<&[u8]>,
    signed_by: &[String],
) -> Result<(), Vec<Diagnostic>> {
    let key = signer.public_keys().map_err(|e| vec![diagnostic(&e)])?;
    let names = signer.fingerprints().join(" and ");
    if !packets::holds(keyring, &key) {
        return Err(vec![
            Diagnostic::new(
                &rules::keyring_unsound::RULE,
                format!("keys/*.gpg does not hold the key {names}, with all its subkeys, that signs"),
            )
            .in_file("keys")
            .help(
                "debrole key export --renew, after moving away what is in keys/*.gpg (but for the keys of a rotation)",
            )
            .note("no machine could read an archive that is signed with a key that its keyring lacks"),
        ]);
    }
    let outdated = outdated(&key, keyring);
    if !outdated.is_empty() {
        return Err(outdated);
    }
    let known = published.is_none_or(|published| packets::holds(published, &key));
    // One that signed before and was not in the keyring even then: to mend that is what the build is for.
    let mends = signer.fingerprints().iter().any(|f| signed_by.contains(f)) && !known && {
        let primary = packets::first(&key);
        published.is_some_and(|published| !packets::holds(published, primary))
    };
    if known || mends {
        return Ok(());
    }
    Err(vec![
        Diagnostic::new(
            &rules::key_unknown_to_machines::RULE,
            format!("machines do not have the key {names} (or a subkey of it) yet, so they would refuse what it signs"),
        )
        .in_file("keys")
        .help("put the old key back into keys/private (and name it: `key` under [fleet]), keep both public keys in keys/*.gpg, and build; sign with the new key when all machines have that keyring")
        .help("if the old key is lost, every machine has to join anew: publish into an empty directory with --first-publish"),
    ])
}

/// Where a public key in `keyring`, which machines get, says another expiry than the secret key's home (`own`: its
/// public half, binary). Extended in one place, it has to arrive in the other.
pub fn outdated(own: &[u8], keyring: &[u8]) -> Vec<Diagnostic> {
    let public = packets::expiries(keyring);
    let when = |expires: Option<i64>| expires.map_or("never".to_owned(), |at| format!("on {}", date(at)));
    let differing = packets::expiries(own).into_iter().filter_map(|(part, here)| {
        let there = *public.get(part)?;
        (here != there).then_some((here, there))
    });
    let told = differing.map(|(here, there)| {
        let later_here = here.unwrap_or(i64::MAX) > there.unwrap_or(i64::MAX);
        Diagnostic::new(
            &rules::keyring_outdated::RULE,
            format!(
                "by keys/*.gpg the archive key expires {}, by the home of its secret half {}",
                when(there),
                when(here)
            ),
        )
        .in_file("keys")
        .help(match later_here {
            true => "debrole key export --renew",
            false => "gpg --homedir keys/private --import keys/archive-keyring.gpg",
        })
        .note("machines go by what they get from keys/*.gpg; debrole judges the key by its home")
    });
    told.collect()
}

/// A failure of GnuPG as a diagnostic.
pub fn diagnostic(error: &SignError) -> Diagnostic {
    Diagnostic::new(&rules::signing_failed::RULE, error.message.clone()).help(error.help.clone())
}

/// The public half, for keys/ and the keyring package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    pub binary: Vec<u8>,
    pub armored: Vec<u8>,
}

/// Exports the public half of the keys with these fingerprints, stripped of other people's signatures.
pub fn export_public(home: &Home, fingerprints: &[String]) -> Result<PublicKey, SignError> {
    Ok(PublicKey { binary: export(home, fingerprints, false)?, armored: export(home, fingerprints, true)? })
}

/// What `key init` makes.
#[derive(Debug, Clone)]
pub struct Init {
    pub home: PathBuf,
    /// `Example Project archive key <sysadmins@example.org>`.
    pub user_id: String,
    /// Days until it expires.
    pub days: u32,
    /// Keep the primary key away from the publishing machine: its secret half (with the subkey's) goes into this new
    /// file, and only a signing subkey stays.
    pub offline_primary: Option<PathBuf>,
    /// Have gpg-agent ask for a passphrase for the primary key. A signing subkey never has one: it must work at
    /// night.
    pub passphrase: bool,
}

/// Makes an ed25519 key in its home: a primary that certifies and signs, or with `offline_primary` one that certifies
/// and a subkey that signs.
pub fn init(request: &Init) -> Result<KeyInfo, Vec<Diagnostic>> {
    if request.home.is_dir() {
        let home = open_home(&request.home).map_err(|d| vec![*d])?;
        let keys = secret_keys(&home).map_err(|e| vec![diagnostic(&e)])?;
        if let Some(key) = keys.first() {
            return Err(vec![
                Diagnostic::new(
                    &rules::key_exists::RULE,
                    format!("{} already holds the key {}", request.home.display(), key.fingerprint()),
                )
                .help("use it (`debrole key show`), or name another home"),
            ]);
        }
    }
    if let Some(file) = &request.offline_primary
        && file.exists()
    {
        return Err(vec![
            Diagnostic::new(&rules::key_exists::RULE, format!("{} is there already", file.display()))
                .help("name a new file for the primary key: one that is there is never written over"),
        ]);
    }
    let home = Home::create(&request.home).map_err(|e| {
        vec![
            Diagnostic::new(
                &rules::signing_failed::RULE,
                format!("the key's home {} can't be made: {e}", request.home.display()),
            )
            .help("choose a directory that you may write to"),
        ]
    })?;
    make(&home, request).map_err(|e| vec![diagnostic(&e)])
}

fn make(home: &Home, request: &Init) -> Result<KeyInfo, SignError> {
    home.start_agent()?;
    let mut context = home.context()?;
    let lasts = Duration::from_secs(u64::from(request.days) * DAY as u64);
    let silent = if request.passphrase { CreateKeyFlags::empty() } else { CreateKeyFlags::NOPASSWD };
    let use_for = match request.offline_primary {
        None => CreateKeyFlags::CERT | CreateKeyFlags::SIGN,
        Some(_) => CreateKeyFlags::CERT,
    };
    let made = context
        .create_key_with_flags(request.user_id.as_str(), "ed25519", lasts, use_for | silent)
        .map_err(|e| failed("gpg did not make the key", e))?;
    let fingerprint = made.fingerprint().unwrap_or_default().to_owned();
    if let Some(file) = &request.offline_primary {
        let key = context.get_secret_key(fingerprint.as_str()).map_err(|e| failed("The new key is not there", e))?;
        context
            .create_subkey_with_flags(&key, "ed25519", lasts, CreateKeyFlags::SIGN | CreateKeyFlags::NOPASSWD)
            .map_err(|e| failed("gpg did not make the signing subkey", e))?;
        take_primary_away(home, &fingerprint, file)?;
    }
    let keys = secret_keys(home)?;
    keys.into_iter().find(|key| key.fingerprint() == fingerprint).ok_or_else(|| SignError {
        message: format!("gpg made the key {fingerprint}, but it is not in {}", home.path().display()),
        help: "See that the disk is not full.".into(),
    })
}

/// Writes the secret key to a new file, proves that the file holds it, and removes the primary's half from the home.
fn take_primary_away(home: &Home, fingerprint: &str, file: &Path) -> Result<(), SignError> {
    let io = |e: std::io::Error| SignError {
        message: format!("{} can't be written: {e}", file.display()),
        help: "Name a file in a directory that you may write to.".into(),
    };
    let mut context = home.context()?;
    context.set_armor(true);
    let mut secret = Vec::new();
    context
        .export([fingerprint], ExportMode::SECRET, &mut secret)
        .map_err(|e| failed("The secret key can't be exported", e))?;
    let mut out = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(io)?;
    out.write_all(&secret).and_then(|()| out.sync_all()).map_err(io)?;

    let dir = Scratch::new().map_err(io)?;
    let proof = Home::open_to_change(dir.path()).map_err(io)?;
    let mut there = proof.context()?;
    there.import(std::fs::read(file).map_err(io)?).map_err(|e| failed("The exported key can't be read back", e))?;
    let copy = secret_keys(&proof)?;
    if !copy.iter().any(|key| key.fingerprint() == fingerprint && key.primary().secret) {
        return Err(SignError {
            message: format!("{} does not hold the primary key's secret half", file.display()),
            help: "The key is still whole in its home. Remove the file and try again.".into(),
        });
    }

    let key = context.get_secret_key(fingerprint).map_err(|e| failed("The new key is not there", e))?;
    let keygrip = key.primary_key().and_then(|p| p.keygrip().ok()).unwrap_or_default().to_owned();
    let private = home.path().join("private-keys-v1.d").join(format!("{keygrip}.key"));
    std::fs::remove_file(&private).map_err(|e| SignError {
        message: format!("The primary key's secret half could not be removed: {}: {e}", private.display()),
        help: "Remove the file by hand.".into(),
    })
}
