//! People on two booted machines, with the real sshd, sudo and apt: they log in, do what they may, and leave.

use super::fleet::{Fleet, Runs};
use crate::machine::{Machine, Need, Outcome, Release, Tree, skip};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// The fleet of two machines: alice and erin administer both, bob and carol have the web site's machine, dave the
/// database's.
struct People {
    fleet: Fleet,
    keys: BTreeMap<&'static str, String>,
}

const EVERYBODY: [(&str, u32); 5] = [("alice", 2001), ("bob", 2002), ("carol", 2003), ("dave", 2004), ("erin", 2005)];
const WEB: &str = "192.0.2.11";
const DB: &str = "192.0.2.12";

impl People {
    fn new() -> People {
        let fleet = Fleet::example();
        for part in ["roles", "hosts", "users", "groups"] {
            std::fs::remove_dir_all(fleet.tree().join(part)).expect("the example has it");
        }
        let mut people = People { fleet, keys: BTreeMap::new() };
        for (name, _) in EVERYBODY {
            people.new_key(name, name);
        }
        people.new_key("other", "alice");
        for (name, uid) in EVERYBODY {
            people.user(name, uid, name, "");
        }
        let fleet = &people.fleet;
        fleet.write(
            "ledger.toml",
            "[users]\n2001 = \"alice\"\n2002 = \"bob\"\n2003 = \"carol\"\n2004 = \"dave\"\n2005 = \"erin\"\n\
             [groups]\n3001 = \"sysadmins\"\n3002 = \"webteam\"\n3003 = \"dbteam\"\n",
        );
        people.group("sysadmins", 3001, "\"alice\", \"erin\"");
        people.group("webteam", 3002, "\"bob\", \"carol\"");
        people.group("dbteam", 3003, "\"dave\"");
        fleet.write(
            "roles/base.toml",
            "summary = \"Base\"\ndepends = [\"at\", \"cron\"]\n[access]\nlogin = [\"sysadmins\"]\n[[access.sudo]]\ngroup = \"sysadmins\"\n\
             commands = [\"ALL\"]\nreason = \"administrators of all machines\"\n",
        );
        for (role, group) in [("web", "webteam"), ("db", "dbteam")] {
            fleet.write(
                &format!("roles/{role}.toml"),
                &format!(
                    "summary = \"A role\"\nincludes = [\"base\"]\n[access]\nlogin = [\"{group}\"]\n[[access.sudo]]\ngroup = \"{group}\"\n\
                     commands = [\"/usr/bin/id\"]\n"
                ),
            );
        }
        for host in ["web", "db"] {
            people.new_key(host, host);
            people.host(host, host);
        }
        people
    }

    /// web1 on bookworm or db1 on trixie, with one of our keys as its host key.
    fn host(&self, name: &str, key: &str) {
        let (release, address) = if name == "web" { ("bookworm", WEB) } else { ("trixie", DB) };
        self.fleet.write(
            &format!("hosts/{name}1.example.org.toml"),
            &format!(
                "roles = [\"{name}\"]\nrelease = \"{release}\"\naddresses = [\"{address}\"]\nssh_host_key = \"{}\"\n",
                self.keys[key]
            ),
        );
    }

    /// It is sshd's from its next start on.
    fn give_host_key(&self, tree: &Tree, key: &str) {
        self.give_key(tree, key, "/etc/ssh/ssh_host_ed25519_key");
        tree.copy_in(format!("{}.pub", self.key_file(key)), "/etc/ssh/ssh_host_ed25519_key.pub");
    }

    fn give_key(&self, tree: &Tree, key: &str, to: &str) {
        tree.copy_in(self.key_file(key), to);
        std::fs::set_permissions(tree.path(to), std::fs::Permissions::from_mode(0o600)).expect("it is there");
    }

    /// The machine booted and joined, with its host key.
    fn boot(&self, name: &str) -> Machine {
        let (release, number) = if name == "web" { (Release::Bookworm, 11) } else { (Release::Trixie, 12) };
        let tree = self.fleet.furnished_tree(release, &format!("{name}1.example.org"));
        self.give_host_key(&tree, name);
        let hosts = tree.read("/etc/hosts");
        tree.write("/etc/hosts", format!("{hosts}{WEB} web1.example.org\n{DB} db1.example.org\n"));
        let machine = Machine::boot(&self.fleet.lab, tree, number);
        self.fleet.join(&machine, machine.tree());
        machine.apt(&format!("install pg-host-{name}1.example.org"));
        machine.no_marks();
        machine
    }

    fn key_file(&self, name: &str) -> String {
        self.fleet.tree().join(format!("key-{name}")).to_str().expect("a plain path").to_owned()
    }

    fn new_key(&mut self, name: &'static str, comment: &str) {
        let file = self.key_file(name);
        let made =
            Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", &file]).output();
        assert!(made.is_ok_and(|made| made.status.success()), "ssh-keygen");
        let public = std::fs::read_to_string(format!("{file}.pub")).expect("ssh-keygen wrote it");
        self.keys.insert(name, public.trim().to_owned());
    }

    fn user(&self, name: &str, uid: u32, key: &str, more: &str) {
        let key = &self.keys[key];
        self.fleet.write(
            &format!("users/{name}.toml"),
            &format!("uid = {uid}\nname = \"{name} Example\"\n{more}[[key]]\nkey = \"{key}\"\n"),
        );
    }

    fn group(&self, name: &str, gid: u32, members: &str) {
        self.fleet.write(
            &format!("groups/{name}.toml"),
            &format!("gid = {gid}\ndescription = \"The group {name}\"\nmembers = [{members}]\n"),
        );
    }

    /// The command that runs TEXT on a machine as somebody, by their key; from the network, with nothing typed.
    fn ssh(&self, key: &str, options: &str, who: &str, address: &str, text: &str) -> String {
        format!(
            "ssh -F none -i {} -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
             -o LogLevel=ERROR -o ConnectTimeout=10 {options} {who}@{address} '{text}'",
            self.key_file(key)
        )
    }

    fn login(&self, who: &str, address: &str, text: &str) -> Outcome {
        self.fleet.lab.run(&self.ssh(who, "", who, address, text))
    }

    #[track_caller]
    fn refused(&self, who: &str, address: &str) {
        let outcome = self.login(who, address, "echo in");
        assert!(outcome.status == 255 && !outcome.stdout.contains("in"), "{who} on {address}: {}", outcome.all());
    }

    /// Sessions that stay: bob's multiplexed one and erin's `sudo -i` on the web site's machine, and carol's.
    fn open_sessions(&self) {
        let socket = self.key_file("socket");
        let master = self.ssh("bob", &format!("-M -S {socket} -N -f -o ControlPersist=yes"), "bob", WEB, "");
        let bob = self.ssh("bob", &format!("-S {socket}"), "bob", WEB, "sleep 100001");
        let erin = self.ssh("erin", "-tt", "erin", WEB, "sudo -i sleep 100002");
        let carol = self.ssh("carol", "", "carol", WEB, "sleep 100003");
        let text = format!(
            "{master}; for c in 1 2 3; do :; done; ({bob} &) ; ({erin} &) ; ({carol} &) ; sleep 0.2",
            master = master.trim_end_matches(" ''")
        );
        let text = text.replace(" &)", " </dev/null >/dev/null 2>&1 &)");
        self.fleet.lab.run(&text).ok("sessions");
    }

    fn multiplexed(&self) -> Outcome {
        let socket = self.key_file("socket");
        self.fleet.lab.run(&self.ssh("other", &format!("-S {socket} -o ControlMaster=no"), "bob", WEB, "echo still in"))
    }
}

/// Which of the sessions' sleeps run.
fn sleeps(machine: &Machine) -> String {
    machine
        .ok("cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' | grep -xE '10000[0-9]' | sort -u | tr '\\n' ' '; true")
        .trim()
        .to_owned()
}

#[track_caller]
fn assert_out(machine: &Machine, name: &str, uid: u32) {
    let passwd = machine.ok(&format!("getent passwd {name}"));
    assert!(
        passwd.starts_with(&format!("{name}:x:{uid}:{uid}:")) && passwd.ends_with(":/usr/sbin/nologin\n"),
        "{passwd}"
    );
    let shadow = machine.ok(&format!("getent shadow {name}"));
    assert!(shadow.starts_with(&format!("{name}:!")) && shadow.ends_with("::1:\n"), "{shadow}");
    let left = machine.ok(&format!(
        "ls /etc/ssh/pg-keys/{name} /var/spool/cron/crontabs/{name} /var/lib/systemd/linger/{name} 2>/dev/null; ps_of={uid}
         find /var/spool/cron/atjobs -user {name}; id -Gn {name} | tr ' ' '\\n' | grep -vxE '{name}|pg-people'
         grep -lsE '^Uid:.*\\b'$ps_of'\\b' /proc/[0-9]*/status; grep -ls user-$ps_of.slice/session /proc/[0-9]*/cgroup; sudo -l -U {name} | grep NOPASSWD; true"
    ));
    assert_eq!(left, "", "{name}");
}

#[test]
fn people_log_in_do_what_they_may_and_leave() {
    if skip("people on booted machines", &[Need::Boot, Need::Program("ssh"), Need::Program("ssh-keygen")]) {
        return;
    }
    let mut people = People::new();
    people.fleet = people.fleet.serve();
    let (web, db) = std::thread::scope(|scope| {
        let db = scope.spawn(|| people.boot("db"));
        (people.boot("web"), db.join().expect("db1 boots"))
    });

    // The allowed command, another one, another machine; and nobody adds keys of their own.
    let id = people.login("bob", WEB, "sudo -n /usr/bin/id");
    assert!(id.succeeded() && id.stdout.starts_with("uid=0(root)"), "{}", id.all());
    let cat = people.login("bob", WEB, "sudo -n /usr/bin/cat /etc/shadow");
    assert!(!cat.succeeded() && cat.stdout.is_empty(), "{}", cat.all());
    people.refused("bob", DB);
    assert_eq!(db.ok("getent passwd bob carol || echo none"), "none\n");
    assert_eq!(web.ok("getent passwd dave || echo none"), "none\n");
    assert!(people.login("dave", DB, "sudo -n /usr/bin/id").stdout.starts_with("uid=0"));
    for address in [WEB, DB] {
        assert_eq!(people.login("alice", address, "sudo -n id -u").stdout, "0\n");
    }
    let other = people.keys["other"].clone();
    people.login("alice", WEB, &format!("mkdir -p .ssh && echo \"{other}\" >.ssh/authorized_keys")).ok("her own key");
    let own = people.fleet.lab.run(&people.ssh("other", "", "alice", WEB, "echo in"));
    assert_eq!(own.status, 255, "{}", own.all());

    // Sessions and jobs.
    people.open_sessions();
    web.wait_for(
        "test \"$(cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' | grep -xE '10000[123]' | sort -u | wc -l)\" = 3",
        20,
    );
    assert_eq!(people.multiplexed().stdout, "still in\n");
    people.login("bob", WEB, "echo \"@daily true\" | crontab - && echo true | at now + 1 hour").ok("jobs");
    web.ok("loginctl enable-linger bob");

    // bob and erin leave.
    for name in ["bob", "erin"] {
        people.fleet.remove(&format!("users/{name}.toml"));
    }
    people.group("sysadmins", 3001, "\"alice\"");
    people.group("webteam", 3002, "\"carol\"");
    people.fleet.publish();
    web.ok("pg-runtime refresh --keyring");
    db.ok("pg-runtime refresh --keyring");
    assert_out(&web, "bob", 2002);
    assert_out(&web, "erin", 2005);
    assert_out(&db, "erin", 2005);
    assert_eq!(sleeps(&web), "100003", "carol's session lives on");
    assert!(!people.multiplexed().stdout.contains("still in"));
    people.refused("bob", WEB);
    people.refused("erin", DB);
    assert_eq!(people.login("carol", WEB, "id -un").stdout, "carol\n");
    web.no_marks();
    db.no_marks();

    renamed_while_logged_in(&mut people, &web);
    dpkg_is_no_reprieve(&mut people, &web);
    what_makes_machines_open_is_told(&people, &web);
    time_is_sshds_too(&mut people, &db);
    machines_know_each_other(&mut people, &web, &db);
    packages_go(&people, &web);
}

/// In the place of each program by which a refresh gets on: counts the calls, and at the one that /root/kill/at names
/// kills the whole process group once it has done its work.
const STEP: &str = r#"#!/bin/sh
/root/kill/NAME "$@"
status=$?
case "$*" in *--compare-versions* | *--print-*) exit $status ;; esac # a question, no step
if [ -e /root/kill/at ]; then
    read -r n </root/kill/count
    echo $((n + 1)) >/root/kill/count
    read -r at </root/kill/at
    [ "$((n + 1))" != "$at" ] || kill -KILL 0
fi
exit $status
"#;

/// Each run of a refresh that is to end somebody's access is killed after one step more; the next one ends it.
const KILLED: &str = r#"
set -e
mkdir /root/kill
for path in /usr/bin/mv /usr/bin/apt-get /usr/bin/apt-cache /usr/bin/dpkg /usr/bin/dpkg-deb /usr/lib/pg/access; do
    name=${path##*/}
    cp -a $path /root/kill/$name
    sed "s/NAME/$name/" /root/step >/root/step.$name
    chmod 755 /root/step.$name
    cp --remove-destination /root/step.$name $path
done
all='etc home usr/share/pg var/lib/pg var/lib/dpkg/info var/lib/dpkg/status var/lib/dpkg/triggers var/lib/dpkg/updates var/lib/apt/extended_states'
back() { cd /; rm -rf run/pg var/cache/pg var/backups/pg $all; cp -a /root/save/. /; }
# bob's session: sshd's own, and one that he left in the background.
session() {
    ssh -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o IdentitiesOnly=yes \
        -i /root/bob.key bob@127.0.0.1 'sleep 100001 & echo in; sleep 100002' </dev/null >/root/session 2>/root/session.error &
    for _ in $(seq 600); do grep -qx in /root/session && return 0; sleep 0.1; done
    cat /root/session.error
    exit 1
}
look() {
    grep -lsE '^Uid:.*\b2002\b' /proc/[0-9]*/status | wc -l
    grep -h bob /etc/passwd /etc/shadow /etc/group || true
    ls /etc/ssh/pg-keys
    cat /var/lib/pg/marks/* 2>/dev/null || true
    dpkg-query -W -f '${Package} ${Version} ${db:Status-Status}\n' 'pg-*'
}
run() {
    echo 0 >/root/kill/count
    echo "$1" >/root/kill/at
    setsid -w pg-runtime refresh --keyring >/root/out 2>&1 || true
    # apt gives dpkg a session of its own, which lives on for a moment when apt is killed.
    while grep -lsxE 'dpkg|dpkg-deb' /proc/[0-9]*/comm >/dev/null; do sleep 0.1; done
    rm /root/kill/at
}
mkdir /root/save; cd /; cp -a --parents $all /root/save/
session
run 0
look >/root/expected
read -r total </root/kill/count
out=0
for n in $(seq $total); do
    back
    session
    run $n
    [ -e /etc/ssh/pg-keys/bob ] || out=$((out + 1))
    run 0
    look >/root/found
    cmp -s /root/expected /root/found || { echo "after $n of $total:"; diff /root/expected /root/found || true; echo FIRST; cat /root/out1; echo SECOND; cat /root/out; exit 1; }
done
cat /root/expected
echo "$total steps, out after $out"
"#;

#[test]
fn a_refresh_that_is_killed_at_any_step_is_ended_by_the_next() {
    if skip("refreshes that are killed", &[Need::Boot, Need::Program("ssh-keygen")]) {
        return;
    }
    let mut people = People::new();
    people.fleet = people.fleet.serve();
    let web = people.boot("web");
    // When something runs, the test says.
    web.ok("systemctl stop 'pg-*.timer' 'apt-daily*.timer'");
    people.give_key(web.tree(), "bob", "/root/bob.key");
    people.fleet.remove("users/bob.toml");
    people.group("webteam", 3002, "\"carol\"");
    people.fleet.publish();
    web.tree().write("/root/step", STEP);
    let said = web.ok(KILLED);
    assert!(said.starts_with("0\n"), "no process of his: {said}");
    assert!(said.contains("\nbob:!") && said.contains("::1:\n") && !said.contains("\nbob\n"), "{said}");
    let numbers = said.lines().last().and_then(|last| last.split_once(" steps, out after "));
    let (total, out): (u32, u32) = numbers
        .and_then(|(total, out)| Some((total.parse().ok()?, out.parse().ok()?)))
        .unwrap_or_else(|| panic!("{said}"));
    // Both outcomes were seen: before the step that counts, and long before dpkg is done.
    assert!(total >= 8 && out >= 3 && out < total, "{said}");
}

fn renamed_while_logged_in(people: &mut People, web: &Machine) {
    people.fleet.remove("users/carol.toml");
    people.user("caroline", 2003, "other", "");
    people.fleet.edit("ledger.toml", "2003 = \"carol\"", "2003 = [\"carol\", \"caroline\"]");
    people.group("webteam", 3002, "\"caroline\"");
    people.fleet.publish();
    web.ok("pg-runtime refresh --keyring");
    assert_eq!(sleeps(web), "100003", "she stays logged in");
    assert_eq!(web.ok("getent passwd 2003"), "caroline:x:2003:2003:caroline Example:/home/carol:/bin/bash\n");
    let renamed =
        people.fleet.lab.run(&people.ssh("other", "", "caroline", WEB, "sudo -n /usr/bin/id -u >/dev/null; id -un"));
    assert_eq!(renamed.stdout, "caroline\n", "{}", renamed.all());
    let old_key = people.fleet.lab.run(&people.ssh("carol", "", "caroline", WEB, "echo in"));
    assert_eq!(old_key.status, 255, "the old key has gone");
    web.ok("pkill -x sleep; sleep 1; loginctl terminate-user caroline 2>/dev/null; sleep 1; pg-runtime access");
    assert_eq!(
        web.ok("getent passwd caroline; ls /home | tr '\\n' ' '"),
        "caroline:x:2003:2003:caroline Example:/home/caroline:/bin/bash\nalice bob caroline erin "
    );
}

/// Who is retired is out although dpkg can do nothing, and dpkg catches up.
fn dpkg_is_no_reprieve(people: &mut People, web: &Machine) {
    let out_and_in = |people: &mut People, web: &Machine, out: bool| {
        if out {
            people.fleet.remove("users/bob.toml");
        } else {
            people.user("bob", 2002, "bob", "");
        }
        people.group("webteam", 3002, if out { "\"caroline\"" } else { "\"bob\", \"caroline\"" });
        people.fleet.publish();
        let outcome = web.run("pg-runtime refresh --keyring --wait 0");
        (outcome.status, outcome.all())
    };
    let version = |web: &Machine| web.version("pg-access-webteam");
    // Half-configured for good, and somebody holds its lock.
    web.ok(
        "mkdir -p /root/bad/DEBIAN; cd /root/bad; printf 'Package: bad\\nVersion: 1\\nArchitecture: all\\nMaintainer: T <t@example.org>\\nDescription: bad\\n' >DEBIAN/control
         printf '#!/bin/sh\\nexit 1\\n' >DEBIAN/postinst; chmod 755 DEBIAN/postinst; dpkg-deb -b . ../bad.deb >/dev/null",
    );
    for broken in [
        "dpkg -i /root/bad.deb",
        "echo garbage >>/var/lib/dpkg/status",
        "perl -MFcntl -e 'open F, q(>>), q(/var/lib/dpkg/lock-frontend); my $l = pack(q(s s x4 q q i x4), F_WRLCK, 0, 0, 0, 0); fcntl(F, F_SETLK, $l) or die; sleep 100' >/dev/null 2>&1 & echo $! >/root/holder; sleep 1",
    ] {
        let (status, all) = out_and_in(people, web, false);
        assert_eq!(status, 0, "{all}");
        assert_eq!(people.login("bob", WEB, "id -un").stdout, "bob\n", "{broken}");
        let before = version(web);
        web.run(broken);
        let (status, all) = out_and_in(people, web, true);
        assert_ne!(status, 2, "{all}");
        assert!(all.contains("counts from now on, ahead of dpkg"), "{broken}: {all}");
        assert_out(web, "bob", 2002);
        people.refused("bob", WEB);
        // And stays so, when the archive is not to be had.
        web.ok("pg-runtime access");
        assert_out(web, "bob", 2002);
        web.ok("sed -i '/^garbage$/d' /var/lib/dpkg/status; dpkg --purge --force-all bad >/dev/null 2>&1; [ ! -e /root/holder ] || kill $(cat /root/holder)");
        let behind = version(web);
        web.ok("pg-runtime refresh --keyring");
        assert!(version(web) > before, "{broken}: dpkg catches up");
        assert!(behind == before || broken.contains("bad.deb"), "{broken}");
        assert_eq!(web.ok("pg-runtime access; ls /var/lib/pg/access/fetched"), "", "{broken}");
        assert_out(web, "bob", 2002);
    }
    web.no_marks();
}

fn what_makes_machines_open_is_told(people: &People, web: &Machine) {
    web.ok("cp /etc/ssh/sshd_config /root/; sed -i '/^Include/d' /etc/ssh/sshd_config");
    let open = web.run("pg-runtime access");
    assert_eq!(open.status, 1, "{}", open.all());
    let mark = web.ok("cat /var/lib/pg/marks/access");
    assert!(
        mark.starts_with("access: sshd: reads the keys of alice from .ssh/authorized_keys .ssh/authorized_keys2, not from /etc/ssh/pg-keys/%u (/etc/ssh/sshd_config has no Include"),
        "{mark}"
    );
    assert!(web.run("pg-runtime status").stdout.contains("has no Include"));
    web.ok("cp /root/sshd_config /etc/ssh/; echo 'User_Alias X = a' >/etc/sudoers.d/zz-one; echo 'User_Alias X = b' >/etc/sudoers.d/zz-two");
    // Either of them is right alone.
    web.run("pg-runtime access");
    let mark = web.ok("cat /var/lib/pg/marks/access");
    assert!(mark.starts_with("access: sudoers: visudo -c: ") && mark.contains("zz-two"), "{mark}");
    web.ok("rm /etc/sudoers.d/zz-*; pg-runtime access");
    web.no_marks();
    assert_eq!(people.login("alice", WEB, "sudo -n id -u").stdout, "0\n");
}

/// The machine believes that it is last week: its timers see to nothing. sshd still lets nobody in whose day is over.
fn time_is_sshds_too(people: &mut People, db: &Machine) {
    let yesterday = db.ok("date -u -d yesterday +%F");
    let today = db.ok("date -u +%F");
    people.user("dave", 2004, "dave", &format!("expires = {}\n", today.trim()));
    people.fleet.publish();
    db.ok("pg-runtime refresh --keyring");
    assert_eq!(people.login("dave", DB, "id -un").stdout, "dave\n", "the last day counts");
    db.tree().write(
        "/root/perl/Clock.pm",
        "package Clock; BEGIN { *CORE::GLOBAL::time = sub { CORE::time() - 7 * 86400 } } 1;\n",
    );
    db.ok(&format!(
        "sed -i 's/ {} / {} /' /usr/share/pg/access/dbteam/members; PERL5LIB=/root/perl PERL5OPT=-MClock pg-runtime access",
        today.trim(),
        yesterday.trim()
    ));
    assert!(db.ok("getent passwd dave").ends_with(":/bin/bash\n"));
    people.refused("dave", DB);
    // Without its account's date the key's alone holds.
    db.ok("chage -E -1 dave");
    people.refused("dave", DB);
    assert!(db.ok("pg-runtime access").contains("dave: locked"), "today, the machine ends it itself");
    assert_out(db, "dave", 2004);
}

/// From one machine to another nobody is asked whether it is the right one; and the wrong one is refused, until the tree
/// says that it is the right one now.
fn machines_know_each_other(people: &mut People, web: &Machine, db: &Machine) {
    people.give_key(web.tree(), "alice", "/root/alice.key");
    let as_alice = "ssh -o BatchMode=yes -o UserKnownHostsFile=/dev/null -o IdentitiesOnly=yes -i /root/alice.key alice@db1.example.org id -un";
    assert_eq!(web.ok(&format!("cat /etc/ssh/ssh_config.d/* 2>/dev/null; {as_alice} 2>&1")), "alice\n", "not a word");
    people.new_key("db-new", "db");
    people.give_host_key(db.tree(), "db-new");
    db.ok("systemctl restart ssh.service");
    let refused = web.run(as_alice);
    assert!(
        refused.status == 255 && refused.stderr.contains("REMOTE HOST IDENTIFICATION HAS CHANGED"),
        "{}",
        refused.all()
    );
    people.host("db", "db-new");
    // The tree is not believed by the way: the old key has to be named as one that is given up.
    let old = format!("retired_ssh_host_key = \"{}\"\n", people.keys["db"]);
    let host = "hosts/db1.example.org.toml";
    let text = std::fs::read_to_string(people.fleet.tree().join(host)).expect("it is there");
    people.fleet.write(host, &(text + &old));
    people.fleet.publish();
    web.ok("pg-runtime refresh --keyring");
    assert_eq!(web.ok(&format!("{as_alice} 2>&1")), "alice\n");
}

fn packages_go(people: &People, web: &Machine) {
    assert!(web.ok("systemctl list-timers --all pg-access.timer").contains("pg-access.service"));
    web.ok("systemctl start pg-access.service");
    web.apt("purge pg-access-webteam");
    assert_out(web, "caroline", 2003);
    assert_eq!(people.login("alice", WEB, "sudo -n id -u").stdout, "0\n", "the role that lets her in is still there");
    web.apt("install pg-host-web1.example.org");
    // From apt's own lists, which are as old as the machine: who has left since stays out.
    assert!(web.ok("cat /usr/share/pg/access/webteam/members").contains("user bob 2002"));
    assert_out(web, "bob", 2002);
    web.ok("pg-runtime refresh --all");
    assert!(web.ok("getent passwd caroline").starts_with("caroline:x:2003:2003:"), "back, with the same number");
    let back =
        people.fleet.lab.run(&people.ssh("other", "", "caroline", WEB, "sudo -n /usr/bin/id -u >/dev/null; id -un"));
    assert_eq!(back.stdout, "caroline\n", "{}", back.all());
    web.apt("purge 'pg-*'");
    for (name, uid) in [("alice", 2001), ("bob", 2002), ("caroline", 2003), ("erin", 2005)] {
        assert_out(web, name, uid);
    }
    assert_eq!(
        web.ok("ls -d /etc/ssh/pg-keys /var/lib/pg /etc/ssh/sshd_config.d/*pg* /etc/sudoers.d/*pg* 2>/dev/null; true"),
        ""
    );
}
