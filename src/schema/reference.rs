//! The reference page and the JSON schemas for editors, made of the schema's metadata.

use super::ast;
use super::meta::{Field, Shape, Table, TableMeta};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A kind of file in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Debrole,
    Role,
    Host,
    User,
    Group,
    Ledger,
}

impl Kind {
    pub const ALL: [Kind; 6] = [Kind::Debrole, Kind::Role, Kind::Host, Kind::User, Kind::Group, Kind::Ledger];
    /// The schema's file name, without `.json`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Debrole => "debrole",
            Kind::Role => "role",
            Kind::Host => "host",
            Kind::User => "user",
            Kind::Group => "group",
            Kind::Ledger => "ledger",
        }
    }
    /// The files of this kind, as the page calls them.
    fn file(self) -> &'static str {
        match self {
            Kind::Debrole => "debrole.toml",
            Kind::Role => "roles/ROLE.toml",
            Kind::Host => "hosts/FQDN.toml",
            Kind::User => "users/USER.toml",
            Kind::Group => "groups/GROUP.toml",
            Kind::Ledger => "ledger.toml",
        }
    }
    fn meta(self) -> &'static TableMeta {
        match self {
            Kind::Debrole => ast::Debrole::META,
            Kind::Role => ast::Role::META,
            Kind::Host => ast::Host::META,
            Kind::User => ast::User::META,
            Kind::Group => ast::Group::META,
            Kind::Ledger => ast::Ledger::META,
        }
    }
}

/// The documentation, a paragraph a line.
fn prose(doc: &[&str]) -> String {
    let lines: Vec<&str> = doc.iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    lines.join("\n").trim().to_owned()
}

/// The same on one line, for a table's cell: its first sentence.
fn first_sentence(doc: &[&str]) -> String {
    let text = prose(doc).replace('\n', " ");
    let end = text.match_indices(". ").map(|(at, _)| at + 1).next().unwrap_or(text.len());
    text[..end].replace('|', "\\|")
}

fn described(shape: Shape) -> String {
    match shape {
        Shape::Text => "string".into(),
        Shape::Flag => "boolean".into(),
        Shape::Number => "integer".into(),
        Shape::Texts => "list of strings".into(),
        Shape::TextOrTexts => "string or list of strings".into(),
        Shape::Measure => "number or string".into(),
        Shape::Day => "date".into(),
        Shape::Scalars => "table of strings and integers".into(),
        Shape::Values => "table of any values".into(),
        Shape::One(table) => format!("[table](#{})", anchor(table)),
        Shape::Many(table) => format!("[array of tables](#{})", anchor(table)),
        Shape::Named(table) => format!("[tables by name](#{})", anchor(table)),
    }
}

fn anchor(table: &TableMeta) -> String {
    table.name.to_lowercase()
}

/// The reference page in Markdown.
pub fn markdown() -> String {
    let mut page = String::from(
        "# Reference: the fleet tree\n\n\
         Generated from the schema in the code by `debrole reference`. Every key is checked; an unknown one is an error.\n\
         Editors complete and check the files by the JSON schemas beside this page: begin a file with\n\
         `#:schema PATH/schema/role.json`.\n\n\
         | files | what they are |\n|---|---|\n",
    );
    for kind in Kind::ALL {
        let _ =
            writeln!(page, "| [`{}`](#{}) | {} |", kind.file(), anchor(kind.meta()), first_sentence(kind.meta().doc));
    }
    page.push_str(
        "| `roles/ROLE/`, `hosts/FQDN/` | The files that a role or host ships. |\n\
         | `packages/*.deb` | The site's own packages, published as they are. |\n",
    );
    let mut done: Vec<&str> = Vec::new();
    let mut todo: Vec<(String, &TableMeta)> =
        Kind::ALL.iter().rev().map(|kind| (format!("`{}`", kind.file()), kind.meta())).collect();
    while let Some((title, table)) = todo.pop() {
        if done.contains(&table.name) {
            continue;
        }
        done.push(table.name);
        section(&mut page, &title, table);
        let mut inner: Vec<(String, &TableMeta)> = Vec::new();
        let inside = if table.name == ast::Access::META.name { "access." } else { "" };
        for field in table.fields {
            match (field.shape)() {
                Shape::One(of) => inner.push((format!("`[{}]`", field.key), of)),
                Shape::Many(of) => inner.push((format!("`[[{inside}{}]]`", field.key), of)),
                Shape::Named(of) => {
                    let whose = if of.name == ast::RoleRelease::META.name { " in a role" } else { "" };
                    inner.push((format!("`[{inside}{}.NAME]`{whose}", field.key), of));
                }
                _ => {}
            }
        }
        inner.extend(table.embeds.iter().map(|of| ("Keys of roles and hosts".to_owned(), *of)));
        todo.extend(inner.into_iter().rev());
    }
    page
}

fn section(page: &mut String, title: &str, table: &TableMeta) {
    let _ = write!(page, "\n<a id=\"{}\"></a>\n\n## {title}\n\n{}\n\n", anchor(table), prose(table.doc));
    if !table.fields.is_empty() {
        page.push_str("| key | type | |\n|---|---|---|\n");
        for field in table.fields {
            let required = if field.options.required { "Required. " } else { "" };
            let shape = described((field.shape)());
            let _ = writeln!(page, "| `{}` | {shape} | {required}{} |", field.key, first_sentence(field.doc));
        }
    }
    for embedded in table.embeds {
        let _ = writeln!(page, "\nAnd the [keys of roles and hosts](#{}).", anchor(embedded));
    }
    for field in table.fields {
        let _ = write!(page, "\n### `{}`\n\n{}\n", field.key, prose(field.doc));
        let options = &field.options;
        let mut facts = Vec::new();
        facts.push(format!("Type: {}", described((field.shape)())));
        match (options.required, options.default) {
            (true, _) => facts.push("Required".to_owned()),
            (false, "") => facts.push("Default: none".to_owned()),
            (false, default) if literal(default).is_some() => facts.push(format!("Default: `{default}`")),
            (false, default) => facts.push(format!("Default: {default}")),
        }
        if !options.values.is_empty() {
            facts.push(format!("Values: `{}`", options.values.join("`, `")));
        }
        if let Some((low, high)) = options.range {
            facts.push(if low == high { format!("Value: {low}") } else { format!("From {low} to {high}") });
        }
        if !options.pattern.is_empty() {
            facts.push(format!("Pattern: `{}`", options.pattern));
        }
        if !options.source.is_empty() {
            facts.push(format!("Source: {}", options.source));
        }
        if !options.example.is_empty() {
            facts.push(format!("Example: `{} = {}`", field.key, options.example));
        }
        let _ = write!(page, "\n- {}\n", facts.join("\n- "));
    }
}

/// A TOML value written in the metadata, as JSON; None for words.
fn literal(text: &str) -> Option<Value> {
    let table: BTreeMap<String, Value> = toml::from_str(&format!("x = {text}")).ok()?;
    table.into_values().next()
}

/// The JSON schema (draft-07) of one kind of file.
pub fn json_schema(kind: Kind) -> String {
    let mut definitions = Map::new();
    let mut schema = object(kind.meta(), &mut definitions);
    schema.insert("$schema".into(), json!("http://json-schema.org/draft-07/schema#"));
    schema.insert("title".into(), json!(kind.file()));
    schema.insert("definitions".into(), Value::Object(definitions));
    let mut text = serde_json::to_string_pretty(&schema).expect("JSON values are JSON");
    text.push('\n');
    text
}

fn object(table: &'static TableMeta, definitions: &mut Map<String, Value>) -> Map<String, Value> {
    let mut properties = Map::new();
    let fields = table.fields.iter().chain(table.embeds.iter().flat_map(|of| of.fields));
    for field in fields {
        properties.insert(field.key.to_owned(), property(field, definitions));
    }
    let mut out = Map::new();
    out.insert("type".into(), json!("object"));
    out.insert("description".into(), json!(prose(table.doc)));
    out.insert("properties".into(), Value::Object(properties));
    out.insert("additionalProperties".into(), json!(false));
    let required: Vec<&str> = table.required().collect();
    if !required.is_empty() {
        out.insert("required".into(), json!(required));
    }
    out
}

fn reference(table: &'static TableMeta, definitions: &mut Map<String, Value>) -> Value {
    if !definitions.contains_key(table.name) {
        // Held before it is made: a table may be in itself.
        definitions.insert(table.name.to_owned(), Value::Null);
        let made = object(table, definitions);
        definitions.insert(table.name.to_owned(), Value::Object(made));
    }
    json!({ "$ref": format!("#/definitions/{}", table.name) })
}

fn property(field: &Field, definitions: &mut Map<String, Value>) -> Value {
    let options = &field.options;
    let mut text = Map::from_iter([("type".to_owned(), json!("string"))]);
    if !options.pattern.is_empty() {
        text.insert("pattern".into(), json!(options.pattern));
    }
    if !options.values.is_empty() {
        text.insert("enum".into(), json!(options.values));
    }
    let mut out = match (field.shape)() {
        Shape::Text => text,
        Shape::Flag => Map::from_iter([("type".to_owned(), json!("boolean"))]),
        // Editors hand a TOML date over as a string.
        Shape::Day => Map::from_iter([("type".to_owned(), json!("string")), ("format".to_owned(), json!("date"))]),
        Shape::Number => Map::from_iter([("type".to_owned(), json!("integer"))]),
        Shape::Texts => {
            Map::from_iter([("type".to_owned(), json!("array")), ("items".to_owned(), Value::Object(text))])
        }
        Shape::TextOrTexts => Map::from_iter([(
            "oneOf".to_owned(),
            json!([{ "type": "string" }, { "type": "array", "items": { "type": "string" } }]),
        )]),
        Shape::Measure => Map::from_iter([("type".to_owned(), json!(["number", "string"]))]),
        Shape::Scalars => Map::from_iter([
            ("type".to_owned(), json!("object")),
            ("additionalProperties".to_owned(), json!({ "type": ["string", "integer"] })),
        ]),
        Shape::Values => Map::from_iter([("type".to_owned(), json!("object"))]),
        Shape::One(of) => Map::from_iter([("allOf".to_owned(), json!([reference(of, definitions)]))]),
        Shape::Many(of) => {
            Map::from_iter([("type".to_owned(), json!("array")), ("items".to_owned(), reference(of, definitions))])
        }
        Shape::Named(of) => Map::from_iter([
            ("type".to_owned(), json!("object")),
            ("additionalProperties".to_owned(), reference(of, definitions)),
        ]),
    };
    if let Some((low, high)) = options.range {
        out.insert("minimum".into(), json!(low));
        out.insert("maximum".into(), json!(high));
    }
    let mut description = prose(field.doc);
    if !options.source.is_empty() {
        let _ = write!(description, "\n\nSource: {}", options.source);
    }
    out.insert("description".into(), json!(description));
    if let Some(default) = literal(options.default) {
        out.insert("default".into(), default);
    }
    if let Some(example) = literal(options.example) {
        out.insert("examples".into(), json!([example]));
    }
    Value::Object(out)
}
