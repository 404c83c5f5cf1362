//! Secrets from `debrole secret set` to the service that reads them, and nowhere else.

use super::fleet::{Fleet, Runs};
use crate::machine::{Machine, Need, Release, Tree, skip};
use debrole::leak::{Found, Needles, Outcome};
use debrole::names::SecretName;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const SECRET: &str = "correct-horse-battery-staple";
const OTHER: &str = "another-horse-another-battery";

/// Writes what it could read of its configuration into memory.
const APP: &str = r#"summary = "Needs a password"

[[account]]
name = "app"
description = "The service"

[[secret]]
name = "db_password"
owner = "app"

[[secret]]
name = "login"
content = "{{ host.name }}:{{ secret.db_password }}"
owner = "app"

[[file]]
path = "/etc/app/app.conf"
content = "role = {{ role.name }}\npassword = {{ secret.db_password }}\n"
secret = true
owner = "app"
validate = "grep -q '^password = [a-z]' /etc/app/app.conf"
restart = ["app.service"]

[[unit]]
name = "app.service"
enable = true
content = """
[Service]
Type=exec
User=app
RuntimeDirectory=app
ExecStartPre=/bin/cp /etc/app/app.conf /run/app/seen
ExecStart=/bin/sleep infinity

[Install]
WantedBy=multi-user.target
"""
"#;

/// A pair of keys in a directory of its own; its public half.
fn new_key(directory: &Path, name: &str) -> String {
    let file = directory.join(name);
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(&file).status();
    assert!(made.is_ok_and(|status| status.success()), "ssh-keygen");
    std::fs::read_to_string(file.with_extension("pub")).expect("a public key").trim().to_owned()
}

struct Kept {
    fleet: Fleet,
    keys: tempfile::TempDir,
}

impl Kept {
    /// The role app on one.example.org, another role on two.example.org.
    fn new(release: Release) -> Kept {
        let keys = tempfile::tempdir().expect("a temporary directory");
        let fleet = Fleet::example().without_people();
        let admin = new_key(keys.path(), "admin");
        fleet.readers(&format!("recipients = [\"{admin}\"]"));
        fleet.write("roles/app.toml", APP);
        fleet.write("roles/plain.toml", "summary = \"Plain\"\n[[file]]\npath = \"/etc/plain\"\ncontent = \"x\\n\"\n");
        for (name, role) in [("one", "app"), ("two", "plain")] {
            let key = new_key(keys.path(), name);
            let text =
                format!("roles = [\"{role}\"]\nrelease = \"{}\"\nssh_host_key = \"{key}\"\n", release.codename());
            fleet.write(&format!("hosts/{name}.example.org.toml"), &text);
        }
        Kept { fleet, keys }
    }

    /// What debrole says with the administrator's key at hand, and whether it succeeded.
    fn debrole(&self, arguments: &[&str], input: &str) -> (bool, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_debrole"));
        command.arg("-C").arg(self.fleet.tree()).args(arguments);
        command.env("DEBROLE_IDENTITY", self.keys.path().join("admin")).env("XDG_CACHE_HOME", self.keys.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("debrole starts");
        child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.success(), text)
    }

    #[track_caller]
    fn ok(&self, arguments: &[&str], input: &str) -> String {
        let (succeeded, text) = self.debrole(arguments, input);
        assert!(succeeded, "debrole {arguments:?}: {text}");
        text
    }

    #[track_caller]
    fn refused(&self, arguments: &[&str], input: &str) -> String {
        let (succeeded, text) = self.debrole(arguments, input);
        assert!(!succeeded, "debrole {arguments:?}: {text}");
        text
    }

    /// Gives a machine its host key, as provisioning does.
    fn host_key(&self, tree: &Tree, name: &str) {
        let private = std::fs::read(self.keys.path().join(name)).expect("a key");
        tree.write("/etc/ssh/ssh_host_ed25519_key", private);
        let path = tree.path("/etc/ssh/ssh_host_ed25519_key");
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("it is there");
    }
}

/// Where the secrets can be read below a directory, in whatever archive.
fn leaks(directory: &Path) -> Vec<Found> {
    let mut needles = Needles::default();
    for (name, text) in [("db_password", SECRET), ("other", OTHER)] {
        needles.add(&SecretName::parse(name).expect("a name"), text.as_bytes());
    }
    let mut outcome = Outcome::default();
    let of_the_kernel = ["proc", "sys", "dev"].map(|name| directory.join(name));
    needles.search_path(directory, Path::new(""), &|path| of_the_kernel.iter().any(|p| p == path), &mut outcome);
    assert!(outcome.files > 50, "{} files", outcome.files);
    outcome.found
}

fn as_user(machine: &Machine, user: &str, command: &str) -> crate::machine::Outcome {
    machine.run(&format!("setpriv --reuid={user} --regid=nogroup --clear-groups {command} 2>&1"))
}

fn needs(test: &str) -> bool {
    skip(test, &[Need::Boot, Need::Program("age"), Need::Program("ssh-keygen")])
}

#[test]
fn a_secret_reaches_its_service_and_nobody_else_on_bookworm() {
    if !needs("a secret on bookworm") {
        reaches_its_service(Release::Bookworm);
    }
}

#[test]
fn a_secret_reaches_its_service_and_nobody_else_on_trixie() {
    if !needs("a secret on trixie") {
        reaches_its_service(Release::Trixie);
    }
}

fn reaches_its_service(release: Release) {
    let kept = Kept::new(release);
    // Before it is set there is nothing to build.
    assert!(kept.ok(&["check"], "").contains("warning[secrets-elsewhere]"));
    assert!(kept.refused(&["build", "--no-gate", "--first-publish"], "").contains("there is no secrets/ here"));
    let said = kept.ok(&["secret", "set", "db_password"], &format!("{SECRET}\n"));
    assert!(said.contains("encrypted to one.example.org and 1 key of administrators"), "{said}");
    assert!(said.contains("its plaintext is in none of "), "{said}");
    let said = kept.ok(&["show", "app"], "");
    assert!(said.contains("secret app/files/etc/app/app.conf 0400 app, of db_password"), "{said}");
    let said = kept.ok(&["secret", "list"], "");
    assert!(
        said.contains("db_password: current; used by pg-host-one.example.org, pg-role-app, on one.example.org"),
        "{said}"
    );
    let said = kept.fleet.debrole(&["build", "--no-gate", "--first-publish"]);
    assert!(said.contains("not run: the search for the plaintext of 1 secret"), "without a key it can't: {said}");
    let Kept { fleet, keys } = kept;
    let mut fleet = fleet;
    fleet.again();
    let kept = Kept { fleet: fleet.serve(), keys };

    let tree = kept.fleet.machine_tree(release, "one.example.org");
    kept.host_key(&tree, "one");
    let mut machine = Machine::boot(&kept.fleet.lab, tree, 11);
    kept.fleet.join(&machine, machine.tree());
    machine.apt("install pg-host-one.example.org");
    machine.no_marks();
    let there = |machine: &Machine, secret: &str| {
        machine.wait_for("systemctl is-active app.service", 30);
        assert_eq!(
            machine.ok("stat -c '%a %U' /run/pg-secrets/app/db_password /etc/app/app.conf -L"),
            "400 app\n400 app\n"
        );
        assert_eq!(machine.ok("readlink /etc/app/app.conf"), "/run/pg-secrets/app/files/etc/app/app.conf\n");
        assert_eq!(as_user(machine, "app", "cat /run/pg-secrets/app/db_password").ok("as app"), secret);
        let login = as_user(machine, "app", "cat /run/pg-secrets/app/login").ok("as app");
        assert_eq!(login, format!("one:{secret}"), "the machine's own, from its package");
        let seen = format!("role = app\npassword = {secret}\n");
        assert_eq!(machine.ok("cat /run/app/seen"), seen, "what the service read");
        for path in ["/run/pg-secrets/app/db_password", "/etc/app/app.conf", "/run/pg-secrets/app"] {
            let outcome = as_user(machine, "nobody", &format!("ls -l {path}; setpriv --reuid=nobody cat {path}"));
            assert!(!outcome.all().contains(secret) && outcome.all().contains("ermission denied"), "{}", outcome.all());
        }
        assert_eq!(machine.ok("pg-runtime verify"), "");
    };
    there(&machine, SECRET);
    assert_eq!(machine.ok("stat -f -c %T /run/pg-secrets"), "tmpfs\n");
    assert_eq!(machine.ok("pg-runtime apply"), "pg-runtime: nothing to do\n");

    machine.reboot();
    assert!(machine.ok("systemctl show -p ActiveState pg-secrets.service").contains("=active"));
    there(&machine, SECRET);

    // Nowhere on the machine's disk, nor in what was built; and this would find it.
    let disk = machine.tree().path("/");
    machine.ok("journalctl --sync; journalctl --flush");
    assert_eq!(leaks(&disk), [], "the machine's disk");
    assert_eq!(leaks(kept.fleet.tree()), [], "the tree and its repository");
    machine.ok("gzip -c /run/app/seen >/var/cache/apt/planted.gz");
    assert_eq!(leaks(&disk).len(), 1);
    machine.ok("rm /var/cache/apt/planted.gz");

    // Somebody changes it by hand; the daily repair mends it.
    machine.ok("chmod 0644 /run/pg-secrets/app/db_password");
    assert!(machine.run("pg-runtime verify").stdout.contains("mode: /run/pg-secrets/app/db_password"));
    machine.ok("pg-runtime apply");
    there(&machine, SECRET);

    // A machine without the role has no key that fits.
    machine.ok("cd /root && apt-get download -qq pg-role-app 2>/dev/null && dpkg-deb -x pg-role-app_*.deb app");
    let two = std::fs::read_to_string(kept.keys.path().join("two")).expect("a key");
    machine.tree().write("/root/two", two);
    let file = "/root/app/usr/share/pg/roles/app/secrets/db_password.age";
    let refused = machine.run(&format!("chmod 0600 /root/two; age -d -i /root/two {file}"));
    assert!(!refused.succeeded() && refused.all().contains("no identity matched"), "{}", refused.all());
    assert_eq!(machine.ok(&format!("age -d -i /etc/ssh/ssh_host_ed25519_key {file}")), SECRET);
    machine.ok("rm -r /root/two /root/app");

    // Another secret; and one that the role's validator refuses.
    kept.ok(&["secret", "set", "db_password"], OTHER);
    let said = kept.ok(&["build", "--no-gate"], "");
    assert!(!said.contains("the search for"), "with a key it is run: {said}");
    machine.ok("pg-runtime refresh");
    machine.wait_for(&format!("grep {OTHER} /run/app/seen"), 30);
    there(&machine, OTHER);
    kept.ok(&["secret", "set", "db_password"], "0-is-no-letter-to-begin-with");
    kept.ok(&["build", "--no-gate"], "");
    machine.run("pg-runtime refresh");
    let marks = machine.run("pg-runtime status").stdout;
    assert!(marks.contains("/run/pg-secrets/app/files/etc/app/app.conf stays as it was"), "{marks}");
    assert_eq!(machine.ok("cat /etc/app/app.conf"), format!("role = app\npassword = {OTHER}\n"));
    kept.ok(&["secret", "set", "db_password"], OTHER);
    kept.ok(&["build", "--no-gate"], "");
    machine.ok("pg-runtime refresh");
    machine.no_marks();

    // A new host key: the machine says that it can't decrypt any more, keeps what it has, and goes on after a rekey.
    let old = std::fs::read_to_string(kept.keys.path().join("one.pub")).expect("a key").trim().to_owned();
    let new = new_key(kept.keys.path(), "new");
    kept.host_key(machine.tree(), "new");
    assert!(!machine.run("pg-runtime apply").succeeded());
    let marks = machine.run("pg-runtime status").stdout;
    assert!(marks.contains("this machine's host key does not decrypt db_password"), "{marks}");
    there(&machine, OTHER);
    let host = "hosts/one.example.org.toml";
    kept.fleet.edit(host, &old, &new);
    let text = std::fs::read_to_string(kept.fleet.tree().join(host)).expect("readable");
    kept.fleet.write(host, &format!("{text}retired_ssh_host_key = \"{old}\"\n"));
    let said = kept.refused(&["check"], "");
    assert!(
        said.contains("error[secret-not-for-machine]: secrets/db_password.age can't be decrypted by one.example.org")
    );
    assert!(
        said.contains("debrole secret rekey db_password") && said.contains("the retired key of one.example.org"),
        "{said}"
    );
    kept.refused(&["build", "--no-gate"], "");
    kept.ok(&["secret", "rekey"], "");
    assert!(kept.ok(&["secret", "rekey"], "").contains("each secret is encrypted to those who need it"));
    kept.ok(&["build", "--no-gate"], "");
    machine.ok("pg-runtime refresh");
    machine.no_marks();
    machine.reboot();
    there(&machine, OTHER);
    machine.tree().write("/root/old", std::fs::read(kept.keys.path().join("one")).expect("a key"));
    let file = "/usr/share/pg/roles/app/secrets/db_password.age";
    assert!(!machine.run(&format!("chmod 0600 /root/old; age -d -i /root/old {file}")).succeeded());
    assert_eq!(leaks(&machine.tree().path("/")), []);
    assert_eq!(leaks(kept.fleet.tree()), []);

    // When the role goes, so do its secrets.
    machine.apt("purge pg-host-one.example.org pg-role-app");
    assert_eq!(machine.ok("ls /run | grep secrets || :; ls /etc/app 2>/dev/null || :"), "");
}

#[test]
fn administrators_are_the_members_of_groups() {
    if skip("administrators of secrets", &[Need::Program("age")]) {
        return;
    }
    let fleet = Fleet::example();
    let kept = Kept { fleet, keys: tempfile::tempdir().expect("a temporary directory") };
    let said =
        kept.ok(&["secret", "set", "key"], "-----BEGIN KEY-----\nabcdefghijklmnopqrstuvwxyz\n-----END KEY-----\n");
    assert!(said.contains("encrypted to no machine and ") && said.contains("Nothing uses it yet"), "{said}");
    let file = std::fs::read(kept.fleet.tree().join("secrets/key.age")).expect("written");
    let mut readers = debrole::age::recipients(&file).expect("age wrote it");
    let mut members = Vec::new();
    for user in ["alma", "bruno", "chidi", "dana", "emre"] {
        let text = std::fs::read_to_string(kept.fleet.tree().join(format!("users/{user}.toml"))).expect("a person");
        let table: toml::Table = text.parse().expect("TOML");
        let group = std::fs::read_to_string(kept.fleet.tree().join("groups/sysadmins.toml")).expect("a group");
        if group.contains(&format!("\"{user}\"")) {
            for key in table["key"].as_array().expect("keys") {
                let key = debrole::ssh_key::PublicKey::parse(key["key"].as_str().expect("text")).expect("a key");
                members.extend(debrole::age::Recipient::of(&key));
            }
        }
    }
    readers.sort();
    members.sort();
    assert!(!members.is_empty());
    assert_eq!(readers, members);
    assert!(kept.ok(&["check"], "").contains("warning[secret-unused]"));
}

#[test]
fn what_is_written_where_it_can_be_read_is_found() {
    if skip("the search for secrets", &[Need::Program("age"), Need::Program("ssh-keygen")]) {
        return;
    }
    let kept = Kept::new(Release::Bookworm);
    kept.fleet.write(
        "roles/plain.toml",
        &format!("summary = \"Plain\"\n[[file]]\npath = \"/etc/plain\"\ncontent = \"{SECRET}\\n\"\n"),
    );
    let said = kept.refused(&["secret", "set", "db_password"], SECRET);
    assert!(said.contains("error[secret-leaked]: the secret db_password can be read in roles/plain.toml"), "{said}");
    assert!(!kept.fleet.tree().join("secrets").exists());

    // What comes later is found by the build, wherever a key is present; nothing is published.
    kept.ok(&["secret", "set", "db_password"], OTHER);
    kept.fleet.write("roles/plain/motd", &format!("Welcome. {OTHER}\n"));
    kept.fleet.edit("roles/plain.toml", &format!("content = \"{SECRET}\\n\""), "source = \"motd\"");
    let said = kept.refused(&["build", "--no-gate", "--first-publish"], "");
    assert!(said.contains("can be read in roles/plain/motd"), "{said}");
    assert!(!kept.fleet.tree().join("repo-out/dists").exists());
    // In a package, though in no file of the tree as it stands there: base64 by a value.
    let coded = debrole::ssh_key::encode(OTHER.as_bytes());
    let (first, second) = coded.split_at(7);
    kept.fleet.write("roles/plain/motd", "harmless\n");
    kept.fleet.write(
        "roles/plain.toml",
        &format!("summary = \"Plain\"\n[[file]]\npath = \"/etc/plain\"\ntemplate = true\ncontent = \"{{{{ '{first}' ~ '{second}' }}}}\\n\"\n[[file]]\npath = \"/etc/motd.tail\"\nsource = \"motd\"\n"),
    );
    let said = kept.refused(&["build", "--no-gate", "--first-publish"], "");
    assert!(said.contains("can be read in pool/roles/pg-role-plain_"), "{said}");
    assert!(said.contains("/usr/share/pg/roles/plain/files/etc/plain"), "{said}");
    assert!(!kept.fleet.tree().join("repo-out/dists").exists());

    // edit: in memory, by whatever editor.
    kept.fleet.write("roles/plain.toml", "summary = \"Plain\"\n");
    std::fs::remove_dir_all(kept.fleet.tree().join("roles/plain")).expect("it is there");
    let said = Command::new(env!("CARGO_BIN_EXE_debrole"))
        .arg("-C")
        .arg(kept.fleet.tree())
        .args(["secret", "edit", "db_password", "-i"])
        .arg(kept.keys.path().join("admin"))
        .env("EDITOR", format!("stat -f -c %T \"$1\" >{0}/kind; printf edited-in-memory >", kept.keys.path().display()))
        .env_remove("VISUAL")
        .output()
        .expect("debrole starts");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let read = |key: &str| {
        let output = Command::new("age")
            .args(["-d", "-i"])
            .arg(kept.keys.path().join(key))
            .arg(kept.fleet.tree().join("secrets/db_password.age"))
            .output()
            .expect("age starts");
        output.status.success().then(|| String::from_utf8(output.stdout).expect("text"))
    };
    assert_eq!(std::fs::read_to_string(kept.keys.path().join("kind")).expect("written"), "tmpfs\n");
    for (key, text) in [("admin", Some("edited-in-memory")), ("one", Some("edited-in-memory")), ("two", None)] {
        assert_eq!(read(key).as_deref(), text, "{key}");
    }
}
