//! The .xz form of a large index: a stream of blocks (The .xz File Format 1.2, sections 2 to 4), each of them some
//! stanzas. Where a block begins depends on the stanzas alone, so that an index in which one package changed has all
//! blocks but one in common with the one before it: those are copied, not compressed again.

use lzma_rust2::{XzOptions, XzWriter};
use rayon::prelude::*;
use std::collections::HashMap;
use std::io::Write;

/// A stanza ends a block when the checksum of its first line has none of these bits: one in 64.
const BOUNDARY: u32 = 63;
/// What a block's match finder looks back over, in bytes: more than almost every block is long.
const DICTIONARY: u32 = 128 * 1024;
/// Stream Header and Stream Footer (2.1.1, 2.1.2).
const HEADER: usize = 12;

/// Blocks that are compressed already, by the text in them.
#[derive(Debug, Default)]
pub struct Known<'a>(HashMap<&'a [u8], (&'a [u8], u64)>);

impl<'a> Known<'a> {
    /// The blocks of an index as [`compress`] made it: its text and its .xz. What does not fit together is left out.
    pub fn of(text: &'a [u8], xz: &'a [u8]) -> Known<'a> {
        let mut known = HashMap::new();
        let mut at = 0;
        for block in blocks(xz).unwrap_or_default() {
            let Some(chunk) = usize::try_from(block.uncompressed).ok().and_then(|size| text.get(at..at + size)) else {
                return Known::default();
            };
            at += chunk.len();
            known.insert(chunk, (block.bytes, block.unpadded));
        }
        if at == text.len() { Known(known) } else { Known::default() }
    }
}

/// Packages texts in blocks. The same bytes for the same text, whatever is known and whatever the other texts are: a
/// block that several of them have (suites list nearly the same packages) is compressed once.
pub fn compress(texts: &[&[u8]], known: &Known<'_>) -> Vec<Vec<u8>> {
    let texts: Vec<Vec<&[u8]>> = texts.iter().map(|text| chunks(text)).collect();
    let mut at: HashMap<&[u8], usize> = HashMap::new();
    let mut distinct: Vec<&[u8]> = Vec::new();
    let places: Vec<Vec<usize>> = texts
        .iter()
        .map(|chunks| {
            chunks
                .iter()
                .map(|&chunk| {
                    *at.entry(chunk).or_insert_with(|| {
                        distinct.push(chunk);
                        distinct.len() - 1
                    })
                })
                .collect()
        })
        .collect();
    let made: Vec<Made<'_>> = distinct
        .par_iter()
        .map(|chunk| match known.0.get(chunk) {
            Some((bytes, unpadded)) => Made::Known(bytes, *unpadded),
            None => Made::New(one_block(chunk)),
        })
        .collect();
    texts.iter().zip(&places).map(|(chunks, places)| stream(chunks, |n| &made[places[n]])).collect()
}

enum Made<'a> {
    /// A block, and its length without padding.
    Known(&'a [u8], u64),
    /// A stream of one block.
    New(Vec<u8>),
}

/// One stream of these chunks; `made`: the block of each.
fn stream<'a>(chunks: &[&[u8]], made: impl Fn(usize) -> &'a Made<'a>) -> Vec<u8> {
    // What the streams begin with: the magic number and which check the blocks have. All that we make have the same.
    let frame = one_block(b"");
    let mut out = frame[..HEADER].to_vec();
    let mut index = vec![0];
    put(&mut index, chunks.len() as u64);
    for (n, chunk) in chunks.iter().enumerate() {
        let (bytes, unpadded) = match made(n) {
            Made::Known(bytes, unpadded) => (*bytes, *unpadded),
            Made::New(stream) => {
                let block = blocks(stream).and_then(|blocks| blocks.into_iter().next());
                let block = block.expect("a stream of one block is what the encoder makes");
                (block.bytes, block.unpadded)
            }
        };
        out.extend_from_slice(bytes);
        put(&mut index, unpadded);
        put(&mut index, chunk.len() as u64);
    }
    // Index (4): padded to four bytes, then its checksum.
    index.resize(index.len().next_multiple_of(4), 0);
    let sum = crc32(&index);
    index.extend_from_slice(&sum.to_le_bytes());
    out.extend_from_slice(&index);
    // Stream Footer: checksum, how long the Index is in words less one, the header's flags, magic.
    let mut footer = (index.len() as u32 / 4 - 1).to_le_bytes().to_vec();
    footer.extend_from_slice(&frame[6..8]);
    out.extend_from_slice(&crc32(&footer).to_le_bytes());
    out.extend_from_slice(&footer);
    out.extend_from_slice(b"YZ");
    out
}

/// The text in runs of whole stanzas.
fn chunks(text: &[u8]) -> Vec<&[u8]> {
    let mut chunks = Vec::new();
    let (mut begin, mut stanza) = (0, 0);
    for end in memchr::memmem::find_iter(text, b"\n\n").map(|at| at + 2) {
        let line = text[stanza..end].split(|byte| *byte == b'\n').next().unwrap_or_default();
        if crc32(line) & BOUNDARY == 0 {
            chunks.push(&text[begin..end]);
            begin = end;
        }
        stanza = end;
    }
    if begin < text.len() {
        chunks.push(&text[begin..]);
    }
    chunks
}

/// A stream of one block (of none for no text).
fn one_block(text: &[u8]) -> Vec<u8> {
    const IN_MEMORY: &str = "writing into memory does not fail";
    // Its hashes don't compress at all, so that preset 6 takes four times as long as preset 1 to save a fifth.
    let mut options = XzOptions::with_preset(1);
    options.lzma_options.dict_size = DICTIONARY;
    let mut out = XzWriter::new(Vec::new(), options).expect(IN_MEMORY);
    out.write_all(text).expect(IN_MEMORY);
    out.finish().expect(IN_MEMORY)
}

struct Block<'a> {
    /// With its padding.
    bytes: &'a [u8],
    /// Its length without padding: what the Index says.
    unpadded: u64,
    uncompressed: u64,
}

/// The blocks of a stream, from its Index; None where that is not as it should be.
fn blocks(xz: &[u8]) -> Option<Vec<Block<'_>>> {
    let footer = xz.len().checked_sub(HEADER)?;
    let words = u32::from_le_bytes(xz.get(footer + 4..footer + 8)?.try_into().ok()?);
    let start = footer.checked_sub((words as usize + 1) * 4)?;
    let mut index = xz.get(start..footer)?.strip_prefix(&[0])?;
    let count = get(&mut index)?;
    let mut at = HEADER;
    let mut found = Vec::new();
    for _ in 0..count {
        let (unpadded, uncompressed) = (get(&mut index)?, get(&mut index)?);
        let end = at.checked_add(usize::try_from(unpadded).ok()?.checked_next_multiple_of(4)?)?;
        found.push(Block { bytes: xz.get(at..end).filter(|_| end <= start)?, unpadded, uncompressed });
        at = end;
    }
    (at == start).then_some(found)
}

/// A Multibyte Integer (1.2): seven bits a byte, lowest first.
fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn get(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = flate2::Crc::new();
    sum.update(bytes);
    sum.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    /// `stanzas` of a Packages file; `changed` is another version of that one.
    fn index(stanzas: usize, changed: Option<usize>) -> Vec<u8> {
        let stanza = |n: usize| {
            let version = if changed == Some(n) { 2 } else { 1 };
            format!("Package: pg-role-r{n}\nVersion: {version}\nDescription: number {n}\n text {}\n\n", n * 7919)
        };
        (0..stanzas).map(stanza).collect::<String>().into_bytes()
    }

    fn one(text: &[u8], known: &Known<'_>) -> Vec<u8> {
        compress(&[text], known).remove(0)
    }

    fn back(xz: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        lzma_rust2::XzReader::new(xz, false).read_to_end(&mut text).unwrap();
        text
    }

    #[test]
    fn what_is_known_is_copied_and_the_bytes_are_the_same() {
        let before = index(5000, None);
        let xz = one(&before, &Known::default());
        assert!(back(&xz) == before);
        let known = Known::of(&before, &xz);
        assert!(known.0.len() > 40, "{}", known.0.len());
        let after = index(5000, Some(2500));
        let fresh = one(&after, &Known::default());
        assert!(one(&after, &known) == fresh);
        assert!(back(&fresh) == after);
        let unknown = chunks(&after).iter().filter(|chunk| !known.0.contains_key(*chunk)).count();
        assert_eq!(unknown, 1);
    }

    #[test]
    fn texts_that_share_blocks_come_out_as_each_by_itself() {
        let texts = [index(3000, None), index(3000, Some(700)), index(10, None), index(3000, None), Vec::new()];
        let together = compress(&texts.each_ref().map(Vec::as_slice), &Known::default());
        assert_eq!(together.len(), texts.len());
        for (text, made) in texts.iter().zip(&together) {
            assert!(one(text, &Known::default()) == *made);
            assert!(back(made) == *text);
        }
    }

    #[test]
    fn what_does_not_fit_together_is_not_believed() {
        let text = index(1000, None);
        let xz = one(&text, &Known::default());
        assert!(Known::of(&text[1..], &xz).0.is_empty());
        for end in 0..xz.len() {
            assert!(Known::of(&text, &xz[..end]).0.is_empty(), "{end}");
        }
    }

    #[test]
    fn no_stanza_and_one() {
        for text in [index(0, None), index(1, None), b"no end".to_vec()] {
            assert!(back(&one(&text, &Known::default())) == text);
        }
    }
}
