//! Signing, behind a trait: the rest of the pipeline sees bytes in and signatures out. [`gpgme`] signs with GnuPG,
//! [`key`] makes, shows and judges keys, [`verify`] checks signatures, [`packets`] reads what GnuPG does not tell.

mod agent;
pub mod gpgme;
pub mod home;
pub mod key;
pub mod packets;
pub mod testing;
pub mod verify;

/// Makes the signatures of a generation.
pub trait Signer: Sync {
    /// An InRelease from a Release text (RFC 9580 cleartext signature).
    fn clearsign(&self, text: &[u8]) -> Result<Vec<u8>, SignError>;
    /// An armored detached signature.
    fn detach(&self, bytes: &[u8]) -> Result<Vec<u8>, SignError>;
    /// Full fingerprints of the primary keys it signs with, upper case hex, sorted.
    fn fingerprints(&self) -> Vec<String>;
    /// The public keys it signs with, binary: a keyring for gpgv and apt.
    fn public_keys(&self) -> Result<Vec<u8>, SignError>;
    /// Nothing is to be signed for now: what was started for it may end while something else is done.
    fn rest(&self) {}
}

#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct SignError {
    /// What failed, in the words of gpg where it said something.
    pub message: String,
    /// What to do.
    pub help: String,
}
