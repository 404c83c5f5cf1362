//! Tar archives as dpkg-deb writes them: GNU headers, everything owned by root:root, one time for all. Names are
//! written as given (`./`, a final `/` on directories): readers such as unattended-upgrades compare them as text.

use tar::{EntryType, Header};

const BLOCK: usize = 512;

/// Writes one archive into memory.
pub struct Writer {
    out: Vec<u8>,
    time: u64,
}

impl Writer {
    /// `time`: the mtime of every entry, in seconds since 1970 UTC.
    pub fn new(time: u64) -> Self {
        Writer { out: Vec::with_capacity(32 * BLOCK), time }
    }

    /// A directory; `name` ends in `/`.
    pub fn directory(&mut self, name: &str, mode: u32) {
        self.entry(EntryType::Directory, name, "", mode, b"");
    }

    pub fn file(&mut self, name: &str, mode: u32, bytes: &[u8]) {
        self.entry(EntryType::Regular, name, "", mode, bytes);
    }

    pub fn symlink(&mut self, name: &str, target: &str) {
        self.entry(EntryType::Symlink, name, target, 0o777, b"");
    }

    /// The archive, with the two empty blocks at its end. It is not filled to a record of 20 blocks: that is for tapes,
    /// and would be half of what there is to compress in a small package.
    pub fn finish(mut self) -> Vec<u8> {
        self.out.resize(self.out.len() + 2 * BLOCK, 0);
        self.out
    }

    fn entry(&mut self, kind: EntryType, name: &str, target: &str, mode: u32, bytes: &[u8]) {
        // Over 100 bytes, GNU tar puts the name into an entry of its own before the real one: link targets first.
        if target.len() > 100 {
            self.long(EntryType::GNULongLink, target);
        }
        if name.len() > 100 {
            self.long(EntryType::GNULongName, name);
        }
        self.header(kind, name, target, mode, self.time, bytes.len());
        self.body(bytes);
    }

    fn long(&mut self, kind: EntryType, text: &str) {
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(0);
        self.header(kind, "././@LongLink", "", 0o644, 0, bytes.len());
        self.body(&bytes);
    }

    fn header(&mut self, kind: EntryType, name: &str, target: &str, mode: u32, time: u64, size: usize) {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(time);
        header.set_size(size as u64);
        if let Some(gnu) = header.as_gnu_mut() {
            put(&mut gnu.name, name);
            put(&mut gnu.linkname, target);
            put(&mut gnu.uname, "root");
            put(&mut gnu.gname, "root");
        }
        header.set_cksum();
        self.out.extend_from_slice(header.as_bytes());
    }

    fn body(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
        self.out.resize(self.out.len().next_multiple_of(BLOCK), 0);
    }
}

/// The text from the field's start; what does not fit is cut off (the long entry before has it whole).
fn put(field: &mut [u8], text: &str) {
    let length = text.len().min(field.len());
    field[..length].copy_from_slice(&text.as_bytes()[..length]);
}
