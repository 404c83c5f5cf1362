//! Each role of the example fleet on a booted machine, asked by a client over the network.

use super::fleet::{Fleet, Runs};
use crate::machine::{Need, Release, Tree, packages, skip};
use std::process::Command;

macro_rules! on_both_releases {
    ($($test:ident)*) => {
        mod bookworm { $(#[test] fn $test() { super::booted(stringify!($test), super::Release::Bookworm, super::$test); })* }
        mod trixie { $(#[test] fn $test() { super::booted(stringify!($test), super::Release::Trixie, super::$test); })* }
    };
}

on_both_releases! {
    base_lets_in_by_key_only
    web_serves_a_page_through_varnish_and_nginx
    db_answers_sql_over_tcp
    git_takes_a_push_and_gives_a_clone
    mail_is_delivered_and_read
    apt_repo_compiles_the_fleet_and_serves_it
    backup_keeps_a_backup
    hypervisor_has_its_bridge
}

fn booted(test: &str, release: Release, body: fn(Release)) {
    if !skip(&format!("{test} ({})", release.codename()), &[Need::Boot]) {
        body(release);
    }
}

/// A client in the fleet's network, at 192.0.2.1, with an SSH key at /root/key.
fn client(fleet: &Fleet) -> Tree {
    let client = Tree::client().join(&fleet.lab);
    client.name("client.example.org", &[]);
    client.ok("ssh-keygen -q -t ed25519 -N '' -f /root/key");
    client.write(
        "/root/.ssh/config",
        "Host *\nIdentityFile /root/key\nStrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nBatchMode yes\nLogLevel ERROR\n",
    );
    client
}

/// The host of the example fleet on this release, whatever release it has in the tree.
fn on(fleet: &Fleet, host: &str, release: Release) {
    for other in Release::ALL {
        let file = format!("hosts/{host}.toml");
        let text = std::fs::read_to_string(fleet.tree().join(&file)).expect("a host");
        if other != release && text.contains(other.codename()) {
            fleet.edit(&file, other.codename(), release.codename());
        }
    }
}

fn base_lets_in_by_key_only(release: Release) {
    let fleet = Fleet::published();
    let client = client(&fleet);
    let machine = fleet.boot_tree(fleet.machine_tree(release, "machine.example.org"), 10);
    machine.apt("install pg-role-base");
    machine.no_marks();
    machine.tree().write("/root/.ssh/authorized_keys", client.read("/root/key.pub"));
    machine.ok("chmod -R go= /root/.ssh; printf 'root:secret\\n' | chpasswd");
    assert_eq!(client.ok("ssh root@192.0.2.10 hostname"), "machine\n");
    let refused = client
        .run("ssh -o PubkeyAuthentication=no -o BatchMode=no -o NumberOfPasswordPrompts=0 -v root@192.0.2.10 true");
    assert!(refused.all().contains("Authentications that can continue: publickey\r\n"), "{}", refused.all());

    // The automatic upgrades: Debian's origins and ours, each once, and never a question.
    let settings = machine.ok("apt-config dump");
    let origins: Vec<&str> =
        settings.lines().filter(|l| l.starts_with("Unattended-Upgrade::Origins-Pattern::")).collect();
    assert_eq!(origins.len(), 4, "{origins:?}");
    assert!(origins[3].contains("origin=Example Project,label=Example Project"));
    let dry = machine.ok("unattended-upgrade --dry-run --verbose 2>&1");
    assert!(dry.contains("o=Example Project") || dry.contains("origin=Example Project"), "{dry}");
    assert_eq!(machine.ok("cat /proc/sys/net/ipv4/conf/all/accept_redirects"), "0\n");
    assert_eq!(machine.ok("systemctl is-enabled apt-daily.timer apt-daily-upgrade.timer"), "enabled\nenabled\n");
    assert_eq!(machine.ok("bash -lc 'echo $EDITOR'"), "/usr/bin/editor\n");
}

fn web_serves_a_page_through_varnish_and_nginx(release: Release) {
    let fleet = Fleet::example();
    on(&fleet, "web1.example.org", release);
    let fleet = fleet.serve();
    let client = client(&fleet);
    let machine = fleet.boot(release, "web1.example.org", 10);
    machine.apt("install pg-role-web");
    machine.no_marks();

    let page = client.ok("curl -sSi --retry 5 --retry-connrefused http://192.0.2.10/");
    for part in ["HTTP/1.1 200 OK", "X-Served-By: nginx", "(Varnish/", "X-Cache: miss", "<h1>The Example Project</h1>"]
    {
        assert!(page.contains(part), "no {part} in {page}");
    }
    assert!(client.ok("curl -sSi http://192.0.2.10/").contains("X-Cache: hit"));
    assert!(client.run("curl -sS http://192.0.2.10:8080/").status != 0, "nginx is not to be reached from outside");

    // The machine's own package: its names, its cache.
    machine.apt("install pg-host-web1.example.org");
    machine.no_marks();
    assert!(machine.ok("nginx -T 2>/dev/null").contains("server_name www.example.org example.org web1.example.org;"));
    assert!(machine.ok("cat /proc/*/cmdline 2>/dev/null | tr '\\0' ' '").contains("malloc,512m"));
    assert!(client.ok("curl -sS --retry 5 --retry-connrefused http://192.0.2.10/").contains("The Example Project"));

    // The roles go, their software stays: it is as Debian installs it.
    machine.ok("apt-mark manual nginx varnish");
    machine.apt("remove pg-host-web1.example.org pg-role-web pg-role-nginx");
    assert!(client.ok("curl -sS --retry 5 --retry-connrefused http://192.0.2.10/").contains("Welcome to nginx!"));
    machine.wait_for("ss -Hltn | grep -q ':6081 '", 60);
    assert!(!machine.ok("ss -Hltn").contains(":8080 "));
    assert!(!machine.tree().exists("/srv/www/index.html") && !machine.tree().exists("/srv/www"));
}

fn db_answers_sql_over_tcp(release: Release) {
    let fleet = Fleet::example();
    on(&fleet, "db1.example.org", release);
    let fleet = fleet.serve();
    let client = client(&fleet);
    let machine = fleet.boot(release, "db1.example.org", 20);
    machine.apt("install pg-role-db");
    machine.no_marks();
    machine.ok("runuser -u postgres -- psql -q -c \"create role app login password 'secret'\" -c 'create database app owner app'");
    let ask = |password: &str, tls: &str, text: &str| {
        client.run(&format!("PGPASSWORD={password} PGSSLMODE={tls} psql -X -h 192.0.2.20 -U app -d app -Atc '{text}'"))
    };
    assert_eq!(
        ask("secret", "require", "create table t (n int); insert into t values (41); select n + 1 from t").ok("SQL"),
        "CREATE TABLE\nINSERT 0 1\n42\n"
    );
    assert!(ask("wrong", "require", "select 1").all().contains("password authentication failed"));
    assert!(ask("secret", "disable", "select 1").all().contains("no encryption"), "only over TLS");
    assert_eq!(ask("secret", "require", "show max_connections").ok("SQL"), "100\n");
    machine.apt("install pg-host-db1.example.org");
    machine.no_marks();
    machine.wait_for("runuser -u postgres -- psql -qc 'select 1'", 20);
    assert_eq!(ask("secret", "require", "show max_connections").ok("SQL"), "200\n");
    assert_eq!(
        machine.ok("runuser -u postgres -- psql -Atc 'select count(*) from pg_hba_file_rules where error is not null'"),
        "0\n"
    );

    // The role goes: PostgreSQL is as Debian installs it, and the data is there.
    machine.ok("apt-mark manual postgresql");
    machine.apt("remove pg-host-db1.example.org pg-role-db");
    assert_ne!(ask("secret", "require", "select 1").status, 0, "it listens on the loopback interface alone again");
    assert_eq!(machine.ok("runuser -u postgres -- psql -d app -Atc 'select n from t'"), "41\n");
}

fn git_takes_a_push_and_gives_a_clone(release: Release) {
    let fleet = Fleet::example();
    on(&fleet, "git1.example.org", release);
    let client = client(&fleet);
    fleet.write("hosts/git1.example.org/pg-git.keys", &client.read("/root/key.pub"));
    let fleet = fleet.serve();
    let machine = fleet.boot(release, "git1.example.org", 30);
    machine.apt("install pg-host-git1.example.org");
    machine.no_marks();
    machine.ok("pg-git-create demo");
    client.ok(
        "git init -q -b main /root/demo && cd /root/demo && echo text >file && git add file && \
         git -c user.name=A -c user.email=a@example.org commit -q -m first && git push -q git@192.0.2.30:demo.git main",
    );
    client
        .ok("git clone -q git://192.0.2.30/demo.git /root/anonymous && git clone -q git@192.0.2.30:demo.git /root/own");
    assert_eq!(client.read("/root/anonymous/file") + &client.read("/root/own/file"), "text\ntext\n");
    let shell = client.run("ssh git@192.0.2.30 id");
    assert!(shell.status != 0 && !shell.stdout.contains("uid="), "git's shell runs git alone: {}", shell.all());
    assert_ne!(client.run("cd /root/demo && git push -q git://192.0.2.30/demo.git main:other").status, 0);

    // The role goes, what was pushed stays with its owner, who can no longer come in.
    machine.apt("remove pg-role-git");
    assert_eq!(machine.ok("stat -c %U /srv/git/demo.git"), "git\n");
    assert_ne!(client.run("git ls-remote git@192.0.2.30:demo.git").status, 0);
    assert_ne!(client.run("git ls-remote git://192.0.2.30/demo.git").status, 0);
}

fn mail_is_delivered_and_read(release: Release) {
    let fleet = Fleet::example();
    on(&fleet, "mail1.example.org", release);
    let fleet = fleet.serve();
    let client = client(&fleet);
    let machine = fleet.boot(release, "mail1.example.org", 40);
    machine.apt("install pg-host-mail1.example.org");
    machine.no_marks();
    machine.ok("useradd -m alice && printf 'alice:secret\\n' | chpasswd");
    let send = |to: &str, options: &str| {
        let mail = format!("From: bob@example.net\r\nTo: {to}\r\nSubject: a test\r\n\r\nText\r\n");
        let command = format!(
            "curl -sSk {options} smtp://192.0.2.40/client.example.org --mail-from bob@example.net --mail-rcpt {to} -T -"
        );
        client.run_with(&command, Some(mail.as_bytes()))
    };
    send("alice@example.org", "").ok("a mail");
    machine.wait_for("ls /home/alice/Maildir/new/*", 20);
    let read = client.ok("curl -sSk -u alice:secret 'imaps://192.0.2.40/INBOX;MAILINDEX=1'");
    assert!(read.contains("Subject: a test") && read.contains("Delivered-To: alice@example.org"), "{read}");
    send("postmaster@example.org", "--ssl-reqd").ok("a mail over TLS");
    machine.wait_for("ls /root/Maildir/new/*", 20);
    let unknown = send("nobody-here@example.org", "-v");
    assert!(unknown.status != 0 && unknown.all().contains("User unknown"), "{}", unknown.all());
    let clear = client.run("curl -sS -u alice:secret 'imap://192.0.2.40/INBOX'");
    assert_ne!(clear.status, 0, "no password in the clear");

    // The role goes: Postfix has the main.cf again that its installation made.
    machine.ok("apt-mark manual postfix");
    machine.apt("remove pg-host-mail1.example.org pg-role-mail");
    let original = machine.tree().read("/etc/postfix/main.cf");
    assert!(!original.contains("pg-mail") && original.contains("myhostname"), "{original}");
    machine.wait_for("postfix status", 10);
}

fn apt_repo_compiles_the_fleet_and_serves_it(release: Release) {
    let fleet = Fleet::example();
    on(&fleet, "apt.example.org", release);
    let mut fleet = fleet.serve();
    let machine = fleet.boot(release, "apt.example.org", 80);
    machine.apt("install pg-host-apt.example.org");
    machine.no_marks();
    fleet.edit("roles/base/sshd.conf", "X11Forwarding no\n", "X11Forwarding no\nMaxAuthTries 2\n");
    // debrole's program runs on the release that it was linked on. On another one, what is served is compiled outside.
    let own = std::fs::read_to_string("/etc/os-release").unwrap_or_default().contains(release.codename());
    if !own {
        fleet.publish();
    }
    let copied =
        Command::new("cp").arg("-a").arg(fleet.tree().join(".")).arg(machine.tree().path("/srv/fleet")).status();
    assert!(copied.is_ok_and(|status| status.success()));
    machine.ok("chown -R fleet:fleet /srv/fleet && chmod 0755 /srv/fleet");
    let next = machine.ok("systemctl list-timers --no-pager pg-fleet-build.timer");
    assert!(next.contains("pg-fleet-build.service"), "{next}");
    if own {
        machine.apt(&format!("install {}", packages::libraries(release)));
        machine.tree().copy_in(env!("CARGO_BIN_EXE_debrole"), "/usr/bin/debrole");
        // Nothing can be asked of Debian's archive from here.
        machine.tree().write(
            "/etc/systemd/system/pg-fleet-build.service.d/90-test.conf",
            "[Service]\nExecStart=\nExecStart=/usr/bin/debrole -C /srv/fleet build --no-gate\n",
        );
        machine.ok("chmod 0755 /usr/bin/debrole && systemctl daemon-reload");
        let build = machine.run("systemctl start pg-fleet-build.service");
        assert!(build.succeeded(), "{}", machine.ok("journalctl -u pg-fleet-build.service --no-pager"));
    }

    // Another machine of the fleet now lives from this one.
    let other = fleet.machine_tree(release, "machine.example.org");
    other.name("machine.example.org", &[("192.0.2.80", "apt.example.org")]);
    fleet.join(&other, &other);
    other.apt("install pg-role-base");
    assert!(
        other.read("/etc/ssh/sshd_config.d/50-pg-base.conf").contains("MaxAuthTries 2"),
        "what the timer's service compiled"
    );
    let client = client(&fleet);
    let headers = client.ok("curl -sSI http://192.0.2.80/dists/bookworm/InRelease; curl -sSI http://192.0.2.80/pg-archive-keyring-trixie.deb");
    assert!(headers.contains("max-age=60") && headers.matches("200 OK").count() == 2, "{headers}");
    let secret =
        client.ok("curl -s -o /dev/null -w '%{http_code}' http://192.0.2.80/../keys/private/pubring.kbx --path-as-is");
    assert!(secret.starts_with('4'), "{secret}");
}

fn backup_keeps_a_backup(release: Release) {
    let fleet = Fleet::published();
    let machine = fleet.boot(release, "backup1.example.org", 60);
    machine.apt("install pg-role-backup");
    machine.no_marks();
    assert_eq!(machine.ok("stat -c '%a %U' /srv/backup"), "700 pg-backup\n");
    // Without the private key that the tree says is this machine's, nobody's key can be read here; that is told.
    let restic = "setpriv --reuid=pg-backup --clear-groups env RESTIC_PASSWORD=secret restic -q --no-cache -r /srv/backup/web1.example.org/repo";
    machine.ok(&format!("echo precious >/srv/file; {restic} init && {restic} backup --tag web_www /srv/file"));
    machine.ok("pg-backup-server watch");
    let said = machine.run("/usr/lib/pg/check-backup web1.example.org web_www");
    assert!(
        said.status == 2 && said.stdout.starts_with("CRITICAL - this server can't decrypt the key"),
        "{}",
        said.all()
    );
    machine.ok(
        "systemctl start pg-backup-space.service && systemctl is-active pg-backup-space.timer pg-backup-watch.timer",
    );
    machine.apt("remove pg-role-backup");
    assert_eq!(
        machine.ok("stat -c %U /srv/backup/web1.example.org/repo"),
        "pg-backup\n",
        "backups outlive the role, and so does their owner"
    );
    assert_ne!(machine.run("systemctl is-active pg-backup-space.timer").status, 0);
}

fn hypervisor_has_its_bridge(release: Release) {
    let fleet = Fleet::example();
    on(&fleet, "kvm1.example.org", release);
    fleet.edit("hosts/kvm1.example.org.toml", "eno1", "host0");
    let fleet = fleet.serve();
    let client = client(&fleet);
    let machine = fleet.boot(release, "kvm1.example.org", 70);
    machine.apt("install pg-role-hypervisor");
    let status = machine.run("pg-runtime status").all();
    assert!(status.contains("apt-get install pg-host-kvm1.example.org"), "{status}");
    assert_ne!(machine.run("systemctl is-active systemd-networkd.service").status, 0, "its services wait");
    assert!(!machine.tree().exists("/etc/systemd/network/50-pg-uplink.network"));

    machine.apt("install pg-host-kvm1.example.org");
    machine.no_marks();
    machine.wait_for("ip -br address show br0 | grep -q 192.0.2.70", 30);
    assert!(machine.ok("ip -br link show master br0").contains("host0"));
    client.ok("for i in 1 2 3 4 5 6 7 8 9 10; do ssh-keyscan -t ed25519 192.0.2.70 2>/dev/null | grep -q ed25519 && exit 0; sleep 2; done; exit 1");
    machine.wait_for("virsh net-info lan | grep -q '^Active: *yes'", 30);
    assert!(machine.ok("virsh net-info lan").contains("br0"));
}
