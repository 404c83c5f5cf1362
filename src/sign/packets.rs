//! What a public key's packets say and GnuPG's key listing leaves out: with which digests it binds its own user ids
//! and subkeys (RFC 9580). apt of trixie rejects a key whose self-signatures use SHA-1.

use std::collections::{BTreeMap, BTreeSet};

/// The parts of a public key whose newest self-signature uses a broken digest, such as `user id "x"`, with the
/// digest's name. Empty for a sound key. `key` is a binary transferable public key; what can't be read is passed over
/// (GnuPG has read it before us).
pub fn weak_bindings(key: &[u8]) -> Vec<String> {
    struct Bound {
        what: String,
        newest: Option<(u32, u8)>,
    }
    let mut parts: Vec<Bound> = Vec::new();
    for packet in Packets(key) {
        let what = match packet.tag {
            TAG_USER_ID => Some(format!("user id \"{}\"", String::from_utf8_lossy(packet.body))),
            TAG_USER_ATTRIBUTE => Some("user attribute".into()),
            TAG_PUBLIC_SUBKEY => Some("subkey".into()),
            TAG_PUBLIC_KEY => Some("primary key".into()),
            _ => None,
        };
        if let Some(what) = what {
            parts.push(Bound { what, newest: None });
        } else if packet.tag == TAG_SIGNATURE
            && let Some(signature) = Signature::read(packet.body)
            && signature.binds()
            && let Some(part) = parts.last_mut()
            && part.newest.is_none_or(|(created, _)| created <= signature.created)
        {
            part.newest = Some((signature.created, signature.digest));
        }
    }
    parts
        .into_iter()
        .filter_map(|part| {
            let digest = match part.newest?.1 {
                1 => "MD5",
                2 => "SHA-1",
                3 => "RIPEMD-160",
                _ => return None,
            };
            Some(format!("{} ({digest})", part.what))
        })
        .collect()
}

/// When each key and subkey of a binary keyring expires, by its packet: seconds since 1970 UTC, None for never. Those
/// that say nothing of themselves are left out.
pub fn expiries(keyring: &[u8]) -> BTreeMap<&[u8], Option<i64>> {
    let mut found: BTreeMap<&[u8], Option<i64>> = BTreeMap::new();
    let mut newest: BTreeMap<&[u8], u32> = BTreeMap::new();
    let mut part: Option<&[u8]> = None;
    for packet in Packets(keyring) {
        if matches!(packet.tag, TAG_PUBLIC_KEY | TAG_PUBLIC_SUBKEY) {
            part = Some(packet.body);
        } else if packet.tag == TAG_SIGNATURE
            && let Some(part) = part
            && let Some(created) = part.get(1..5).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes)
            && let Some(signature) = Signature::read(packet.body).filter(|s| s.own && s.binds())
            && newest.get(part).is_none_or(|known| *known <= signature.created)
        {
            newest.insert(part, signature.created);
            let expires = i64::from(created) + i64::from(signature.lasts);
            found.insert(part, (signature.lasts > 0).then_some(expires));
        }
    }
    found
}

/// How many keys there are in a binary keyring.
pub fn primary_keys(keyring: &[u8]) -> usize {
    Packets(keyring).filter(|packet| packet.tag == TAG_PUBLIC_KEY).count()
}

/// What keeps apt from taking this for a keyring of public keys; None where nothing does.
pub fn unsound(keyring: &[u8]) -> Option<&'static str> {
    if keyring.starts_with(b"-----BEGIN") {
        return Some("it is ASCII-armored, and apt reads the binary form");
    }
    let mut packets = Packets(keyring);
    let mut tags = Vec::new();
    for packet in packets.by_ref() {
        tags.push(packet.tag);
    }
    if tags.iter().any(|tag| matches!(*tag, TAG_SECRET_KEY | TAG_SECRET_SUBKEY)) {
        return Some("it holds a secret key, and what is in it goes to every machine");
    }
    if !packets.0.is_empty() || tags.first() != Some(&TAG_PUBLIC_KEY) {
        return Some("it is not an OpenPGP keyring");
    }
    None
}

/// The first packet of a key: its primary key alone.
pub fn first(key: &[u8]) -> &[u8] {
    let mut packets = Packets(key);
    packets.next();
    &key[..key.len() - packets.0.len()]
}

/// Whether every key and subkey of `keys` is in `keyring`. Both are binary.
pub fn holds(keyring: &[u8], keys: &[u8]) -> bool {
    let bodies = |bytes| {
        Packets(bytes)
            .filter(|packet| matches!(packet.tag, TAG_PUBLIC_KEY | TAG_PUBLIC_SUBKEY))
            .map(|packet| packet.body)
            .collect::<BTreeSet<&[u8]>>()
    };
    let keys = bodies(keys);
    !keys.is_empty() && keys.is_subset(&bodies(keyring))
}

const TAG_SIGNATURE: u8 = 2;
const TAG_SECRET_KEY: u8 = 5;
const TAG_SECRET_SUBKEY: u8 = 7;
const TAG_PUBLIC_KEY: u8 = 6;
const TAG_USER_ID: u8 = 13;
const TAG_PUBLIC_SUBKEY: u8 = 14;
const TAG_USER_ATTRIBUTE: u8 = 17;

struct Packet<'a> {
    tag: u8,
    body: &'a [u8],
}

/// The packets of a byte string (RFC 9580 section 4.2), up to the first that is not whole.
struct Packets<'a>(&'a [u8]);

impl<'a> Iterator for Packets<'a> {
    type Item = Packet<'a>;
    fn next(&mut self) -> Option<Packet<'a>> {
        let bytes = self.0;
        let first = *bytes.first()?;
        if first & 0x80 == 0 {
            return None;
        }
        let (tag, length, header) = if first & 0x40 != 0 {
            let (length, used) = new_length(&bytes[1..])?;
            (first & 0x3f, length, 1 + used)
        } else {
            let used = match first & 3 {
                0 => 1,
                1 => 2,
                2 => 4,
                _ => return None,
            };
            let length = bytes.get(1..1 + used)?.iter().fold(0usize, |n, &b| n << 8 | usize::from(b));
            ((first >> 2) & 0xf, length, 1 + used)
        };
        let body = bytes.get(header..header.checked_add(length)?)?;
        self.0 = &bytes[header + length..];
        Some(Packet { tag, body })
    }
}

/// A length in the new format and how many bytes it took (also that of signature subpackets).
fn new_length(bytes: &[u8]) -> Option<(usize, usize)> {
    let first = usize::from(*bytes.first()?);
    match first {
        0..192 => Some((first, 1)),
        192..224 => Some((((first - 192) << 8) + usize::from(*bytes.get(1)?) + 192, 2)),
        255 => Some((bytes.get(1..5)?.iter().fold(0usize, |n, &b| n << 8 | usize::from(b)), 5)),
        _ => None,
    }
}

struct Signature {
    kind: u8,
    digest: u8,
    /// Seconds since 1970.
    created: u32,
    /// Made by the key itself: it says what the key is for, which nobody else can.
    own: bool,
    /// Seconds from the key's own creation until it expires; 0: never.
    lasts: u32,
}

impl Signature {
    fn read(body: &[u8]) -> Option<Signature> {
        match *body.first()? {
            3 => Some(Signature {
                kind: *body.get(2)?,
                created: u32::from_be_bytes(body.get(3..7)?.try_into().ok()?),
                digest: *body.get(16)?,
                own: false,
                lasts: 0,
            }),
            4..=6 => {
                let wide = body[0] == 6;
                let (length, start): (usize, usize) = if wide {
                    (u32::from_be_bytes(body.get(4..8)?.try_into().ok()?) as usize, 8)
                } else {
                    (usize::from(u16::from_be_bytes(body.get(4..6)?.try_into().ok()?)), 6)
                };
                let mut hashed = body.get(start..start.checked_add(length)?)?;
                let (mut created, mut own, mut lasts) = (0, false, 0);
                while !hashed.is_empty() {
                    let (length, used) = new_length(hashed)?;
                    let subpacket = hashed.get(used..used.checked_add(length)?)?;
                    let number = || Some(u32::from_be_bytes(subpacket.get(1..5)?.try_into().ok()?));
                    // The top bit only says "critical".
                    match subpacket.first().map(|kind| kind & 0x7f) {
                        // Signature creation time.
                        Some(2) => created = number()?,
                        // Key expiration time.
                        Some(9) => lasts = number()?,
                        // Key flags.
                        Some(27) => own = true,
                        _ => {}
                    }
                    hashed = &hashed[used + length..];
                }
                Some(Signature { kind: *body.get(1)?, digest: *body.get(3)?, created, own, lasts })
            }
            _ => None,
        }
    }

    /// Certifications of a user id, subkey bindings, direct-key signatures.
    fn binds(&self) -> bool {
        matches!(self.kind, 0x10..=0x13 | 0x18 | 0x1f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A new-format packet.
    fn packet(tag: u8, body: &[u8]) -> Vec<u8> {
        assert!(body.len() < 192);
        [&[0xc0 | tag, body.len() as u8], body].concat()
    }
    fn signature(kind: u8, digest: u8, created: u32) -> Vec<u8> {
        let mut body = vec![4, kind, 22, digest, 0, 6, 5, 2];
        body.extend(created.to_be_bytes());
        packet(TAG_SIGNATURE, &body)
    }

    #[test]
    fn the_newest_binding_counts() {
        let key = |digests: &[(u8, u32)]| {
            let mut bytes = [packet(TAG_PUBLIC_KEY, &[4; 10]), packet(TAG_USER_ID, b"A <a@b>")].concat();
            for &(digest, created) in digests {
                bytes.extend(signature(0x13, digest, created));
            }
            bytes
        };
        assert_eq!(weak_bindings(&key(&[(2, 5)])), ["user id \"A <a@b>\" (SHA-1)"]);
        assert!(weak_bindings(&key(&[(10, 5)])).is_empty());
        assert!(weak_bindings(&key(&[(2, 5), (10, 6)])).is_empty());
        assert_eq!(weak_bindings(&key(&[(10, 6), (2, 7)])).len(), 1);
    }

    #[test]
    fn a_subkey_is_judged_apart() {
        let mut bytes = [packet(TAG_PUBLIC_KEY, &[4; 10]), packet(TAG_USER_ID, b"A")].concat();
        bytes.extend(signature(0x13, 10, 1));
        bytes.extend(packet(TAG_PUBLIC_SUBKEY, &[4; 10]));
        bytes.extend(signature(0x18, 2, 1));
        assert_eq!(weak_bindings(&bytes), ["subkey (SHA-1)"]);
    }

    #[test]
    fn a_keyring_that_may_go_to_machines() {
        let ours = [packet(TAG_PUBLIC_KEY, &[4; 10]), packet(TAG_USER_ID, b"A")].concat();
        let other = [packet(TAG_PUBLIC_KEY, &[5; 10]), packet(TAG_USER_ID, b"B")].concat();
        let subkey = [ours.clone(), packet(TAG_PUBLIC_SUBKEY, &[6; 10])].concat();
        assert_eq!(unsound(&[ours.clone(), other.clone()].concat()), None);
        assert!(holds(&[other.clone(), ours.clone()].concat(), &ours));
        assert!(!holds(&other, &ours) && !holds(&ours, &subkey) && holds(&subkey, &ours) && !holds(&ours, b""));
        let cut = &ours[..ours.len() - 1];
        let secret = [ours.clone(), packet(TAG_SECRET_KEY, &[4; 10])].concat();
        for wrong in [b"".as_slice(), b"garbage", b"-----BEGIN PGP PUBLIC KEY BLOCK-----", cut, &secret] {
            assert!(unsound(wrong).is_some(), "{wrong:?}");
        }
    }

    #[test]
    fn cut_short_anywhere_it_does_not_panic() {
        let mut bytes = [packet(TAG_PUBLIC_KEY, &[4; 10]), packet(TAG_USER_ID, b"A")].concat();
        bytes.extend(signature(0x13, 2, 1));
        for end in 0..bytes.len() {
            weak_bindings(&bytes[..end]);
        }
    }
}
