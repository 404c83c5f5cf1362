//! `user`, `group`, `ledger`: what they write, what they leave as it is, what they refuse.

use super::program::Site;
use super::*;

const NOTED: &str = "\
# The team's own file.
gid = 3002   # never changes
description = \"Editors\"

# By seniority.
members = [
    \"alice\",  # the lead
    \"bob\",
]
";

fn site() -> Site {
    Site::new(&with(&[("groups/webteam.toml", NOTED)]))
}

#[test]
fn somebody_comes_leaves_and_comes_back() {
    let site = site();
    fs::write(site.0.path().join("carol.pub"), format!("{} carol@desk\n", key(b'C'))).unwrap();
    let file = site.0.path().join("carol.pub");
    let said = site.ok(&[
        "user",
        "add",
        "carol",
        "--name",
        "Carol \"C\" Example",
        "--key",
        file.to_str().unwrap(),
        "--group",
        "webteam",
        "--email",
        "carol@example.org",
        "--expires",
        "2027-12-31",
    ]
    .map(|a| if a.starts_with("Carol") { "Carol Example" } else { a }));
    assert!(said.contains("carol has the number 3003"), "{said}");
    assert_eq!(
        site.read("users/carol.toml"),
        format!(
            "uid = 3003\nname = \"Carol Example\"\nemail = \"carol@example.org\"\nexpires = 2027-12-31\n\n[[key]]\nkey = \"{} carol@desk\"\n",
            key(b'C')
        )
    );
    // What somebody wrote is as it was.
    assert_eq!(site.read("groups/webteam.toml"), NOTED.replace("    \"bob\",\n", "    \"bob\",\n    \"carol\",\n"));
    assert!(site.read("ledger.toml").contains("\n3003 = \"carol\"\n"));
    assert!(site.ok(&["check"]).contains("are right"));
    assert!(site.ok(&["user", "list"]).contains("carol   3003  Carol Example  webteam  until 2027-12-31"));

    let said = site.ok(&["user", "retire", "carol", "--home", "archive"]);
    assert!(said.contains("carol leaves, and the groups webteam; the number 3003 stays theirs"), "{said}");
    assert!(!site.0.path().join("users/carol.toml").exists());
    assert_eq!(site.read("groups/webteam.toml"), NOTED);
    let ledger = site.read("ledger.toml");
    assert!(ledger.contains("\n3003 = \"carol\"\n") && ledger.contains("[home]\n3003 = \"archive\"\n"), "{ledger}");
    assert_eq!(site.ok(&["user", "list", "--departed"]), "3003  carol\n");

    // Her number is nobody else's, and hers again.
    let said = site.ok(&["user", "add", "dave", "--name", "Dave", "--key", &key(b'D'), "--group", "webteam"]);
    assert!(said.contains("dave has the number 3004"), "{said}");
    let refused = site.run(&["user", "add", "erin", "--name", "Erin", "--uid", "3003"]);
    assert_eq!(refused.status, Some(1));
    assert!(
        refused.err.contains("error[id-given-before]") && !site.0.path().join("users/erin.toml").exists(),
        "{refused:?}"
    );
    let refused = site.run(&["user", "add", "carol", "--name", "Carol", "--uid", "3010"]);
    assert!(refused.err.contains("who comes back gets it again"), "{refused:?}");
    let said = site.ok(&["user", "add", "carol", "--name", "Carol", "--key", &key(b'C')]);
    assert!(said.contains("carol has the number 3003, as before"), "{said}");
    assert!(!site.read("ledger.toml").contains("archive"));
}

#[test]
fn a_rename_keeps_the_number_and_the_place_in_lists() {
    let site = site();
    let said = site.ok(&["user", "rename", "alice", "alicia"]);
    assert!(said.contains("alice is called alicia from now on, with the number 2001 as before"), "{said}");
    assert_eq!(site.read("groups/webteam.toml"), NOTED.replace("\"alice\"", "\"alicia\""));
    assert!(site.read("ledger.toml").contains("2001 = [\"alice\", \"alicia\"]"), "{}", site.read("ledger.toml"));
    assert!(
        site.read("users/alicia.toml").starts_with("uid = 2001\n") && !site.0.path().join("users/alice.toml").exists()
    );
    site.ok(&["check"]);
    // The old name stays hers, and she may go back to it.
    let refused = site.run(&["user", "add", "alice", "--name", "Another"]);
    assert!(refused.err.contains("alice was renamed to alicia"), "{refused:?}");
    let refused = site.run(&["user", "rename", "bob", "alice"]);
    assert!(refused.err.contains("alice was somebody else's name"), "{refused:?}");
    site.ok(&["user", "rename", "alicia", "alice"]);
    assert!(site.read("ledger.toml").contains("2001 = [\"alicia\", \"alice\"]"));
    site.ok(&["check"]);
}

#[test]
fn what_would_break_the_tree_is_taken_back() {
    let site = site();
    let before: Vec<String> = ["users/alice.toml", "groups/sysadmins.toml", "groups/webteam.toml", "ledger.toml"]
        .map(|f| site.read(f))
        .into();
    for command in [
        &["user", "retire", "alice"][..],
        &["group", "remove-member", "sysadmins", "alice"],
        &["group", "retire", "webteam"],
        &["user", "adopt", "alice", "--uid", "1000"],
        &["user", "adopt", "alice", "--account", "www-data"],
        &["user", "add", "root", "--name", "Root"],
        &["user", "add", "bob", "--name", "Bob"],
        &["user", "add", "eve", "--name", "Eve", "--uid", "0"],
        &["user", "add", "eve", "--name", "Eve:x"],
        &["user", "add", "eve", "--name", "Eve", "--key", "ssh-dss AAAA"],
        &["user", "add", "eve", "--name", "Eve", "--group", "webtaem"],
        &["user", "add", "eve", "--name", "Eve", "--shell", "/bin/nologin"],
        &["user", "add", "eve", "--name", "Eve", "--expires", "tomorrow"],
        &["user", "add", "webteam", "--name", "Eve"],
        &["group", "add", "docker", "--description", "Docker"],
        &["group", "add", "bob", "--description", "Bob's"],
        &["group", "add-member", "webteam", "nobody-there"],
        &["group", "remove-member", "sysadmins", "bob"],
        &["user", "show", "nobody-there"],
    ] {
        let said = site.run(command);
        assert_eq!(said.status, Some(1), "{command:?}: {said:?}");
        assert!(said.err.contains("error"), "{command:?}: {said:?}");
    }
    let after: Vec<String> = ["users/alice.toml", "groups/sysadmins.toml", "groups/webteam.toml", "ledger.toml"]
        .map(|f| site.read(f))
        .into();
    assert_eq!(before, after);
    let left: Vec<_> = fs::read_dir(site.0.path().join("users")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    let said = site.run(&["user", "retire", "alice"]);
    assert!(said.err.contains("error[no-administrator]") && said.err.contains("nothing was changed"), "{said:?}");
    assert_eq!(said.out, "", "what was not done is not said");
}

#[test]
fn files_written_by_hand_only_need_the_ledger() {
    let site = site();
    site.write("users/frank.toml", &user(2077, "Frank", ""));
    site.write("groups/dba.toml", "gid = 3050\ndescription = \"Databases\"\nmembers = [\"frank\"]\n");
    site.write("roles/db.toml", "summary = \"DB\"\n[access]\nlogin = [\"dba\"]\n");
    let said = site.run(&["check"]);
    assert!(
        said.status == Some(1)
            && said.err.matches("error[not-in-ledger]").count() == 2
            && said.err.contains("debrole ledger"),
        "{said:?}"
    );
    let said = site.ok(&["ledger"]);
    assert!(said.contains("user frank: 2077") && said.contains("group dba: 3050"), "{said}");
    assert!(site.ok(&["check"]).contains("are right"));
    assert!(site.ok(&["ledger"]).contains("ledger.toml has every number"));
    // One that was never there is begun.
    site.remove("ledger.toml");
    site.ok(&["ledger"]);
    assert!(site.read("ledger.toml").starts_with("# Every number"), "{}", site.read("ledger.toml"));
    // Two who claim one number are not settled by it.
    site.write("users/grace.toml", &user(2077, "Grace", ""));
    site.ok(&["ledger"]);
    let said = site.run(&["check"]);
    assert!(said.err.contains("error[id-used-twice]"), "{said:?}");
}

#[test]
fn what_mends_a_mistake_is_done_though_it_uncovers_another() {
    let site = Site::new(&fleet());
    for path in ["groups/sysadmins.toml", "groups/webteam.toml", "roles/base.toml"] {
        site.remove(path);
    }
    // A new fleet's first steps in the wrong order: the unknown group hides that nobody could administer the machines.
    for host in fs::read_dir(site.0.path().join("hosts")).unwrap() {
        fs::write(host.unwrap().path(), "roles = [\"web\"]\nrelease = \"bookworm\"\n").unwrap();
    }
    site.write("roles/web.toml", "summary = \"Web\"\n[access]\nlogin = [\"editors\"]\n");
    let said = site.run(&["check"]);
    assert!(said.err.contains("debrole group add editors --description"), "{said:?}");
    let said = site.run(&["user", "add", "eve", "--name", "Eve", "--group", "editors"]);
    assert!(said.status == Some(1) && said.err.contains("`debrole group add editors --description"), "{said:?}");
    let said = site.run(&["group", "add", "editors", "--description", "Editors"]);
    assert!(said.status == Some(0) && said.err.contains("error[no-administrator]"), "{said:?}");
    assert!(said.out.contains("the group editors has the number"), "{said:?}");
    // One that mends nothing is not.
    let said = site.run(&["group", "add", "bob", "--description", "Bob's"]);
    assert!(said.status == Some(1) && !site.0.path().join("groups/bob.toml").exists(), "{said:?}");
    // The wrong half of a key is named, and the right one.
    let secret = site.0.path().join("eve");
    fs::write(&secret, "-----BEGIN OPENSSH PRIVATE KEY-----\n").unwrap();
    let secret = secret.to_str().unwrap();
    let said = site.run(&["user", "add", "eve", "--name", "Eve", "--key", secret]);
    assert!(said.err.contains(&format!("{secret} is the private half of a key: name the public one, {secret}.pub")));
}

#[test]
fn groups_and_adoptions_are_written() {
    let site = site();
    let said =
        site.ok(&["group", "add", "dba", "--description", "Databases", "--member", "bob", "--approval", "ticket"]);
    assert!(said.contains("the group dba has the number 3003"), "{said}");
    assert_eq!(
        site.read("groups/dba.toml"),
        "gid = 3003\ndescription = \"Databases\"\nmembers = [\"bob\"]\napproval = \"ticket\"\n"
    );
    site.ok(&["group", "add-member", "dba", "alice"]);
    assert!(site.read("groups/dba.toml").contains("members = [\"bob\", \"alice\"]\n"));
    site.ok(&["group", "remove-member", "dba", "bob"]);
    assert!(site.read("groups/dba.toml").contains("members = [\"alice\"]\n"));
    assert!(site.ok(&["group", "list"]).contains("dba         3003     1 member   Databases"));
    let shown = site.ok(&["group", "show", "webteam"]);
    assert!(shown.contains("  bob, Bob\n") && shown.contains("  login by pg-role-web\n"), "{shown}");
    site.ok(&["group", "retire", "dba"]);
    let said = site.ok(&["group", "add", "dba", "--description", "Databases"]);
    assert!(said.contains("the group dba has the number 3003"), "{said}");

    site.ok(&[
        "user",
        "adopt",
        "alice",
        "--account",
        "asmith",
        "--uid",
        "1000",
        "--files",
        "home",
        "--host",
        "db1.example.org",
    ]);
    assert!(
        site.read("users/alice.toml")
            .ends_with("\n[[adopt]]\nname = \"asmith\"\nuid = 1000\nfiles = \"home\"\nhosts = [\"db1.example.org\"]\n")
    );
    site.ok(&["user", "adopt", "alice"]);
    site.ok(&["check"]);
}
