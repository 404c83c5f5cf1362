//! The header of a file that age(1) encrypted (https://age-encryption.org/v1): to whom. It is read to tell who can
//! decrypt it; what is encrypted is age's own business.

use crate::ssh_key::{self, PublicKey};
use sha2::{Digest, Sha256};

const MAGIC: &str = "age-encryption.org/v1";
/// The longest header that is read, in bytes: a stanza for a machine has about 140.
const LONGEST_HEADER: usize = 4 << 20;

/// One of those to whom a file is encrypted, as far as its header tells.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Recipient {
    /// `ssh-ed25519`, `ssh-rsa`, or another of age's kinds (`X25519`, `scrypt`).
    pub kind: String,
    /// Of an SSH key the first 32 bits of its SHA-256, in base64; else empty: nothing tells which key it is.
    pub tag: String,
}

impl Recipient {
    /// None for a key of a kind that age does not encrypt to.
    pub fn of(key: &PublicKey) -> Option<Recipient> {
        let kind = takes(key).then(|| key.kind().to_owned())?;
        let digest = Sha256::digest(ssh_key::decode(key.base64())?);
        Some(Recipient { kind, tag: ssh_key::encode(&digest[..4]).trim_end_matches('=').to_owned() })
    }
}

/// Whether age encrypts to keys of this kind: neither to ECDSA nor to security keys.
pub fn takes(key: &PublicKey) -> bool {
    matches!(key.kind(), "ssh-ed25519" | "ssh-rsa")
}

/// To whom a file is encrypted, in the order of its header. The error is a sentence.
pub fn recipients(bytes: &[u8]) -> Result<Vec<Recipient>, String> {
    let mut found = Vec::new();
    let mut lines = bytes[..bytes.len().min(LONGEST_HEADER)].split(|b| *b == b'\n').map(std::str::from_utf8);
    if lines.next() != Some(Ok(MAGIC)) {
        return Err(format!("it does not begin with \"{MAGIC}\""));
    }
    for line in lines {
        let Ok(line) = line else { return Err("its header is cut off".into()) };
        if line.starts_with("--- ") {
            return if found.is_empty() { Err("it is encrypted to nobody".into()) } else { Ok(found) };
        }
        let Some(stanza) = line.strip_prefix("-> ") else { continue };
        let mut words = stanza.split(' ');
        let kind = words.next().unwrap_or_default();
        // What keeps readers from relying on what they know.
        if kind.ends_with("-grease") {
            continue;
        }
        let tag = if kind.starts_with("ssh-") { words.next().unwrap_or_default() } else { "" };
        found.push(Recipient { kind: kind.to_owned(), tag: tag.to_owned() });
    }
    Err("its header has no end".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPUzq3WuJtLpo5rRa28VbMFSI3fhiXMT8vKQSa7knPRP";

    #[test]
    fn the_header_tells_who_can_read_it() {
        let key = PublicKey::parse(KEY).unwrap();
        let recipient = Recipient::of(&key).unwrap();
        let file = format!(
            "{MAGIC}\n-> ssh-ed25519 {} c2hhcmU\nYm9keQ\n-> X25519 c2hhcmU\nYm9keQ\n-> a-grease x\n\n--- bWFj\n\u{1}\u{2}",
            recipient.tag
        );
        let x25519 = Recipient { kind: "X25519".into(), tag: String::new() };
        assert_eq!(recipients(file.as_bytes()).unwrap(), [recipient.clone(), x25519]);
        for (broken, why) in [
            ("", "begin"),
            ("-----BEGIN AGE ENCRYPTED FILE-----\n", "begin"),
            (&file[..40], "no end"),
            ("age-encryption.org/v1\n--- bWFj\n", "nobody"),
        ] {
            assert!(recipients(broken.as_bytes()).unwrap_err().contains(why), "{broken}");
        }
        assert!(recipients(b"age-encryption.org/v1\n-> ssh-ed25519 \xff\n--- x\n").is_err());
    }

    #[test]
    fn age_agrees_about_the_tag() {
        let output = crate::exec::Command::new("age").args(["-r", KEY]).input("x").run();
        match output {
            Ok(output) => {
                assert!(output.success(), "{}", output.stderr_text());
                let key = PublicKey::parse(KEY).unwrap();
                assert_eq!(recipients(&output.stdout).unwrap(), [Recipient::of(&key).unwrap()]);
            }
            Err(error) => assert!(error.is_not_installed(), "{error}"),
        }
    }
}
