//! What packages carry of people.

use super::*;
use crate::machine::{Need, skip};

#[test]
fn a_groups_package_has_its_members_and_the_packages_of_their_shells() {
    let read = read(&fleet(), TODAY).right();
    let text = read.text("pg-access-webteam", "/usr/share/pg/access/webteam/members");
    let expected = format!(
        "debrole-access 1\npackage pg-access-webteam\ngroup webteam 3002\n\
         user bob 2002 /usr/bin/zsh 2027-06-30 archive Bob\nkey bob - - - {} bob\n",
        key(b'B')
    );
    assert_eq!(text, expected);
    assert_eq!(read.relations("pg-access-webteam"), ["pg-access", "zsh"]);
    let people = read.relations("pg-access");
    assert_eq!(people, ["libpam-systemd", "openssh-server", "pg-runtime"]);
    assert_eq!(read.text("pg-access", "/usr/share/pg/people"), "debrole-people 1\nband 2000 59999\n");
}

#[test]
fn a_roles_package_has_its_grants_the_rules_of_sudo_and_needs_the_groups() {
    let read = read(&fleet(), TODAY).right();
    assert_eq!(
        read.text("pg-role-web", "/usr/share/pg/roles/web/grants"),
        "debrole-grants 1\npackage pg-role-web\nlogin webteam\n\
         sudo webteam %webteam ALL=(root) NOPASSWD: /usr/bin/systemctl reload nginx.service, /usr/bin/id \"\"\n"
    );
    assert_eq!(
        read.text("pg-role-base", "/usr/share/pg/roles/base/grants"),
        "debrole-grants 1\npackage pg-role-base\nlogin sysadmins\nadmin sysadmins\n\
         sudo sysadmins %sysadmins ALL=(root) NOPASSWD: ALL\n"
    );
    assert_eq!(
        read.text("pg-role-base", "/usr/share/pg/roles/base/files/etc/sudoers.d/60-pg-role-base"),
        "# Managed by pg-role-base: what is changed here is changed back.\n# administrators of all machines\n\
         %sysadmins ALL=(root) NOPASSWD: ALL\n"
    );
    let manifest = read.text("pg-role-base", "/usr/share/pg/roles/base/manifest");
    assert!(manifest.contains("\nfile /etc/sudoers.d/60-pg-role-base 0440 root root "), "{manifest}");
    assert!(manifest.contains("\nvalidate /etc/sudoers.d/60-pg-role-base visudo -c\n"), "{manifest}");
    let relations = read.relations("pg-role-web");
    for needed in ["pg-access-webteam", "sudo", "pg-role-base"] {
        assert!(relations.iter().any(|r| r == needed), "{relations:?}");
    }
}

/// sudo ignores names with a dot.
#[test]
fn a_hosts_rules_are_in_a_file_that_sudo_reads() {
    let host = "roles = [\"base\"]\nrelease = \"bookworm\"\n[access]\nlogin = [\"webteam\"]\n\
                sudo = [{ group = \"webteam\", commands = [\"sudoedit /etc/motd\", \"/usr/bin/a b:c,d=e\"], run_as = [\"www-data\"], noexec = true, password = true }]\n";
    let read = read(&with(&[("hosts/db1.example.org.toml", host)]), TODAY).right();
    let home = "/usr/share/pg/hosts/db1.example.org";
    assert_eq!(
        read.text("pg-host-db1.example.org", &format!("{home}/files/etc/sudoers.d/70-pg-host-db1_example_org")),
        "# Managed by pg-host-db1.example.org: what is changed here is changed back.\n\
         %webteam ALL=(www-data) PASSWD: NOEXEC: sudoedit /etc/motd, /usr/bin/a b\\:c\\,d\\=e\n"
    );
    assert!(read.text("pg-host-db1.example.org", &format!("{home}/grants")).contains("\nlogin webteam\n"));
}

#[test]
fn who_has_left_is_remembered_by_the_ledger_alone() {
    let read = read(
        &with(&[
            ("users/bob.toml", ""),
            ("groups/webteam.toml", "gid = 3002\ndescription = \"Editors\"\nmembers = [\"alice\"]\n"),
            ("ledger.toml", "[users]\n2001 = \"alice\"\n2002 = [\"robert\", \"bob\"]\n[groups]\n3001 = \"sysadmins\"\n3002 = \"webteam\"\n[home]\n2002 = \"remove\"\n"),
        ]),
        TODAY,
    )
    .right();
    assert_eq!(
        read.text("pg-access", "/usr/share/pg/people"),
        "debrole-people 1\nband 2000 59999\ndeparted 2002 remove robert bob\n"
    );
    assert!(!read.text("pg-access-webteam", "/usr/share/pg/access/webteam/members").contains("bob"));
}

#[test]
fn an_adopted_account_and_a_keys_limits_reach_the_machine() {
    let alice = format!(
        "uid = 2001\nname = \"Alice\"\n[[key]]\nkey = \"{}\"\n[[key]]\nkey = \"{} travel\"\nexpires = 2026-12-24\n\
         from = [\"192.0.2.0/24\", \"!192.0.2.9\"]\nhosts = [\"web1.example.org\", \"db1.example.org\"]\n\
         [[adopt]]\nname = \"asmith\"\nuid = 1000\nfiles = \"all\"\nhosts = [\"db1.example.org\"]\n[[adopt]]\n",
        key(1),
        key(2)
    );
    let read = read(&with(&[("users/alice.toml", &alice)]), TODAY).right();
    let text = read.text("pg-access-sysadmins", "/usr/share/pg/access/sysadmins/members");
    let expected = format!(
        "key alice - - - {}\nkey alice 2026-12-24 192.0.2.0/24,!192.0.2.9 db1.example.org,web1.example.org {} travel\n\
         adopt alice alice 2001 - -\nadopt alice asmith 1000 all db1.example.org\n",
        key(1),
        key(2)
    );
    assert!(text.ends_with(&expected), "{text}");
}

#[test]
fn system_accounts_are_made_by_sysusers() {
    let web = "summary = \"Git\"\n[[account]]\nname = \"gitolite\"\ndescription = \"Git repositories\"\nhome = \"/srv/git\"\nshell = \"/usr/bin/git-shell\"\ngroups = [\"ssl-cert\"]\n";
    let read = read(&with(&[("roles/git.toml", web)]), TODAY).right();
    assert_eq!(
        read.text("pg-role-git", "/usr/lib/sysusers.d/pg-role-git.conf"),
        "u gitolite - \"Git repositories\" /srv/git /usr/bin/git-shell\nm gitolite ssl-cert\n"
    );
    let manifest = read.text("pg-role-git", "/usr/share/pg/roles/git/manifest");
    assert!(manifest.contains("\naccount gitolite /usr/lib/sysusers.d/pg-role-git.conf\n"), "{manifest}");
    let relations = read.relations("pg-role-git");
    assert!(relations.iter().any(|r| r == "systemd | systemd-standalone-sysusers | systemd-sysusers"), "{relations:?}");
}

#[test]
fn all_machines_know_each_others_host_keys() {
    let web1 = format!(
        "roles = [\"web\"]\nrelease = \"bookworm\"\naddresses = [\"192.0.2.10\", \"2001:db8::10\"]\nssh_host_key = \"{} root@web1\"\nretired_ssh_host_key = [\"{}\"]\n",
        key(7),
        key(8)
    );
    let read = read(&with(&[("hosts/web1.example.org.toml", &web1)]), TODAY).right();
    let names = "web1.example.org,web1,192.0.2.10,2001:db8::10";
    assert_eq!(
        read.text("pg-known-hosts", "/usr/share/pg/known_hosts"),
        format!("{names} {}\n@revoked {names} {}\n", key(7), key(8))
    );
    assert_eq!(
        read.deb("pg-known-hosts", "trixie").entries["/etc/ssh/ssh_known_hosts2"],
        Entry::Symlink { target: "/usr/share/pg/known_hosts".into() }
    );
    assert!(read.relations("pg-host-web1.example.org").iter().any(|r| r == "pg-known-hosts"));
    let db1 = read.deb("pg-host-db1.example.org", "trixie");
    assert!(db1.relations.values().flatten().any(|r| r.to_string() == "pg-known-hosts"));
    // By OpenSSH's own reading.
    if skip("known_hosts", &[Need::Program("ssh-keygen")]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("known_hosts");
    fs::write(&file, read.text("pg-known-hosts", "/usr/share/pg/known_hosts")).unwrap();
    for name in ["web1.example.org", "web1", "192.0.2.10", "2001:db8::10"] {
        let found = std::process::Command::new("ssh-keygen").args(["-F", name, "-f"]).arg(&file).output().unwrap();
        let found = String::from_utf8(found.stdout).unwrap();
        assert!(found.contains(&key(7)) && found.contains("REVOKED"), "{name}: {found}");
    }
}

#[test]
fn a_release_may_let_others_in() {
    let web = "summary = \"Web\"\nincludes = [\"base\"]\n[access]\nlogin = []\n[release.trixie.access]\nlogin = [\"webteam\"]\n\
               sudo = [{ group = \"webteam\", commands = [\"/usr/bin/id\"] }]\n";
    let read = read(&with(&[("roles/web.toml", web)]), TODAY).right();
    assert!(!read.deb("pg-role-web", "bookworm").entries.contains_key("/usr/share/pg/roles/web/grants"));
    let grants = read.deb("pg-role-web", "trixie").entries.get("/usr/share/pg/roles/web/grants");
    assert!(matches!(grants, Some(Entry::File { bytes, .. }) if bytes.windows(13).any(|w| w == b"login webteam")));
    let view = debrole::lower::access::view(&read.plans);
    let prefix = debrole::names::Prefix::parse("pg").unwrap();
    let of_bob = view.rights(&prefix).into_iter().filter(|right| right.user.as_str() == "bob");
    let places: std::collections::BTreeSet<String> = of_bob.map(|right| right.place.to_string()).collect();
    assert_eq!(places.into_iter().collect::<Vec<_>>(), ["pg-host-web2.example.org"]);
}

/// Whoever wrote it: what is read never panics, and what is taken for a key can be written on one line.
#[test]
fn hostile_texts_are_only_refused() {
    use debrole::access::format::{Grants, Members};
    use debrole::ssh_key::PublicKey;
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    let kinds = ["ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "sk-ssh-ed25519@openssh.com", "ssh-dss"];
    let blobs = (0..kinds.len(), proptest::collection::vec(any::<u8>(), 0..80), ".{0,20}").prop_map(
        move |(kind, rest, comment)| {
            let kind = kinds[kind];
            let mut blob = (kind.len() as u32).to_be_bytes().to_vec();
            blob.extend(kind.as_bytes());
            blob.extend(rest);
            format!("{kind} {} {comment}", debrole::ssh_key::encode(&blob))
        },
    );
    let mut runner = TestRunner::default();
    runner
        .run(&prop_oneof![blobs, ".*", "(user|key|adopt|login|sudo|group)( [a-z0-9/:-]{0,8}){0,6}"], |text| {
            if let Ok(key) = PublicKey::parse(&text) {
                let line = format!("{key} {}", key.comment());
                prop_assert!(!line.contains(['\n', '\r', '\0']));
                prop_assert_eq!(PublicKey::parse(line.trim_end()), Ok(key));
            }
            let _ = Members::parse(&format!("debrole-access 1\npackage pg-access-x\ngroup x 3001\n{text}\n"));
            let _ = Grants::parse(&format!("debrole-grants 1\npackage pg-role-x\n{text}\n"));
            Ok(())
        })
        .unwrap();
}
