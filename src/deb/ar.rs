//! The outer archive of a .deb (deb(5), ar(5)).

/// The archive with these members, all root's, 0100644, of this time.
pub fn write(time: u64, members: &[(&str, &[u8])]) -> Vec<u8> {
    let size: usize = members.iter().map(|(_, bytes)| HEADER + bytes.len() + 1).sum();
    let mut builder = ar::Builder::new(Vec::with_capacity(MAGIC.len() + size));
    for (name, bytes) in members {
        let mut header = ar::Header::new(name.as_bytes().to_vec(), bytes.len() as u64);
        header.set_mode(0o100644);
        header.set_mtime(time);
        if let Err(error) = builder.append(&header, *bytes) {
            // Into memory, of the length that the header says: nothing is left to fail.
            unreachable!("ar: {error}");
        }
    }
    builder.into_inner().unwrap_or_else(|error| unreachable!("ar: {error}"))
}

const MAGIC: &[u8] = b"!<arch>\n";
const HEADER: usize = 60;

/// The names and sizes of the members, in order; an error says what is broken. Reads the headers and nothing else, so
/// it is safe with any bytes: what it accepts may be given to a reader that trusts its input.
pub fn members(bytes: &[u8]) -> Result<Vec<(String, usize)>, String> {
    let mut rest = bytes.strip_prefix(MAGIC).ok_or("it is not an ar archive, so not a .deb (deb(5))")?;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (header, body) =
            rest.split_at_checked(HEADER).ok_or("it ends inside a member's header: a part is missing")?;
        if &header[58..60] != b"`\n" {
            return Err("a member's header is broken".into());
        }
        let text = std::str::from_utf8(&header[..58]).map_err(|_| "a member's header is not text")?;
        if !text.is_ascii() {
            return Err("a member's header is not ASCII".into());
        }
        let name = text[..16].trim_end_matches(' ');
        let name = name.strip_suffix('/').unwrap_or(name);
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
            return Err(format!("it has a member of the odd name {name:?}"));
        }
        let number = |range: std::ops::Range<usize>, radix| {
            let digits = text[range].trim_end_matches(' ');
            match digits.bytes().all(|b| b.is_ascii_digit()) {
                true if digits.is_empty() => Ok(0),
                true => u64::from_str_radix(digits, radix).map_err(|_| "a member's header holds a broken number"),
                false => Err("a member's header holds a broken number"),
            }
        };
        number(16..28, 10)?;
        number(28..34, 10)?;
        number(34..40, 10)?;
        number(40..48, 8)?;
        let size = number(48..58, 10)? as usize;
        if size > body.len() {
            return Err(format!("its member {name} should have {size} bytes, but only {} are there", body.len()));
        }
        found.push((name.to_string(), size));
        rest = body.get(size + size % 2..).unwrap_or(&[]);
    }
    Ok(found)
}
