//! Accounts of people: what `pg-runtime access` makes of the data of access packages, written here by hand.

mod between;

use super::Host;
use crate::machine::{Need, Release, skip};
use std::time::Duration;

/// A machine with sudo and its rule for the administrators, and the data of its packages.
struct People {
    host: Host,
}

const ALICE: &str =
    "user alice 2001 /bin/bash - keep Alice Example\nkey alice - - - ssh-ed25519 AAAAalice alice@laptop\n";
const BOB: &str = "user bob 2002 /bin/sh - keep Bob\nkey bob - - - ssh-ed25519 AAAAbob\n";
const CAROL: &str = "user carol 2003 /bin/sh - keep Carol\nkey carol - - - ssh-ed25519 AAAAcarol\n";

impl People {
    /// alice administers; bob and carol are of the web team.
    fn on(release: Release) -> People {
        let host = Host::bare(release);
        host.dpkg("-i", &["pg-runtime_1"]);
        // What the guard asks for.
        host.tree.write("/etc/sudoers.d/60-pg-role-base", "");
        host.ok("ln -s true /usr/bin/sudo; rm -f /etc/sudoers.d/README");
        let people = People { host };
        people.grants("base", "login sysadmins\nadmin sysadmins\nsudo sysadmins %sysadmins ALL=(root) NOPASSWD: ALL\n");
        people.grants("web", "login webteam\nsudo webteam %webteam ALL=(root) NOPASSWD: /usr/bin/id\n");
        people.people("");
        people.members("sysadmins", 3001, ALICE);
        people.members("webteam", 3002, &format!("{BOB}{CAROL}"));
        people
    }

    fn new() -> People {
        People::on(Release::Bookworm)
    }

    fn grants(&self, role: &str, lines: &str) {
        self.host.tree.write(
            format!("/usr/share/pg/roles/{role}/grants"),
            format!("debrole-grants 1\npackage pg-role-{role}\n{lines}"),
        );
    }

    fn members(&self, group: &str, gid: u32, lines: &str) {
        self.host.tree.write(
            format!("/usr/share/pg/access/{group}/members"),
            format!("debrole-access 1\npackage pg-access-{group}\ngroup {group} {gid}\n{lines}"),
        );
    }

    fn people(&self, departed: &str) {
        self.host.tree.write("/usr/share/pg/people", format!("debrole-people 1\nband 2000 59999\n{departed}"));
    }

    /// `pg-runtime access` has nothing to complain of; what it said.
    #[track_caller]
    fn run(&self) -> String {
        let said = self.host.ok("pg-runtime access");
        assert_eq!(self.host.mark("access"), "", "{said}");
        assert_eq!(self.host.ok("pg-runtime access"), "", "a second run has nothing to do");
        said
    }

    /// It ends with marks; those.
    #[track_caller]
    fn marked(&self) -> String {
        let outcome = self.host.run("pg-runtime access");
        assert_eq!(outcome.status, 1, "{}", outcome.all());
        self.host.mark("access")
    }

    /// The line of a database that begins with this name.
    fn line(&self, file: &str, name: &str) -> String {
        let text = self.host.tree.read(format!("/etc/{file}"));
        let found = text.lines().find(|line| line.split(':').next() == Some(name));
        found.unwrap_or_default().to_owned()
    }

    /// A field of somebody's line in shadow.
    fn shadow(&self, name: &str, field: usize) -> String {
        self.line("shadow", name).split(':').nth(field).unwrap_or_default().to_owned()
    }

    fn keys(&self, name: &str) -> Option<String> {
        let text = std::fs::read_to_string(self.host.tree.path(format!("/etc/ssh/pg-keys/{name}"))).ok()?;
        Some(text.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect())
    }

    fn groups(&self, name: &str) -> String {
        self.host.ok(&format!("id -Gn {name} | tr ' ' '\\n' | sort | paste -sd' '")).trim().to_owned()
    }

    /// Out of use: locked, ended, without a shell, keys and groups; but there.
    #[track_caller]
    fn assert_out(&self, name: &str, uid: u32) {
        let passwd = self.line("passwd", name);
        assert!(passwd.starts_with(&format!("{name}:x:{uid}:{uid}:")), "{passwd}");
        assert!(passwd.ends_with(":/usr/sbin/nologin"), "{passwd}");
        assert!(self.shadow(name, 1).starts_with('!'), "{}", self.line("shadow", name));
        assert_eq!(self.shadow(name, 7), "1");
        assert_eq!(self.keys(name), None);
        let mut groups = [name, "pg-people"];
        groups.sort_unstable();
        assert_eq!(self.groups(name), groups.join(" "));
    }

    /// Has a program of a later or an earlier day run.
    fn at(&self, days: i64) -> String {
        self.later(days * 86400)
    }

    /// Has a program run so many seconds later: `CORE::time` is moved.
    fn later(&self, seconds: i64) -> String {
        self.host.tree.write(
            "/root/perl/Clock.pm",
            format!("package Clock; BEGIN {{ *CORE::GLOBAL::time = sub {{ CORE::time() + {seconds} }} }} 1;\n"),
        );
        "PERL5LIB=/root/perl PERL5OPT=-MClock".to_owned()
    }
}

fn on_both(what: &str, body: fn(People)) {
    if skip(what, &[Need::Trees]) {
        return;
    }
    for release in Release::ALL {
        body(People::on(release));
    }
}

fn on_one(what: &str, body: fn(People)) {
    if !skip(what, &[Need::Trees]) {
        body(People::new());
    }
}

#[test]
fn accounts_come_with_keys_groups_and_homes_and_go_locked() {
    on_both("accounts", |people| {
        people.host.tree.write("/etc/skel/.from-skel", "skel\n");
        let said = people.run();
        assert!(said.contains("alice: account made (uid 2001)"), "{said}");
        assert_eq!(people.line("passwd", "alice"), "alice:x:2001:2001:Alice Example:/home/alice:/bin/bash");
        assert_eq!((people.shadow("alice", 1).as_str(), people.shadow("alice", 7).as_str()), ("*", ""));
        assert_eq!(people.line("group", "webteam"), "webteam:x:3002:bob,carol");
        assert_eq!(people.line("gshadow", "webteam"), "webteam:!::bob,carol");
        assert_eq!(people.groups("alice"), "alice pg-people sysadmins");
        assert_eq!(people.keys("alice").unwrap(), "ssh-ed25519 AAAAalice alice@laptop\n");
        let modes = "stat -c '%n %a %U:%G' /etc/ssh/pg-keys /etc/ssh/pg-keys/bob /home/bob /home/bob/.from-skel /var/lib/pg/access; \
                     stat -c '%a %U:%G' /etc/passwd /etc/shadow /etc/group /etc/gshadow; pwck -qr; grpck -qr; ls -A /home";
        assert_eq!(
            people.host.ok(modes),
            "/etc/ssh/pg-keys 755 root:root\n/etc/ssh/pg-keys/bob 644 root:root\n/home/bob 700 bob:bob\n/home/bob/.from-skel 644 bob:bob\n\
             /var/lib/pg/access 700 root:root\n644 root:root\n640 root:shadow\n644 root:root\n640 root:shadow\nalice\nbob\ncarol\n"
        );

        // Out of the group, with a password that somebody gave him and more groups.
        people.host.ok("echo bob:secret | chpasswd; usermod -a -G adm bob; echo work >/home/bob/work");
        people.members("webteam", 3002, CAROL);
        people.run();
        people.assert_out("bob", 2002);
        assert_eq!(people.host.tree.read("/home/bob/work"), "work\n");
        assert_eq!(people.line("group", "webteam"), "webteam:x:3002:carol");
        // Whoever puts him back by hand puts him back for half an hour.
        people.host.ok("usermod -U -e '' -s /bin/sh -a -G webteam bob; cp /etc/ssh/pg-keys/carol /etc/ssh/pg-keys/bob");
        people.run();
        people.assert_out("bob", 2002);

        // Back, with the same number.
        people.members("webteam", 3002, &format!("{BOB}{CAROL}"));
        let said = people.run();
        assert!(said.contains("bob: the account is in use again"), "{said}");
        assert_eq!(people.line("passwd", "bob"), "bob:x:2002:2002:Bob:/home/bob:/bin/sh");
        assert_eq!((people.shadow("bob", 1).as_str(), people.shadow("bob", 7).as_str()), ("*", ""), "no old password");
        assert_eq!(people.groups("bob"), "bob pg-people webteam");

        // Without a grant of the machine the package of a group gives nothing.
        people.host.ok("rm -r /usr/share/pg/roles/web");
        people.run();
        people.assert_out("bob", 2002);
        people.assert_out("carol", 2003);
        assert!(people.keys("alice").is_some());
    });
}

#[test]
fn keys_are_for_their_machines_and_end_by_themselves() {
    on_one("keys", |people| {
        people.host.tree.write("/etc/hosts", "127.0.1.1 test.example.org test\n");
        people.members(
            "webteam",
            3002,
            "user bob 2002 /bin/sh 2031-03-01 keep Bob\nkey bob - - - ssh-ed25519 AAAA1 one\n\
             key bob 2030-12-31 192.0.2.0/24,!192.0.2.9 - ssh-ed25519 AAAA2 two words\nkey bob 2032-01-01 - test.example.org,x.example.org ssh-rsa AAAA3\n\
             key bob - - other.example.org ssh-rsa AAAA4\nkey bob 2020-01-01 - - ssh-rsa AAAA5\n",
        );
        people.run();
        assert_eq!(
            people.keys("bob").unwrap(),
            "expiry-time=\"20310302000000Z\" ssh-ed25519 AAAA1 one\n\
             expiry-time=\"20310101000000Z\",from=\"192.0.2.0/24,!192.0.2.9\" ssh-ed25519 AAAA2 two words\n\
             expiry-time=\"20310302000000Z\" ssh-rsa AAAA3\n"
        );
        // 2031-03-02 is 22340 days after 1970-01-01.
        assert_eq!(people.shadow("bob", 7), "22340");
        people.host.ok("test \"$(date -u -d '1970-01-01 + 22340 days' +%F)\" = 2031-03-02");
        people.members("webteam", 3002, "user bob 2002 /bin/sh - keep Bob\nkey bob - - - ssh-ed25519 AAAA9\n");
        people.run();
        assert_eq!(people.keys("bob").unwrap(), "ssh-ed25519 AAAA9\n");
        assert_eq!(people.shadow("bob", 7), "");
    });
}

/// Nothing is fetched, nothing is installed: the day comes.
#[test]
fn access_ends_by_the_clock_and_the_guard_is_no_reprieve() {
    on_one("expiry", |people| {
        let today = people.host.ok("date -u +%F").trim().to_owned();
        people.members("webteam", 3002, &BOB.replacen(" - ", &format!(" {today} "), 1));
        people.members("sysadmins", 3001, &ALICE.replacen(" - ", &format!(" {today} "), 1));
        people.run();
        assert_eq!(people.groups("bob"), "bob pg-people webteam", "the last day counts");
        assert!(people.keys("bob").unwrap().starts_with("expiry-time="));
        let said = people.host.ok(&format!("{} pg-runtime access", people.at(1)));
        assert!(said.contains("bob: locked"), "{said}");
        people.assert_out("bob", 2002);
        people.assert_out("alice", 2001);
    });
}

#[test]
fn who_is_in_the_way_is_reported_and_left_alone() {
    on_both("clashes", |people| {
        people.host.ok(
            "useradd -m -u 2001 -s /bin/sh local; useradd -m -u 1500 -s /bin/sh bob; groupadd -g 2003 staff2; groupadd -g 3777 ops
             usermod -a -G sudo bob; echo bob:secret | chpasswd",
        );
        people.members("ops", 3003, "user dave 2004 /bin/sh - keep Dave\nkey dave - - - ssh-ed25519 AAAAdave\n");
        people.members("taken", 2005, "user erin 2006 /bin/nosuch - keep Erin\n");
        people.host.ok("groupadd -g 2005 squatter");
        people.grants("more", "login ops\nlogin taken\n");
        let before = people
            .host
            .ok("getent passwd local bob; getent shadow local bob; getent group staff2 ops squatter sudo local");
        let mark = people.marked();
        for text in [
            "access: alice: uid 2001 is the account local's on this machine: left alone (to take it over: [[adopt]] in users/alice.toml)\n",
            "access: bob: there is an account bob (uid 1500) on this machine that is not ours: left alone",
            "access: carol: gid 2003 is the group staff2's on this machine: left alone\n",
            "access: group ops: there is a group ops with the number 3777 on this machine, not 3003: left alone\n",
            "access: group taken: its number 2005 is the group squatter's on this machine: left alone\n",
        ] {
            assert!(mark.contains(text), "{text}\n{mark}");
        }
        let after = people
            .host
            .ok("getent passwd local bob; getent shadow local bob; getent group staff2 ops squatter sudo local");
        assert_eq!(after, before);
        assert_eq!((people.keys("alice"), people.keys("bob"), people.keys("carol")), (None, None, None));
        // The others are there.
        assert_eq!(people.groups("dave"), "dave pg-people");
        assert_eq!(people.line("passwd", "erin"), "erin:x:2006:2006:Erin:/home/erin:/bin/sh", "a shell that is there");
        // What is in the way goes: the mark goes with it.
        people.host.ok("userdel -r local; userdel -r bob; groupdel staff2; groupdel ops; groupdel squatter");
        people.run();
        assert_eq!(people.groups("dave"), "dave ops pg-people");
    });
}

#[test]
fn what_cannot_be_read_changes_nothing_of_its_own() {
    on_one("broken data", |people| {
        people.run();
        // bob's line is broken, carol has another key, alice's file is of a newer kind.
        people.members(
            "webteam",
            3002,
            &format!(
                "user bob 2002 bin/sh\n{}user root 0 /bin/sh - keep Root\nwhat is this\n",
                CAROL.replace("AAAAcarol", "AAAAnew")
            ),
        );
        people.host.tree.write("/usr/share/pg/access/sysadmins/members", "debrole-access 2\nanything\n");
        let mark = people.marked();
        assert!(mark.contains("access/webteam/members: \"user bob 2002 bin/sh\" can't be understood"), "{mark}");
        assert!(
            mark.contains("user root 0 ") && mark.contains("access/sysadmins/members: is of a newer kind"),
            "{mark}"
        );
        assert_eq!(people.groups("bob"), "bob pg-people webteam");
        assert!(people.keys("bob").is_some() && people.keys("alice").is_some());
        assert_eq!(people.keys("carol").unwrap(), "ssh-ed25519 AAAAnew\n");
        assert!(
            people.line("passwd", "root").starts_with("root:x:0:0:root:/root:"),
            "{}",
            people.line("passwd", "root")
        );
        assert_eq!(people.groups("root"), "root");
    });
}

#[test]
fn a_machine_keeps_its_last_administrator() {
    on_one("the guard", |people| {
        people.run();
        // Retired, but bob loses his access in the same breath: both wait, whoever ended by date does not.
        people.members("sysadmins", 3001, "");
        people.members("webteam", 3002, CAROL);
        let mark = people.marked();
        assert!(
            mark.starts_with("access: guard: what the packages say leaves nobody who can log in and become root"),
            "{mark}"
        );
        assert_eq!(
            (people.groups("alice"), people.groups("bob")),
            ("alice pg-people sysadmins".into(), "bob pg-people webteam".into())
        );
        for (what, members) in [
            ("no key", "user alice 2001 /bin/bash - keep Alice\n"),
            (
                "a key for elsewhere",
                "user alice 2001 /bin/bash - keep Alice\nkey alice - - elsewhere.example.org ssh-ed25519 AAAAalice\n",
            ),
            ("ended", "user alice 2001 /bin/bash 2020-01-01 keep Alice\nkey alice - - - ssh-ed25519 AAAAalice\n"),
        ] {
            people.members("sysadmins", 3001, members);
            assert!(people.marked().contains("guard"), "{what}");
            assert_eq!(people.keys("alice").unwrap(), "ssh-ed25519 AAAAalice alice@laptop\n", "{what}");
        }
        // A clash is no administrator either.
        people.host.ok("useradd -u 2010 -m zoe");
        people.members("sysadmins", 3001, "user zoe 2007 /bin/sh - keep Zoe\nkey zoe - - - ssh-ed25519 AAAAzoe\n");
        assert!(people.marked().contains("guard"));
        // Somebody else does.
        people.members("sysadmins", 3001, &CAROL.replace("AAAAcarol", "AAAAadmin"));
        people.members("webteam", 3002, "");
        people.run();
        people.assert_out("alice", 2001);
        people.assert_out("bob", 2002);
        // The machine leaves the fleet: that is no mistake.
        people.host.ok("rm -r /usr/share/pg/roles /usr/share/pg/access /usr/share/pg/people");
        people.run();
        people.assert_out("carol", 2003);
    });
}

#[test]
fn a_rename_takes_everything_along_and_waits_for_the_home() {
    on_both("renaming", |people| {
        people.run();
        people.host.ok(
            "echo 'bob:100000:65536' >/etc/subuid; usermod -a -G adm bob; mkdir -p /var/spool/cron/crontabs /var/mail; \
             echo '@daily true' >/var/spool/cron/crontabs/bob; echo mail >/var/mail/bob; chown bob /var/mail/bob; echo work >/home/bob/work",
        );
        people.members("webteam", 3002, &format!("{}{CAROL}", BOB.replace(" bob ", " robert ")));
        // He is logged in.
        let said = people.host.ok(
            "setpriv --reuid 2002 --clear-groups sleep 1000 & sleep 0.2; pg-runtime access; kill -0 $! && echo runs; \
             getent passwd 2002; cat /etc/ssh/pg-keys/robert; ls /home",
        );
        assert!(said.contains("robert: renamed from bob") && said.contains("\nruns\n"), "{said}");
        assert!(
            said.contains("\nrobert:x:2002:2002:Bob:/home/bob:/bin/sh\n") && said.contains("ssh-ed25519 AAAAbob"),
            "{said}"
        );
        // Now he is not.
        people.run();
        assert_eq!(people.line("passwd", "robert"), "robert:x:2002:2002:Bob:/home/robert:/bin/sh");
        assert_eq!(
            people.host.ok("cat /home/robert/work /var/mail/robert /var/spool/cron/crontabs/robert"),
            "work\nmail\n@daily true\n"
        );
        assert_eq!(people.line("subuid", "robert"), "robert:100000:65536");
        assert_eq!(people.groups("robert"), "adm pg-people robert webteam");
        for file in ["passwd", "shadow", "group", "gshadow", "subuid"] {
            assert_eq!(people.line(file, "bob"), "", "{file}");
        }
        assert_eq!(
            people.host.ok("ls /home /etc/ssh/pg-keys; pwck -qr; grpck -qr"),
            "/etc/ssh/pg-keys:\nalice\ncarol\nrobert\n\n/home:\nalice\ncarol\nrobert\n"
        );
        // Two who change their names with one another; and retired under the new name.
        people.members(
            "webteam",
            3002,
            &format!("{}{}", BOB.replace(" bob ", " carol "), CAROL.replace(" carol ", " robert ")),
        );
        people.host.run("pg-runtime access");
        assert!(people.line("passwd", "carol").starts_with("carol:x:2002:2002:Bob:"));
        assert!(people.line("passwd", "robert").starts_with("robert:x:2003:2003:Carol:"));
        assert_eq!(people.keys("carol").unwrap(), "ssh-ed25519 AAAAbob\n");
        people.people("departed 2003 - carol robert\n");
        people.members("webteam", 3002, &BOB.replace(" bob ", " carol "));
        people.host.run("pg-runtime access");
        people.assert_out("robert", 2003);
    });
}

#[test]
fn an_account_from_before_is_taken_over_with_its_files() {
    on_both("adoption", |people| {
        people.host.ok(
            "useradd -m -u 1000 -s /bin/sh bsmith; useradd -m -u 2003 -s /bin/sh carol; echo carol:secret | chpasswd
             echo work >/home/bsmith/work; ln -s /etc/passwd /home/bsmith/link; install -d -o bsmith /srv/bsmith
             touch /home/bsmith/roots; chown root:root /home/bsmith/roots; chown -h bsmith:bsmith /home/bsmith/work /home/bsmith/link",
        );
        // Not on this machine; not while somebody is logged in.
        people.members(
            "webteam",
            3002,
            &format!("{BOB}adopt bob bsmith 1000 home elsewhere.example.org\n{CAROL}adopt carol carol 2003 - -\n"),
        );
        people.run();
        assert!(people.line("passwd", "bob").starts_with("bob:x:2002:"), "a new account");
        assert_eq!(people.line("passwd", "carol"), "carol:x:2003:2003:Carol:/home/carol:/bin/sh");
        assert!(people.shadow("carol", 1).starts_with("$y$"), "the password stays");
        assert_eq!(people.groups("carol"), "carol pg-people webteam");
        people.members("webteam", 3002, CAROL);
        people.run();
        people.host.ok("userdel -r bob; rm -rf /home/bob");
        people.host.run("pg-runtime access");

        people.members("webteam", 3002, &format!("{BOB}adopt bob bsmith 1000 home -\n{CAROL}"));
        let busy =
            people.host.ok("setpriv --reuid 1000 --clear-groups sleep 1000 & sleep 0.2; pg-runtime access 2>&1; true");
        assert!(busy.contains("bob: can't take over bsmith (uid 1000) while processes of it run"), "{busy}");
        people.run();
        assert_eq!(people.line("passwd", "bob"), "bob:x:2002:2002:Bob:/home/bob:/bin/sh");
        assert_eq!(people.line("passwd", "bsmith"), "");
        assert_eq!(
            people.host.ok("cd /home/bob; stat -c '%n %U:%G' . work link roots /etc/passwd; stat -c %u /srv/bsmith; pwck -qr; grpck -qr"),
            ". bob:bob\nwork bob:bob\nlink bob:bob\nroots root:root\n/etc/passwd root:root\n1000\n"
        );

        // Everything on the machine's own file systems; what the tree does not say is refused.
        people.host.ok("useradd -m -u 1001 -s /bin/sh dsmith; install -d -o dsmith -g dsmith /srv/dsmith /opt/d");
        let dave = "user dave 2004 /bin/sh - keep Dave\nkey dave - - - ssh-ed25519 AAAAdave\n";
        people.members("webteam", 3002, &format!("{BOB}{CAROL}{dave}adopt dave dsmith 1001 - -\n"));
        assert!(
            people.marked().contains("dave: can't take over dsmith: the tree does not say what becomes of its files")
        );
        people.members("webteam", 3002, &format!("{BOB}{CAROL}{dave}adopt dave dsmith 1001 all -\n"));
        people.run();
        assert_eq!(people.host.ok("stat -c %U:%G /srv/dsmith /opt/d /home/dave"), "dave:dave\n".repeat(3));
    });
}

#[test]
fn a_directory_that_becomes_a_symlink_while_files_change_hands_gives_away_nothing() {
    on_one("adoption, exchanged in between", |people| {
        // /home/bsmith/d belongs to somebody else, who waits for the moment between find(1) and chown(1).
        people.host.ok(
            "useradd -m -u 1000 -s /bin/sh bsmith; useradd -r mallory; install -d -o mallory /home/bsmith/d
             install -o bsmith -g bsmith /dev/null /home/bsmith/d/shadow
             mv /usr/bin/chown /usr/bin/chown.real
             printf '%s\\n' '#!/bin/sh' 'if [ ! -L /home/bsmith/d ]; then mv /home/bsmith/d /home/bsmith/was; ln -s /etc /home/bsmith/d; fi' 'exec /usr/bin/chown.real \"$@\"' >/usr/bin/chown
             chmod 755 /usr/bin/chown; stat -c %u:%g /etc/shadow >/root/before",
        );
        people.members("webteam", 3002, &format!("{BOB}adopt bob bsmith 1000 home -\n"));
        people.host.run("pg-runtime access");
        people.host.ok("mv /usr/bin/chown.real /usr/bin/chown; test -L /home/b*/d; stat -c %u:%g /etc/shadow | diff /root/before -");
        people.run();
        assert_eq!(people.host.ok("stat -c %U:%G /home/bob"), "bob:bob\n");
    });
}

#[test]
fn homes_are_kept_archived_or_removed_and_symlinks_are_left() {
    on_one("homes", |people| {
        let policy = |policy: &str, name: &str, uid: u32| {
            format!("user {name} {uid} /bin/sh - {policy} X\nkey {name} - - - ssh-ed25519 AAAA{name}\n")
        };
        people.host.ok("mkdir -p /srv/linked; chown 2005:2005 /srv/linked; ln -s /srv/linked /home/linked; ln -s /etc /home/astray; echo keep >/srv/linked/data");
        people.members(
            "webteam",
            3002,
            &[
                policy("archive", "arc", 2002),
                policy("keep", "kept", 2003),
                policy("remove", "rem", 2004),
                policy("remove", "linked", 2005),
                policy("archive", "astray", 2006),
            ]
            .concat(),
        );
        let mark = people.marked();
        assert_eq!(mark, "access: astray: the home directory /home/astray is uid 0's: left alone\n");
        assert_eq!(
            people.host.ok("stat -c %U:%G /etc /srv/linked /home/linked"),
            "root:root\nlinked:linked\nroot:root\n"
        );
        people.host.ok("for n in arc kept rem; do echo $n >/home/$n/work; done");
        // The tree's last word on who left goes before what their file said.
        people.people("departed 2002 - arc\ndeparted 2003 - kept\ndeparted 2004 - rem\ndeparted 2005 - linked\ndeparted 2006 keep astray\n");
        people.members("webteam", 3002, "");
        let mark = people.marked();
        assert_eq!(
            mark,
            "access: linked: the home directory /home/linked is a symlink to /srv/linked: it is not removed\n"
        );
        assert_eq!(
            people.host.ok("ls -A /home; cat /srv/linked/data /home/kept/work"),
            "alice\nastray\nkept\nlinked\nkeep\nkept\n"
        );
        let archive =
            people.host.ok("cd /var/backups/pg-homes; stat -c '%a %U' . *; tar tzf arc-2002-*.tar.gz | sort; ls");
        assert!(
            archive.starts_with("700 root\n600 root\narc/\narc/.bash_logout\n") && archive.contains("arc/work\n"),
            "{archive}"
        );
        for (name, uid) in [("arc", 2002), ("rem", 2004), ("linked", 2005), ("astray", 2006)] {
            people.assert_out(name, uid);
        }
        // An older package of the group brings nobody back; the tree does, to a new home.
        people.members("webteam", 3002, &policy("archive", "arc", 2002));
        people.host.run("pg-runtime access");
        people.assert_out("arc", 2002);
        people.people(
            "departed 2003 - kept\ndeparted 2004 - rem\ndeparted 2005 keep linked\ndeparted 2006 keep astray\n",
        );
        people.run();
        assert!(people.host.tree.exists("/home/arc/.profile") && !people.host.tree.exists("/home/arc/work"));
        // A role that goes from the machine says nothing of its people.
        people.host.ok("rm -r /usr/share/pg/roles/web");
        people.run();
        people.assert_out("arc", 2002);
        assert!(people.host.tree.exists("/home/arc/.profile"));
    });
}

#[test]
fn nothing_of_who_leaves_runs_on() {
    on_both("processes and jobs", |people| {
        people.run();
        people.host.ok(
            "mkdir -p /var/spool/cron/crontabs /var/spool/cron/atjobs /var/lib/systemd/linger; cd /var/spool/cron
             for n in bob carol; do echo \"# $n\" >crontabs/$n; echo \"# $n\" >atjobs/a0000$n; chown $n atjobs/a0000$n; touch /var/lib/systemd/linger/$n; done",
        );
        people.members("webteam", 3002, CAROL);
        // A shell as root below one of his (sudo -i), a child that left its parent, one that wants no signal, a session's
        // sshd; and carol's.
        let said = people.host.ok(
            "setpriv --reuid 2002 --clear-groups sh -c 'sleep 1001 & wait' &
             setpriv --ruid 2002 --euid 0 --clear-groups perl -e '$ENV{PATH} = q(/bin); system qw(setpriv --reuid 0 sh -c), q(setsid sleep 1002 & sleep 1003)' &
             setpriv --reuid 2002 --clear-groups sh -c \"trap '' TERM HUP; setsid sleep 1004 & exit\"
             cp /usr/bin/sleep /root/sshd; perl -e 'exec { q(/root/sshd) } q(sshd: bob [priv]), q(1005)' &
             setpriv --reuid 2003 --clear-groups sleep 2001 & perl -e 'exec { q(/root/sshd) } q(sshd: bobby [priv]), q(2002)' &
             sleep 0.5; pg-runtime access; sleep 0.2; cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' | grep -xE '[12]00[0-9]' | sort",
        );
        assert!(
            said.ends_with("bob: sessions and processes are ended\n2001\n2002\n") || said.ends_with("\n2001\n2002\n"),
            "{said}"
        );
        assert_eq!(
            people.host.ok("ls /var/spool/cron/* /var/lib/systemd/linger; find /var/backups/pg/access -type f | sort; stat -c %a /var/backups/pg/access"),
            "/var/lib/systemd/linger:\ncarol\n\n/var/spool/cron/atjobs:\na0000carol\n\n/var/spool/cron/crontabs:\ncarol\n\
             /var/backups/pg/access/bob/at.a0000bob\n/var/backups/pg/access/bob/crontab\n700\n"
        );
        people.assert_out("bob", 2002);
        // Who retires themselves by their own dpkg run: it ends well, and the next run is not theirs.
        people.members("webteam", 3002, "");
        let own = people.host.run(
            "setpriv --ruid 2003 --euid 0 --clear-groups perl -e '$ENV{PATH} = q(/usr/sbin:/bin); \
             system qw(setpriv --reuid 0 sh -c), q(pg-runtime access; echo goes on)'; true",
        );
        assert!(own.stdout.contains("goes on"), "{}", own.all());
        assert!(people.host.mark("access").contains("carol: this run was started from a session of theirs"));
        people.run();
    });
}

/// Every call that changes something, in turn, is the last one of a run; the next run ends as if nothing had been.
#[test]
fn a_kill_at_any_step_and_the_next_run_completes() {
    on_one("kills", |people| {
        people.host.tree.write(
            "/root/perl/Kill.pm",
            r#"package Kill;
my ($n, $at) = (0, $ENV{KILL_AT} // 0);
sub step { kill KILL => $$ if ++$n == $at; if (open my $f, '>', '/root/steps') { print $f $n } }
BEGIN {
    *CORE::GLOBAL::rename = sub ($$) { step(); my $r = CORE::rename($_[0], $_[1]); step(); $r };
    *CORE::GLOBAL::unlink = sub (@) { step(); CORE::unlink(@_) };
    *CORE::GLOBAL::mkdir = sub (_;$) { step(); @_ > 1 ? CORE::mkdir($_[0], $_[1]) : CORE::mkdir($_[0]) };
    *CORE::GLOBAL::rmdir = sub (_) { step(); CORE::rmdir($_[0]) };
    *CORE::GLOBAL::kill = sub (@) { step(); CORE::kill(shift, @_) };
    *CORE::GLOBAL::waitpid = sub ($$) { my $r = CORE::waitpid($_[0], $_[1]); my $s = $?; step(); $? = $s; $r };
}
1;
"#,
        );
        // From here there is something of everything to do.
        people.members(
            "webteam",
            3002,
            &format!("{BOB}{CAROL}user dora 2005 /bin/sh - archive Dora\nkey dora - - - ssh-ed25519 AAAAdora\n"),
        );
        people.run();
        people.host.ok(
            "useradd -m -u 1000 -s /bin/sh esmith; echo e >/home/esmith/e; chown esmith: /home/esmith/e
             mkdir -p /var/spool/cron/crontabs /var/spool/cron/atjobs /var/lib/systemd/linger
             for n in bob dora; do echo $n >/var/spool/cron/crontabs/$n; echo $n >/home/$n/work; touch /var/lib/systemd/linger/$n; done",
        );
        people.people("departed 2002 - bob\ndeparted 2005 - dora\n");
        people.members(
            "webteam",
            3002,
            &format!(
                "{}user erin 2006 /bin/sh - keep Erin\nkey erin - - - ssh-ed25519 AAAAerin\nadopt erin esmith 1000 home -\n\
                 user fay 2007 /bin/sh 2031-01-01 keep Fay\nkey fay - - - ssh-ed25519 AAAAfay\n",
                CAROL.replace(" carol ", " caroline ")
            ),
        );
        let said = people.host.ok(
            r#"set -e
all='etc/passwd etc/shadow etc/group etc/gshadow etc/ssh/pg-keys home var/lib/pg var/spool/cron var/lib/systemd/linger'
cd /; mkdir /root/save; cp -a --parents $all /root/save/
back() { cd /; rm -rf $all var/backups/pg var/backups/pg-homes; cp -a /root/save/. /; }
start() { setpriv --reuid 2002 --clear-groups sleep 31337 & setpriv --reuid 2003 --clear-groups sleep 100 & carol=$!; sleep 0.1; }
end() { kill $carol; wait; }
look() {
    cat /etc/passwd /etc/shadow /etc/group /etc/gshadow /var/lib/pg/access/accounts
    cd /; find home etc/ssh/pg-keys var/spool/cron var/lib/systemd/linger var/backups/pg-homes var/backups/pg/access -printf '%p %y %m %U:%G\n' | sort
    tail -n +1 etc/ssh/pg-keys/* var/lib/pg/marks/access 2>/dev/null || true
    for a in var/backups/pg-homes/*; do tar tzf $a | sort; done
}
export PERL5LIB=/root/perl PERL5OPT=-MKill
run() { KILL_AT=$1 pg-runtime access >/root/out 2>&1 || true; }
start; run 0; end; run 0; look >/root/expected; total=$(cat /root/steps)
back; start; run 0; total=$(cat /root/steps); end
for n in $(seq $total); do
    back; start
    run $n
    for f in passwd shadow group gshadow; do test -s /etc/$f; grep -q '^root:' /etc/$f; done
    run 0; end
    run 0
    look >/root/found
    cmp -s /root/expected /root/found || { echo "after $n:"; diff /root/expected /root/found || true; cat /root/out; exit 1; }
    left=$(find /etc /home /var/lib/pg /var/backups -name '.pg-*' -o -name '*.new' -o -name '*~' -newer /root/steps)
    [ -z "$left" ] || { echo "after $n: $left"; exit 1; }
    ! grep -lsx --null-data 31337 /proc/[0-9]*/cmdline || { echo "after $n: bob runs"; exit 1; }
done
echo "$total steps"
"#,
        );
        let steps: u32 = said.trim().trim_end_matches(" steps").parse().unwrap_or_else(|_| panic!("{said}"));
        assert!(steps >= 30, "only {steps} steps");
        people.assert_out("bob", 2002);
        people.assert_out("dora", 2005);
        assert_eq!(people.line("passwd", "caroline"), "caroline:x:2003:2003:Carol:/home/caroline:/bin/sh");
        assert_eq!(
            people.host.ok("stat -c %U:%G /home/erin/e; tar tzf /var/backups/pg-homes/dora-*.tar.gz | grep work"),
            "erin:erin\ndora/work\n"
        );
    });
}

#[test]
fn who_edits_passwd_is_waited_for_and_the_rest_goes_on() {
    on_one("passwd's lock", |people| {
        people.run();
        people.members("webteam", 3002, CAROL);
        let lock = "perl -MFcntl -e 'open F, q(>>), q(/etc/.pwd.lock) or die; my $l = pack(q(s s x4 q q i x4), F_WRLCK, 0, 0, 0, 0); \
                    fcntl(F, F_SETLK, $l) or die $!; sleep $ARGV[0]'";
        let said = people
            .host
            .run(&format!(
                "{lock} 100 & setpriv --reuid 2002 --clear-groups sleep 1000 & sleep 0.3; pg-runtime access 2>&1"
            ))
            .stdout;
        assert!(said.contains("runtime: somebody else edits /etc/passwd: waited 20 seconds"), "{said}");
        assert!(
            said.contains("bob: the keys are taken away") && said.contains("bob: sessions and processes are ended"),
            "{said}"
        );
        assert_eq!(people.keys("bob"), None);
        people.host.ok(&format!("{lock} 3 & sleep 0.3; pg-runtime access"));
        people.assert_out("bob", 2002);
        assert_eq!(people.host.mark("access"), "");
    });
}

#[test]
fn a_dry_run_says_all_and_does_nothing() {
    on_one("dry run", |people| {
        let before = people.host.files();
        let said = people.host.ok("pg-runtime access --dry-run");
        assert!(said.contains("would: alice: account made (uid 2001)"), "{said}");
        assert_eq!(people.host.files(), before);
        assert!(!people.host.tree.exists("/var/lib/pg/access"));
        people.run();
        people.members("webteam", 3002, CAROL);
        let said = people.host.ok("setpriv --reuid 2002 --clear-groups sleep 3 & sleep 0.2; pg-runtime access --dry-run; kill -0 $! && echo runs");
        for text in [
            "would: bob: the keys are taken away",
            "would: bob: locked",
            "would: bob: sessions and processes are ended",
            "runs",
        ] {
            assert!(said.contains(text), "{said}");
        }
        assert!(people.keys("bob").is_some() && people.shadow("bob", 7).is_empty());
    });
}

#[test]
fn the_runtime_goes_and_everybody_is_out_and_comes_back_after_a_purge() {
    on_both("purge", |people| {
        people.run();
        people.host.dpkg("--purge", &["pg-runtime"]);
        for (name, uid) in [("alice", 2001), ("bob", 2002), ("carol", 2003)] {
            people.assert_out(name, uid);
        }
        assert_eq!(people.host.ok("ls -d /etc/ssh/pg-keys /var/lib/pg /usr/lib/pg /var/backups/pg 2>/dev/null; ls /home; find /etc -name '*pg-access*'"), "alice\nbob\ncarol\n");
        people.host.dpkg("-i", &["pg-runtime_1"]);
        assert_eq!(people.groups("bob"), "bob pg-people webteam");
        assert!(people.keys("bob").is_some());
        people.run();
    });
}

#[test]
fn apply_sees_to_people_whatever_is_held() {
    on_one("apply", |people| {
        people.host.ok("pg-runtime hold all --until tomorrow --reason test; pg-runtime apply");
        assert_eq!(people.groups("bob"), "bob pg-people webteam");
        people.members("webteam", 3002, "nonsense\n");
        assert_eq!(people.host.run("pg-runtime release all; pg-runtime apply").status, 1);
        assert!(
            people
                .host
                .run("pg-runtime status")
                .stdout
                .contains("access: access: access/webteam/members: \"nonsense\"")
        );
        people
            .host
            .ok("pg-runtime apply 2>&1 | grep -c 'access is well'; test $? = 1; pg-runtime status | grep -q nonsense");
        // While the guard refuses, rules of sudo stay.
        people.members("webteam", 3002, &format!("{BOB}{CAROL}"));
        let role = super::role("base", "20260101.1")
            .file_as("/etc/sudoers.d/60-pg-role-base", "0440 root root", "# one\n")
            .make(&people.host);
        people.host.dpkg("-i", &[&role]);
        people.grants("base", "login sysadmins\nadmin sysadmins\n");
        people.host.ok("pg-runtime apply");
        people.grants("base", "login sysadmins\n");
        let role = super::role("base", "20260102.1").file("/etc/other", "x\n").make(&people.host);
        people.host.dpkg("-i", &[&role]);
        assert!(people.host.mark("access").contains("guard"));
        assert_eq!(people.host.tree.read("/etc/sudoers.d/60-pg-role-base"), "# one\n");
        assert!(people.host.tree.exists("/etc/other"));
    });
}

#[test]
fn two_thousand_accounts_of_which_nothing_changed_take_less_than_a_second() {
    on_one("speed", |people| {
        let mut lines = vec![String::new(); 200];
        for n in 0..2000_u32 {
            let uid = 10_000 + n;
            let who = format!(
                "user u{n} {uid} /bin/sh - keep User {n}\nkey u{n} - - - ssh-ed25519 AAAA{n} u{n}\nkey u{n} 2031-01-01 - - ssh-ed25519 BBBB{n}\n"
            );
            for group in [n % 200, (n / 200) % 200, (n * 7) % 199] {
                if !lines[group as usize].contains(&who) {
                    lines[group as usize] += &who;
                }
            }
        }
        let mut grants = String::new();
        for (n, lines) in lines.iter().enumerate() {
            people.members(&format!("g{n}"), 20_000 + n as u32, lines);
            grants += &format!("login g{n}\n");
        }
        for role in 0..500 {
            people.grants(
                &format!("r{role}"),
                &format!("login g{}\nsudo g{} %g ALL=(root) /bin/true\n", role % 200, role % 200),
            );
        }
        people.grants("all", &grants);
        let timed = |what: &str| -> Duration {
            let said = people.host.ok(
                "perl -e 'system(q(/usr/lib/pg/access >/dev/null)) == 0 or die; my @t = times; print int(1000 * ($t[2] + $t[3]))'",
            );
            // Of the processor: the machine that tests run on has other things to do meanwhile.
            let milliseconds: u64 = said.trim().parse().unwrap_or_else(|_| panic!("{said}"));
            println!("2,000 accounts, {what}: {milliseconds} ms");
            Duration::from_millis(milliseconds)
        };
        timed("all of them new");
        assert_eq!(people.host.mark("access"), "");
        let quickest = (0..3).map(|_| timed("nothing changed")).min().expect("three");
        assert!(quickest < Duration::from_secs(1), "{quickest:?}");
        assert_eq!(
            people.host.ok("pg-runtime access; ls /etc/ssh/pg-keys | wc -l; grep -c '^u[0-9]' /etc/passwd"),
            "2003\n2000\n"
        );
        // One of them goes.
        people.members("g0", 20_000, "");
        let said = people.host.ok("pg-runtime access");
        assert!(said.lines().count() > 0, "{said}");
    });
}

/// Whatever has become of its own files, people come and go; what was accepted last is then what packages say.
#[test]
fn damaged_records_of_people_stop_nobody() {
    on_both("damaged records of people", |people| {
        people.run();
        people.host.ok("cp -a /var/lib/pg/access /root/access");
        let put = |name: &str, damage: &str| {
            people.host.ok(&format!(
                "rm -rf /var/lib/pg/access; cp -a /root/access /var/lib/pg/access; f=/var/lib/pg/access/{name}; rm -rf $f; {damage}"
            ));
        };
        for name in ["accounts", "accepted", "between", "checked.sudoers", "fetched"] {
            for damage in [
                ": >$f",
                "head -c 3000 /dev/urandom >$f",
                "mkdir -p $f/x",
                "ln -s /root/nothing $f",
                "mkfifo $f",
                "printf 'debrole-accounts 1\naccount 0 root on remove x\naccount 2001 $(touch /root/owned) on remove -\naccount x\n' >$f",
            ] {
                put(name, damage);
                people.members("webteam", 3002, BOB);
                let said = people.host.run("timeout 60 pg-runtime access");
                people.assert_out("carol", 2003);
                assert!(people.line("passwd", "bob").ends_with(":/bin/sh"), "{name}: {damage}: {}", said.all());
                assert!(people.line("passwd", "root").starts_with("root:x:0:0:"), "{name}: {damage}: {}", said.all());
                people.members("webteam", 3002, &format!("{BOB}{CAROL}"));
                people.host.run("timeout 60 pg-runtime access");
                assert_eq!(people.keys("carol").as_deref(), Some("ssh-ed25519 AAAAcarol\n"), "{name}: {damage}");
                assert!(!people.host.tree.exists("/root/owned"), "{name}: {damage}");
            }
        }
        put("accounts", "true");
        people.host.ok("rm -rf /var/lib/pg/access/*.damaged");
        people.host.run("pg-runtime access");
        people.run();
    });
}

/// Nobody keeps access because there is no room to write down that they have lost it.
#[test]
fn a_full_disk_stops_nobodys_removal() {
    on_both("a full disk and people", |people| {
        people.run();
        // One leaves, one is renamed: that has to be written down first, and waits.
        people.members("webteam", 3002, "user robert 2002 /bin/sh - keep Bob\nkey robert - - - ssh-ed25519 AAAAbob\n");
        // The mount is there for one command only.
        let said = people.host.run(
            "mkdir /root/small; mount -t tmpfs -o size=256k tmpfs /root/small; cp -a /var/lib/pg/. /root/small/
             mount --move /root/small /var/lib/pg; cat /dev/zero >/var/lib/pg/fill 2>/dev/null
             pg-runtime access; echo status $?; cat /var/lib/pg/marks/access; cp -a /var/lib/pg /root/full; rm -f /root/full/fill; umount /var/lib/pg",
        );
        let all = said.all();
        assert!(all.contains("status 1\n") && all.contains("No space left on device"), "{all}");
        people.assert_out("carol", 2003);
        assert!(people.line("passwd", "bob").ends_with(":/bin/sh"), "{all}");
        assert_eq!(people.keys("bob").as_deref(), Some("ssh-ed25519 AAAAbob\n"), "{all}");
        people.host.ok("rm -rf /var/lib/pg; mv /root/full /var/lib/pg");
        people.run();
        assert!(people.line("passwd", "robert").starts_with("robert:x:2002:2002:"));
    });
}
