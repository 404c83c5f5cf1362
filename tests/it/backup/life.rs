//! Machines of the example fleet and their backup server, booted: what is backed up comes back, and nobody but the server
//! takes anything away.

use crate::example::fleet::{Fleet, Runs};
use crate::machine::{Lab, Machine, Need, Release, Tree, skip};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

const WEB: &str = "web1.example.org";
const DB: &str = "db1.example.org";
const SERVER: &str = "backup1.example.org";
const NAMES: [(&str, &str); 4] =
    [("192.0.2.1", "apt.example.org"), ("192.0.2.10", WEB), ("192.0.2.20", DB), ("192.0.2.60", SERVER)];

/// A pair of keys in a directory of its own; its public half.
fn new_key(directory: &Path, name: &str) -> String {
    let file = directory.join(name);
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(&file).status();
    assert!(made.is_ok_and(|status| status.success()), "ssh-keygen");
    std::fs::read_to_string(directory.join(format!("{name}.pub"))).expect("a public key").trim().to_owned()
}

struct Site {
    fleet: Fleet,
    keys: tempfile::TempDir,
}

impl Site {
    /// The example fleet with host keys whose private halves we have, and an administrator's key of ours; published.
    fn new(edit: impl FnOnce(&Fleet)) -> Site {
        let keys = tempfile::tempdir().expect("a temporary directory");
        let fleet = Fleet::example().without_people();
        fleet.readers(&format!("recipients = [\"{}\"]", new_key(keys.path(), "admin")));
        for name in [WEB, DB, SERVER] {
            let key = new_key(keys.path(), name);
            let file = format!("hosts/{name}.toml");
            let text = std::fs::read_to_string(fleet.tree().join(&file)).expect("a host");
            let lines = text.lines().map(|line| match line.starts_with("ssh_host_key = ") {
                true => format!("ssh_host_key = \"{key}\"\n"),
                false => format!("{line}\n"),
            });
            fleet.write(&file, &lines.collect::<String>());
        }
        edit(&fleet);
        Site { fleet: fleet.serve(), keys }
    }

    fn private(&self, name: &str) -> String {
        std::fs::read_to_string(self.keys.path().join(name)).expect("a key")
    }

    /// A booted machine with its host key and its own package.
    fn boot(&self, release: Release, name: &str, number: u8) -> Machine {
        let lab: &Arc<Lab> = &self.fleet.lab;
        let tree = Tree::furnished(release).with_debian().join(lab);
        tree.name(name, &NAMES);
        self.host_key(&tree, name);
        let machine = Machine::boot(lab, tree, number);
        self.fleet.join(&machine, machine.tree());
        machine.apt(&format!("install pg-host-{name}"));
        machine.no_marks();
        // The test says when.
        machine.run("systemctl stop pg-backup-watch.timer");
        machine
    }

    fn host_key(&self, tree: &Tree, name: &str) {
        tree.write("/etc/ssh/ssh_host_ed25519_key", self.private(name));
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(tree.path("/etc/ssh/ssh_host_ed25519_key"), mode).expect("it is there");
        // The other half of the one that it came with.
        std::fs::remove_file(tree.path("/etc/ssh/ssh_host_ed25519_key.pub")).expect("it is there");
    }
}

/// What monitoring hears of a job.
#[track_caller]
fn told(server: &Machine, client: &str, job: &str, status: i32, text: &str) {
    let outcome = server.run(&format!("setpriv --reuid=nobody --clear-groups /usr/lib/pg/check-backup {client} {job}"));
    assert!(
        outcome.status == status && outcome.stdout.contains(text),
        "not {status} {text}: {}: {}",
        outcome.status,
        outcome.all()
    );
}

fn backed_up(client: &Machine, job: &str) {
    let outcome = client.run(&format!("systemctl start pg-backup@{job}.service"));
    assert!(outcome.succeeded(), "{}\n{}", outcome.all(), client.run("journalctl -u 'pg-backup@*' --no-pager").all());
}

/// A machine at 192.0.2.1 that has a machine's host key, and a way to say to the server what restic would not.
fn thief(site: &Site, name: &str) -> Tree {
    let thief = Tree::client().join(&site.fleet.lab);
    thief.write("/root/key", site.private(name));
    thief.write(
        "/root/.ssh/config",
        "Host *\nIdentityFile /root/key\nStrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nBatchMode yes\nLogLevel ERROR\n\
         User pg-backup\nHostname 192.0.2.60\n",
    );
    thief.write(
        "/root/bridge",
        "use Socket; socket S, PF_INET, SOCK_STREAM, 0; setsockopt S, SOL_SOCKET, SO_REUSEADDR, 1;\n\
         bind S, sockaddr_in(8000, INADDR_LOOPBACK) or die; listen S, 5;\n\
         while (accept C, S) { next if fork; open STDIN, '<&', C; open STDOUT, '>&', C; exec 'ssh', 'server', 'restic x' }\n",
    );
    thief.ok("chmod 0600 /root/key");
    thief
}

/// What people put beside the pages of the package.
const TEAM: &str = "cd /srv/www && mkdir team && echo precious >team/file && ln -s file team/link && \
                    chown -R www-data team && head -c 300000 /dev/urandom >team/data";

/// web1 on bookworm and its server on trixie, with 64 MiB for backups, which has looked once.
fn web_and_its_server() -> (Site, Machine, Machine) {
    let site = Site::new(|_| {});
    let (server, web) = std::thread::scope(|scope| {
        let server = scope.spawn(|| site.boot(Release::Trixie, SERVER, 60));
        let web = site.boot(Release::Bookworm, WEB, 10);
        (server.join().expect("the server boots"), web)
    });
    assert_eq!(server.ok("stat -c '%a %U' /srv/backup; getent shadow pg-backup | cut -d: -f2"), "700 pg-backup\n!*\n");
    server.ok("mount -t tmpfs -o size=64m,mode=0700,uid=$(id -u pg-backup),gid=$(id -g pg-backup) tmpfs /srv/backup");
    server.ok("pg-backup-server watch");
    assert_eq!(server.ok("getent shadow pg-backup | cut -d: -f2"), "*\n", "not locked: it has no password");
    (site, server, web)
}

/// From an administrator's machine.
fn by_people(site: &Site, server: &Machine) {
    let home = site.keys.path().join("home/.ssh");
    std::fs::create_dir_all(&home).expect("writable");
    std::fs::copy(site.keys.path().join("admin"), home.join("id_ed25519")).expect("a key");
    let known = std::fs::read_to_string(site.keys.path().join(format!("{SERVER}.pub"))).expect("a key");
    std::fs::write(home.join("known_hosts"), format!("192.0.2.60 {known}")).expect("writable");
    let public = std::fs::read_to_string(site.keys.path().join("admin.pub")).expect("a key");
    server.tree().write("/root/.ssh/authorized_keys", public);
    server.ok("chown -R root: /root/.ssh; chmod -R go= /root/.ssh");
    let to = site.keys.path().join("restored");
    let debrole = |arguments: &str| {
        let (program, tree) = (env!("CARGO_BIN_EXE_debrole"), site.fleet.tree().display());
        site.fleet.lab.run_at_home(&site.keys.path().join("home"), &format!("{program} -C {tree} backup {arguments}"))
    };
    let reached = "--server backup1.example.org --ssh root@192.0.2.60";
    let listed = debrole(&format!("list {reached}")).ok("backup list");
    for part in ["web1.example.org\n  web_www\n    ", "db1.example.org\n  db_cluster: never backed up\n"] {
        assert!(listed.contains(part), "{listed}");
    }
    let listed = debrole(&format!("list --format json {reached}")).ok("backup list as JSON");
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    let job = |host: &str, name: &str| {
        let jobs = listed["jobs"].as_array().expect("jobs");
        jobs.iter().find(|job| job["host"] == host && job["job"] == name).expect("the job").clone()
    };
    let www = job(WEB, "web_www");
    assert_eq!(
        (&www["server"], &www["state"], &www["kept_until"]),
        (&SERVER.into(), &"ok".into(), &().into()),
        "{www}"
    );
    let snapshots = www["snapshots"].as_array().expect("snapshots");
    assert!(snapshots.len() == 1 && www["size"].as_u64() > Some(300_000), "{www}");
    assert_eq!((&snapshots[0]["arrived"], &snapshots[0]["size"]), (&www["last_arrival"], &www["size"]));
    let there = server.ok("ls /srv/backup/web1.example.org/repo/snapshots");
    assert!(there.contains(snapshots[0]["id"].as_str().expect("an id")), "{www} is not {there}");
    let never = job(DB, "db_cluster");
    assert_eq!((&never["state"], &never["message"]), (&"critical".into(), &"never backed up".into()), "{never}");
    assert_eq!((&never["last_arrival"], &never["snapshots"]), (&().into(), &serde_json::json!([])));
    assert!(
        listed["machines"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one["host"] == WEB && one["refused"] == 0))
    );
    let path = to.display();
    debrole(&format!("restore web1.example.org web_www --to {path} --path /srv/www {reached}")).ok("backup restore");
    let file = std::fs::read_dir(&to).expect("restored").flatten().next().expect("something");
    let found = Command::new("find")
        .arg(file.path())
        .args(["-name", "file", "-exec", "cat", "{}", "+"])
        .output()
        .expect("find");
    assert_eq!(String::from_utf8_lossy(&found.stdout), "precious\n");
    for (arguments, why) in [
        (format!("restore web1.example.org web_www --to {path} {reached}"), "is not empty"),
        (
            format!("restore web1.example.org web_www --to {path}/2 --path /srv/nothing {reached}"),
            "/srv/nothing is not in this backup",
        ),
        (format!("restore web1.example.org 'web;id' --to {path}/2 {reached}"), "is no job's name"),
        (format!("restore web1.example.org web_none --to {path}/2 {reached}"), "there is no such backup"),
        (
            format!("restore web9.example.org web_www --to {path}/2 {reached}"),
            "there are no backups of web9.example.org",
        ),
        ("list --server backup2.example.org".to_owned(), "did you mean backup1.example.org?"),
        ("list '-oProxyCommand=id'".to_owned(), "unexpected argument"),
    ] {
        let outcome = debrole(&arguments);
        assert!(!outcome.succeeded() && outcome.all().contains(why), "{arguments}: {}", outcome.all());
    }
}

#[test]
fn a_machine_adds_backups_and_takes_none_away() {
    if skip("backups of a web server", &[Need::Boot, Need::Program("ssh-keygen"), Need::Program("age")]) {
        return;
    }
    let (site, server, web) = web_and_its_server();
    told(&server, WEB, "web_www", 2, "CRITICAL - never backed up");
    assert!(web.ok("systemctl list-timers --no-pager").contains("pg-backup-web_www.timer"));
    assert_eq!(web.ok("pg-backup jobs"), "web_www\n");

    // Run, restored, compared.
    web.ok(TEAM);
    backed_up(&web, "web_www");
    web.ok("pg-backup restore web_www --to /root/back && diff -r --no-dereference /srv/www /root/back/srv/www");
    assert_eq!(
        web.ok("stat -c %U /root/back/srv/www/team/file; stat -c '%a %U' /var/lib/pg-backup/password"),
        "www-data\n600 root\n"
    );
    let again = web
        .ok("pg-backup restore web_www --to /root/part --path /srv/www/team/file && cd /root/part && find . -type f");
    assert_eq!(again.lines().last(), Some("./srv/www/team/file"));
    server.ok("pg-backup-server watch");
    told(&server, WEB, "web_www", 0, "OK - 1 backups, the newest 0 minutes old, ");
    assert!(
        server.ok("cat /var/lib/pg-backup-server/restored/web1.example.org").starts_with("web_www "),
        "a sample was restored"
    );
    assert_eq!(
        server.ok("pg-backup-server restore web1.example.org web_www --path /srv/www/team/file | tar -xO"),
        "precious\n"
    );
    let listed = server.ok("pg-backup-server restore web1.example.org web_www --path /srv/www | tar -tv");
    assert!(listed.contains("team/link -> file"), "{listed}");
    by_people(&site, &server);
    // The key is theirs, too.
    let key = server.tree().beside().join("key.age");
    let encoded = server.ok("base64 -w0 /srv/backup/web1.example.org/key.age");
    let decoded = Command::new("sh")
        .arg("-c")
        .arg(format!(
            "echo {encoded} | base64 -d >{0} && age -d -i {1} {0}",
            key.display(),
            site.keys.path().join("admin").display()
        ))
        .output()
        .expect("age");
    let password = String::from_utf8(decoded.stdout).expect("text").trim().to_owned();
    assert_eq!(password, web.ok("cat /var/lib/pg-backup/password"));
    let restic = format!(
        "RESTIC_PASSWORD={password} setpriv --reuid=pg-backup --clear-groups restic -q --no-cache -r /srv/backup/web1.example.org/repo"
    );
    assert!(server.ok(&format!("{restic} snapshots")).contains("web_www"));

    // Whoever takes the machine over, or its host key.
    let before = server.ok("cd /srv/backup/web1.example.org && find . -type f ! -path './repo/locks/*' ! -name lock ! -name 'refused*' -exec sha256sum {} + | sort -k2");
    let id = server.ok("ls /srv/backup/web1.example.org/repo/snapshots").trim().to_owned();
    let pack = server
        .ok("ls /srv/backup/web1.example.org/repo/data/* | grep -E '^[0-9a-f]{64}' | head -n 1")
        .trim()
        .to_owned();
    let thief = thief(&site, WEB);
    let curl = |arguments: &str| {
        format!("curl -s --path-as-is --http2-prior-knowledge -o /dev/null -w '%{{http_code}} ' {arguments}")
    };
    let at = "http://127.0.0.1:8000";
    let tries = [
        curl(&format!("-X DELETE {at}/snapshots/{id}")),
        curl(&format!("-X DELETE {at}/data/{pack}")),
        curl(&format!("-X DELETE {at}/config")),
        curl(&format!("-X DELETE {at}/locks/../snapshots/{id}")),
        curl(&format!("-X DELETE {at}/locks/..%2fsnapshots%2f{id}")),
        curl(&format!("-X DELETE '{at}/snapshots/{id}?x=:%20DELETE%20/locks/00'")),
        curl(&format!("-X POST --data-binary forged {at}/snapshots/{id}")),
        curl(&format!("-X POST --data-binary forged {at}/config")),
        curl(&format!("-X DELETE {at}/")),
    ];
    let said = thief.ok(&format!("perl /root/bridge & sleep 1; {}", tries.join("; ")));
    assert!(said.split_whitespace().all(|code| code.starts_with('4') || code.starts_with('3')), "{said}");
    for command in
        ["sh -i", "rm -rf /srv/backup", "", "rclone purge x", "key 00000000000000000000000000000000", "restic-read"]
    {
        assert!(!thief.run(&format!("echo x | ssh server {command}")).succeeded(), "{command}");
    }
    assert!(
        !thief.run("ssh -N -o ExitOnForwardFailure=yes -R 9000:127.0.0.1:80 server & sleep 2; kill -0 $!").succeeded(),
        "no forwarding"
    );
    // Nobody else's backups are to be had, and none by who is not in the tree.
    thief.ok("ssh-keygen -q -t ed25519 -N '' -f /root/other");
    assert!(thief.run("ssh -o IdentitiesOnly=yes -i /root/other -F none -o BatchMode=yes -o StrictHostKeyChecking=no pg-backup@192.0.2.60 state").all().contains("Permission denied"));
    // restic itself, as root of the machine.
    let ssh = "ssh -F none -T -i /etc/ssh/ssh_host_ed25519_key -o BatchMode=yes -o StrictHostKeyChecking=no pg-backup@192.0.2.60";
    let forget = format!(
        "timeout 4 restic --password-file /var/lib/pg-backup/password -o 'rclone.program={ssh}' -o rclone.args=restic -r rclone:x forget --prune {id}"
    );
    assert!(!web.run(&forget).succeeded());
    let after = server.ok("cd /srv/backup/web1.example.org && find . -type f ! -path './repo/locks/*' ! -name lock ! -name 'refused*' -exec sha256sum {} + | sort -k2");
    assert_eq!(before, after, "everything is as it was");
    server.ok("pg-backup-server watch");
    told(&server, WEB, "web_www", 2, "CRITICAL - web1.example.org tried ");
    let refused = server.ok("cut -d' ' -f2- /srv/backup/web1.example.org/refused");
    for attempt in [
        format!("removal of /snapshots/{id}"),
        format!("removal of /data/{}/{pack}", &pack[..2]),
        "removal of /config".into(),
        "overwrite of ".into(),
        "the command sh -i".into(),
        "the command rm -rf /srv/backup".into(),
        "another key".into(),
    ] {
        assert!(refused.contains(&attempt), "{attempt} is not among\n{refused}");
    }
    backed_up(&web, "web_www");
    server.ok("pg-backup-server watch");
    told(&server, WEB, "web_www", 2, "tried ");
    server.ok("pg-backup-server clear web1.example.org");
    told(&server, WEB, "web_www", 0, "OK - 2 backups");
    // It may add keys, of no use: what is there is read all the same.
    server.ok("cd /srv/backup/web1.example.org/repo/keys; real=$(ls); for i in $(seq 60); do \
               sed \"s/\\\"data\\\":\\\"......../\\\"data\\\":\\\"$(printf %08d $i)/\" $real >/root/k; cmp -s $real /root/k && exit 1; \
               install -o pg-backup -m 600 /root/k $(sha256sum /root/k | cut -c1-64); done");
    server.ok("pg-backup-server sample web1.example.org");
}

#[test]
fn a_server_keeps_what_it_has() {
    if skip("what a backup server keeps", &[Need::Boot, Need::Program("ssh-keygen")]) {
        return;
    }
    let (mut site, server, web) = web_and_its_server();
    web.ok(TEAM);
    backed_up(&web, "web_www");
    let password = web.ok("cat /var/lib/pg-backup/password").trim().to_owned();
    let restic = format!(
        "RESTIC_PASSWORD={password} setpriv --reuid=pg-backup --clear-groups restic -q --no-cache -r /srv/backup/web1.example.org/repo"
    );
    server.ok("pg-backup-server watch");

    // A full disk loses nothing.
    web.ok("head -c 90000000 /dev/urandom >/srv/www/large");
    assert!(!web.run("timeout 25 pg-backup run web_www").succeeded());
    server.ok("cd /srv/backup/web1.example.org/repo/index && echo part >$(echo x | sha256sum | cut -c1-64)");
    assert!(!server.run("head -c 100000000 /dev/zero >/srv/backup/fill").succeeded());
    // restic may end before it has passed on what the server said.
    let why = "the disk of the backup server is full: 100 % of it are used";
    let mut said = String::new();
    for _ in 0..5 {
        said = web.run("pg-backup run web_www").all();
        if said.contains(why) {
            break;
        }
    }
    assert!(said.contains(why), "{said}");
    web.ok("pg-backup restore web_www --to /root/full --path /srv/www/team && diff -r --no-dereference /srv/www/team /root/full/srv/www/team");
    server.ok("pg-backup-server watch");
    told(&server, WEB, "web_www", 0, "OK - 1 backups");
    server.ok("rm /srv/backup/fill");
    server.ok("mount -o remount,size=400m /srv/backup");
    backed_up(&web, "web_www");
    web.ok("rm /srv/www/large");
    server.ok(&format!("pg-backup-server watch; {restic} check --no-lock --read-data"));
    told(&server, WEB, "web_www", 0, "OK - 2 backups");

    // Thinned out by when they came.
    for _ in 0..3 {
        web.ok("date >/srv/www/date; pg-backup run web_www");
    }
    server.ok("pg-backup-server watch");
    told(&server, WEB, "web_www", 1, "WARNING - the newest backup has ");
    server.ok("rm -r /var/lib/pg-backup-server/seen && cd /srv/backup/web1.example.org/repo/snapshots && set -- $(ls -tr) && now=$(date +%s) && \
               touch -d @$((now - 400 * 86400)) $1 && touch -d '20 days ago 10:00' $2 && touch -d '20 days ago 11:00' $3 && echo $3 $4 $5 >/root/kept");
    server.ok("pg-backup-server watch; ls /srv/backup/web1.example.org/repo/snapshots | sort >/root/there; tr ' ' '\\n' </root/kept | sort | diff - /root/there");
    server.ok(&format!("{restic} check --no-lock --read-data"));
    told(&server, WEB, "web_www", 0, "OK - 3 backups");

    // What goes otherwise is told, and what is damaged.
    server.ok("cd /srv/backup/web1.example.org/repo/snapshots && rm $(ls -tr | head -n 1) && pg-backup-server watch");
    told(&server, WEB, "web_www", 2, "is gone, and it was not removed by this server");
    server.ok("pg-backup-server clear web1.example.org; cd /srv/backup/web1.example.org/repo && mv data data.away && mkdir data && chmod 755 data && ! pg-backup-server sample web1.example.org && pg-backup-server watch");
    told(&server, WEB, "web_www", 2, "the restore of a sample failed: ");
    server.ok("cd /srv/backup/web1.example.org/repo && rmdir data && mv data.away data && pg-backup-server sample web1.example.org && pg-backup-server watch");
    told(&server, WEB, "web_www", 0, "OK - 2 backups");

    // A machine that is installed anew begins anew, when somebody says so.
    web.ok("rm -r /var/lib/pg-backup");
    let outcome = web.run("pg-backup run web_www");
    assert!(
        !outcome.succeeded()
            && outcome.all().contains("On backup1.example.org: pg-backup-server renew web1.example.org"),
        "{}",
        outcome.all()
    );
    server.ok("pg-backup-server renew web1.example.org");
    web.ok("pg-backup run web_www");
    server.ok("pg-backup-server watch");
    told(&server, WEB, "web_www", 0, "OK - 1 backups");
    assert!(server.ok("pg-backup-server list").contains("web1.example.org.before-"));

    // Who leaves the tree is let in no more; what is there stays.
    site.fleet.remove("hosts/web1.example.org.toml");
    let published = site.fleet.publish();
    let refreshed = server.ok("pg-runtime refresh && pg-backup-server watch");
    assert!(!server.ok("cat /usr/share/pg/backup-server/expected").contains(WEB), "{published}\n{refreshed}");
    told(&server, WEB, "web_www", 3, "UNKNOWN - no backup of web1.example.org is expected");
    assert!(!web.run("pg-backup run web_www").succeeded());
    let listed = server.ok("pg-backup-server list web1.example.org");
    assert!(listed.contains("web1.example.org (left the fleet; kept until 202"), "{listed}");
    let records = server.ok("pg-backup-server list --records web1.example.org");
    let words: Vec<Vec<&str>> = records.lines().map(|line| line.split(' ').collect()).collect();
    let is_time = |word: Option<&&str>| word.is_some_and(|word| word.parse::<u64>().is_ok());
    assert!(
        words.iter().any(|line| line.starts_with(&["host", WEB]) && is_time(line.get(2)))
            && words.iter().any(|line| line.starts_with(&["job", WEB, "web_www", "left"]) && is_time(line.get(4))),
        "{records}"
    );
    assert_eq!(
        server.ok("pg-backup-server restore web1.example.org web_www --path /srv/www/team/file | tar -xO"),
        "precious\n"
    );
    // And goes on that day.
    server.ok("sed -i 's/^\\(host web1.example.org\\) .*/\\1 1000000000/' /var/lib/pg-backup-server/left && pg-backup-server watch && test ! -e /srv/backup/web1.example.org");
}

/// What a host says of its role's job holds there, and no longer than it says so.
#[test]
fn a_machine_has_a_roles_job_in_its_own_way() {
    if skip("a machine's own way of a backup job", &[Need::Boot, Need::Program("ssh-keygen")]) {
        return;
    }
    let (mut site, server, web) = web_and_its_server();
    let host = format!("hosts/{WEB}.toml");
    let usual = std::fs::read_to_string(site.fleet.tree().join(&host)).expect("a host");
    let mut becomes = |text: &str| {
        site.fleet.write(&host, text);
        site.fleet.publish();
        for machine in [&web, &server] {
            machine.ok("pg-runtime refresh");
            machine.no_marks();
        }
    };
    let timer = || {
        let asked = "systemctl is-enabled pg-backup-web_www.timer; systemctl is-active pg-backup-web_www.timer; \
                     systemctl show -p TimersCalendar pg-backup-web_www.timer | grep -o 'OnCalendar=[^;]*'";
        web.ok(asked)
    };
    let daily = "enabled\nactive\nOnCalendar=*-*-* 00:00:00 \n";
    assert_eq!(timer(), daily);

    becomes(&format!(
        "{usual}\n[backup_job.\"web/www\"]\nschedule = \"Mon 04:30\"\nexclude = [\"/srv/www/team\"]\nat_least = \"1G\"\n"
    ));
    assert_eq!(timer(), "enabled\nactive\nOnCalendar=Mon *-*-* 04:30:00 \n");
    web.ok(TEAM);
    backed_up(&web, "web_www");
    web.ok("pg-backup restore web_www --to /root/own && test -e /root/own/srv/www/index.html && test ! -e /root/own/srv/www/team");
    server.ok("pg-backup-server watch");
    told(&server, WEB, "web_www", 1, ", less than 1.0 GiB|");
    told(&server, WEB, "web_www", 1, ";705600;1814400;0 size=");

    becomes(&usual);
    assert_eq!(timer(), daily);
    web.ok("test ! -e /etc/systemd/system/pg-backup-web_www.timer");
    backed_up(&web, "web_www");
    web.ok("pg-backup restore web_www --to /root/usual && diff -r --no-dereference /srv/www /root/usual/srv/www");
    server.ok("pg-backup-server watch");
    told(&server, WEB, "web_www", 0, "OK - 2 backups");
}

#[test]
fn a_dump_of_a_database_is_restored_into_another() {
    if skip("backups of a database", &[Need::Boot, Need::Program("ssh-keygen")]) {
        return;
    }
    let site = Site::new(|_| {});
    let server = site.boot(Release::Trixie, SERVER, 60);
    let db = site.boot(Release::Trixie, DB, 20);
    let sql = |text: &str| format!("runuser -u postgres -- psql -X -q -At -v ON_ERROR_STOP=1 {text}");
    db.ok(&sql("-c \"create role app login password 'secret'\" -c 'create database app owner app'"));
    db.ok(&sql("-d app -c \"create table t as select n, md5(n::text) as text from generate_series(1, 5000) n\""));
    backed_up(&db, "db_cluster");
    server.ok("pg-backup-server watch");
    told(&server, DB, "db_cluster", 0, "OK - 1 backups");

    // A dump that fails is no backup, and what was written before stays.
    db.ok("mv /usr/bin/pg_dumpall /usr/bin/pg_dumpall.away");
    assert!(!db.run("pg-backup run db_cluster").succeeded());
    db.ok("mv /usr/bin/pg_dumpall.away /usr/bin/pg_dumpall; test -s /var/lib/pg-backup/db_cluster/all.sql");
    assert_eq!(server.ok("ls /srv/backup/db1.example.org/repo/snapshots | wc -l"), "1\n");

    // Everything is lost, and comes back: from the server, to a cluster that was made anew.
    let sum = sql("-d app -c 'select count(*), md5(string_agg(text, $$$$ order by n)) from t'").replace("$$$$", "''");
    let sum = sum.replace("''", "chr(44)");
    let before = db.ok(&sum);
    db.ok("v=$(ls /usr/lib/postgresql); pg_dropcluster --stop $v main && pg_createcluster --start $v main >/dev/null; rm -r /var/lib/pg-backup/db_cluster");
    assert!(!db.run(&sum).succeeded(), "it is gone");
    db.ok("pg-backup restore db_cluster --to /root/back");
    db.ok("cp /root/back/var/lib/pg-backup/db_cluster/all.sql /tmp/all.sql; chmod 0644 /tmp/all.sql");
    db.wait_for("runuser -u postgres -- psql -qc 'select 1'", 30);
    db.ok(&sql("-v ON_ERROR_STOP=0 -f /tmp/all.sql >/dev/null 2>&1"));
    assert_eq!(db.ok(&sum), before);
    assert!(before.starts_with("5000|"), "{before}");
}
