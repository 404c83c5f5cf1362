//! What happens to machines over the years.

use super::fleet::{Fleet, Runs};
use crate::machine::{Machine, Need, Release, Services, packages, skip};
use std::collections::BTreeSet;
use std::process::Command;

/// A role whose file differs from machine to machine.
const BOUND: &str = "summary = \"Bound\"\n[[file]]\npath = \"/etc/bound\"\ncontent = \"{{ host.fqdn }} {{ host.colour }}\\n\"\ntemplate = true\n";

#[test]
fn a_renamed_machine_becomes_another_one() {
    if skip("a renamed machine", &[Need::Trees]) {
        return;
    }
    for release in Release::ALL {
        let fleet = Fleet::example().without_people();
        fleet.write("roles/bound.toml", BOUND);
        for (name, colour) in [("one", "red"), ("two", "blue")] {
            fleet.write(
                &format!("hosts/{name}.example.org.toml"),
                &format!(
                    "roles = [\"bound\"]\nrelease = \"{}\"\n[values]\ncolour = \"{colour}\"\n",
                    release.codename()
                ),
            );
        }
        let fleet = fleet.serve();
        let machine = fleet.machine_tree(release, "one.example.org");
        machine.services(Services::Denied);
        fleet.join(&machine, &machine);
        // The role alone: nothing of it is guessed, and it says what to install.
        machine.apt("install pg-role-bound");
        assert!(!machine.exists("/etc/bound"));
        let wanted = "mark (since ";
        let status = machine.run("pg-runtime status").stdout;
        assert!(status.contains(wanted) && status.contains("apt-get install pg-host-one.example.org"), "{status}");
        machine.apt("install pg-host-one.example.org");
        machine.no_marks();
        assert_eq!(machine.read("/etc/bound"), "one.example.org red\n");
        // Another machine's package takes the place of this one's: apt asks, and nothing of it is applied.
        let other = machine.run("apt-get -y -q=0 install pg-host-two.example.org");
        assert!(other.succeeded(), "{}", other.all());
        assert!(machine.version("pg-host-one.example.org").is_none(), "a machine has one of them");
        assert!(!machine.exists("/etc/bound"));
        assert!(
            machine
                .run("pg-runtime status")
                .stdout
                .contains("the package is for two.example.org: nothing of it is applied")
        );
        machine.apt("install pg-host-one.example.org");
        machine.no_marks();
        assert_eq!(machine.read("/etc/bound"), "one.example.org red\n");

        // Renamed: it stays as it was, and says so, until it gets the package of its new name.
        machine.name("two.example.org", &[("192.0.2.1", "apt.example.org")]);
        assert_eq!(machine.run("pg-runtime apply").status, 1);
        assert_eq!(machine.read("/etc/bound"), "one.example.org red\n");
        machine.apt("install pg-host-two.example.org");
        machine.no_marks();
        assert_eq!(machine.read("/etc/bound"), "two.example.org blue\n");
        machine.run("pg-runtime verify").ok("verify");
        machine.apt("purge 'pg-*'");
        assert!(!machine.exists("/etc/bound") && !machine.exists("/var/lib/pg"));
    }
}

#[test]
fn a_machine_that_slept_through_ten_versions_wakes_up_and_leaves() {
    if skip("a machine that slept", &[Need::Trees]) {
        return;
    }
    for release in Release::ALL {
        let mut fleet = Fleet::example();
        let file = |n: u32| format!("[[file]]\npath = \"/etc/roles/{n}\"\ncontent = \"{n}\\n\"\n");
        fleet.write("roles/moving.toml", &format!("summary = \"Moves\"\n{}", file(0)));
        fleet.write(
            "roles/short.toml",
            "summary = \"Not for long\"\n[[file]]\npath = \"/etc/short\"\ncontent = \"s\\n\"\n",
        );
        fleet = fleet.serve();
        let machine = fleet.machine_tree(release, "machine.example.org");
        machine.services(Services::Denied);
        machine.write("/etc/short", "before\n");
        let before = machine.ok(LIST);
        fleet.join(&machine, &machine);
        machine.apt("install pg-role-moving pg-role-short");
        let slept = machine.version("pg-role-moving").expect("installed");

        // Ten versions: files come and go, a role goes and another one takes its file over, the repository moves on.
        for n in 1..=10 {
            fleet.write("roles/moving.toml", &format!("summary = \"Moves\"\n{}{}", file(n), file(n + 100)));
            if n == 3 {
                fleet.remove("roles/short.toml");
            }
            if n == 5 {
                fleet.write(
                    "roles/heir.toml",
                    "summary = \"Heir\"\n[[file]]\npath = \"/etc/short\"\ncontent = \"h\\n\"\n",
                );
            }
            if n == 6 {
                fleet.write("roles/moving.toml", &format!("summary = \"Moves\"\nincludes = [\"heir\"]\n{}", file(6)));
            }
            if n > 6 {
                fleet.write(
                    "roles/moving.toml",
                    &format!("summary = \"Moves\"\nincludes = [\"heir\"]\n{}{}", file(n), file(n + 100)),
                );
            }
            fleet.publish();
        }
        machine.ok("pg-runtime refresh");
        machine.no_marks();
        assert_ne!(machine.version("pg-role-moving").expect("installed"), slept);
        assert_eq!(machine.ok("cat /etc/roles/*; cat /etc/short"), "10\n110\nh\n");
        assert!(machine.ok("dpkg -L pg-role-short").lines().all(|l| !l.starts_with("/usr/share/pg")), "a tombstone");
        machine.run("pg-runtime verify").ok("verify");
        let said = machine.ok("pg-runtime refresh");
        assert_eq!(said, "pg-runtime: nothing to do\n");

        // And out, everything of ours at once, as the README says.
        machine.apt("purge 'pg-*'");
        machine.apt("autoremove --purge");
        assert_eq!(machine.read("/etc/short"), "before\n");
        assert_eq!(machine.ok(LIST), before, "nothing is left");
        machine.apt("update");
    }
}

/// What is on a machine, but for what dpkg and apt remember.
const LIST: &str = "find / -xdev \\( -path /proc -o -path /run -o -path /var/log -o -path /var/lib/dpkg -o -path /var/lib/apt \
                    -o -path /var/cache -o -path /mnt -o -path /tmp -o -path /var/tmp -o -path /dev -o -path /sys \\) -prune -o \
                    -print | sort; ls /var/cache";

/// As README tells it: the tree first, then the machine's sources, then apt.
#[test]
fn a_machine_with_roles_goes_from_bookworm_to_trixie() {
    if skip("a release upgrade", &[Need::Boot]) {
        return;
    }
    const NAME: &str = "both.example.org";
    // (Its backups would be asked for at once, and there is no server for them here.)
    let fleet = Fleet::example().without(&["backup"]);
    let host = |release: &str| {
        format!(
            "roles = [\"web\", \"db\"]\nrelease = \"{release}\"\n[values]\nserver_names = [\"{NAME}\"]\nmax_connections = 50\n"
        )
    };
    fleet.write(&format!("hosts/{NAME}.toml"), &host("bookworm"));
    let mut fleet = fleet.serve();
    let roles = packages::role_packages(fleet.tree(), Release::Bookworm);
    let packages: BTreeSet<&str> = [&roles["web"], &roles["db"]].into_iter().flatten().map(String::as_str).collect();
    let tree = fleet.machine_tree(Release::Bookworm, NAME);
    let tree = tree.with_next_release(&packages.into_iter().collect::<Vec<_>>());
    let mut machine = Machine::boot(&fleet.lab, tree, 10);
    fleet.join(&machine, machine.tree());
    machine.apt(&format!("install pg-host-{NAME}"));
    machine.no_marks();
    let psql = |port: u32, text: &str| format!("runuser -u postgres -- psql -p {port} -Atqc \"{text}\"");
    let page = |machine: &Machine| {
        let get = "perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(q(127.0.0.1:80)) or exit 1; \
                   print $s qq(GET / HTTP/1.0\\r\\nHost: a\\r\\n\\r\\n); print <$s>'";
        machine.wait_for(&format!("{get} | grep -q 'The Example Project' && {get}"), 30)
    };
    machine.ok(&psql(5432, "create table t as select 41 as n"));
    assert!(page(&machine).contains("(Varnish/"));

    // The tree says trixie. The machine is not there yet, and keeps what it has.
    fleet.write(&format!("hosts/{NAME}.toml"), &host("trixie"));
    fleet.publish();
    let before = machine.version(&format!("pg-host-{NAME}"));
    machine.ok("pg-runtime refresh");
    machine.no_marks();
    assert_eq!(machine.version(&format!("pg-host-{NAME}")), before);
    assert_eq!(machine.ok(&psql(5432, "show max_connections")), "50\n");

    // The sources, in the way that everybody does it: ours is a symlink, and a file afterwards.
    machine.ok("sed -i 's/bookworm/trixie/' /etc/apt/sources.list.d/*.sources");
    machine.ok("sed -i 's|/mnt/debian|/mnt/debian-trixie|' /etc/apt/sources.list.d/debian.sources");
    let refused = machine.run("pg-runtime refresh");
    assert_eq!(refused.status, 75, "{}", refused.all());
    assert!(refused.all().contains("this machine runs bookworm, but /etc/apt/sources.list.d/pg.sources is for trixie"));
    machine.apt("update");
    let upgraded = machine.run("apt-get -y full-upgrade");
    assert!(upgraded.succeeded(), "{}", upgraded.all());
    let removed = machine.run("apt-get -y autoremove --purge");
    assert!(removed.succeeded(), "{}", removed.all());

    assert!(machine.ok("cat /etc/debian_version").starts_with("13"));
    assert_eq!(machine.ok("dpkg --audit"), "");
    assert_ne!(machine.version(&format!("pg-host-{NAME}")), before);
    for package in ["pg-archive-keyring", "pg-role-db"] {
        let version = machine.version(package).unwrap_or_else(|| panic!("{package} is gone: {}", upgraded.all()));
        assert!(version.ends_with("+deb13"), "{package} {version}");
    }
    assert_eq!(machine.ok("readlink /etc/apt/sources.list.d/pg.sources"), "/usr/share/pg/pg.sources\n");
    assert!(machine.ok("cat /etc/apt/sources.list.d/pg.sources").contains("Suites: trixie\n"));
    assert_eq!(machine.ok("pg-runtime refresh"), "pg-runtime: nothing to do\n");

    // PostgreSQL leaves its clusters to the administrator. The role is about the new one, and says that it waits for
    // it; the old one goes on as it was.
    let marks = machine.run("pg-runtime status").stdout;
    assert!(marks.contains("/etc/postgresql/17/main/postgresql.conf\": No such file or directory"), "{marks}");
    assert_eq!(marks.matches("mark (since").count(), 1, "{marks}");
    assert_eq!(machine.ok(&psql(5432, "select n from t; show max_connections")), "41\n50\n");
    machine.ok("pg_upgradecluster 15 main && pg_dropcluster 15 main && pg-runtime apply");
    machine.no_marks();
    machine.run("pg-runtime verify").ok("verify after the upgrade");

    machine.reboot();
    assert_eq!(machine.ok("systemctl --failed --no-legend"), "");
    machine.no_marks();
    assert!(page(&machine).contains("(Varnish/7.7)"));
    machine.wait_for(&psql(5432, "select 1"), 30);
    assert_eq!(machine.ok(&psql(5432, "select n from t; show max_connections")), "41\n50\n");
    assert!(machine.ok(&psql(5432, "show server_version")).starts_with("17"));
    machine.run("pg-runtime verify").ok("verify after the boot");
    assert_eq!(machine.ok("systemctl is-active pg-refresh.timer"), "active\n");
}

/// The machine that builds is gone; what is left is the tree (a clone), the key (a backup), and what is served somewhere.
#[test]
fn a_lost_repository_goes_on_from_the_tree_the_key_and_the_public_copy() {
    if skip("a lost repository", &[Need::Trees]) {
        return;
    }
    let fleet = Fleet::example();
    fleet.edit("debrole.toml", "http://apt.example.org", "http://192.0.2.1");
    let role = |text: &str| format!("summary = \"Small\"\n[[file]]\npath = \"/etc/small\"\ncontent = \"{text}\\n\"\n");
    fleet.write("roles/small.toml", &role("1"));
    fleet.write("roles/gone.toml", "summary = \"Gone\"\n[[file]]\npath = \"/etc/gone\"\ncontent = \"g\\n\"\n");
    let mut fleet = fleet.serve();
    let machine = fleet.machine_tree(Release::Trixie, "machine.example.org");
    machine.services(Services::Denied);
    fleet.join(&machine, &machine);
    machine.apt("install pg-role-small pg-role-gone");
    fleet.write("roles/small.toml", &role("2"));
    fleet.publish();
    machine.ok("pg-runtime refresh");
    let second = machine.version("pg-role-small").expect("installed");

    // The public copy is served from elsewhere; the clone has no repo-out.
    fleet.lab.stop_all();
    let place = tempfile::tempdir().expect("a temporary directory");
    let (copy, clone) = (place.path().join("copy"), place.path().join("clone"));
    let sh = |text: &str| {
        let done = Command::new("sh").args(["-c", text]).output().expect("sh runs");
        assert!(done.status.success(), "{text}: {}", String::from_utf8_lossy(&done.stderr));
    };
    sh(&format!(
        "cp -a '{tree}/repo-out' '{copy}' && mkdir -m 700 '{clone}' && cd '{tree}' && \
         cp -a debrole.toml ledger.toml roles hosts groups users keys '{clone}' && rm -rf repo-out",
        tree = fleet.tree().display(),
        copy = copy.display(),
        clone = clone.display()
    ));
    let debrole = env!("CARGO_BIN_EXE_debrole");
    let build = |more: &str| fleet.lab.run(&format!("{debrole} -C '{}' build --no-gate {more}", clone.display()));
    // Without it nothing is guessed: versions that machines have already would be given out again.
    let blind = build("");
    assert!(blind.status != 0 && blind.all().contains("192.0.2.1"), "{}", blind.all());
    assert!(!clone.join("repo-out/dists").exists());
    let serve = |out: &std::path::Path| {
        let (tree, out) = (clone.to_str().expect("plain"), out.to_str().expect("plain"));
        fleet.lab.start(Command::new(debrole).args(["-C", tree, "--out", out, "serve", "--listen", "0.0.0.0:80"]));
    };
    serve(&copy);
    let again = (0..50).map(|_| build("")).find(|outcome| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        outcome.succeeded()
    });
    let again = again.expect("it builds once the copy is served");
    let same = |a: &std::path::Path, b: &std::path::Path| {
        sh(&format!("diff -r '{}/pool' '{}/pool'", a.display(), b.display()));
    };
    same(&copy, &clone.join("repo-out"));
    assert!(again.all().contains("generation"), "{}", again.all());

    // Life goes on from the rebuilt one: higher versions, tombstones of what had left, no complaint of apt's.
    std::fs::write(clone.join("roles/small.toml"), role("3")).expect("writable");
    std::fs::remove_file(clone.join("roles/gone.toml")).expect("there");
    build("").ok("a build");
    fleet.lab.stop_all();
    serve(&clone.join("repo-out"));
    machine.ok("pg-runtime refresh");
    machine.apt("update");
    assert_eq!(machine.read("/etc/small"), "3\n");
    assert!(!machine.exists("/etc/gone"), "its tombstone came");
    let third = machine.version("pg-role-small").expect("installed");
    machine.ok(&format!("dpkg --compare-versions {third} gt {second}"));
    assert_eq!(machine.ok("pg-runtime refresh"), "pg-runtime: nothing to do\n");
    machine.no_marks();
}
