//! Looking for secrets where they must not be: in the tree, in what was built of it, in caches. Archives and compressed
//! files are unpacked; each place is told. What is looked for: the secret as it is, its longer lines, and it in base64.

use crate::deb::ar;
use crate::diagnostics::{Diagnostic, rules};
use crate::names::SecretName;
use crate::ssh_key;
use memchr::memmem::Finder;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A secret of fewer bytes is not looked for: any text may hold it.
pub const SHORTEST: usize = 8;
/// Of a secret of several lines, those from this length on are looked for by themselves.
const LONG_LINE: usize = 24;
/// The most that one compressed file is unpacked to, in bytes, and how many archives may be in one another.
const MOST: u64 = 1 << 30;
const DEEPEST: usize = 6;

/// What is looked for.
#[derive(Debug, Default)]
pub struct Needles {
    finders: Vec<(SecretName, Finder<'static>)>,
    /// Secrets that are too short to be looked for.
    pub short: Vec<SecretName>,
}

/// That a secret can be read somewhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    pub secret: SecretName,
    /// The file, then what is in what: `pool/….deb: data.tar.gz: ./etc/app.conf`.
    pub place: String,
}

/// What was looked through.
#[derive(Debug, Default)]
pub struct Outcome {
    pub found: Vec<Found>,
    /// How many files.
    pub files: usize,
    /// What could not be looked into, and why.
    pub closed: Vec<String>,
}

impl Needles {
    pub fn add(&mut self, name: &SecretName, plaintext: &[u8]) {
        let plain = plaintext.trim_ascii();
        if plain.len() < SHORTEST {
            self.short.push(name.clone());
            return;
        }
        let mut patterns = vec![plain.to_vec()];
        // The first and the last line of a PEM file are in every PEM file.
        let lines = plain.split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
        patterns.extend(
            lines
                .filter(|l| l.len() >= LONG_LINE && l.len() < plain.len() && !l.starts_with(b"-----"))
                .map(<[u8]>::to_vec),
        );
        // In base64 it looks otherwise after 0, 1 or 2 other bytes; the digits at the edges depend on those around it.
        for before in 0..3 {
            let mut bytes = vec![0; before];
            bytes.extend_from_slice(plain);
            let digits = ssh_key::encode(&bytes).trim_end_matches('=').to_owned();
            let first = [0, 2, 3][before];
            let last = digits.len() - usize::from(!bytes.len().is_multiple_of(3));
            patterns.push(digits.as_bytes()[first..last].to_vec());
        }
        patterns.sort();
        patterns.dedup();
        self.finders.extend(patterns.into_iter().map(|p| (name.clone(), Finder::new(&p).into_owned())));
    }

    pub fn is_empty(&self) -> bool {
        self.finders.is_empty()
    }

    /// Looks through one file's bytes.
    pub fn search(&self, place: &str, bytes: &[u8], outcome: &mut Outcome) {
        outcome.files += 1;
        self.look(place, bytes, 0, outcome);
    }

    /// Looks through a file, or all files below a directory. `leave`: paths that are not looked into. Symbolic links are
    /// not followed. `name`: how the place is called.
    pub fn search_path(&self, path: &Path, name: &Path, leave: &dyn Fn(&Path) -> bool, outcome: &mut Outcome) {
        let mut todo: Vec<(PathBuf, PathBuf)> = vec![(path.to_owned(), name.to_owned())];
        while let Some((path, name)) = todo.pop() {
            let result = (|| -> io::Result<()> {
                let kind = std::fs::symlink_metadata(&path)?.file_type();
                if kind.is_dir() {
                    let mut entries = std::fs::read_dir(&path)?.collect::<io::Result<Vec<_>>>()?;
                    entries.sort_by_key(|entry| std::cmp::Reverse(entry.file_name()));
                    for entry in entries.into_iter().filter(|entry| !leave(&entry.path())) {
                        todo.push((entry.path(), name.join(entry.file_name())));
                    }
                } else if kind.is_file() {
                    self.search(&name.display().to_string(), &std::fs::read(&path)?, outcome);
                }
                Ok(())
            })();
            match result {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    outcome.closed.push(format!("{}: {error}", name.display()));
                }
                _ => {}
            }
        }
    }

    fn look(&self, place: &str, bytes: &[u8], depth: usize, outcome: &mut Outcome) {
        for (secret, finder) in &self.finders {
            if finder.find(bytes).is_some() {
                let found = Found { secret: secret.clone(), place: place.to_owned() };
                // In a tar it is found once more, with the file's name, which says more.
                if !outcome.found.contains(&found) {
                    outcome.found.push(found);
                }
            }
        }
        if depth >= DEEPEST {
            return;
        }
        match self.inside(bytes) {
            Ok(inside) => {
                for (name, bytes) in inside {
                    let place = if name.is_empty() { place.to_owned() } else { format!("{place}: {name}") };
                    self.look(&place, &bytes, depth + 1, outcome);
                }
            }
            Err(error) => outcome.closed.push(format!("{place}: {error}")),
        }
    }

    /// What is in an archive or a compressed file. Of a tar only what has to be unpacked further: the rest of it lies
    /// there as it is.
    fn inside(&self, bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, String> {
        let unpacked = |reader: &mut dyn Read| -> Result<Vec<(String, Vec<u8>)>, String> {
            let mut out = Vec::new();
            reader.take(MOST).read_to_end(&mut out).map_err(|error| error.to_string())?;
            Ok(vec![(String::new(), out)])
        };
        if bytes.starts_with(b"!<arch>\n") {
            let mut at = 8;
            let mut inside = Vec::new();
            for (name, size) in ar::members(bytes)? {
                at += 60;
                inside.push((name, bytes.get(at..at + size).ok_or("a part is missing")?.to_vec()));
                at += size.next_multiple_of(2);
            }
            return Ok(inside);
        }
        if bytes.starts_with(&[0x1f, 0x8b, 8]) {
            return unpacked(&mut flate2::read::MultiGzDecoder::new(bytes));
        }
        if bytes.starts_with(b"\xfd7zXZ\0") {
            return unpacked(&mut lzma_rust2::XzReader::new(bytes, true));
        }
        if bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            return Err("zstd, which is not unpacked here".into());
        }
        if bytes.get(257..262) == Some(b"ustar") {
            let mut inside = Vec::new();
            let mut tar = tar::Archive::new(bytes);
            for entry in tar.entries().map_err(|error| error.to_string())? {
                let mut entry = entry.map_err(|error| error.to_string())?;
                let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
                let mut content = Vec::new();
                entry.read_to_end(&mut content).map_err(|error| error.to_string())?;
                inside.push((name, content));
            }
            return Ok(inside);
        }
        Ok(Vec::new())
    }
}

impl Outcome {
    /// The places, without those that only hold another one of them.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        let holds = |outer: &Found, inner: &Found| {
            outer.secret == inner.secret
                && inner.place.strip_prefix(&outer.place).is_some_and(|rest| rest.starts_with(':'))
        };
        let innermost = self.found.iter().filter(|outer| !self.found.iter().any(|inner| holds(outer, inner)));
        innermost
            .map(|Found { secret, place }| {
                Diagnostic::new(&rules::secret_leaked::RULE, format!("the secret {secret} can be read in {place}"))
                    .in_file(place.split(": ").next().unwrap_or_default())
                    .help("remove it there")
                    .help(format!(
                        "then set another one (debrole secret set {secret}): whoever could read that file may know this one"
                    ))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deb::gzip;
    use ::ar;

    const SECRET: &[u8] = b"correct horse battery staple";

    fn needles() -> (SecretName, Needles) {
        let name = SecretName::parse("db_password").unwrap();
        let mut needles = Needles::default();
        needles.add(&name, SECRET);
        (name, needles)
    }

    fn tar(name: &str, content: &[u8]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, name, content).unwrap();
        builder.into_inner().unwrap()
    }

    #[test]
    fn it_is_found_wherever_it_is_packed() {
        let (secret, needles) = needles();
        let text = [b"password = \"".as_slice(), SECRET, b"\"\n"].concat();
        let manual = gzip::compress(&text, gzip::Level::Best);
        let mut archive = ar::Builder::new(Vec::new());
        let data = gzip::compress(&tar("etc/app.gz", &manual), gzip::Level::Best);
        archive.append(&ar::Header::new(b"data.tar.gz".to_vec(), data.len() as u64), &data[..]).unwrap();
        for (bytes, place) in [
            (text.clone(), "x"),
            (manual.clone(), "x"),
            (tar("etc/app.conf", &text), "x: etc/app.conf"),
            (archive.into_inner().unwrap(), "x: data.tar.gz: etc/app.gz"),
        ] {
            let mut outcome = Outcome::default();
            needles.search("x", &bytes, &mut outcome);
            let found = outcome.diagnostics();
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!(found[0].rule.code, "secret-leaked");
            assert_eq!(found[0].message, format!("the secret {secret} can be read in {place}"));
        }
        for before in ["", "a", "ab", "abc"] {
            let coded = ssh_key::encode(format!("{before}{}z", String::from_utf8_lossy(SECRET)).as_bytes());
            let mut outcome = Outcome::default();
            needles.search("x", format!("<{coded}>").as_bytes(), &mut outcome);
            assert_eq!(outcome.found.len(), 1, "{before}: {coded}");
        }
    }

    #[test]
    fn what_is_like_it_is_not_it() {
        let (_, needles) = needles();
        let mut outcome = Outcome::default();
        needles.search("x", b"correct horse battery stapler's", &mut outcome);
        assert_eq!(outcome.found.len(), 1, "the whole of it is in there");
        let mut outcome = Outcome::default();
        needles.search("x", b"correct horse battery stapl", &mut outcome);
        needles.search("y", &[0x1f, 0x8b, 8, 0, 1], &mut outcome);
        assert_eq!((outcome.found.len(), outcome.files, outcome.closed.len()), (0, 2, 1));
        let mut short = Needles::default();
        short.add(&SecretName::parse("pin").unwrap(), b"1234567\n");
        assert!(short.is_empty() && short.short.len() == 1);
    }

    #[test]
    fn of_a_key_each_line_is_looked_for() {
        let mut needles = Needles::default();
        let key = b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAbcdefghij\nklm\n-----END PRIVATE KEY-----\n";
        needles.add(&SecretName::parse("key").unwrap(), key);
        let search = |text: &str| {
            let mut outcome = Outcome::default();
            needles.search("x", text.as_bytes(), &mut outcome);
            outcome.found.len()
        };
        assert_eq!(search("key = MC4CAQAwBQYDK2VwBCIEIAbcdefghij"), 1);
        assert_eq!(search("-----BEGIN PRIVATE KEY-----"), 0);
    }
}
