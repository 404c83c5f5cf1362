//! Keys that live as long as a test: a home in a temporary directory, and where wanted a clock that stands still, so
//! that signatures come out byte for byte the same.

use super::SignError;
use super::gpgme::GpgSigner;
use super::home::Home;
use super::key::{self, Init, KeyInfo};
use std::path::Path;

/// A key and its home. The home goes when this is dropped.
#[derive(Debug)]
pub struct EphemeralKey {
    // Before the directory: dropping it ends the agent that works in there.
    pub signer: GpgSigner,
    pub info: KeyInfo,
    dir: tempfile::TempDir,
}

impl EphemeralKey {
    /// An ed25519 key that lasts three years. With `faked` (seconds since 1970 UTC) gpg takes that for the time.
    pub fn new(faked: Option<i64>) -> Result<EphemeralKey, SignError> {
        let unusable =
            |e: std::io::Error| SignError { message: format!("no temporary home: {e}"), help: String::new() };
        let dir = tempfile::Builder::new().prefix("debrole-").tempdir().map_err(unusable)?;
        let path = dir.path().join("gnupg");
        drop(Home::create(&path).map_err(unusable)?);
        if let Some(faked) = faked {
            let conf = path.join("gpg.conf");
            let mut text = std::fs::read_to_string(&conf).map_err(unusable)?;
            text.push_str(&format!("faked-system-time {faked}!\n"));
            std::fs::write(&conf, text).map_err(unusable)?;
        }
        let request = Init {
            home: path.clone(),
            user_id: "Test archive key <test@example.org>".into(),
            days: key::DEFAULT_DAYS,
            offline_primary: None,
            passphrase: false,
        };
        let info = key::init(&request).map_err(|diagnostics| SignError {
            message: diagnostics.into_iter().map(|d| d.message).collect::<Vec<_>>().join("; "),
            help: String::new(),
        })?;
        let home = Home::open(&path).map_err(unusable)?;
        let signer = GpgSigner::new(home, vec![info.fingerprint().to_owned()]);
        Ok(EphemeralKey { signer, info, dir })
    }

    /// The GNUPGHOME.
    pub fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("gnupg")
    }

    /// A directory that lives as long as the key, for what belongs to it.
    pub fn scratch(&self) -> &Path {
        self.dir.path()
    }
}
