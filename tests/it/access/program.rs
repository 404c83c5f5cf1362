//! The program on people: what a build says of access, `access`, `show`, and what it refuses by what is published.

use super::*;
use crate::machine::{Need, skip};
use crate::program::Said;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A tree of [`fleet`] with a key, and the program on it.
pub struct Site(pub TempDir);

impl Site {
    pub fn new(files: &[(&'static str, String)]) -> Site {
        let dir = tempfile::Builder::new().prefix("debrole-").tempdir().unwrap();
        write(dir.path(), files);
        let site = Site(dir);
        site.ok(&["key", "init"]);
        site
    }
    pub fn run(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_debrole"));
        command.arg("-C").arg(self.0.path()).args(arguments).env_remove("SOURCE_DATE_EPOCH").stdin(Stdio::null());
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { status: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
    #[track_caller]
    pub fn ok(&self, arguments: &[&str]) -> String {
        let said = self.run(arguments);
        assert_eq!(said.status, Some(0), "{arguments:?}: {said:?}");
        said.out
    }
    pub fn write(&self, path: &'static str, text: &str) {
        write(self.0.path(), &[(path, text.to_owned())]);
    }
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.0.path().join(path)).unwrap()
    }
    pub fn remove(&self, path: &str) {
        fs::remove_file(self.0.path().join(path)).unwrap();
    }
    /// At a day of November 2026.
    #[track_caller]
    pub fn build(&self, day: i64) -> String {
        let time = (TODAY + (day - 22) * 86_400 + 43_200).to_string();
        self.ok(&["build", "--no-gate", "--first-publish", "--future", "--time", &time])
    }
    fn access(&self, said: &str) -> Vec<String> {
        said.lines().filter_map(|line| line.strip_prefix("  access ")).map(str::to_owned).collect()
    }
}

fn code(code: &str) -> String {
    format!("error[{code}]")
}

const ADMIN: &str = "sudo as root: ALL";
const RELOAD: &str = "sudo as root: /usr/bin/systemctl reload nginx.service, /usr/bin/id \"\"";

#[test]
fn a_build_names_every_access_gained_and_lost_person_by_person() {
    let site = Site::new(&fleet());
    let all = "db1.example.org, web1.example.org, web2.example.org";
    let web = "web1.example.org, web2.example.org";
    assert_eq!(
        site.access(&site.build(22)),
        [
            format!("+ alice: login, on {all} (sysadmins)"),
            format!("+ alice: {ADMIN}, on {all} (sysadmins)"),
            format!("+ bob: login, on {web} (webteam)"),
            format!("+ bob: {RELOAD}, on {web} (webteam)"),
        ]
    );
    // alice joins the web team: she could do all that before, but for the rule of its own.
    site.write("groups/webteam.toml", "gid = 3002\ndescription = \"Editors\"\nmembers = [\"alice\", \"bob\"]\n");
    let planned = site.access(&site.ok(&["plan"]));
    assert_eq!(planned, [format!("+ alice: {RELOAD}, on {web} (webteam)")]);
    assert_eq!(site.access(&site.build(23)), planned);
    // A key, a last day, a role of a machine.
    site.write("users/bob.toml", &user(2002, "Carl", "expires = 2027-03-31\n"));
    site.write("hosts/web2.example.org.toml", "roles = [\"base\"]\nrelease = \"trixie\"\n");
    let said = site.access(&site.build(24));
    let fingerprint = |byte| debrole::ssh_key::PublicKey::parse(&key(byte)).unwrap().fingerprint();
    assert_eq!(
        said,
        [
            format!("- alice: {RELOAD}, on web2.example.org (webteam)"),
            "- bob: login, on web2.example.org (webteam)".to_owned(),
            format!("- bob: {RELOAD}, on web2.example.org (webteam)"),
            format!("- bob: key {} bob", fingerprint(b'B')),
            "- bob: access until 2027-03-31".to_owned(),
            format!("+ bob: key {} carl", fingerprint(b'C')),
        ]
    );
    // The file goes: that is enough.
    site.remove("users/bob.toml");
    assert_eq!(
        site.access(&site.build(25)),
        [
            "- bob: login, on web1.example.org (webteam)".to_owned(),
            format!("- bob: {RELOAD}, on web1.example.org (webteam)")
        ]
    );
    assert!(site.build(25).contains("Nothing changed"), "the same tree");
    // A group that leaves the tree is published once more, empty.
    site.remove("groups/webteam.toml");
    site.write("roles/web.toml", "summary = \"Web\"\nincludes = [\"base\"]\n");
    let said = site.build(27);
    assert!(said.contains("pg-access-webteam") && said.contains("left the tree"), "{said}");
    assert_eq!(site.access(&said), [format!("- alice: {RELOAD}, on web1.example.org (webteam)")]);
}

#[test]
fn show_says_through_what_and_since_when() {
    let site = Site::new(&fleet());
    let unpublished = site.ok(&["show", "bob"]);
    assert!(
        unpublished.contains("login, on web1.example.org (webteam, by pg-role-web; not published yet)"),
        "{unpublished}"
    );
    site.build(22);
    site.write("groups/webteam.toml", "gid = 3002\ndescription = \"Editors\"\nmembers = [\"alice\", \"bob\"]\n");
    site.build(24);
    let alice = site.ok(&["show", "alice"]);
    for line in [
        "alice, Alice <alice@example.org>",
        "  uid 2001, /bin/bash, home: keep",
        "  groups: sysadmins, webteam",
        "  login, on db1.example.org (sysadmins, by pg-role-base; since 2026-11-22)",
        "  login, on web1.example.org (webteam, by pg-role-web; since 2026-11-24)",
        "  sudo as root: ALL, on web2.example.org (sysadmins, by pg-role-base; since 2026-11-22)",
    ] {
        assert!(alice.lines().any(|l| l == line), "{line}\n{alice}");
    }
    let host = site.ok(&["show", "web1.example.org"]);
    for line in [
        "    alice: login (sysadmins, by pg-role-base; since 2026-11-22)",
        "    alice: login (webteam, by pg-role-web; since 2026-11-24)",
        "    bob: login (webteam, by pg-role-web; since 2026-11-22)",
    ] {
        assert!(host.lines().any(|l| l == line), "{line}\n{host}");
    }
    let role = site.ok(&["show", "web"]);
    assert!(role.contains("    bob: login (webteam, by pg-role-web; since 2026-11-22)"), "{role}");
    let json: serde_json::Value = serde_json::from_str(&site.ok(&["--format", "json", "show", "alice"])).unwrap();
    assert_eq!(json["user"]["uid"], 2001);
    assert!(
        json["access"].as_array().unwrap().iter().any(|r| r["place"] == "db1.example.org" && r["right"] == "login")
    );
}

#[test]
fn the_matrix_is_text_json_and_csv() {
    let site = Site::new(&with(&[("roles/spare.toml", "summary = \"Spare\"\n[access]\nlogin = [\"webteam\"]\n")]));
    let text = site.ok(&["access"]);
    let expected = format!(
        "db1.example.org\n  alice: login (sysadmins); {ADMIN} (sysadmins)\n\
         machines with the role spare\n  bob: login (webteam)\n\
         web1.example.org\n  alice: login (sysadmins); {ADMIN} (sysadmins)\n  bob: login (webteam); {RELOAD} (webteam)\n\
         web2.example.org\n  alice: login (sysadmins); {ADMIN} (sysadmins)\n  bob: login (webteam); {RELOAD} (webteam)\n"
    );
    assert_eq!(text, expected);
    let csv = site.ok(&["access", "--output", "csv", "--user", "bob"]);
    assert_eq!(
        csv.lines().take(3).collect::<Vec<_>>(),
        [
            "user,full name,place,right,group,by",
            "bob,Bob,web1.example.org,login,webteam,pg-role-web",
            "bob,Bob,web1.example.org,\"sudo as root: /usr/bin/systemctl reload nginx.service, /usr/bin/id \"\"\"\"\",webteam,pg-role-web"
        ]
    );
    let json: serde_json::Value =
        serde_json::from_str(&site.ok(&["--format", "json", "access", "--host", "db1.example.org"])).unwrap();
    assert_eq!(json["access"].as_array().unwrap().len(), 2, "{json}");
}

#[test]
fn another_host_key_is_an_error_until_the_tree_says_so() {
    let web1 = |rest: &str| format!("roles = [\"web\"]\nrelease = \"bookworm\"\n{rest}");
    let site = Site::new(&with(&[("hosts/web1.example.org.toml", &web1(&format!("ssh_host_key = \"{}\"\n", key(7))))]));
    site.build(22);
    let build = |rest: &str| {
        site.write("hosts/web1.example.org.toml", &web1(rest));
        site.run(&["build", "--no-gate"])
    };
    for changed in [format!("ssh_host_key = \"{}\"\n", key(8)), String::new()] {
        let said = build(&changed);
        assert_eq!(said.status, Some(1), "{said:?}");
        assert!(
            said.err.contains(&code("host-key-changed")) && said.err.contains("hosts/web1.example.org.toml:"),
            "{said:?}"
        );
    }
    let said = build(&format!("ssh_host_key = \"{}\"\nretired_ssh_host_key = \"{}\"\n", key(8), key(7)));
    assert_eq!(said.status, Some(0), "{said:?}");
}

#[test]
fn visudo_judges_the_rules_together() {
    if skip("visudo", &[Need::Program("visudo")]) {
        return;
    }
    let alias = |role: &str, list: &str| {
        format!(
            "summary = \"{role}\"\n[access]\nlogin = [\"webteam\"]\n[[file]]\npath = \"/etc/sudoers.d/{role}\"\nmode = \"0440\"\ncontent = \"{list}\\n\"\n"
        )
    };
    // Each is right, the two together define one alias twice.
    let one = alias("one", "Cmnd_Alias WEB = /usr/bin/id");
    let two = alias("two", "Cmnd_Alias WEB = /usr/bin/uptime");
    let both = "roles = [\"base\", \"one\", \"two\"]\nrelease = \"trixie\"\n";
    let site = Site::new(&with(&[("roles/one.toml", &one), ("roles/two.toml", &two)]));
    site.ok(&["check"]);
    site.write("hosts/db1.example.org.toml", both);
    for command in [&["check"][..], &["build", "--no-gate", "--first-publish"]] {
        let said = site.run(command);
        assert_eq!(said.status, Some(1), "{said:?}");
        assert!(said.err.contains(&code("sudoers-refused")) && said.err.contains("already defined"), "{said:?}");
    }
}
