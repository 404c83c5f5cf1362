//! From TOML values to the AST's fields: every type that a field can have knows how to decode itself, and what it
//! looks like in the reference ([`Shape`]). Nothing here stops at the first error.

use super::meta::{Shape, Table};
use crate::diagnostics::{Diagnostic, rules};
use crate::model::Value;
use crate::source::{FileId, Span, Spanned};
use std::collections::BTreeMap;
use toml::de::{DeInteger, DeTable, DeValue};

pub type Toml<'i> = toml::Spanned<DeValue<'i>>;
pub type TomlKey<'i> = toml::Spanned<toml::de::DeString<'i>>;

/// So many errors into a file no near names are looked for any more: it would take longer than anybody waits.
const MOST_MISSPELT: usize = 500;

/// The text of one file being decoded, and what was wrong with it so far.
pub struct Decoder<'a> {
    file: FileId,
    text: &'a str,
    /// The key whose value is being decoded, for messages.
    key: String,
    pub diagnostics: Vec<Diagnostic>,
}

impl<'a> Decoder<'a> {
    pub fn new(file: FileId, text: &'a str) -> Self {
        Decoder { file, text, key: String::new(), diagnostics: Vec::new() }
    }

    pub fn span(&self, range: std::ops::Range<usize>) -> Span {
        Span::new(self.file, range)
    }

    /// The place of a string's text without its quotes, where the source spells the text as it is; else (escapes,
    /// an empty string) the place of the whole value. See [`Spanned::part`].
    fn text_span(&self, range: std::ops::Range<usize>, value: &str) -> Span {
        if let Some(raw) = self.text.get(range.clone()) {
            for quote in ["\"\"\"", "'''", "\"", "'"] {
                let Some(inner) = raw.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) else { continue };
                let (skipped, inner) = match inner.strip_prefix('\n').or_else(|| inner.strip_prefix("\r\n")) {
                    Some(rest) if quote.len() == 3 => (inner.len() - rest.len(), rest),
                    _ => (0, inner),
                };
                if !inner.is_empty() && inner == value {
                    let start = range.start + quote.len() + skipped;
                    return self.span(start..start + inner.len());
                }
                break;
            }
        }
        self.span(range)
    }

    fn wrong_type(&mut self, value: &Toml<'_>, expected: &str) {
        let range = value.span();
        let raw = self.text.get(range.clone()).unwrap_or("").to_owned();
        let found = kind(value.get_ref());
        let mut diagnostic =
            Diagnostic::new(&rules::wrong_type::RULE, format!("\"{}\" must be {expected}, not {found}", self.key))
                .at(self.span(range), format!("this is {found}"));
        let one_line = !raw.contains('\n') && raw.len() <= 40;
        diagnostic = match value.get_ref() {
            DeValue::String(_) if expected.starts_with("a list") && one_line => {
                diagnostic.help(format!("write {} = [{raw}]", self.key))
            }
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Boolean(_)
                if expected.starts_with("a string") && one_line =>
            {
                diagnostic.help(format!("put it in quotes: {} = \"{raw}\"", self.key))
            }
            DeValue::String(text) if expected == "true or false" && (text == "true" || text == "false") => {
                diagnostic.help(format!("write it without quotes: {} = {text}", self.key))
            }
            DeValue::String(text) if expected.starts_with("an integer") && text.parse::<i64>().is_ok() => {
                diagnostic.help(format!("write it without quotes: {} = {text}", self.key))
            }
            _ if expected == "a date" => diagnostic.help(format!("write a day: {} = 2027-12-31", self.key)),
            DeValue::Table(_) if expected.starts_with("an array of tables") => {
                diagnostic.help(format!("write the table's name in double brackets: [[{}]]", self.key))
            }
            DeValue::Array(_) if expected.starts_with("a table") => {
                diagnostic.help(format!("write the table's name in single brackets: [{}]", self.key))
            }
            _ => diagnostic,
        };
        self.diagnostics.push(diagnostic);
    }

    /// Decodes all keys of a table; unknown ones are errors that name the nearest known key.
    pub fn table<T: Table>(&mut self, table: &DeTable<'_>, span: Span) -> T {
        let mut out = T::empty(span);
        let mut misspelt = Vec::new();
        for (key, value) in table.iter() {
            self.key = key.get_ref().to_string();
            if !out.set(key.get_ref(), value, self) {
                misspelt.extend(self.unknown_key::<T>(key));
            }
        }
        // A required key that is there under a wrong name is one mistake.
        for key in T::META.required().filter(|key| !table.contains_key(*key) && !misspelt.contains(key)) {
            self.diagnostics.push(
                Diagnostic::new(&rules::missing_key::RULE, format!("{} needs the key \"{key}\"", T::META.title))
                    .at(span, format!("\"{key}\" is missing here"))
                    .help(match T::META.field(key).map(|f| f.options.example).filter(|e| !e.is_empty()) {
                        Some(example) => format!("add {key} = {example}"),
                        None => format!("add \"{key}\""),
                    }),
            );
        }
        out
    }

    /// The known key that is probably meant.
    fn unknown_key<T: Table>(&mut self, key: &TomlKey<'_>) -> Option<&'static str> {
        let name = key.get_ref().as_ref();
        let known = T::META.keys();
        let mut diagnostic =
            Diagnostic::new(&rules::unknown_key::RULE, format!("there is no key \"{name}\" in {}", T::META.title))
                .at(self.span(key.span()), "unknown key");
        // Of so many none is misspelt: the file is something else.
        let plausible = self.diagnostics.len() < MOST_MISSPELT;
        let near = if plausible { crate::near::nearest(name, known.iter().copied()) } else { None };
        diagnostic = match near {
            Some(near) => diagnostic.help(format!("did you mean \"{near}\"?")),
            None => diagnostic.help(format!("the keys of {} are {}", T::META.title, known.join(", "))),
        };
        if T::META.title.starts_with("[[") && super::ast::Role::META.keys().contains(&name) {
            diagnostic = diagnostic.help(format!("a \"{name}\" of the whole file stands above its first [table]"));
        }
        self.diagnostics.push(diagnostic);
        near
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn integer(value: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(value.as_str(), value.radix()).ok()
}

/// A type that a field of the schema can have.
pub trait Decode: Sized {
    /// None after an error, which is in the decoder's diagnostics.
    fn decode(value: &Toml<'_>, d: &mut Decoder<'_>) -> Option<Self>;
    fn shape() -> Shape;
}

/// A string.
pub type Text = Spanned<String>;
/// `true` or `false`.
pub type Flag = Spanned<bool>;
/// An integer of 64 bits.
pub type Number = Spanned<i64>;
/// A list of strings and its place.
pub type Texts = Spanned<Vec<Text>>;

impl Decode for Text {
    fn decode(value: &Toml<'_>, d: &mut Decoder<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(text) => Some(Spanned::new(text.to_string(), d.text_span(value.span(), text))),
            _ => {
                d.wrong_type(value, "a string");
                None
            }
        }
    }
    fn shape() -> Shape {
        Shape::Text
    }
}

impl Decode for Flag {
    fn decode(value: &Toml<'_>, d: &mut Decoder<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(Spanned::new(*flag, d.span(value.span()))),
            _ => {
                d.wrong_type(value, "true or false");
                None
            }
        }
    }
    fn shape() -> Shape {
        Shape::Flag
    }
}

impl Decode for Number {
    fn decode(value: &Toml<'_>, d: &mut Decoder<'_>) -> Option<Self> {
        if let DeValue::Integer(number) = value.get_ref()
            && let Some(number) = integer(number)
        {
            return Some(Spanned::new(number, d.span(value.span())));
        }
        d.wrong_type(value, "an integer of 64 bits");
        None
    }
    fn shape() -> Shape {
        Shape::Number
    }
}

impl Decode for Texts {
    fn decode(value: &Toml<'_>, d: &mut Decoder<'_>) -> Option<Self> {
        let DeValue::Array(items) = value.get_ref() else {
            d.wrong_type(value, "a list of strings");
            return None;
        };
        let key = d.key.clone();
        let mut out = Vec::with_capacity(items.len());
        for item in items.iter() {
            d.key = format!("an item of {key}");
            match item.get_ref() {
                DeValue::String(text) => out.push(Spanned::new(text.to_string(), d.text_span(item.span(), text))),
                _ => d.diagnostics.push(
                    Diagnostic::new(
                        &rules::wrong_type::RULE,
                        format!("\"{key}\" must be a list of strings: one of its items is {}", kind(item.get_ref())),
                    )
                    .at(d.span(item.span()), format!("this is {}", kind(item.get_ref())))
                    .help("put each item in quotes"),
                ),
            }
        }
        d.key = key;
        Some(Spanned::new(out, d.span(value.span())))
    }
    fn shape() -> Shape {
        Shape::Texts
    }
}

/// A day of the calendar: a TOML date, or a string like one.
pub type Day = Spanned<jiff::civil::Date>;

impl Decode for Day {
    fn decode(value: &Toml<'_>, d: &mut Decoder<'_>) -> Option<Self> {
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(date) if date.time.is_none() && date.offset.is_none() => date.to_string(),
            _ => {
                d.wrong_type(value, "a date");
                return None;
            }
        };
        let written = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        match text.parse().ok().filter(|_| written) {
            Some(day) => Some(Spanned::new(day, d.span(value.span()))),
            None => {
                let message = format!("\"{}\" is not a day of the calendar", text.escape_debug());
                d.diagnostics.push(
                    Diagnostic::new(&rules::invalid_date::RULE, message)
                        .at(d.span(value.span()), "")
                        .help(format!("write year, month and day: {} = 2027-12-31", d.key)),
                );
                None
            }
        }
    }
    fn shape() -> Shape {
        Shape::Day
    }
}

/// One string, or a list of them.
#[derive(Debug, Clone, Default)]
pub struct TextOrTexts(pub Vec<Text>);

impl Decode for TextOrTexts {
    fn decode(value: &Toml<'_>, d: &mut Decoder<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(_) => Text::decode(value, d).map(|text| TextOrTexts(vec![text])),
            DeValue::Array(_) => Texts::decode(value, d).map(|texts| TextOrTexts(texts.value)),
            _ => {
                d.wrong_type(value, "a string or a list of strings");
                None
            }
        }
    }
    fn shape() -> Shape {
        Shape::TextOrTexts
    }
}

/// A number, or a string with one: kept as it is written.
#[derive(Debug, Clone)]
pub struct Measure(pub Text);

impl Decode for Measure {
    fn decode(value: &Toml<'_>, d: &mut Decoder<'_>) -> Option<Self> {
        let span = d.span(value.span());
        let text = match value.get_ref() {
            DeValue::String(_) => return Text::decode(value, d).map(Measure),
            DeValue::Integer(number) => integer(number).map(|number| number.to_string()),
            // As it is written: 0.1 is not to become 0.10000000000000001. Infinities and exponents are none of it.
            DeValue::Float(number) => Some(number.as_str().replace('_', ""))
                .filter(|text| text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-')),
            _ => None,
        };
        if text.is_none() {
            d.wrong_type(value, "a number or a string");
        }
        text.map(|text| Measure(Spanned::new(text, span)))
    }
    fn shape() -> Shape {
        Shape::Measure
    }
}

/// A table of names to strings or integers: `[sysctl]`, `[environment]`. Integers are kept as they are written in
/// decimal.
#[derive(Debug, Clone)]
pub struct Scalars(pub Vec<(Text, Text)>);

impl Decode for Scalars {
    fn decode(value: &Toml<'_>, d: &mut Decoder<'_>) -> Option<Self> {
        let DeValue::Table(table) = value.get_ref() else {
            d.wrong_type(value, "a table of names and strings");
            return None;
        };
        let key = d.key.clone();
        let mut out = Vec::with_capacity(table.len());
        for (name, item) in table.iter() {
            d.key = name.get_ref().to_string();
            let span = d.span(item.span());
            let text = match item.get_ref() {
                DeValue::String(_) => Text::decode(item, d),
                DeValue::Integer(number) if integer(number).is_some() => {
                    integer(number).map(|number| Spanned::new(number.to_string(), span))
                }
                DeValue::Table(_) if key == "sysctl" => {
                    d.diagnostics.push(
                        Diagnostic::new(
                            &rules::wrong_type::RULE,
                            format!("a kernel parameter is one key: \"{}\" is a table here", d.key),
                        )
                        .at(d.span(name.span()), "without quotes, TOML reads the dots as tables in tables")
                        .help(format!("put the whole name in quotes: \"{}.…\" = …", d.key)),
                    );
                    None
                }
                _ => {
                    d.wrong_type(item, "a string or an integer");
                    None
                }
            };
            if let Some(text) = text {
                out.push((d.key_text(name), text));
            }
        }
        d.key = key;
        Some(Scalars(out))
    }
    fn shape() -> Shape {
        Shape::Scalars
    }
}

impl Decoder<'_> {
    fn key_text(&self, key: &TomlKey<'_>) -> Text {
        let text = key.get_ref();
        let range = key.span();
        // A bare key has no quotes around it; a quoted one does.
        let span = match self.text.get(range.clone()) {
            Some(raw) if raw == text.as_ref() => self.span(range),
            _ => self.text_span(range, text),
        };
        Spanned::new(text.to_string(), span)
    }
}

/// A table of names to values of any type but dates: `[values]`.
#[derive(Debug, Clone)]
pub struct ValueTable(pub Vec<(Text, Spanned<Value>)>);

impl Decode for ValueTable {
    fn decode(value: &Toml<'_>, d: &mut Decoder<'_>) -> Option<Self> {
        let DeValue::Table(table) = value.get_ref() else {
            d.wrong_type(value, "a table of values");
            return None;
        };
        let key = d.key.clone();
        let mut out = Vec::with_capacity(table.len());
        for (name, item) in table.iter() {
            d.key = name.get_ref().to_string();
            if let Some(value) = free_value(item, d) {
                out.push((d.key_text(name), Spanned::new(value, d.span(item.span()))));
            }
        }
        d.key = key;
        Some(ValueTable(out))
    }
    fn shape() -> Shape {
        Shape::Values
    }
}

fn free_value(value: &Toml<'_>, d: &mut Decoder<'_>) -> Option<Value> {
    match value.get_ref() {
        DeValue::String(text) => Some(Value::String(text.to_string())),
        DeValue::Boolean(flag) => Some(Value::Boolean(*flag)),
        DeValue::Integer(number) => {
            let number = integer(number);
            if number.is_none() {
                d.wrong_type(value, "an integer of 64 bits");
            }
            number.map(Value::Integer)
        }
        DeValue::Float(number) => match number.as_str().replace('_', "").parse::<f64>() {
            Ok(number) if number.is_finite() => Some(Value::Float(number)),
            _ => {
                d.wrong_type(value, "a string, a finite number, true or false, a list or a table");
                None
            }
        },
        DeValue::Datetime(_) => {
            d.wrong_type(value, "a string, a number, true or false, a list or a table");
            None
        }
        DeValue::Array(items) => {
            let decoded: Vec<_> = items.iter().map(|item| free_value(item, d)).collect();
            decoded.into_iter().collect::<Option<Vec<_>>>().map(Value::Array)
        }
        DeValue::Table(table) => {
            let decoded: Vec<_> =
                table.iter().map(|(key, item)| Some((key.get_ref().to_string(), free_value(item, d)?))).collect();
            decoded.into_iter().collect::<Option<BTreeMap<_, _>>>().map(Value::Table)
        }
    }
}

/// `[table]`, once.
#[derive(Debug, Clone)]
pub struct One<T>(pub T);

impl<T: Table> Decode for One<T> {
    fn decode(value: &Toml<'_>, d: &mut Decoder<'_>) -> Option<Self> {
        let DeValue::Table(table) = value.get_ref() else {
            d.wrong_type(value, "a table");
            return None;
        };
        let key = d.key.clone();
        let out = d.table(table, d.span(value.span()));
        d.key = key;
        Some(One(out))
    }
    fn shape() -> Shape {
        Shape::One(T::META)
    }
}

/// `[[table]]`, any number of times.
#[derive(Debug, Clone)]
pub struct Many<T>(pub Vec<T>);

impl<T: Table> Decode for Many<T> {
    fn decode(value: &Toml<'_>, d: &mut Decoder<'_>) -> Option<Self> {
        let DeValue::Array(items) = value.get_ref() else {
            d.wrong_type(value, "an array of tables");
            return None;
        };
        let key = d.key.clone();
        let mut out = Vec::with_capacity(items.len());
        for item in items.iter() {
            d.key.clone_from(&key);
            match item.get_ref() {
                DeValue::Table(table) => out.push(d.table(table, d.span(item.span()))),
                _ => d.wrong_type(item, "an array of tables"),
            }
        }
        d.key = key;
        Some(Many(out))
    }
    fn shape() -> Shape {
        Shape::Many(T::META)
    }
}

/// `[table.NAME]`, once for each name.
#[derive(Debug, Clone)]
pub struct Named<T>(pub Vec<(Text, T)>);

impl<T: Table> Decode for Named<T> {
    fn decode(value: &Toml<'_>, d: &mut Decoder<'_>) -> Option<Self> {
        let DeValue::Table(table) = value.get_ref() else {
            d.wrong_type(value, "a table of tables");
            return None;
        };
        let key = d.key.clone();
        let mut out = Vec::with_capacity(table.len());
        for (name, item) in table.iter() {
            d.key = format!("{key}.{}", name.get_ref());
            match item.get_ref() {
                DeValue::Table(table) => {
                    let name = d.key_text(name);
                    let decoded = d.table(table, d.span(item.span()));
                    out.push((name, decoded));
                }
                _ => d.wrong_type(item, "a table"),
            }
        }
        d.key = key;
        Some(Named(out))
    }
    fn shape() -> Shape {
        Shape::Named(T::META)
    }
}
