//! The schema: its documentation is true, and every file of a tree is parsed without stopping at the first error.

use crate::ui::{check, debrole_toml};
use debrole::diagnostics::Diagnostic;
use debrole::schema::reference::{Kind, json_schema, markdown};
use debrole::schema::{self, Shape, Table, TableMeta, ast};
use debrole::source::FileId;
use std::collections::BTreeSet;
use std::fs;

fn codes(diagnostics: &[Diagnostic]) -> Vec<&'static str> {
    diagnostics.iter().map(|d| d.rule.code).collect()
}

/// All tables of the schema, each with the TOML header that begins it in its file.
fn tables() -> Vec<(Kind, String, &'static TableMeta)> {
    fn add(out: &mut Vec<(Kind, String, &'static TableMeta)>, kind: Kind, header: String, table: &'static TableMeta) {
        for field in table.fields.iter().chain(table.embeds.iter().flat_map(|of| of.fields)) {
            let inside = header.lines().last().unwrap_or_default().trim_matches(['[', ']']);
            // What is in a table of a list needs that table first.
            let above = if header.contains("[[") { format!("{header}\n") } else { String::new() };
            let path = if inside.is_empty() { field.key.to_owned() } else { format!("{inside}.{}", field.key) };
            match (field.shape)() {
                Shape::One(of) => add(out, kind, format!("{above}[{path}]"), of),
                Shape::Many(of) => add(out, kind, format!("{above}[[{path}]]"), of),
                Shape::Named(of) => add(out, kind, format!("{above}[{path}.bookworm]"), of),
                _ => {}
            }
        }
        out.push((kind, header, table));
    }
    let mut out = Vec::new();
    add(&mut out, Kind::Debrole, String::new(), ast::Debrole::META);
    add(&mut out, Kind::Role, String::new(), ast::Role::META);
    add(&mut out, Kind::Host, String::new(), ast::Host::META);
    add(&mut out, Kind::User, String::new(), ast::User::META);
    add(&mut out, Kind::Group, String::new(), ast::Group::META);
    add(&mut out, Kind::Ledger, String::new(), ast::Ledger::META);
    out
}

fn parse(kind: Kind, text: &str) -> Vec<Diagnostic> {
    match kind {
        Kind::Debrole => schema::parse::<ast::Debrole>(FileId(0), text).1,
        Kind::Role => schema::parse::<ast::Role>(FileId(0), text).1,
        Kind::Host => schema::parse::<ast::Host>(FileId(0), text).1,
        Kind::User => schema::parse::<ast::User>(FileId(0), text).1,
        Kind::Group => schema::parse::<ast::Group>(FileId(0), text).1,
        Kind::Ledger => schema::parse::<ast::Ledger>(FileId(0), text).1,
    }
}

#[test]
fn every_example_of_a_key_has_the_keys_type_and_every_key_is_documented() {
    let mut examples = 0;
    for (kind, header, table) in tables() {
        assert!(!table.doc.is_empty(), "{}", table.name);
        for field in table.fields {
            assert!(field.doc.iter().any(|line| line.len() > 10), "{}.{} says too little", table.name, field.key);
            let is_table = matches!((field.shape)(), Shape::One(_) | Shape::Many(_) | Shape::Named(_));
            assert!(is_table != field.options.example.contains(char::is_alphanumeric), "{}.{}", table.name, field.key);
            if is_table {
                continue;
            }
            examples += 1;
            let text = format!("{header}\n{} = {}\n", field.key, field.options.example);
            let wrong: Vec<_> = codes(&parse(kind, &text)).into_iter().filter(|code| *code != "missing-key").collect();
            assert!(wrong.is_empty(), "{text}: {wrong:?}");
        }
    }
    assert!(examples > 100, "{examples}");
}

/// The examples in the documentation of tables, and all examples of keys that go together, make a role that passes.
#[test]
fn the_documented_tables_make_a_role() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("roles/web")).unwrap();
    fs::write(dir.path().join("roles/web/pg-web.conf"), "server_name {{ fleet.prefix }};\n").unwrap();
    let mut text = String::from("summary = \"Web\"\n");
    let (mut fleet, mut vm, mut hypervisor) = (String::new(), String::new(), String::new());
    let mut seen = BTreeSet::new();
    for (kind, _, table) in tables() {
        if !seen.insert(table.name) {
            continue;
        }
        let doc: Vec<&str> = table.doc.iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
        let lines = doc.iter().skip_while(|line| **line != "```toml").skip(1).take_while(|line| **line != "```");
        // People, their access, secrets, what monitoring says of each and a role's job on a host are in several files, which examples elsewhere put together.
        let elsewhere =
            ["access", "secret", "monitoring", "[[vm.", "backup_job"].iter().any(|word| table.title.contains(word));
        if !matches!(kind, Kind::Debrole | Kind::Role | Kind::Host) || elsewhere {
            let text: String = lines.map(|line| format!("{line}\n")).collect();
            let kind = if text.contains("[access") { Kind::Role } else { kind };
            let wrong: Vec<_> = codes(&parse(kind, &text)).into_iter().filter(|code| *code != "missing-key").collect();
            assert!(wrong.is_empty(), "{text}: {wrong:?}");
            continue;
        }
        let text = match table.name {
            "Refresh" | "Network" => &mut fleet,
            "Vm" => &mut vm,
            "Hypervisor" => &mut hypervisor,
            _ => &mut text,
        };
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
    }
    fs::write(dir.path().join("debrole.toml"), debrole_toml(&fleet)).unwrap();
    fs::create_dir(dir.path().join("hosts")).unwrap();
    for (name, table) in [("web1", &vm), ("kvm1", &hypervisor)] {
        let text = format!("roles = []\nrelease = \"bookworm\"\n{table}");
        fs::write(dir.path().join(format!("hosts/{name}.example.org.toml")), text).unwrap();
    }
    assert_eq!(text.matches("[[").count(), 13, "{text}");
    // The same unit twice would be one too many.
    fs::write(dir.path().join("roles/web.toml"), &text).unwrap();
    let (accepted, diagnostics, _) = check(dir.path());
    assert!(accepted && diagnostics.is_empty(), "{text}\n{diagnostics:#?}");
}

#[test]
fn all_errors_of_a_file_are_reported_at_once() {
    let text = "\
sumary = \"Web\"
depends = \"nginx\"
setup = 1
[[file]]
pth = \"/etc/motd\"
template = \"yes\"
[[service]]
enable = true
[values]
since = 2024-01-01
[sysctl]
net.ipv4.ip_forward = 1
";
    let found = codes(&parse(Kind::Role, text));
    let count = |code: &str| found.iter().filter(|c| **c == code).count();
    assert_eq!((count("unknown-key"), count("wrong-type"), count("missing-key")), (2, 5, 1), "{found:?}");
    assert_eq!(found.len(), 8);
}

#[test]
fn syntax_errors_of_several_lines_are_reported_and_nothing_else() {
    let text = "summary = Web\nunknown = 1\nmode = 0644\ndepends = [\"a\" \"b\"]\npath = \"/x\n";
    let found = parse(Kind::Role, text);
    let lines: BTreeSet<usize> = found
        .iter()
        .map(|d| text[..d.primary.as_ref().unwrap().span.start as usize].matches('\n').count() + 1)
        .collect();
    assert!(codes(&found).iter().all(|code| *code == "toml-syntax"), "{found:?}");
    assert!(found.len() >= 3 && lines.len() == found.len(), "{lines:?}");
    let mode = found.iter().find(|d| d.message.contains("leading zero")).unwrap();
    assert_eq!(mode.help, ["a file mode is written in quotes: \"0644\""]);
}

#[test]
fn hostile_toml_is_refused_and_does_no_harm() {
    let deep = format!("values = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(codes(&parse(Kind::Role, &deep)).contains(&"toml-syntax"));
    let tables = format!("[values{}]", ".a".repeat(50_000));
    let _ = parse(Kind::Role, &tables);
    for text in
        ["\u{feff}summary = \"Web\"", "summary = \"Web\"\r\n", "", "\0", "=", "[", "summary = \"\u{0}\"", "a.b.c = 1"]
    {
        let _ = parse(Kind::Role, text);
    }
    assert_eq!(codes(&parse(Kind::Role, "\u{feff}summary = \"Web\"\r\n")), Vec::<&str>::new());
}

#[test]
fn spans_of_strings_cover_their_text() {
    let text = "summary = \"Web\"\nsetup = \"\"\"\ntrue\n\"\"\"\nteardown = 'x'\ndescription = \"a\\tb\"\n[[file]]\ncontent = '''\n{{ a }}'''\n";
    let (role, errors) = schema::parse::<ast::Role>(FileId(0), text);
    assert_eq!(codes(&errors), ["missing-key"]);
    let shown = |span: debrole::source::Span| &text[span.start as usize..span.end as usize];
    assert_eq!(shown(role.summary.as_ref().unwrap().span), "Web");
    assert_eq!(shown(role.content.setup.as_ref().unwrap().span), "true\n");
    assert_eq!(shown(role.content.teardown.as_ref().unwrap().span), "x");
    let escaped = role.description.as_ref().unwrap();
    assert_eq!(shown(escaped.span), "\"a\\tb\"");
    assert_eq!(escaped.part(1..2), escaped.span);
    let content = role.content.file.as_ref().unwrap().0[0].content.as_ref().unwrap();
    assert_eq!(shown(content.span), "{{ a }}");
    assert_eq!(shown(content.part(3..4)), "a");
}

#[test]
fn the_json_schemas_know_every_key() {
    for kind in Kind::ALL {
        let schema: serde_json::Value = serde_json::from_str(&json_schema(kind)).unwrap();
        assert_eq!(schema["additionalProperties"], false);
        for (of, header, table) in tables() {
            if of != kind {
                continue;
            }
            let object = if header.is_empty() { &schema } else { &schema["definitions"][table.name] };
            let keys: Vec<&String> = object["properties"].as_object().unwrap().keys().collect();
            let mut expected = table.keys();
            expected.sort();
            assert_eq!(keys, expected, "{}", table.name);
        }
    }
    let page = markdown();
    for (_, _, table) in tables() {
        for field in table.fields {
            assert!(page.contains(&format!("\n### `{}`\n", field.key)), "{}", field.key);
        }
    }
}

#[test]
fn the_generated_documentation_is_fresh() {
    let doc = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("doc");
    let mut pages = vec![(doc.join("reference.md"), markdown())];
    pages.extend(Kind::ALL.map(|kind| (doc.join(format!("schema/{}.json", kind.name())), json_schema(kind))));
    for (path, text) in pages {
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
        } else {
            assert!(
                fs::read_to_string(&path).unwrap_or_default() == text,
                "{} is not fresh: run `debrole reference doc`",
                path.display()
            );
        }
    }
}
