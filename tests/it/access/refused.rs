//! What is refused, and what is only warned of.

use super::*;

#[test]
fn a_machine_without_an_administrator_is_refused_whatever_the_reason() {
    let alice = |rest: &str, limits: &str| format!("{}{limits}", user(2001, "Alice", rest));
    let ended = alice("expires = 2026-11-21", "");
    let last_day = alice("expires = 2026-11-22", "");
    let key_ended = alice("", "expires = 2026-11-21\n");
    let elsewhere = alice("", "hosts = [\"web1.example.org\", \"web2.example.org\"]\n");
    let rule = |rule: &str| {
        format!(
            "summary = \"Base\"\n[access]\nlogin = [\"sysadmins\"]\n[[access.sudo]]\ngroup = \"sysadmins\"\nreason = \"x\"\n{rule}\n"
        )
    };
    let no_login =
        "summary = \"Base\"\n[access]\nsudo = [{ group = \"sysadmins\", commands = [\"ALL\"], reason = \"x\" }]\n";
    let webteam_has_all = "summary = \"Web\"\nincludes = [\"base\"]\n[access]\nlogin = [\"webteam\"]\nsudo = [{ group = \"webteam\", commands = [\"ALL\"], reason = \"x\" }]\n";
    /// What, the files that are otherwise, the machines that have nobody.
    type Case<'c> = (&'c str, &'c [(&'static str, &'c str)], &'c [&'c str]);
    let cases: [Case<'_>; 11] = [
        ("ended", &[("users/alice.toml", &ended)], &["db1", "web1", "web2"]),
        ("the last day counts", &[("users/alice.toml", &last_day)], &[]),
        ("the key ended", &[("users/alice.toml", &key_ended)], &["db1", "web1", "web2"]),
        ("the key is good elsewhere", &[("users/alice.toml", &elsewhere)], &["db1"]),
        (
            "a password that nobody has",
            &[("roles/base.toml", &rule("commands = [\"ALL\"]\npassword = true"))],
            &["db1", "web1", "web2"],
        ),
        ("no shell", &[("roles/base.toml", &rule("commands = [\"ALL\"]\nnoexec = true"))], &["db1", "web1", "web2"]),
        (
            "not root",
            &[("roles/base.toml", &rule("commands = [\"ALL\"]\nrun_as = \"nobody\""))],
            &["db1", "web1", "web2"],
        ),
        ("one command", &[("roles/base.toml", &rule("commands = [\"/usr/bin/id\"]"))], &["db1", "web1", "web2"]),
        ("no login", &[("roles/base.toml", no_login)], &["db1", "web1", "web2"]),
        (
            "another group has it",
            &[("roles/web.toml", webteam_has_all), ("roles/base.toml", &rule("commands = [\"/usr/bin/id\"]"))],
            &["db1"],
        ),
        (
            "no members",
            &[("groups/sysadmins.toml", "gid = 3001\ndescription = \"Admins\"\nmembers = []\n")],
            &["db1", "web1", "web2"],
        ),
    ];
    for (what, changes, without) in cases {
        let read = read(&with(changes), TODAY);
        let named: Vec<&str> = read
            .diagnostics
            .iter()
            .filter(|d| d.rule.code == "no-administrator")
            .map(|d| d.message.split("administer ").nth(1).unwrap().split('.').next().unwrap())
            .collect();
        assert_eq!(named, without, "{what}: {:#?}", read.diagnostics);
    }
    // One cause is told once, however many machines it has.
    let mut files = with(&[("users/alice.toml", &ended)]);
    let names: Vec<&'static str> = (0..40).map(|i| &*format!("hosts/many{i}.example.org.toml").leak()).collect();
    files.extend(names.iter().map(|name| (*name, "roles = [\"base\"]\nrelease = \"trixie\"\n".to_owned())));
    let found = read(&files, TODAY);
    let told: Vec<&str> =
        found.diagnostics.iter().filter(|d| d.rule.code == "no-administrator").map(|d| d.message.as_str()).collect();
    assert!(told.len() == 1 && told[0].contains("db1.example.org and 42 other machines"), "{told:?}");
    // A fleet that leaves accounts alone is none of this rule's business.
    let plain = [("roles/base.toml", "summary = \"Base\"\n"), ("roles/web.toml", "summary = \"Web\"\n")];
    assert!(!read(&with(&plain), TODAY).codes().contains(&"no-administrator"));
}

#[test]
fn it_is_said_two_weeks_before_nobody_is_left() {
    let alice = user(2001, "Alice", "expires = 2026-11-30");
    let diagnostics = read(&with(&[("users/alice.toml", &alice)]), TODAY);
    assert_eq!(diagnostics.codes(), ["administrator-expires-soon"; 3]);
    let early = read(&with(&[("users/alice.toml", &alice)]), TODAY - 30 * 86_400);
    assert!(early.diagnostics.is_empty());
}

/// A change of the fleet, what is said of it, and where: path, line.
struct Bad {
    what: &'static str,
    path: &'static str,
    text: String,
    code: &'static str,
    line: usize,
}

fn bad(what: &'static str, path: &'static str, text: impl Into<String>, code: &'static str, line: usize) -> Bad {
    Bad { what, path, text: text.into(), code, line }
}

/// Every kind of bad input is said with its file and line, and nothing else is said but what follows from it.
#[test]
fn bad_input_is_said_with_file_and_line() {
    let bob = |uid: &str, name: &str, rest: &str| {
        format!("uid = {uid}\nname = {name}\n{rest}\n[[key]]\nkey = \"{}\"\n", key(b'B'))
    };
    let with_key = |line: &str| format!("uid = 2002\nname = \"Bob\"\n[[key]]\nkey = {line}\n");
    let limited = |rest: &str| format!("uid = 2002\nname = \"Bob\"\n[[key]]\nkey = \"{}\"\n{rest}\n", key(b'B'));
    let group = |gid: &str, members: &str| format!("gid = {gid}\ndescription = \"Editors\"\nmembers = {members}\n");
    let web = |sudo: &str| {
        format!(
            "summary = \"Web\"\nincludes = [\"base\"]\n[access]\nlogin = [\"webteam\"]\n[[access.sudo]]\ngroup = \"webteam\"\n{sudo}\n"
        )
    };
    let command = |command: &str| web(&format!("commands = [{command:?}]"));
    let ledger = |users: &str| format!("[users]\n{users}\n[groups]\n3001 = \"sysadmins\"\n3002 = \"webteam\"\n");
    let both = "2001 = \"alice\"\n2002 = \"bob\"";
    let adopt =
        |rest: &str| format!("uid = 2002\nname = \"Bob\"\n[[key]]\nkey = \"{}\"\n[[adopt]]\n{rest}\n", key(b'B'));
    let host = |rest: &str| format!("roles = [\"web\"]\nrelease = \"bookworm\"\n{rest}\n");
    let account = |rest: &str| format!("summary = \"Spare\"\n[[account]]\n{rest}\n");
    let rsa = |bytes: usize| {
        let mut blob = b"\0\0\0\x07ssh-rsa\0\0\0\x03\x01\0\x01".to_vec();
        blob.extend((bytes as u32 + 1).to_be_bytes());
        blob.push(0);
        blob.extend(vec![0xc5; bytes]);
        format!("\"ssh-rsa {}\"", debrole::ssh_key::encode(&blob))
    };
    let k = key(b'B');
    let users = "users/bob.toml";
    let role = "roles/web.toml";
    let team = "groups/webteam.toml";
    let cases = vec![
        bad("uid 0", users, bob("0", "\"Bob\"", ""), "id-outside-band", 1),
        bad("uid of Debian's packages", users, bob("100", "\"Bob\"", ""), "id-outside-band", 1),
        bad("uid below the band", users, bob("1000", "\"Bob\"", ""), "id-outside-band", 1),
        bad("uid of Debian's high range", users, bob("65534", "\"Bob\"", ""), "id-outside-band", 1),
        bad("negative uid", users, bob("-1", "\"Bob\"", ""), "id-outside-band", 1),
        bad("uid beyond 32 bits", users, bob("4294969298", "\"Bob\"", ""), "id-outside-band", 1),
        bad("uid as a string", users, bob("\"2002\"", "\"Bob\"", ""), "wrong-type", 1),
        bad("no uid", users, format!("name = \"Bob\"\n[[key]]\nkey = \"{k}\"\n"), "missing-key", 1),
        bad("the uid of another person", users, bob("2001", "\"Bob\"", ""), "id-used-twice", 1),
        bad("the uid of a person as a gid", team, group("2001", "[\"bob\"]"), "id-used-twice", 1),
        bad("another uid than before", users, bob("2010", "\"Bob\"", ""), "id-changed", 1),
        bad("colon in the name", users, bob("2002", "\"Bob:0:0\"", ""), "invalid-full-name", 2),
        bad("newline in the name", users, bob("2002", "\"Bob\\nroot::0:0\"", ""), "control-character", 2),
        bad("comma in the name", users, bob("2002", "\"Bob, Jr\"", ""), "invalid-full-name", 2),
        bad("trailing space in the name", users, bob("2002", "\"Bob \"", ""), "invalid-full-name", 2),
        bad("an unknown key", users, bob("2002", "\"Bob\"", "emial = \"b@example.org\""), "unknown-key", 3),
        bad("no mail address", users, bob("2002", "\"Bob\"", "email = \"bob at example\""), "invalid-email", 3),
        bad("a shell that is none", users, bob("2002", "\"Bob\"", "shell = \"/usr/sbin/nologin\""), "invalid-shell", 3),
        bad("a relative shell", users, bob("2002", "\"Bob\"", "shell = \"bash\""), "invalid-shell", 3),
        bad("no such day", users, bob("2002", "\"Bob\"", "expires = \"2027-02-30\""), "invalid-date", 3),
        bad("a moment for a day", users, bob("2002", "\"Bob\"", "expires = 2027-02-01T00:00:00Z"), "wrong-type", 3),
        bad("expiry in the past", users, bob("2002", "\"Bob\"", "expires = 2026-11-21"), "access-expired", 3),
        bad("expiry of a key in the past", users, limited("expires = 2020-01-01"), "access-expired", 5),
        bad("a home policy that is none", users, bob("2002", "\"Bob\"", "home = \"shred\""), "invalid-choice", 3),
        bad("no key", users, "uid = 2002\nname = \"Bob\"\n", "user-without-key", 1),
        bad("a key with options", users, with_key(&format!("'command=\"/bin/sh\" {k}'")), "ssh-key-options", 4),
        bad("a certificate authority", users, with_key(&format!("\"cert-authority {k}\"")), "ssh-key-options", 4),
        bad("a made-up option", users, with_key(&format!("'no-such-option {k}'")), "ssh-key-options", 4),
        bad("a certificate", users, with_key("\"ssh-ed25519-cert-v01@openssh.com AAAA\""), "ssh-key-type", 4),
        bad("DSA", users, with_key("\"ssh-dss AAAAB3NzaC1kc3M=\""), "ssh-key-type", 4),
        bad("RSA of 2048 bits", users, with_key(&rsa(256)), "ssh-key-too-short", 4),
        bad("RSA of 3071 bits", users, with_key(&rsa(383)), "ssh-key-too-short", 4),
        bad("a private key", users, with_key("\"-----BEGIN RSA PRIVATE KEY-----\""), "private-key", 4),
        bad("a key that was cut off", users, with_key(&format!("\"{}\"", &k[..k.len() - 5])), "invalid-ssh-key", 4),
        bad("two keys in one line", users, with_key(&format!("\"{k}\\n{k}\"")), "invalid-ssh-key", 4),
        bad("a tab in the comment", users, with_key(&format!("\"{k} a\\tb\"")), "invalid-ssh-key", 4),
        bad("trailing space after a key", users, with_key(&format!("\"{k} bob \"")), "invalid-ssh-key", 4),
        bad("the key of another person", users, with_key(&format!("\"{} bob\"", key(b'A'))), "ssh-key-shared", 4),
        bad("one key twice", users, format!("{}[[key]]\nkey = \"{k} again\"\n", limited("")), "duplicate-entry", 7),
        bad("from with a mistyped address", users, limited("from = [\"192.0.2.300\"]"), "invalid-from", 5),
        bad("from with host bits", users, limited("from = [\"192.0.2.1/24\"]"), "invalid-from", 5),
        bad("from with two patterns in one", users, limited("from = [\"192.0.2.1,0.0.0.0/0\"]"), "invalid-from", 5),
        bad("from with a quote", users, limited("from = ['a\",command=\"x']"), "invalid-from", 5),
        bad("a key for no machine of the tree", users, limited("hosts = [\"web9.example.org\"]"), "unknown-host", 5),
        bad("an account of Debian taken over", users, adopt("name = \"www-data\""), "adopt-refused", 6),
        bad("a system uid taken over", users, adopt("uid = 33\nfiles = \"all\""), "adopt-refused", 6),
        bad("files of another uid", users, adopt("uid = 1000"), "adopt-without-files", 6),
        bad("a gid outside of the band", team, group("27", "[\"bob\"]"), "id-outside-band", 1),
        bad("a member who is not there", team, group("3002", "[\"bob\", \"bbo\"]"), "unknown-user", 3),
        bad("a member listed twice", team, group("3002", "[\"bob\", \"bob\"]"), "duplicate-entry", 3),
        bad("a group without members", team, group("3002", "[]"), "empty-group", 3),
        bad(
            "a newline in the description",
            team,
            "gid = 3002\ndescription = \"a\\nb\"\nmembers = [\"bob\"]\n",
            "control-character",
            2,
        ),
        bad(
            "login of a group that is not there",
            role,
            "summary = \"Web\"\nincludes = [\"base\"]\n[access]\nlogin = [\"webteam\", \"webtaem\"]\n",
            "unknown-group",
            4,
        ),
        bad(
            "login of a user",
            role,
            "summary = \"Web\"\nincludes = [\"base\"]\n[access]\nlogin = [\"webteam\", \"alice\"]\n",
            "unknown-group",
            4,
        ),
        bad(
            "sudo for a group that is not there",
            role,
            "summary = \"Web\"\nincludes = [\"base\"]\n[access]\nlogin = [\"webteam\"]\nsudo = [{ group = \"wheel\", commands = [\"/usr/bin/id\"] }]\n",
            "unknown-group",
            5,
        ),
        bad(
            "sudo where nobody logs in",
            role,
            "summary = \"Web\"\nincludes = [\"base\"]\n[access]\nsudo = [{ group = \"webteam\", commands = [\"/usr/bin/id\"] }]\n",
            "sudo-without-login",
            4,
        ),
        bad("ALL without a reason", role, command("ALL"), "sudo-all-without-reason", 7),
        bad("a command without its path", role, command("systemctl reload nginx"), "sudo-command-relative", 7),
        bad("a command taken away", role, command("!/usr/bin/su"), "sudo-negation", 7),
        bad("a newline in a command", role, command("/usr/bin/id\nroot ALL=(ALL) ALL"), "control-character", 7),
        bad("a trailing blank in a command", role, command("/usr/bin/id "), "invalid-sudo-command", 7),
        bad("a command by shell", role, command("/usr/bin/id; /bin/sh"), "invalid-sudo-command", 7),
        bad("a directory of commands", role, command("/usr/local/bin/"), "invalid-sudo-command", 7),
        bad("a pattern of commands", role, command("/usr/bin/*"), "invalid-sudo-command", 7),
        bad("dots in a command's path", role, command("/usr/bin/../bin/sh x"), "invalid-sudo-command", 7),
        bad("a regular expression", role, command("/usr/bin/id ^-u$"), "invalid-sudo-command", 7),
        bad("sudoedit of a relative path", role, command("sudoedit motd"), "invalid-sudo-command", 7),
        bad("no command", role, web("commands = []"), "empty-text", 5),
        bad("a wildcard", role, command("/usr/bin/systemctl restart web*"), "sudo-wildcard", 7),
        bad("a pager", role, command("/usr/bin/less /var/log/syslog"), "sudo-shell-escape", 7),
        bad("an editor", role, command("/usr/bin/vim /etc/motd"), "sudo-shell-escape", 7),
        bad(
            "find with any arguments",
            role,
            web("commands = [\"/usr/bin/find /srv -exec ls {} +\"]"),
            "sudo-shell-escape",
            7,
        ),
        bad("systemctl with its pager", role, command("/usr/bin/systemctl status nginx"), "sudo-shell-escape", 7),
        bad("journalctl with its pager", role, command("/usr/bin/journalctl -u nginx"), "sudo-shell-escape", 7),
        bad("a shell", role, command("/bin/bash"), "sudo-shell-escape", 7),
        bad("python by its version", role, command("/usr/bin/python3.11"), "sudo-shell-escape", 7),
        bad("a command in /tmp", role, command("/tmp/deploy now"), "sudo-shell-escape", 7),
        bad("run as a number", role, web("commands = [\"/usr/bin/id\"]\nrun_as = \"#0\""), "invalid-run-as", 8),
        bad("an alias that is not there", role, command("RELOAD"), "unknown-sudo-alias", 7),
        bad(
            "an alias that nobody uses",
            role,
            web("commands = [\"/usr/bin/id\"]\n[access.alias.RELOAD]\ncommands = [\"/usr/bin/uptime\"]"),
            "sudo-alias-unused",
            8,
        ),
        bad(
            "an alias called ALL",
            role,
            web("commands = [\"/usr/bin/id\"]\n[access.alias.ALL]\ncommands = [\"/usr/bin/uptime\"]"),
            "invalid-sudo-alias",
            8,
        ),
        bad(
            "the ledger gives a number to another",
            "ledger.toml",
            ledger("2001 = \"alice\"\n2002 = \"mallory\""),
            "id-given-before",
            1,
        ),
        bad("the ledger lacks somebody", "ledger.toml", ledger("2001 = \"alice\""), "not-in-ledger", 1),
        bad("no ledger", "ledger.toml", "", "not-in-ledger", 1),
        bad("a number that is none", "ledger.toml", ledger(&format!("{both}\nxx = \"carol\"")), "invalid-ledger", 4),
        bad(
            "one name with two numbers",
            "ledger.toml",
            ledger(&format!("{both}\n2003 = \"bob\"")),
            "invalid-ledger",
            4,
        ),
        bad(
            "a name that nobody can have",
            "ledger.toml",
            ledger(&format!("{both}\n2003 = \"root\"")),
            "invalid-ledger",
            4,
        ),
        bad(
            "a number of a user and of a group",
            "ledger.toml",
            ledger(&format!("{both}\n3002 = \"carol\"")),
            "id-used-twice",
            7,
        ),
        bad("one number twice", "ledger.toml", ledger(&format!("{both}\n2002 = \"carol\"")), "duplicate-key", 4),
        bad(
            "a host key that is none",
            "hosts/web1.example.org.toml",
            host("ssh_host_key = \"ssh-ed25519 AAAA\""),
            "invalid-ssh-key",
            3,
        ),
        bad(
            "a band of system numbers",
            "debrole.toml",
            crate::ui::debrole_toml("[fleet]\nuids = \"100-59999\"\n"),
            "invalid-uid-band",
            9,
        ),
        bad(
            "a band upside down",
            "debrole.toml",
            crate::ui::debrole_toml("[fleet]\nuids = \"5000-4000\"\n"),
            "invalid-uid-band",
            9,
        ),
        bad(
            "a system account called as a person",
            "roles/spare.toml",
            account("name = \"bob\"\ndescription = \"x\""),
            "account-is-a-person",
            3,
        ),
        bad(
            "root as a system account",
            "roles/spare.toml",
            account("name = \"root\"\ndescription = \"x\""),
            "invalid-account",
            3,
        ),
        bad(
            "a colon in an account's description",
            "roles/spare.toml",
            account("name = \"svc\"\ndescription = \"a:b\""),
            "invalid-full-name",
            4,
        ),
        bad(
            "a relative home",
            "roles/spare.toml",
            account("name = \"svc\"\ndescription = \"x\"\nhome = \"srv\""),
            "invalid-shell",
            5,
        ),
        bad(
            "a group as a user",
            "groups/bob.toml",
            "gid = 3003\ndescription = \"x\"\nmembers = [\"bob\"]\n",
            "name-of-user-and-group",
            1,
        ),
    ];
    let names: [(&'static str, &str, &str); 6] = [
        ("users/root.toml", "root", "reserved-account-name"),
        ("users/John.toml", "John", "invalid-user-name"),
        ("users/john.doe.toml", "john.doe", "invalid-user-name"),
        ("users/0day.toml", "0day", "invalid-user-name"),
        ("users/a-name-of-more-than-thirty-characters.toml", "long", "invalid-user-name"),
        ("groups/sudo.toml", "sudo", "reserved-account-name"),
    ];
    let mut wrong = Vec::new();
    let mut codes = std::collections::BTreeSet::new();
    let kinds = cases.len() + names.len();
    for case in cases {
        let Bad { what, path, text, code, line } = case;
        codes.insert(code);
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &with(&[(path, &text)]));
        let (_, diagnostics, sources) = crate::ui::check(dir.path());
        let places: Vec<(&str, String)> = diagnostics
            .iter()
            .map(|d| {
                let place = d.primary.as_ref().map(|label| {
                    let (line, _) = sources.line_column(label.span.file, label.span.start);
                    format!("{}:{line}", sources.path(label.span.file).display())
                });
                (d.rule.code, place.unwrap_or_default())
            })
            .collect();
        // What the ledger does not have is said of the file that it should have, and of a machine's default role.
        let path = if path == "ledger.toml" && ["id-given-before", "not-in-ledger"].contains(&code) {
            if text.is_empty() { "users/alice.toml" } else { "users/bob.toml" }
        } else {
            path
        };
        if !places.contains(&(code, format!("{path}:{line}"))) {
            wrong.push(format!("{what}: {code} at {path}:{line} is not among {places:?}"));
        }
        if diagnostics.iter().any(|d| d.help.is_empty()) {
            wrong.push(format!("{what}: what to do is missing: {diagnostics:?}"));
        }
    }
    for (path, what, code) in names {
        codes.insert(code);
        let found = read(&with(&[(path, "gid = 1\n")]), TODAY);
        if !found.diagnostics.iter().any(|d| d.rule.code == code && d.path.as_deref() == Some(Path::new(path))) {
            wrong.push(format!("{what}: {code} is not among {:?}", found.codes()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(kinds >= 90 && codes.len() >= 40, "{kinds} kinds of bad input, {} rules", codes.len());
    assert!(read(&fleet(), TODAY).diagnostics.is_empty(), "the fleet without a change is right");
}
