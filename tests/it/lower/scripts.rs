//! Maintainer scripts: every verb, with and without the runtime, standard input closed.

use super::*;
use debrole::names::PackageName;
use debrole::plan::{ControlMember, PackageKind};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Every set of scripts that debrole makes: (what, scripts).
pub fn all_scripts() -> Vec<(String, BTreeMap<ControlMember, String>)> {
    let host = "roles = [\"web\"]\nrelease = \"bookworm\"\n";
    let lowered =
        lower(&[("roles/web.toml", EVERYTHING), ("roles/base.toml", BASE), ("hosts/web1.example.org.toml", host)])
            .right();
    let mut all: Vec<_> = lowered
        .plans
        .iter()
        .flat_map(|plan| plan.variants.iter().map(|v| (plan.name.to_string(), v.deb.scripts.clone())))
        .collect();
    for (kind, name) in [(PackageKind::Role, "pg-role-old"), (PackageKind::Runtime, "pg-runtime")] {
        let name = PackageName::parse(name).unwrap();
        let deb = debrole::lower::tombstone(&lowered.model, &name, kind);
        all.push((format!("tombstone of {name}"), deb.scripts));
    }
    // The fragments are scripts too: with their first lines they are what the runtime runs.
    let deb = lowered.deb("pg-role-web", "bookworm");
    for (member, part) in [(ControlMember::Postinst, "setup"), (ControlMember::Prerm, "teardown")] {
        all.push((part.to_owned(), BTreeMap::from([(member, text(deb, &format!("/usr/share/pg/roles/web/{part}")))])));
    }
    all
}

/// A directory with fake programs that write down how they were called.
struct Scene {
    directory: tempfile::TempDir,
}

impl Scene {
    fn new(runtime: Option<i32>) -> Self {
        let scene = Scene { directory: tempfile::tempdir().unwrap() };
        scene.program("dpkg-trigger", 0, "");
        scene.program("systemctl", 0, "");
        scene.program("rm", 0, "");
        scene.program("debconf-set-selections", 0, "cat >>\"$LOG\"\n");
        if let Some(status) = runtime {
            scene.program("pg-runtime", status, "");
        }
        scene
    }
    fn program(&self, name: &str, status: i32, more: &str) {
        let path = self.directory.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\necho \"{name} $*\" >>\"$LOG\"\n{more}exit {status}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }
    /// Whether systemd runs on the scene's machine (/run/systemd/system is there).
    fn booted(&self, booted: bool) {
        if booted {
            std::fs::create_dir(self.directory.path().join("systemd")).unwrap();
        }
    }
    /// Runs a script; returns what it called. It must succeed and say nothing.
    fn run(&self, what: &str, script: &str, arguments: &[&str]) -> String {
        let path = self.directory.path().join("script");
        let systemd = self.directory.path().join("systemd").display().to_string();
        std::fs::write(&path, script.replace("/run/systemd/system", &systemd)).unwrap();
        std::fs::write(self.log(), "").unwrap();
        let output = Command::new("/bin/sh")
            .arg(&path)
            .args(arguments)
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", self.directory.path().display()))
            .env("LOG", self.log())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{what} {arguments:?}: {output:?}");
        assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{what} {arguments:?}: {output:?}");
        std::fs::read_to_string(self.log()).unwrap()
    }
}

/// All ways in which dpkg calls the scripts (Debian Policy 6.5), and one that nobody knows yet.
const VERBS: &[(ControlMember, &[&str])] = &[
    (ControlMember::Preinst, &["install"]),
    (ControlMember::Preinst, &["install", "1", "2"]),
    (ControlMember::Preinst, &["upgrade", "1", "2"]),
    (ControlMember::Preinst, &["abort-upgrade", "2"]),
    (ControlMember::Postinst, &["configure", ""]),
    (ControlMember::Postinst, &["configure", "1"]),
    (ControlMember::Postinst, &["abort-upgrade", "2"]),
    (ControlMember::Postinst, &["abort-remove"]),
    (ControlMember::Postinst, &["abort-remove", "in-favour", "other", "1"]),
    (ControlMember::Postinst, &["abort-deconfigure", "in-favour", "other", "1", "removing", "third", "1"]),
    (ControlMember::Postinst, &["triggered", "pg-apply"]),
    (ControlMember::Prerm, &["remove"]),
    (ControlMember::Prerm, &["remove", "in-favour", "other", "1"]),
    (ControlMember::Prerm, &["upgrade", "2"]),
    (ControlMember::Prerm, &["failed-upgrade", "1", "2"]),
    (ControlMember::Prerm, &["deconfigure", "in-favour", "other", "1", "removing", "third", "1"]),
    (ControlMember::Postrm, &["remove"]),
    (ControlMember::Postrm, &["purge"]),
    (ControlMember::Postrm, &["upgrade", "2"]),
    (ControlMember::Postrm, &["failed-upgrade", "1", "2"]),
    (ControlMember::Postrm, &["disappear", "other", "1"]),
    (ControlMember::Postrm, &["abort-install"]),
    (ControlMember::Postrm, &["abort-install", "1", "2"]),
    (ControlMember::Postrm, &["abort-upgrade", "1", "2"]),
];

#[test]
fn every_verb_of_every_script() {
    let mut out = String::new();
    for (what, scripts) in
        all_scripts().iter().filter(|(what, _)| what.starts_with("pg-role-web") || what.starts_with("tomb"))
    {
        for (runtime, state) in [
            (Some(0), "with the runtime, booted"),
            (Some(1), "with one that fails, in a chroot"),
            (None, "without it, in a chroot"),
        ] {
            let scene = Scene::new(runtime);
            scene.booted(runtime == Some(0));
            out.push_str(&format!("##### {what}, {state}\n"));
            for (member, arguments) in VERBS {
                let Some(script) = scripts.get(member) else { continue };
                let calls = scene.run(what, script, arguments);
                let name = member.file_name();
                out.push_str(&format!("{name} {}: {}\n", arguments.join(" "), calls.trim_end().replace('\n', "; ")));
            }
            for (member, script) in scripts {
                assert_eq!(scene.run(what, script, &["some-new-verb"]), "", "{what} {member:?}");
            }
        }
    }
    insta::assert_snapshot!("verbs", out);
}

#[test]
fn answers_reach_debconf_as_they_were_written() {
    let tree = |value: &str| {
        format!("summary = \"A\"\n[[debconf]]\npackage = \"x1\"\nquestion = \"x1/q\"\nvalue = '{value}'\n")
    };
    for value in ["$HOME `id` \\n \"q\"", "ANSWERS", "a  b", "%s"] {
        let lowered = lower(&[("roles/a.toml", &tree(value))]).right();
        let script = &lowered.deb("pg-role-a", "bookworm").scripts[&ControlMember::Preinst];
        let calls = Scene::new(None).run("preinst", script, &["install"]);
        assert_eq!(calls, format!("debconf-set-selections \nx1 x1/q string {value}\n"));
    }
}

#[test]
fn environment_reaches_shells_and_systemd_as_it_was_written() {
    let values = [r#"it's $HOME & "more" \ `x`"#, "plain", "${A}", "a b", "''", r"\\"];
    let mut role = "summary = \"A\"\n[environment]\n".to_owned();
    for (i, value) in values.iter().enumerate() {
        role.push_str(&format!("V{i} = {}\n", toml_string(value)));
    }
    let lowered = lower(&[("roles/a.toml", &role)]).right();
    let directory = tempfile::tempdir().unwrap();
    let profile = directory.path().join("profile.sh");
    std::fs::write(&profile, lowered.payload("pg-role-a", "/etc/profile.d/pg-role-a.sh")).unwrap();
    for (i, value) in values.iter().enumerate() {
        let shell = Command::new("/bin/sh")
            .args(["-euc", &format!(". {}; printf %s \"$V{i}\"", profile.display())])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&shell.stdout), *value, "V{i}");
    }
    // systemd's own reader; it prints what it has read as assignments that a shell can read.
    let generator = "/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator";
    if !Path::new(generator).exists() {
        assert!(crate::machine::skip(
            "environment.d as systemd reads it",
            &[crate::machine::Need::Program("systemctl")]
        ));
        return;
    }
    let config = directory.path().join("environment.d");
    std::fs::create_dir(&config).unwrap();
    let text = lowered.payload("pg-role-a", "/etc/environment.d/60-pg-role-a.conf");
    std::fs::write(config.join("60-pg-role-a.conf"), text).unwrap();
    let output = Command::new(generator).env("XDG_CONFIG_HOME", directory.path()).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    for (i, value) in values.iter().enumerate() {
        let shell =
            Command::new("/bin/bash").args(["-c", &format!("{printed}\nprintf %s \"$V{i}\"")]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&shell.stdout), *value, "V{i} of {printed}");
    }
}

fn toml_string(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}
