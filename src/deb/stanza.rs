//! Reading a control file: one stanza (Debian Policy 5.1), strictly. Control text of packages that we did not make
//! goes into our index verbatim, so anything that could be read in two ways is refused.

/// The fields of one stanza, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stanza {
    fields: Vec<(String, String)>,
}

impl Stanza {
    /// Parses exactly one stanza. Continuation lines are kept in the value, each after a newline. An error is a
    /// sentence with the line's number.
    pub fn parse(text: &str) -> Result<Stanza, String> {
        let mut fields: Vec<(String, String)> = Vec::new();
        for (number, line) in text.trim_end_matches('\n').split('\n').enumerate() {
            let number = number + 1;
            if let Some(c) = line.chars().find(|&c| c.is_control() && c != '\t') {
                return Err(format!("line {number} of its control file holds {c:?}"));
            }
            if line.starts_with([' ', '\t']) {
                if line.trim().is_empty() {
                    return Err(format!("line {number} of its control file has nothing but white space in it"));
                }
                let Some((_, value)) = fields.last_mut() else {
                    return Err("its control file begins with a continuation line".into());
                };
                value.push('\n');
                value.push_str(line);
                continue;
            }
            if line.is_empty() {
                return Err(format!("line {number} of its control file is empty: a package has one stanza"));
            }
            let Some((name, value)) = line.split_once(':') else {
                return Err(format!("line {number} of its control file has no colon"));
            };
            if name.is_empty() || name.starts_with(['#', '-']) || !name.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(format!("line {number} of its control file has the odd field name {name:?}"));
            }
            if fields.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                return Err(format!("its control file has the field {name} twice"));
            }
            fields.push((name.to_string(), value.trim().to_string()));
        }
        Ok(Stanza { fields })
    }

    /// The value of a field; names are compared without regard to case (Debian Policy 5.1).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}
