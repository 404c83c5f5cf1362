//! gzip (RFC 1952) with everything pinned: no name, no time, one implementation, one level. The compressors are kept
//! per thread: making one costs as much as compressing a small package (page faults of its window and tables).

use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use std::cell::RefCell;

/// What is compressed, and so how hard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// control.tar and data.tar: level 6; up to [`SMALL`] level 1, which makes no codes of its own: half the time there,
    /// for a fifth more bytes (half a kilobyte a package).
    Package,
    /// Documents: level 9, as Debian Policy 12.7 asks.
    Best,
}

/// Bytes. Most packages of a fleet are a tenth of this.
const SMALL: usize = 32 * 1024;

thread_local! {
    static QUICK: RefCell<Compress> = RefCell::new(Compress::new(Compression::new(1), false));
    static PACKAGE: RefCell<Compress> = RefCell::new(Compress::new(Compression::new(6), false));
    static BEST: RefCell<Compress> = RefCell::new(Compress::new(Compression::new(9), false));
}

/// One gzip member that holds `bytes`.
pub fn compress(bytes: &[u8], level: Level) -> Vec<u8> {
    // Magic, deflate, no flags, no time; XFL 2 says "slowest", as `gzip -9` does; Unix.
    let extra = match level {
        Level::Package => 0,
        Level::Best => 2,
    };
    let mut out = Vec::with_capacity(bytes.len() / 4 + 256);
    out.extend_from_slice(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, extra, 3]);
    let stream = match level {
        Level::Package if bytes.len() <= SMALL => &QUICK,
        Level::Package => &PACKAGE,
        Level::Best => &BEST,
    };
    stream.with_borrow_mut(|stream| {
        stream.reset();
        loop {
            let read = stream.total_in() as usize;
            out.reserve((bytes.len() - read) / 8 + 256);
            match stream.compress_vec(&bytes[read..], &mut out, FlushCompress::Finish) {
                Ok(Status::StreamEnd) => break,
                Ok(Status::Ok | Status::BufError) => {}
                // The stream is reset and owned here: deflate has no other error (zlib.h, deflate()).
                Err(error) => unreachable!("deflate: {error}"),
            }
        }
    });
    let mut crc = Crc::new();
    crc.update(bytes);
    out.extend_from_slice(&crc.sum().to_le_bytes());
    out.extend_from_slice(&crc.amount().to_le_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_used_compressor_writes_what_a_new_one_writes() {
        let texts = [
            Vec::new(),
            b"x".to_vec(),
            vec![7; 200_000],
            (0..100_000u32).flat_map(|i| i.wrapping_mul(i).to_le_bytes()).collect(),
        ];
        for level in [Level::Package, Level::Best] {
            for text in texts.iter().chain(texts.iter().rev()) {
                let here = compress(text, level);
                let fresh = std::thread::scope(|scope| scope.spawn(|| compress(text, level)).join().unwrap());
                assert!(here == fresh);
                let mut back = Vec::new();
                flate2::read::GzDecoder::new(&here[..]).read_to_end(&mut back).unwrap();
                assert!(back == *text);
            }
        }
    }
}
