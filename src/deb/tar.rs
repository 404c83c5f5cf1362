//! Tar archives as dpkg-deb writes them: GNU headers, everything owned by root:root, one time for all. Names are
//! written as given (`./`, a final `/` on directories): readers such as unattended-upgrades compare them as text.

use tar::{EntryType, Header};

const BLOCK: usize = 512;

/// Writes one archive into memory.
pub struct Writer {
    out: Vec<u8>,
    /// What all headers have in common. (The library makes strings of numbers, a dozen for each header: in a package of
    /// small files that is more work than the rest of the archive.)
    common: Header,
}

impl Writer {
    /// `time`: the mtime of every entry, in seconds since 1970 UTC.
    pub fn new(time: u64) -> Self {
        let mut common = Header::new_gnu();
        common.set_uid(0);
        common.set_gid(0);
        common.set_mtime(time);
        common.set_size(0);
        if let Some(gnu) = common.as_gnu_mut() {
            put(&mut gnu.uname, "root");
            put(&mut gnu.gname, "root");
        }
        Writer { out: Vec::with_capacity(32 * BLOCK), common }
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
        self.header(self.common.clone(), kind, name, target, mode, bytes.len());
        self.body(bytes);
    }

    fn long(&mut self, kind: EntryType, text: &str) {
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(0);
        let mut timeless = self.common.clone();
        timeless.set_mtime(0);
        self.header(timeless, kind, "././@LongLink", "", 0o644, bytes.len());
        self.body(&bytes);
    }

    fn header(&mut self, mut header: Header, kind: EntryType, name: &str, target: &str, mode: u32, size: usize) {
        header.set_entry_type(kind);
        header.set_mode(mode);
        if size > 0 {
            header.set_size(size as u64);
        }
        if let Some(gnu) = header.as_gnu_mut() {
            put(&mut gnu.name, name);
            put(&mut gnu.linkname, target);
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
