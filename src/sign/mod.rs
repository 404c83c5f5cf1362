//! Signing, behind a trait: the rest of the pipeline sees bytes in and signatures out.

/// Makes the signatures of a generation.
pub trait Signer: Sync {
    /// An InRelease from a Release text (RFC 9580 cleartext signature).
    fn clearsign(&self, text: &[u8]) -> Result<Vec<u8>, SignError>;
    /// An armored detached signature.
    fn detach(&self, bytes: &[u8]) -> Result<Vec<u8>, SignError>;
    /// Full fingerprints of the primary keys it signs with, upper case hex.
    fn fingerprints(&self) -> Vec<String>;
}

#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SignError {
    /// What failed, in the words of gpg where it said something.
    pub message: String,
    /// What to do.
    pub help: String,
}
