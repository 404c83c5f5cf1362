//! Extended descriptions (Debian Policy 3.4.2), made from what the package does: `apt show pg-role-web` is where an
//! administrator looks first.

use super::machine_manifest::{MachineManifest, UnitState};
use crate::model::Content;
use std::fmt::Display;

/// How many names a sentence lists before it says how many more there are.
const LISTED: usize = 8;

/// The user's own paragraphs, then what the package manages, then what its removal does.
pub fn of(own: &str, opening: String, content: &Content, manifest: &MachineManifest) -> String {
    let mut sentences = vec![opening];
    let mut say = |before: &str, names: Vec<String>| {
        if !names.is_empty() {
            sentences.push(format!("{before} {}.", list(names)));
        }
    };
    let generated = |path: &&crate::names::MachinePath| content.files.iter().any(|file| file.path.value == **path);
    let (files, more): (Vec<_>, Vec<_>) = manifest.files.keys().partition(generated);
    say("It manages", texts(files));
    say("It makes the symbolic links", texts(manifest.links.keys()));
    say("It makes the directories", texts(manifest.directories.keys()));
    say("It keeps away", texts(manifest.absent.iter()));
    say("It ships the units", texts(manifest.own_units.keys()));
    let in_state = |state| texts(manifest.units.iter().filter(move |(_, s)| **s == state).map(|(unit, _)| unit));
    say("It enables", in_state(UnitState::Enabled));
    say("It disables", in_state(UnitState::Disabled));
    say("It masks", in_state(UnitState::Masked));
    say(
        "It changes the settings of",
        texts(content.services.iter().filter(|s| s.drop_in.is_some()).map(|s| &s.unit.value)),
    );
    say("It sets the kernel parameters", texts(content.sysctl.keys()));
    say("It sets the environment variables", texts(content.environment.keys()));
    say("It runs the cron jobs", texts(content.cron.iter().map(|job| &job.name.value)));
    say("It answers the debconf questions", texts(content.debconf.iter().map(|answer| &answer.question.value)));
    // A host's renderings of its roles' files are in none of its own tables.
    let rendered = more.into_iter().filter(|path| !made_from_tables(path.as_str(), manifest));
    say("It holds this machine's own version of", texts(rendered));
    if manifest.setup.is_some() {
        sentences.push("It runs a setup script of its own.".into());
    }
    let mut paragraphs = Vec::new();
    if !own.trim().is_empty() {
        paragraphs.push(own.trim().to_owned());
    }
    paragraphs.push(sentences.join(" "));
    if !manifest.host_bound.is_empty() {
        paragraphs.push(format!(
            "The machine's own package must provide {}: until it is installed, the services are held.",
            list(texts(manifest.host_bound.iter()))
        ));
    }
    paragraphs.push("Removing this package puts back what was there before it.".into());
    paragraphs.join("\n\n")
}

/// Whether the path is one that [`super::content`] makes from a table: its name has the package's.
fn made_from_tables(path: &str, manifest: &MachineManifest) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let package = manifest.package.as_str();
    name.contains(package) || name.contains(&package.replace('.', "_"))
}

fn texts<T: Display>(items: impl IntoIterator<Item = T>) -> Vec<String> {
    items.into_iter().map(|item| item.to_string()).collect()
}

/// `a`, `a and b`, `a, b and c`; a long list ends in `and 5 more`.
fn list(mut names: Vec<String>) -> String {
    if names.len() > LISTED + 1 {
        let more = names.len() - LISTED;
        names.truncate(LISTED);
        names.push(format!("{more} more"));
    }
    match names.pop() {
        None => String::new(),
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} and {last}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::list;

    #[test]
    fn lists_read_as_sentences() {
        let names = |n: usize| (1..=n).map(|i| i.to_string()).collect::<Vec<_>>();
        assert_eq!(list(names(1)), "1");
        assert_eq!(list(names(2)), "1 and 2");
        assert_eq!(list(names(9)), "1, 2, 3, 4, 5, 6, 7, 8 and 9");
        assert_eq!(list(names(12)), "1, 2, 3, 4, 5, 6, 7, 8 and 4 more");
    }
}
