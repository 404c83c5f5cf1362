//! What a virtual machine's file leaves open is chosen and written into it, with a new host key: as edits that are tried
//! on the tree as a whole in memory. Nothing is written here.

use crate::commands::load::{self, Loaded, Places};
use crate::commands::{check, edit, key, secret};
use anyhow::{Context, anyhow};
use debrole::allocate::{self, Chosen};
use debrole::diagnostics::Diagnostic;
use debrole::exec::Command;
use debrole::model::Host;
use debrole::provision::Identity;
use debrole::scratch::Scratch;
use debrole::tree::Tree;
use std::fs;
use std::io::Read;
use std::path::Path;
use toml_edit::{DocumentMut, Item, Value};

/// A file of the tree that gets another content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Relative to the tree.
    pub path: String,
    pub before: Option<Vec<u8>>,
    pub after: Vec<u8>,
}

/// A machine of which nothing is open once the edits are made.
pub struct Settled {
    pub identity: Identity,
    /// The host's file, and the secrets that are to be encrypted to its new key.
    pub edits: Vec<Edit>,
}

/// The tree is this process's until it is dropped: two that choose at once would choose the same address.
#[derive(Debug)]
pub struct Held(#[expect(dead_code, reason = "closing it gives the tree back")] fs::File);

/// Waits until nobody else chooses something for a machine of the tree.
pub fn hold(places: &Places) -> anyhow::Result<Held> {
    let root = fs::File::open(&places.root).with_context(|| format!("can't open {}", places.root.display()))?;
    rustix::fs::flock(&root, rustix::fs::FlockOperation::LockExclusive)
        .with_context(|| format!("can't lock {}", places.root.display()))?;
    Ok(Held(root))
}

/// Settles a machine of a tree that is loaded and lowered. A host key that the tree has already is retired: its private
/// half is on a machine that this one takes the place of. The error is a sentence.
pub fn settle(places: &Places, loaded: &Loaded, host: &Host) -> Result<Settled, String> {
    let model = loaded.understood().ok_or("the tree is wrong: `debrole check` says where")?;
    let name = &host.name.value;
    if host.vm.is_none() {
        return Err(format!("{name} is no virtual machine: add [vm] to hosts/{name}.toml"));
    }
    let chosen = allocate::choose(model, host).map_err(|exhausted| exhausted.to_string())?;
    let identity = identity(name.as_str()).map_err(|error| format!("{error:#}"))?;
    let path = format!("hosts/{name}.toml");
    let before = fs::read(places.root.join(&path)).map_err(|error| format!("can't read {path}: {error}"))?;
    let text = String::from_utf8(before.clone()).map_err(|_| format!("{path} is not UTF-8"))?;
    let after = edited(&text, &chosen, &identity.host_key_public)
        .map_err(|error| format!("{path} can't be edited: {error:#}"))?;
    let mut edits = vec![Edit { path, before: Some(before), after: after.clone().into_bytes() }];

    let mut tried = with_host(places, host, &after, &[]);
    let plans = load::lower(&mut tried, &check::placeholder_keyring(), key::now());
    if let Some(model) = &tried.model {
        let anew = secret::encrypted_anew(places, model, &plans, name)?;
        if !anew.is_empty() {
            tried = with_host(places, host, &after, &anew);
            load::lower(&mut tried, &check::placeholder_keyring(), key::now());
        }
        for (secret, bytes) in anew {
            let path = format!("secrets/{secret}.age");
            edits.push(Edit { before: fs::read(places.root.join(&path)).ok(), path, after: bytes });
        }
    }
    let known: Vec<_> = loaded.diagnostics.iter().filter(|d| d.is_error()).map(said).collect();
    let new = tried.diagnostics.iter().filter(|d| d.is_error()).find(|d| !known.contains(&said(d)));
    match new {
        None => Ok(Settled { identity, edits }),
        Some(error) => {
            let help = error.help.first().map(|help| format!(" ({help})")).unwrap_or_default();
            Err(format!("with what was chosen for {name} the tree would be wrong: {}{help}", error.message))
        }
    }
}

fn said(diagnostic: &Diagnostic) -> (&'static str, &str) {
    (diagnostic.rule.code, &diagnostic.message)
}

/// The tree as it would be.
fn with_host(places: &Places, host: &Host, text: &str, secrets: &[(debrole::names::SecretName, Vec<u8>)]) -> Loaded {
    let (mut tree, diagnostics) = Tree::read(&places.root);
    let name = host.name.as_str();
    let toml = tree.sources.add(format!("hosts/{name}.toml"), text);
    if let Some(definition) = tree.hosts.get_mut(name) {
        definition.toml = toml;
    }
    for (secret, bytes) in secrets {
        tree.secrets.get_or_insert_default().insert(secret.clone(), bytes.as_slice().into());
    }
    load::understood((tree, diagnostics))
}

/// The host's file with what was chosen, all else as it stands.
fn edited(text: &str, chosen: &Chosen, public: &str) -> anyhow::Result<String> {
    let mut document: DocumentMut = text.parse().context("it is not TOML")?;
    for address in &chosen.addresses {
        let list =
            edit::list(document.as_table_mut(), "addresses").ok_or_else(|| anyhow!("\"addresses\" is no list"))?;
        edit::push(list, &address.to_string());
    }
    // As they are written: a comment says whose they are.
    let old: Vec<String> = match document.get("ssh_host_key").and_then(Item::as_value) {
        Some(Value::String(one)) => vec![one.value().clone()],
        Some(Value::Array(list)) => list.iter().filter_map(|key| key.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    };
    if !old.is_empty() {
        let retired = edit::list(document.as_table_mut(), "retired_ssh_host_key")
            .ok_or_else(|| anyhow!("\"retired_ssh_host_key\" is no list"))?;
        for key in &old {
            edit::push(retired, key);
        }
    }
    edit::set(document.as_table_mut(), "ssh_host_key", public);
    for (network, mac) in &chosen.macs {
        let vm = document.get_mut("vm").ok_or_else(|| anyhow!("there is no [vm]"))?;
        let tables = vm.as_table_like_mut().and_then(|vm| vm.get_mut("network"));
        match tables.and_then(|tables| edit::among(tables, "name", network)) {
            Some(table) => edit::set(table, "mac", &mac.to_string()),
            None => edit::add(vm, "network", &[("name", network), ("mac", &mac.to_string())])
                .ok_or_else(|| anyhow!("[[vm.network]] is no array of tables"))?,
        }
    }
    Ok(document.to_string())
}

/// A new host key, and the word of this life of the machine.
fn identity(name: &str) -> anyhow::Result<Identity> {
    // ssh-keygen(1) writes files only: to memory where there is some, for its own user alone.
    let directory = match secret::memory() {
        Some(memory) => Scratch::below(&memory),
        None => Scratch::new(),
    };
    let directory = directory.context("can't make a directory for the host key")?;
    let file = directory.path().join("key");
    let comment = format!("root@{name}");
    Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", &comment, "-f"]).arg(&file).run_ok()?;
    let read = |path: &Path| fs::read(path).context("ssh-keygen left no key");
    let host_key = read(&file)?;
    let public = String::from_utf8(read(&file.with_extension("pub"))?).context("ssh-keygen wrote no text")?;
    let mut random = [0; 16];
    fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut random))
        .context("can't read /dev/urandom")?;
    let word = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Identity { host_key, host_key_public: public.trim_end().to_owned(), word })
}

#[cfg(test)]
mod tests {
    use super::*;
    use debrole::names::HostName;

    const DEBROLE: &str = r#"schema = 1
[fleet]
prefix = "pg"
origin = "Example"
label = "Example"
maintainer = "Example Sysadmins <sysadmins@example.org>"
uri = "http://apt.example.org"
architectures = ["amd64"]
[release.bookworm]
[network.lan]
bridge = "br0"
prefixes = ["192.0.2.0/24", "2001:db8::/64"]
gateways = ["192.0.2.100"]
pool = ["192.0.2.100-192.0.2.102", "2001:db8::100-2001:db8::1ff"]
"#;

    struct Site {
        directory: tempfile::TempDir,
    }

    impl Site {
        fn new(hosts: &[(&str, &str)]) -> Site {
            let directory = tempfile::tempdir().unwrap();
            fs::write(directory.path().join("debrole.toml"), DEBROLE).unwrap();
            fs::create_dir(directory.path().join("hosts")).unwrap();
            let site = Site { directory };
            hosts.iter().for_each(|(name, text)| fs::write(site.file(name), text).unwrap());
            site
        }

        fn file(&self, name: &str) -> std::path::PathBuf {
            self.directory.path().join(format!("hosts/{name}.example.org.toml"))
        }

        fn places(&self) -> Places {
            Places { root: self.directory.path().into(), out: self.directory.path().join("repo-out") }
        }

        fn settle(&self, name: &str) -> Result<Settled, String> {
            let places = self.places();
            let mut loaded = load::load(&places);
            load::lower(&mut loaded, &check::placeholder_keyring(), key::now());
            let name = HostName::parse(&format!("{name}.example.org")).unwrap();
            let host = loaded.understood().and_then(|model| model.hosts.get(&name)).expect("the host is understood");
            settle(&places, &loaded, host)
        }

        /// Settles it and writes what came of it; the text of its file.
        fn settled(&self, name: &str) -> (Settled, String) {
            let settled = self.settle(name).unwrap_or_else(|why| panic!("{why}"));
            for edit in &settled.edits {
                let path = self.directory.path().join(&edit.path);
                assert_eq!(fs::read(&path).ok(), edit.before);
                fs::write(path, &edit.after).unwrap();
            }
            (settled, fs::read_to_string(self.file(name)).unwrap())
        }
    }

    #[test]
    fn what_is_open_is_written_and_all_else_stays_as_it_stands() {
        let before = "\
# the first one
roles = [] # none yet
release   = 'bookworm'

# how large
[vm]
cpus = 2 # enough

[[vm.network]]
name = \"lan\" # the rack's

[values] # of its own
x = 1
";
        let site = Site::new(&[("web1", before)]);
        let (settled, after) = site.settled("web1");
        let line =
            |start: &str| after.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{after}"));
        let (key, mac) = (line("ssh_host_key = "), line("mac = \"52:54:00:"));
        // The gateway is in the pool, and nobody gets it.
        let addresses = "addresses = [\"192.0.2.101\", \"2001:db8::100\"]";
        let wanted = before
            .replace("'bookworm'\n", &format!("'bookworm'\n{addresses}\n{key}\n"))
            .replace("the rack's\n", &format!("the rack's\n{mac}\n"));
        assert_eq!(after, wanted);
        let public = &settled.identity.host_key_public;
        assert_eq!(key, format!("ssh_host_key = \"{public}\""));
        assert!(public.starts_with("ssh-ed25519 ") && public.ends_with(" root@web1.example.org"), "{public}");
        assert!(settled.identity.host_key.starts_with(b"-----BEGIN OPENSSH PRIVATE KEY-----\n"));
        assert!(!after.contains("PRIVATE"));
        let again = site.settle("web1").unwrap();
        assert_ne!(again.identity.word, settled.identity.word);
        // What was chosen once is not chosen again; only the key is another.
        let text = String::from_utf8(again.edits[0].after.clone()).unwrap();
        assert!(text.contains(mac) && text.contains(addresses), "{text}");
        assert!(text.contains(&format!("retired_ssh_host_key = [\"{public}\"]")), "{text}");
        assert_eq!(text.matches("ssh-ed25519").count(), 2, "{text}");
    }

    #[test]
    fn the_same_tree_gives_the_same_choice_and_two_machines_get_different_ones() {
        let host = "roles = []\nrelease = \"bookworm\"\n[vm]\n";
        let chosen = |after: &str| -> Vec<String> {
            let kept = |line: &&str| line.starts_with("addresses") || line.starts_with("mac");
            after.lines().filter(kept).map(str::to_owned).collect()
        };
        let sites = [(); 2].map(|()| Site::new(&[("web1", host), ("web2", host)]));
        let first = sites.each_ref().map(|site| chosen(&site.settled("web1").1));
        assert_eq!(first[0], first[1]);
        let second = chosen(&sites[0].settled("web2").1);
        assert_eq!(second[0], "addresses = [\"192.0.2.102\", \"2001:db8::101\"]");
        assert!(second[1].starts_with("mac = ") && second[1] != first[0][1], "{second:?}");
        // In the other order they get the same MAC addresses, and the addresses by turns.
        let (_, other) = sites[1].settled("web2");
        assert_eq!(chosen(&other), second);
    }

    #[test]
    fn a_pool_without_an_address_left_is_told_and_nothing_is_chosen() {
        let taken = "roles = []\nrelease = \"bookworm\"\naddresses = [\"192.0.2.101\", \"192.0.2.102\"]\n";
        let site = Site::new(&[("old", taken), ("web1", "roles = []\nrelease = \"bookworm\"\n[vm]\n")]);
        let why = site.settle("web1").err().unwrap();
        assert_eq!(
            why,
            "the pool of the network lan has no IPv4 address left: widen `pool` of [network.lan] in debrole.toml, or write the address into hosts/web1.example.org.toml"
        );
    }

    #[test]
    fn host_keys_that_were_are_retired_and_tables_are_kept_however_they_are_written() {
        let old = [
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPUzq3WuJtLpo5rRa28VbMFSI3fhiXMT8vKQSa7knPRP a",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOC/7PVnZ/Ya9JgrraYeNXNlFMXltEmzoSxFko+BX4H3 b",
        ];
        let text = format!(
            "roles = []\nrelease = \"bookworm\"\naddresses = [\n    \"192.0.2.9\", # here\n]\nssh_host_key = [\"{}\"] # the present one\nretired_ssh_host_key = \"{}\" # stolen\nvm = {{ cpus = 2, network = [{{ name = \"lan\" }}] }}\n",
            old[0], old[1]
        );
        let site = Site::new(&[("web1", &text)]);
        let (settled, after) = site.settled("web1");
        let public = &settled.identity.host_key_public;
        for part in [
            "    \"192.0.2.9\", # here\n    \"2001:db8::100\",\n]".to_owned(),
            format!("ssh_host_key = \"{public}\" # the present one\n"),
            format!("retired_ssh_host_key = [\"{}\", \"{}\"] # stolen\n", old[1], old[0]),
            "network = [{ name = \"lan\", mac = \"52:54:00:".to_owned(),
        ] {
            assert!(after.contains(&part), "{part}\n{after}");
        }
    }

    #[test]
    fn a_machine_that_is_not_virtual_and_a_choice_that_would_be_wrong_are_refused() {
        let site = Site::new(&[("web1", "roles = []\nrelease = \"bookworm\"\n")]);
        let why = site.settle("web1").err().unwrap();
        assert_eq!(why, "web1.example.org is no virtual machine: add [vm] to hosts/web1.example.org.toml");
    }
}
