//! Checking signatures: in a home of its own that knows only the keys that are meant, and by gpgv where it is
//! installed (a judge that shares nothing with the signing side but the key).

use super::SignError;
use super::gpgme::failed;
use super::home::Home;
use crate::scratch::Scratch;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Knows a set of public keys, and nothing else.
#[derive(Debug)]
pub struct Verifier {
    /// Dropped before the directory that it is in.
    home: Home,
    _dir: Scratch,
}

impl Verifier {
    /// `public_keys`: binary or armored.
    pub fn new(public_keys: &[u8]) -> Result<Verifier, SignError> {
        let (dir, home) = ephemeral()?;
        let mut context = home.context()?;
        let result = context.import(public_keys).map_err(|e| failed("The archive key can't be read", e))?;
        if result.imports().next().is_none() {
            return Err(SignError {
                message: "There is no OpenPGP key in what should be the archive key".into(),
                help: "Export it again by \"debrole key export\".".into(),
            });
        }
        Ok(Verifier { home, _dir: dir })
    }

    /// Checks a detached signature; returns the fingerprints of the keys (subkeys, where one signed) that made the
    /// good ones. One good signature is enough, as it is for apt; a bad one is always an error.
    pub fn detached(&self, signature: &[u8], bytes: &[u8]) -> Result<Vec<String>, SignError> {
        let mut context = self.home.context()?;
        let result = context.verify_detached(signature, bytes).map_err(|e| failed("The signature can't be read", e))?;
        good(&result)
    }

    /// Checks a cleartext signature; returns the text that is signed.
    pub fn cleartext(&self, signed: &[u8]) -> Result<Vec<u8>, SignError> {
        let mut context = self.home.context()?;
        let mut text = Vec::new();
        let result = context.verify_opaque(signed, &mut text).map_err(|e| failed("The signature can't be read", e))?;
        good(&result)?;
        Ok(text)
    }
}

fn ephemeral() -> Result<(Scratch, Home), SignError> {
    let unusable = |e: std::io::Error| SignError {
        message: format!("No temporary directory can be made for GnuPG: {e}"),
        help: "Make room in the directory for temporary files.".into(),
    };
    let dir = Scratch::new().map_err(unusable)?;
    let home = Home::open_to_change(dir.path()).map_err(unusable)?;
    Ok((dir, home))
}

fn good(result: &gpgme::VerificationResult) -> Result<Vec<String>, SignError> {
    let mut good = Vec::new();
    let mut unknown = Vec::new();
    for signature in result.signatures() {
        let fingerprint = signature.fingerprint().unwrap_or("unknown").to_owned();
        match signature.status() {
            Ok(()) => good.push(fingerprint),
            Err(e) if e.code() == gpgme::Error::NO_PUBKEY.code() => unknown.push(fingerprint),
            Err(e) => {
                return Err(SignError {
                    message: format!("The signature by {fingerprint} is not good: {}", e.description()),
                    help: "Don't use these files: find out who changed them.".into(),
                });
            }
        }
    }
    if good.is_empty() {
        return Err(SignError {
            message: match unknown.as_slice() {
                [] => "There is no signature".into(),
                _ => format!("Signed by {}, which is not the archive key", unknown.join(" and ")),
            },
            help: "Check that keys/ holds the key of this repository.".into(),
        });
    }
    Ok(good)
}

/// Checks `signature` over `file`, or a cleartext signature where `file` is None, against these public keys: by gpgv,
/// which takes a few milliseconds, or where there is none by GnuPG.
pub fn file(public_keys: &[u8], signature: &Path, file: Option<&Path>) -> Result<(), SignError> {
    let unreadable = |path: &Path, e: std::io::Error| SignError {
        message: format!("{} can't be read: {e}", path.display()),
        help: "Put the file back.".into(),
    };
    if let Ok(Some(gpgv)) = Gpgv::find(public_keys) {
        return gpgv.check(signature, file).map_err(|said| SignError {
            message: reason(&said).to_owned(),
            help: "Don't use these files: find out who changed them.".into(),
        });
    }
    let signed = std::fs::read(signature).map_err(|e| unreadable(signature, e))?;
    let verifier = Verifier::new(public_keys)?;
    match file {
        None => verifier.cleartext(&signed).map(drop),
        Some(file) => {
            let bytes = std::fs::read(file).map_err(|e| unreadable(file, e))?;
            verifier.detached(&signed, &bytes).map(drop)
        }
    }
}

/// The line of what gpgv said that says why.
fn reason(said: &str) -> &str {
    let line = |wanted: &str| said.lines().find(|line| line.contains(wanted));
    let found = line("BAD signature").or_else(|| line("Can't check signature")).or_else(|| line("can't open"));
    found.or_else(|| said.lines().next_back()).map_or("gpgv gave no reason", |line| line.trim_start_matches("gpgv: "))
}

/// The name of the file with the public keys.
const KEYRING: &str = "keyring.gpg";

/// gpgv, where it is installed.
#[derive(Debug)]
pub struct Gpgv {
    directory: Scratch,
}

impl Gpgv {
    /// None where there is no gpgv in PATH.
    pub fn find(public_keys: &[u8]) -> std::io::Result<Option<Gpgv>> {
        let Some(paths) = std::env::var_os("PATH") else { return Ok(None) };
        if !std::env::split_paths(&paths).any(|dir| dir.join("gpgv").is_file()) {
            return Ok(None);
        }
        let directory = Scratch::new()?;
        std::fs::write(directory.path().join(KEYRING), public_keys)?;
        Ok(Some(Gpgv { directory }))
    }

    /// Checks `signature` over `file`, or a cleartext signature where `file` is None. The error is what gpgv said.
    pub fn check(&self, signature: &Path, file: Option<&Path>) -> Result<(), String> {
        let absolute = |p: &Path| -> PathBuf { std::path::absolute(p).unwrap_or_else(|_| p.into()) };
        let mut command = Command::new("gpgv");
        command.arg("--keyring").arg(self.directory.path().join(KEYRING)).arg(absolute(signature));
        if let Some(file) = file {
            command.arg(absolute(file));
        }
        let output = command.stdin(Stdio::null()).output().map_err(|e| format!("gpgv can't be run: {e}"))?;
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()) }
    }
}
