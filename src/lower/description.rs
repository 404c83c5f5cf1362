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
    let mut say = |one: &str, many: &str, names: Vec<String>| match names.len() {
        0 => {}
        1 => sentences.push(format!("It {one} {}.", names[0])),
        _ => sentences.push(format!("It {many} {}.", list(names))),
    };
    let written = |path: &&crate::names::MachinePath| content.files.iter().any(|file| file.path.value == **path);
    let (files, more): (Vec<_>, Vec<_>) = manifest.files.keys().partition(written);
    say("manages", "manages", texts(files));
    say("makes the symbolic link", "makes the symbolic links", texts(manifest.links.keys()));
    say("makes the directory", "makes the directories", texts(manifest.directories.keys()));
    say("keeps away", "keeps away", texts(manifest.absent.iter()));
    say("ships the unit", "ships the units", texts(manifest.own_units.keys()));
    let in_state = |state| texts(manifest.units.iter().filter(move |(_, s)| **s == state).map(|(unit, _)| unit));
    say("enables", "enables", in_state(UnitState::Enabled));
    say("disables", "disables", in_state(UnitState::Disabled));
    say("masks", "masks", in_state(UnitState::Masked));
    let drop_ins = content.services.iter().filter(|service| service.drop_in.is_some());
    say("adds a drop-in to", "adds drop-ins to", texts(drop_ins.map(|service| &service.unit.value)));
    say("sets the kernel parameter", "sets the kernel parameters", texts(content.sysctl.keys()));
    say("sets the environment variable", "sets the environment variables", texts(content.environment.keys()));
    say("runs the cron job", "runs the cron jobs", texts(content.cron.iter().map(|job| &job.name.value)));
    let questions = texts(content.debconf.iter().map(|answer| &answer.question.value));
    say("answers the debconf question", "answers the debconf questions", questions);
    let secrets = content.secrets.iter().map(|secret| &secret.name.value);
    say("decrypts the secret", "decrypts the secrets", texts(secrets));
    // A host's renderings of its roles' files are in none of its own tables.
    let rendered = more.into_iter().filter(|path| !made_from_tables(path.as_str(), manifest));
    say("holds this machine's own version of", "holds this machine's own versions of", texts(rendered));
    if manifest.setup.is_some() {
        sentences.push("It runs a setup script of its own.".into());
    }
    let mut paragraphs = Vec::new();
    if !own.trim().is_empty() {
        paragraphs.push(own.trim().to_owned());
    }
    paragraphs.push(sentences.join(" "));
    let bound = texts(manifest.host_bound.iter().chain(&manifest.host_bound_secrets));
    if !bound.is_empty() {
        paragraphs.push(format!("{HOST_BOUND} {}: until it is installed, the services are held.", list(bound)));
    }
    paragraphs.push(LAST.into());
    paragraphs.join("\n\n")
}

const HOST_BOUND: &str = "The machine's own package must provide";
const LAST: &str = "Removing this package puts back what was there before it.";

/// Of a Description as it stands in a control file what people wrote: the synopsis and their own paragraphs, without
/// those that [`of`] makes.
pub fn written(description: &str) -> &str {
    let Some((rest, _)) = description.rsplit_once("\n .\n").filter(|(_, last)| last.trim() == LAST) else {
        return description;
    };
    let bound = rest.rsplit_once("\n .\n").filter(|(_, last)| last.trim_start().starts_with(HOST_BOUND));
    let rest = bound.map_or(rest, |(rest, _)| rest);
    // The generated sentences: the last paragraph that is left, or all below the synopsis.
    rest.rsplit_once("\n .\n").or_else(|| rest.split_once('\n')).map_or(rest, |(written, _)| written)
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
