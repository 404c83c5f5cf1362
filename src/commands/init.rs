//! `debrole init DIRECTORY`: a new fleet tree with a first role and its key.

use super::{Failure, Outcome, key};
use crate::cli::{self, Global};
use crate::reporter::Reporter;
use anyhow::Context;
use debrole::names::Prefix;
use std::path::Path;

/// Path in the new tree → text with placeholders.
const FILES: &[(&str, &str)] = &[
    ("debrole.toml", include_str!("init/debrole.toml")),
    ("roles/base.toml", include_str!("init/base.toml")),
    (".gitignore", include_str!("init/gitignore")),
    ("README.md", include_str!("init/README.md")),
];

pub fn run(args: &cli::Init, global: &Global, reporter: &Reporter) -> Outcome {
    let directory = &args.directory;
    if let Err(reason) = Prefix::parse(&args.prefix) {
        return refuse(reporter, format!("--prefix {:?}: {reason}", args.prefix));
    }
    let maintainer = match &args.maintainer {
        Some(maintainer) => maintainer.clone(),
        None => match (std::env::var("DEBFULLNAME"), std::env::var("DEBEMAIL")) {
            (Ok(name), Ok(mail)) if !name.is_empty() && !mail.is_empty() => format!("{name} <{mail}>"),
            _ => {
                return refuse(
                    reporter,
                    "say who maintains the packages: --maintainer \"Name <mail@address>\", or DEBFULLNAME and DEBEMAIL in \
                     the environment"
                        .into(),
                );
            }
        },
    };
    let occupied = match std::fs::read_dir(directory) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        Err(error) => return refuse(reporter, format!("can't use {}: {error}", directory.display())),
    };
    if occupied {
        return refuse(reporter, format!("{} is not empty: name a new directory", directory.display()));
    }

    let fill = |text: &str| {
        text.replace("@PREFIX@", &args.prefix)
            .replace("@ORIGIN@", &quoted(&args.origin))
            .replace("@MAINTAINER@", &quoted(&maintainer))
            .replace("@URI@", &quoted(&args.uri))
    };
    for (path, text) in FILES {
        write(&directory.join(path), &fill(text))?;
    }
    for folder in ["hosts", "keys", "packages"] {
        let folder = directory.join(folder);
        std::fs::create_dir_all(&folder).with_context(|| format!("can't make {}", folder.display()))?;
    }
    // What was asked for may still be wrong (an origin with a comma, an address that is none): the tree's own check
    // says so in one voice, before a key is made.
    let tree = Global { tree: Some(directory.clone()), out: None, ..*global };
    if let Err(failure) = super::check::quietly(&tree, reporter) {
        for (path, _) in FILES {
            let _ = std::fs::remove_file(directory.join(path));
        }
        return Err(failure);
    }
    key::init(
        &cli::KeyInit {
            user_id: None,
            expires: "3y".into(),
            offline_primary: None,
            passphrase: false,
            if_missing: true,
        },
        &tree,
        reporter,
    )?;
    reporter.summary(format_args!(
        "A new fleet tree is in {0}. Next:\n  cd {0}\n  debrole build --first-publish\n  debrole serve",
        directory.display()
    ));
    reporter.member("tree", directory);
    Ok(())
}

/// The inside of a TOML basic string. (JSON's escapes are among TOML's.)
fn quoted(text: &str) -> String {
    let literal = serde_json::Value::from(text).to_string();
    literal[1..literal.len() - 1].to_owned()
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("can't make {}", parent.display()))?;
    }
    std::fs::write(path, text).with_context(|| format!("can't write {}", path.display()))
}

fn refuse(reporter: &Reporter, why: String) -> Outcome {
    reporter.refusal(&why);
    Err(Failure::Wrong)
}
