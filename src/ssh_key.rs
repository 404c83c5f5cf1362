//! Public keys of SSH, as in authorized_keys(5) and ssh_host_*_key.pub: read strictly. `ssh-keygen -l` lets pass what
//! sshd acts on (options, certificates as authorities) and what it can't use; here only a plain key does, of a type
//! and a length that is worth having.

use sha2::{Digest, Sha256};
use std::fmt;
use std::ops::Range;

/// The shortest RSA modulus that is accepted, in bits (NIST SP 800-57: 128 bits of strength until 2030 and beyond).
pub const SHORTEST_RSA: usize = 3072;

/// A public key: what sshd compares, and the comment after it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey {
    /// `ssh-ed25519`
    kind: &'static str,
    /// The key's blob (RFC 4253 6.6), in base64 with padding.
    base64: String,
    /// One line of printable characters, possibly empty.
    comment: String,
}

/// Why a line is no key to use here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadKey {
    pub fault: Fault,
    /// One sentence.
    pub text: String,
    /// Where in the line.
    pub range: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Not a public key, or a damaged one.
    Malformed,
    /// Something stands before the key's type.
    Options,
    /// A type of key that is refused.
    Kind,
    /// An RSA key that is too short.
    Short,
    /// The private half of a key.
    Private,
}

/// What follows the type's name in a blob.
enum Form {
    /// A point of 32 bytes (RFC 8709).
    Ed25519,
    /// The curve's name and an uncompressed point (RFC 5656) of so many bytes.
    Ecdsa(&'static str, usize),
    /// Exponent and modulus (RFC 4253 6.6).
    Rsa,
}

/// Type, form, whether a security key's application follows (PROTOCOL.u2f of OpenSSH).
const KINDS: &[(&str, Form, bool)] = &[
    ("ssh-ed25519", Form::Ed25519, false),
    ("sk-ssh-ed25519@openssh.com", Form::Ed25519, true),
    ("ecdsa-sha2-nistp256", Form::Ecdsa("nistp256", 65), false),
    ("ecdsa-sha2-nistp384", Form::Ecdsa("nistp384", 97), false),
    ("ecdsa-sha2-nistp521", Form::Ecdsa("nistp521", 133), false),
    ("sk-ecdsa-sha2-nistp256@openssh.com", Form::Ecdsa("nistp256", 65), true),
    ("ssh-rsa", Form::Rsa, false),
];

impl PublicKey {
    /// Reads `TYPE BASE64 [COMMENT]`, and nothing else.
    pub fn parse(line: &str) -> Result<Self, BadKey> {
        let bad = |fault, range: Range<usize>, text: String| Err(BadKey { fault, text, range });
        if line.contains("PRIVATE KEY") {
            return bad(Fault::Private, 0..line.len(), "this is the private half of a key".into());
        }
        if let Some((at, c)) = line.char_indices().find(|(_, c)| c.is_control()) {
            let name = if c == '\n' { "a newline".to_owned() } else { format!("{c:?}") };
            return bad(Fault::Malformed, at..at + c.len_utf8(), format!("a key is one line: it holds {name}"));
        }
        if line.is_empty() {
            return bad(Fault::Malformed, 0..0, "the key is empty".into());
        }
        if line.trim() != line {
            return bad(Fault::Malformed, 0..line.len(), "a key has no blanks before or after it".into());
        }
        let first = line.split(' ').next().unwrap_or("");
        let Some((kind, form, security_key)) = KINDS.iter().find(|(kind, ..)| *kind == first) else {
            let known = |word: &str| {
                KINDS.iter().any(|(kind, ..)| *kind == word) || word == "ssh-dss" || word.contains("-cert-v01@")
            };
            if first == "ssh-dss" {
                return bad(Fault::Kind, 0..first.len(), "DSA keys are too weak: no OpenSSH accepts them".into());
            }
            if first.contains("-cert-v01@") {
                return bad(Fault::Kind, 0..first.len(), "this is a certificate, not a key".into());
            }
            if let Some(at) = line.match_indices(' ').map(|(at, _)| at).find(|at| {
                let rest = &line[at + 1..];
                known(rest.split(' ').next().unwrap_or(""))
            }) {
                let text = format!("options stand before the key: {}", line[..at].escape_debug());
                return bad(Fault::Options, 0..at, text);
            }
            if first.starts_with("ssh-") || first.starts_with("ecdsa-") || first.starts_with("sk-") {
                return bad(Fault::Kind, 0..first.len(), format!("\"{first}\" is no type of key that is accepted"));
            }
            return bad(Fault::Malformed, 0..first.len(), "a public key begins with its type".into());
        };
        let after = kind.len() + 1;
        let rest = line.get(after..).unwrap_or("");
        let (base64, comment) = rest.split_once(' ').unwrap_or((rest, ""));
        let range = after.min(line.len())..(after + base64.len()).min(line.len());
        if base64.is_empty() {
            return bad(Fault::Malformed, 0..line.len(), "the key itself is missing after its type".into());
        }
        if comment.len() > 200 {
            return bad(Fault::Malformed, range.end + 1..line.len(), "a key's comment has at most 200 bytes".into());
        }
        let Some(blob) = decode(base64) else {
            return bad(Fault::Malformed, range, "the key is not base64, or it was cut off".into());
        };
        let malformed = |text: &str| bad(Fault::Malformed, range.clone(), text.to_owned());
        let mut fields = Fields(&blob);
        match fields.next() {
            Some(inside) if inside == kind.as_bytes() => {}
            Some(inside) => {
                let inside = String::from_utf8_lossy(inside).escape_debug().to_string();
                return malformed(&format!("the line says {kind}, the key in it is of the type {inside}"));
            }
            None => return malformed("the key is damaged: it was cut off"),
        }
        match form {
            Form::Ed25519 => match fields.next() {
                Some(point) if point.len() == 32 => {}
                _ => return malformed("the key is damaged: an Ed25519 key has 32 bytes"),
            },
            Form::Ecdsa(curve, length) => {
                if fields.next() != Some(curve.as_bytes()) {
                    return malformed("the key is damaged: it names another curve than its type");
                }
                match fields.next() {
                    Some(point) if point.len() == *length && point[0] == 4 => {}
                    _ => return malformed("the key is damaged: there is no point of its curve in it"),
                }
            }
            Form::Rsa => {
                let (Some(exponent), Some(modulus)) = (fields.next().and_then(number), fields.next().and_then(number))
                else {
                    return malformed("the key is damaged: an RSA key is an exponent and a modulus");
                };
                if bits(exponent) < 2 || exponent.last().is_none_or(|low| low % 2 == 0) {
                    return malformed("the key's exponent is not one of RSA");
                }
                let bits = bits(modulus);
                if bits > 16_384 {
                    return malformed("an RSA key of more than 16384 bits is not used by OpenSSH");
                }
                if bits < SHORTEST_RSA {
                    let text = format!("an RSA key of {bits} bits is too short: {SHORTEST_RSA} is the least");
                    return bad(Fault::Short, range, text);
                }
            }
        }
        if *security_key && fields.next().is_none_or(|application| application.is_empty()) {
            return malformed("the key is damaged: a security key names its application");
        }
        if !fields.0.is_empty() {
            return malformed("the key is damaged: something follows it");
        }
        Ok(PublicKey { kind, base64: base64.to_owned(), comment: comment.trim().to_owned() })
    }

    /// The type, as sshd names it.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    pub fn base64(&self) -> &str {
        &self.base64
    }

    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// Whether both are the same key, whatever their comments.
    pub fn same(&self, other: &PublicKey) -> bool {
        self.base64 == other.base64
    }

    /// As `ssh-keygen -l` prints it: `SHA256:` and 43 characters.
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(decode(&self.base64).unwrap_or_default());
        format!("SHA256:{}", encode(&digest).trim_end_matches('='))
    }
}

/// `TYPE BASE64`, without the comment.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.base64)
    }
}

/// The strings of a blob (RFC 4251 5): a length of 4 bytes each.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let length = u32::from_be_bytes(*length) as usize;
        if length > rest.len() {
            return None;
        }
        let (field, rest) = rest.split_at(length);
        self.0 = rest;
        Some(field)
    }
}

/// A positive number in its shortest form, without the zero byte that keeps it positive.
fn number(field: &[u8]) -> Option<&[u8]> {
    match field {
        [0, next, ..] if next & 0x80 != 0 => Some(&field[1..]),
        [first, ..] if *first != 0 && first & 0x80 == 0 => Some(field),
        _ => None,
    }
}

fn bits(number: &[u8]) -> usize {
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 with padding, in its one canonical form (RFC 4648 4).
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    if bytes.is_empty() || !bytes.len().is_multiple_of(4) {
        return None;
    }
    let padding = bytes.iter().rev().take_while(|b| **b == b'=').count();
    if padding > 2 {
        return None;
    }
    let mut out = Vec::with_capacity(bytes.len() / 4 * 3);
    let (mut buffer, mut held) = (0_u32, 0);
    for &byte in &bytes[..bytes.len() - padding] {
        buffer = buffer << 6 | ALPHABET.iter().position(|b| *b == byte)? as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((buffer >> held) as u8);
            buffer &= (1 << held) - 1;
        }
    }
    (buffer == 0).then_some(out)
}

/// Base64 with padding.
pub fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut group = [0_u8; 3];
        group[..chunk.len()].copy_from_slice(chunk);
        let number = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        for i in 0..4 {
            let digit = ALPHABET[(number >> (18 - 6 * i) & 63) as usize] as char;
            out.push(if i <= chunk.len() { digit } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(fields: &[&[u8]]) -> String {
        let mut out = Vec::new();
        for field in fields {
            out.extend((field.len() as u32).to_be_bytes());
            out.extend(*field);
        }
        encode(&out)
    }

    fn rsa(bytes: usize) -> String {
        let mut modulus = vec![0xc5; bytes + 1];
        modulus[0] = 0;
        format!("ssh-rsa {} me", blob(&[b"ssh-rsa", &[1, 0, 1], &modulus]))
    }

    #[test]
    fn keys_are_read_and_their_fingerprints_are_those_of_ssh_keygen() {
        // Made by ssh-keygen; the fingerprint is what `ssh-keygen -lf` printed.
        let line =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPUzq3WuJtLpo5rRa28VbMFSI3fhiXMT8vKQSa7knPRP alice@laptop at home";
        let key = PublicKey::parse(line).unwrap();
        assert_eq!((key.kind(), key.comment()), ("ssh-ed25519", "alice@laptop at home"));
        assert_eq!(format!("{key} {}", key.comment()), line);
        assert_eq!(key.fingerprint(), "SHA256:AjQ1V68RHEuFDfvwwLrWWMGr0T3nPJrqFxF//uzQ/0c");
        assert!(PublicKey::parse(&rsa(384)).is_ok());
        let curve = format!("ecdsa-sha2-nistp256 {}", blob(&[b"ecdsa-sha2-nistp256", b"nistp256", &[4; 65]]));
        assert!(PublicKey::parse(&curve).is_ok());
        let kind = "sk-ssh-ed25519@openssh.com";
        assert!(PublicKey::parse(&format!("{kind} {}", blob(&[kind.as_bytes(), &[7; 32], b"ssh:"]))).is_ok());
    }

    #[test]
    fn what_is_no_plain_strong_key_is_refused() {
        let ed = blob(&[b"ssh-ed25519", &[7; 32]]);
        let cases = [
            (format!("command=\"id\" ssh-ed25519 {ed}"), Fault::Options),
            (format!("cert-authority ssh-ed25519 {ed}"), Fault::Options),
            (format!("nonsense,x=\"a b\" ssh-ed25519 {ed}"), Fault::Options),
            (format!("ssh-dss {}", blob(&[b"ssh-dss"])), Fault::Kind),
            (format!("ssh-ed25519-cert-v01@openssh.com {ed}"), Fault::Kind),
            (format!("ssh-ed448 {ed}"), Fault::Kind),
            (rsa(256), Fault::Short),
            (rsa(383), Fault::Short),
            ("-----BEGIN OPENSSH PRIVATE KEY-----".into(), Fault::Private),
            (String::new(), Fault::Malformed),
            ("ssh-ed25519".into(), Fault::Malformed),
            (format!("ssh-ed25519 {ed} "), Fault::Malformed),
            (format!(" ssh-ed25519 {ed}"), Fault::Malformed),
            (format!("ssh-ed25519 {ed} me\nssh-ed25519 {ed}"), Fault::Malformed),
            (format!("ssh-ed25519 {ed} a\tb"), Fault::Malformed),
            (format!("ssh-ed25519  {ed}"), Fault::Malformed),
            (format!("ssh-ed25519 {}", &ed[..ed.len() - 4]), Fault::Malformed),
            (format!("ssh-ed25519 {}", &ed[..ed.len() - 1]), Fault::Malformed),
            (format!("ssh-rsa {ed}"), Fault::Malformed),
            (format!("ssh-ed25519 {}", blob(&[b"ssh-ed25519", &[7; 31]])), Fault::Malformed),
            (format!("ssh-ed25519 {}", blob(&[b"ssh-ed25519", &[7; 32], b"more"])), Fault::Malformed),
            (format!("ssh-rsa {}", blob(&[b"ssh-rsa", &[1, 0, 1]])), Fault::Malformed),
            (format!("ssh-rsa {}", blob(&[b"ssh-rsa", &[1, 0, 1], &[0x80; 400]])), Fault::Malformed),
            (
                format!("ecdsa-sha2-nistp256 {}", blob(&[b"ecdsa-sha2-nistp256", b"nistp384", &[4; 97]])),
                Fault::Malformed,
            ),
            ("alice's key".into(), Fault::Malformed),
        ];
        for (line, fault) in cases {
            let error = PublicKey::parse(&line).expect_err(&line);
            assert_eq!(error.fault, fault, "{line}: {error:?}");
            assert!(error.range.end <= line.len(), "{line}: {error:?}");
        }
    }

    #[test]
    fn base64_has_one_form() {
        for bytes in [&b""[..], b"f", b"fo", b"foo", b"foob", &[0xff; 100]] {
            let text = encode(bytes);
            assert_eq!(decode(&text).unwrap_or_default(), bytes);
        }
        for bad in ["Zg", "Zg=", "Zh==", "Zg==Zg==", "Z===", "Zm9v!m9v", "Zm 9"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
