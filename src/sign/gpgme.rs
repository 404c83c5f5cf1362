//! The signer that GnuPG is behind.

use super::home::Home;
use super::{SignError, Signer, packets};
use std::sync::OnceLock;

use gpgme::{Context, ExportMode, HashAlgorithm, Key, SignMode};

/// Signs with one or more keys of one home. Two keys are signed with during a rotation: apt is content when it knows
/// one of them.
#[derive(Debug)]
pub struct GpgSigner {
    home: Home,
    /// Primary fingerprints, upper case hex, sorted.
    fingerprints: Vec<String>,
    /// The keys themselves, looked up once.
    keys: OnceLock<Vec<Key>>,
    /// Their public halves, exported once.
    public: OnceLock<Vec<u8>>,
}

impl GpgSigner {
    /// `fingerprints`: full fingerprints of primary keys whose secret part (or that of a signing subkey) is in the
    /// home. [`super::key::choose`] finds and judges them.
    pub fn new(home: Home, mut fingerprints: Vec<String>) -> GpgSigner {
        fingerprints.sort();
        fingerprints.dedup();
        GpgSigner { home, fingerprints, keys: OnceLock::new(), public: OnceLock::new() }
    }

    /// The same for one key that has been looked up already, with its secret half, and exported.
    pub(super) fn of_key(home: Home, key: Key, public: Vec<u8>) -> GpgSigner {
        let fingerprints = vec![key.fingerprint().unwrap_or_default().to_owned()];
        GpgSigner { home, fingerprints, keys: OnceLock::from(vec![key]), public: OnceLock::from(public) }
    }

    pub fn home(&self) -> &Home {
        &self.home
    }

    fn context(&self) -> Result<Context, SignError> {
        self.home.start_agent()?;
        let mut context = self.home.context()?;
        let keys = match self.keys.get() {
            Some(keys) => keys,
            None => {
                let found = self.fingerprints.iter().map(|f| secret_key(&mut context, f)).collect::<Result<_, _>>()?;
                self.keys.get_or_init(|| found)
            }
        };
        for key in keys {
            context.add_signer(key).map_err(|e| failed("The key can't be used for signing", e))?;
        }
        Ok(context)
    }

    fn sign(&self, mode: SignMode, bytes: &[u8]) -> Result<Vec<u8>, SignError> {
        let mut context = self.context()?;
        context.set_armor(true);
        context.set_text_mode(false);
        let mut out = Vec::new();
        let result = context.sign(mode, bytes, &mut out).map_err(|e| failed("gpg did not sign", e))?;
        let mut made = 0;
        for signature in result.new_signatures() {
            made += 1;
            if matches!(
                signature.hash_algorithm(),
                HashAlgorithm::Md2 | HashAlgorithm::Md5 | HashAlgorithm::Sha1 | HashAlgorithm::RipeMd160
            ) {
                return Err(SignError {
                    message: format!("gpg signed with {}, which apt rejects", signature.hash_algorithm()),
                    help: format!(
                        "Write \"personal-digest-preferences SHA512\" into {}.",
                        self.home.path().join("gpg.conf").display()
                    ),
                });
            }
        }
        if made != self.fingerprints.len() {
            return Err(SignError {
                message: format!("gpg made {made} signatures where {} were asked for", self.fingerprints.len()),
                help: "See \"debrole key show\" for keys that can't sign.".into(),
            });
        }
        Ok(out)
    }
}

impl Signer for GpgSigner {
    fn clearsign(&self, text: &[u8]) -> Result<Vec<u8>, SignError> {
        self.sign(SignMode::Clear, text)
    }
    fn detach(&self, bytes: &[u8]) -> Result<Vec<u8>, SignError> {
        self.sign(SignMode::Detached, bytes)
    }
    fn fingerprints(&self) -> Vec<String> {
        self.fingerprints.clone()
    }
    fn public_keys(&self) -> Result<Vec<u8>, SignError> {
        if let Some(public) = self.public.get() {
            return Ok(public.clone());
        }
        let exported = export(&self.home, &self.fingerprints, false)?;
        Ok(self.public.get_or_init(|| exported).clone())
    }
    fn rest(&self) {
        self.home.dismiss_agent();
    }
}

/// The key by its *full* fingerprint, with its secret part: gpg's `-u ed` would also take `ed2`.
pub(super) fn secret_key(context: &mut Context, fingerprint: &str) -> Result<Key, SignError> {
    context.get_secret_key(fingerprint).map_err(|e| SignError {
        message: format!("The secret key {fingerprint} can't be found: {}", e.description()),
        help: "Put its home back, or make a new key by \"debrole key init\".".into(),
    })
}

/// The public keys with these fingerprints in one piece, stripped to what verifying needs.
pub(super) fn export(home: &Home, fingerprints: &[String], armored: bool) -> Result<Vec<u8>, SignError> {
    let mut context = home.context()?;
    context.set_armor(armored);
    let mut out = Vec::new();
    context
        .export(fingerprints.iter().map(String::as_str), ExportMode::MINIMAL, &mut out)
        .map_err(|e| failed("The public key can't be exported", e))?;
    // gpg passes over what it doesn't have.
    if out.is_empty() || (!armored && packets::primary_keys(&out) != fingerprints.len()) {
        return Err(SignError {
            message: format!("{} does not hold the public key {}", home.path().display(), fingerprints.join(" and ")),
            help: "Put its home back, or make a new key by \"debrole key init\".".into(),
        });
    }
    Ok(out)
}

/// An error of GnuPG as ours, with the remedy where the cause is known.
pub(super) fn failed(what: &str, error: gpgme::Error) -> SignError {
    use gpgme::Error as E;
    let code = error.code();
    let help = if code == E::CANCELED.code() || code == E::NO_PIN_ENTRY.code() || code == E::BAD_PASSPHRASE.code() {
        "The key has a passphrase and nobody gave it: unlock it in a running gpg-agent, or use a signing subkey \
         without one (\"debrole key init --offline-primary\")."
    } else if code == E::UNUSABLE_SECKEY.code() || code == E::KEY_EXPIRED.code() || code == E::NO_SECKEY.code() {
        "See \"debrole key show\" for what is wrong with the key."
    } else {
        "See that gpg and gpg-agent are installed and that the key's home can be written to."
    };
    SignError { message: format!("{what}: {}", error.description()), help: help.into() }
}
