//! What is known of the schema beside its Rust types: titles, documentation, defaults, examples. The reference
//! page and the JSON schema are made of it.

use super::decode::{Decoder, Toml};
use crate::source::Span;

/// A table of the schema, made by the `schema!` macro.
pub trait Table: Sized {
    const META: &'static TableMeta;
    /// The table with none of its keys set.
    fn empty(span: Span) -> Self;
    /// Decodes and keeps one key's value. False if there is no such key.
    fn set(&mut self, key: &str, value: &Toml<'_>, d: &mut Decoder<'_>) -> bool;
}

#[derive(Debug)]
pub struct TableMeta {
    /// The Rust type's name: the anchor in the reference.
    pub name: &'static str,
    /// What it is called in messages: `[[file]]`, `a role`.
    pub title: &'static str,
    pub doc: &'static [&'static str],
    pub fields: &'static [Field],
    /// Tables whose keys are this table's too.
    pub embeds: &'static [&'static TableMeta],
}

impl TableMeta {
    /// All keys, embedded ones last.
    pub fn keys(&self) -> Vec<&'static str> {
        let own = self.fields.iter().map(|f| f.key);
        own.chain(self.embeds.iter().flat_map(|t| t.keys())).collect()
    }
    /// The keys that must be there.
    pub fn required(&self) -> impl Iterator<Item = &'static str> {
        let embedded = self.embeds.iter().flat_map(|t| t.fields);
        self.fields.iter().chain(embedded).filter(|f| f.options.required).map(|f| f.key)
    }
    pub fn field(&self, key: &str) -> Option<&'static Field> {
        let own = self.fields.iter().find(|f| f.key == key);
        own.or_else(|| self.embeds.iter().find_map(|t| t.field(key)))
    }
}

#[derive(Debug)]
pub struct Field {
    pub key: &'static str,
    pub doc: &'static [&'static str],
    pub shape: fn() -> Shape,
    pub options: Options,
}

/// What a field's type does not say.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub required: bool,
    /// What holds where the key is absent, in words or TOML.
    pub default: &'static str,
    /// A TOML value that is accepted.
    pub example: &'static str,
    /// Where the rules for the value come from: a section of Debian Policy, a man page, an RFC.
    pub source: &'static str,
    /// All accepted values, where they are few.
    pub values: &'static [&'static str],
    /// A regular expression (of JSON schema) that accepted strings match.
    pub pattern: &'static str,
    /// The smallest and largest accepted number.
    pub range: Option<(i64, i64)>,
}

impl Options {
    pub const NONE: Options =
        Options { required: false, default: "", example: "", source: "", values: &[], pattern: "", range: None };
}

/// The form of a field's value.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    Text,
    Flag,
    Number,
    Texts,
    TextOrTexts,
    Measure,
    Day,
    Scalars,
    Values,
    One(&'static TableMeta),
    Many(&'static TableMeta),
    Named(&'static TableMeta),
}

/// Tables of the schema: from one definition a struct with all fields optional (what was wrong or absent is
/// `None`), its decoder and its metadata. `..field: Type` takes over another table's keys.
macro_rules! schema {
    ($(
        $(#[doc = $doc:literal])*
        table $name:ident($title:literal) {
            $( $(#[doc = $fdoc:literal])* $key:ident $(as $toml:literal)? : $type:ty $({ $($opt:tt)* })? , )*
            $( .. $embed:ident : $etype:ident , )?
        }
    )*) => {$(
        $(#[doc = $doc])*
        #[derive(Debug, Clone)]
        pub struct $name {
            /// The table's header, or the first line of the file.
            pub span: Span,
            $( $(#[doc = $fdoc])* pub $key: Option<$type>, )*
            $( pub $embed: $etype, )?
        }
        impl Table for $name {
            const META: &'static TableMeta = &TableMeta {
                name: stringify!($name),
                title: $title,
                doc: &[$($doc),*],
                fields: &[$(
                    Field {
                        key: schema!(@key $key $($toml)?),
                        doc: &[$($fdoc),*],
                        shape: <$type as Decode>::shape,
                        options: Options { $($($opt)*,)? ..Options::NONE },
                    },
                )*],
                embeds: &[$($etype::META)?],
            };
            fn empty(span: Span) -> Self {
                $name { span, $($key: None,)* $($embed: $etype::empty(span),)? }
            }
            // (A table may have no keys: it is there or not.)
            #[allow(unused_variables)]
            fn set(&mut self, key: &str, value: &Toml<'_>, d: &mut Decoder<'_>) -> bool {
                match key {
                    $(schema!(@key $key $($toml)?) => {
                        self.$key = <$type as Decode>::decode(value, d);
                        true
                    })*
                    _ => false $(|| self.$embed.set(key, value, d))?,
                }
            }
        }
    )*};
    (@key $key:ident) => { stringify!($key) };
    (@key $key:ident $toml:literal) => { $toml };
}
pub(super) use schema;
