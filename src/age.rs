//! The header of a file that age(1) encrypted (https://age-encryption.org/v1): to whom. It is read to tell who can
//! decrypt it; what is encrypted is age's own business.

use crate::ssh_key::{self, PublicKey};
use sha2::{Digest, Sha256};

const MAGIC: &str = "age-encryption.org/v1";
/// The longest header that is read, in bytes: a stanza for a machine has about 140.
const LONGEST_HEADER: usize = 4 << 20;

/// The digits of the header's last line, which are base64 of 32 bytes; what follows is at least a nonce and a tag of 16
/// bytes each.
const MAC_DIGITS: usize = 43;
const LEAST_PAYLOAD: usize = 32;

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
    let mut lines = bytes[..bytes.len().min(LONGEST_HEADER)].split_inclusive(|b| *b == b'\n').peekable();
    let line_of = |line: &'_ [u8]| std::str::from_utf8(line).map(|line| line.trim_end_matches('\n').to_owned());
    let mut read = 0;
    if lines.peek().map(|line| line_of(line)) != Some(Ok(MAGIC.to_owned())) {
        return Err(format!("it does not begin with \"{MAGIC}\""));
    }
    for line in lines {
        read += line.len();
        let Ok(line) = line_of(line) else { return Err("its header is cut off".into()) };
        if let Some(mac) = line.strip_prefix("--- ") {
            return match bytes.len() - read {
                _ if found.is_empty() => Err("it is encrypted to nobody".into()),
                after if mac.len() != MAC_DIGITS || after < LEAST_PAYLOAD => Err("it is cut off".into()),
                _ => Ok(found),
            };
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
            "{MAGIC}\n-> ssh-ed25519 {} c2hhcmU\nYm9keQ\n-> X25519 c2hhcmU\nYm9keQ\n-> a-grease x\n\n--- {}\n{}",
            recipient.tag,
            "A".repeat(43),
            "\u{1}".repeat(32)
        );
        let x25519 = Recipient { kind: "X25519".into(), tag: String::new() };
        assert_eq!(recipients(file.as_bytes()).unwrap(), [recipient.clone(), x25519]);
        for (broken, why) in [
            ("", "begin"),
            ("-----BEGIN AGE ENCRYPTED FILE-----\n", "begin"),
            (&file[..40], "no end"),
            (&file[..file.len() - 1], "cut off"),
            (&file[..file.len() - 32], "cut off"),
            (&file[..file.len() - 40], "cut off"),
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
