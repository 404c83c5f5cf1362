//! The invariants of ARCHITECTURE.md that a machine can check: a stage does not reach back, only the reporter prints,
//! and the stages from parse to index are pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What each module of the library may use of the others. The shared vocabulary comes first, then the stages in the
/// order in which they run.
const EDGES: &[(&str, &[&str])] = &[
    ("source", &[]),
    ("near", &[]),
    ("ssh_key", &[]),
    ("exec", &[]),
    ("scratch", &[]),
    ("host_apt", &["exec"]),
    // Of `exec` in its own test only.
    ("age", &["ssh_key"]),
    ("names", &["near"]),
    ("diagnostics", &["source"]),
    ("relation", &["diagnostics", "names", "source"]),
    ("model", &["age", "names", "relation", "source", "ssh_key"]),
    // What packages tell machines of people, and what follows from it.
    ("access", &["diagnostics", "model", "names", "source", "ssh_key"]),
    ("plan", &["names", "relation", "source"]),
    ("sudoers", &["diagnostics", "exec", "names", "plan", "scratch"]),
    ("deb", &["names", "plan", "relation"]),
    ("tree", &["diagnostics", "model", "names", "near", "source"]),
    // Of `model` its `Value`: what `[values]` holds has the same form in the AST and in the model.
    ("schema", &["diagnostics", "model", "near", "source"]),
    ("resolve", &["age", "diagnostics", "model", "names", "near", "relation", "schema", "source", "ssh_key", "tree"]),
    // Of `deb` its gzip and its hash: the runtime's manual page is compressed, a manifest has each file's hash.
    (
        "lower",
        &["access", "age", "deb", "diagnostics", "model", "names", "near", "plan", "relation", "source", "ssh_key"],
    ),
    // Of `deb` its hash.
    ("allocate", &["deb", "model"]),
    ("adopt", &["lower", "model", "names", "plan", "relation", "ssh_key"]),
    ("leak", &["deb", "diagnostics", "names", "ssh_key"]),
    (
        "archive",
        &["diagnostics", "exec", "host_apt", "model", "names", "near", "plan", "relation", "repo", "scratch", "source"],
    ),
    (
        "build",
        &["access", "deb", "diagnostics", "lower", "model", "names", "plan", "relation", "repo", "source", "ssh_key"],
    ),
    ("sign", &["diagnostics", "exec", "scratch", "source"]),
    ("repo", &["diagnostics", "exec", "names", "plan", "sign", "source"]),
    ("serve", &["diagnostics"]),
    // A repository, a key and a machine: nothing of the compiler.
    ("provision", &["exec", "host_apt", "scratch"]),
];

/// Modules that must not look at the clock, the environment or the disk, nor make random numbers.
const PURE: &[&str] = &[
    "access",
    "adopt",
    "ssh_key",
    "age",
    "allocate",
    "source",
    "near",
    "names",
    "diagnostics",
    "relation",
    "model",
    "plan",
    "schema",
    "resolve",
    "lower",
    "deb",
    "build",
];

fn sources() -> BTreeMap<String, Vec<(PathBuf, String)>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut modules: BTreeMap<String, Vec<(PathBuf, String)>> = BTreeMap::new();
    let mut todo = vec![root.clone()];
    while let Some(directory) = todo.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let below = path.strip_prefix(&root).unwrap();
                let first = below.components().next().unwrap().as_os_str().to_str().unwrap();
                let module = first.trim_end_matches(".rs").to_owned();
                let text = code(&fs::read_to_string(&path).unwrap());
                modules.entry(module).or_default().push((below.to_owned(), text));
            }
        }
    }
    modules
}

/// The text without comments and unit tests.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn library(modules: &BTreeMap<String, Vec<(PathBuf, String)>>) -> BTreeSet<&str> {
    modules.keys().map(String::as_str).filter(|m| !["main", "lib", "cli", "commands", "reporter"].contains(m)).collect()
}

#[test]
fn a_stage_does_not_reach_back() {
    let modules = sources();
    let mut wrong = Vec::new();
    for module in library(&modules) {
        let Some((_, allowed)) = EDGES.iter().find(|(name, _)| *name == module) else {
            wrong.push(format!("src/{module} has no line in EDGES: say which modules it may use"));
            continue;
        };
        for (path, text) in &modules[module] {
            for used in used_modules(text) {
                if used != module && !allowed.contains(&used.as_str()) {
                    wrong.push(format!("{} uses crate::{used}, which is not in its stage's list", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The first segment after each `crate::`, groups (`crate::{a::b, c}`) included.
fn used_modules(text: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for after in text.split("crate::").skip(1) {
        let names: Vec<&str> = match after.strip_prefix('{') {
            Some(group) => {
                let mut depth = 0;
                let end = group.find(|c| {
                    depth += (c == '{') as i32 - (c == '}') as i32;
                    depth < 0
                });
                let mut depth = 0;
                group[..end.unwrap_or(group.len())]
                    .split(|c| {
                        depth += (c == '{') as i32 - (c == '}') as i32;
                        c == ',' && depth == 0
                    })
                    .collect()
            }
            None => vec![after],
        };
        for name in names {
            let name: String = name.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if name.starts_with(|c: char| c.is_ascii_lowercase()) {
                used.insert(name);
            }
        }
    }
    used
}

#[test]
fn only_the_reporter_prints() {
    for (module, files) in sources() {
        if module == "reporter" || module == "main" {
            continue;
        }
        for (path, text) in files {
            for word in ["println!", "print!(", "eprintln!", "eprint!(", "dbg!(", "io::stdout()", "io::stderr()"] {
                assert!(!text.contains(word), "{} has {word}: only src/reporter.rs prints", path.display());
            }
        }
    }
}

#[test]
fn parse_to_index_is_pure() {
    let modules = sources();
    for module in PURE {
        for (path, text) in modules.get(*module).into_iter().flatten() {
            for word in [
                "std::fs",
                "std::env",
                "SystemTime",
                "Instant::now",
                "std::process",
                "tempfile",
                "HashMap",
                "HashSet",
                "std::net::Tcp",
            ] {
                assert!(!text.contains(word), "{} has {word}: {module} is a pure stage", path.display());
            }
        }
    }
}

#[test]
fn the_edges_themselves_have_no_cycle() {
    // Each module's list names only modules that stand before it, so that the order of EDGES is an order to read in.
    for (i, (name, allowed)) in EDGES.iter().enumerate() {
        for used in *allowed {
            let before = EDGES[..i].iter().any(|(n, _)| n == used);
            // Two exceptions, each a type and not a stage: build reads the manifest of what is published, and the
            // archive check implements the repository's gate.
            let exception = matches!((*name, *used), ("build" | "archive", "repo"));
            assert!(before || exception, "{name} may not use {used}, which comes after it");
        }
    }
}
