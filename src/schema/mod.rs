//! The schema of the fleet tree, written once: from the definitions in [`ast`] come the structs, the decoder, the
//! reference page and the JSON schema for editors. Parsing never fails: it gives what could be understood, and all
//! that was wrong.

pub mod ast;
mod decode;
mod meta;
pub mod reference;
mod syntax;

pub use decode::{Day, Flag, Many, Measure, Named, Number, One, Scalars, Text, TextOrTexts, Texts, ValueTable};
pub use meta::{Field, Options, Shape, Table, TableMeta};

use crate::diagnostics::Diagnostic;
use crate::source::{FileId, Span};
use decode::Decoder;
use toml::de::DeTable;

/// The version of the schema that `schema = N` in debrole.toml names.
pub const VERSION: i64 = 1;

/// Parses one file. Where its syntax is wrong, only that is reported (what else may be wrong can't be told from
/// what the syntax errors garbled), all of it at once.
pub fn parse<T: Table>(file: FileId, text: &str) -> (T, Vec<Diagnostic>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut decoder = Decoder::new(file, text);
    let first_line = text.find('\n').unwrap_or(text.len());
    let out = decoder.table(table.get_ref(), Span::new(file, 0..first_line.min(text.len())));
    if errors.is_empty() {
        return (out, decoder.diagnostics);
    }
    (out, syntax::diagnostics(file, text, &errors))
}
