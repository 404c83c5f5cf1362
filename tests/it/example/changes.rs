//! What a change of the tree does to machines: what is wrong never takes effect, what is unchanged is left alone, what
//! left the tree leaves the machines.

use super::fleet::{Fleet, Runs};
use crate::machine::{Machine, Need, Release, Services, skip};

#[test]
fn a_file_that_does_not_validate_never_takes_effect_on_bookworm() {
    a_file_that_does_not_validate_never_takes_effect(Release::Bookworm);
}

#[test]
fn a_file_that_does_not_validate_never_takes_effect_on_trixie() {
    a_file_that_does_not_validate_never_takes_effect(Release::Trixie);
}

fn a_file_that_does_not_validate_never_takes_effect(release: Release) {
    if skip("a failing validator", &[Need::Boot]) {
        return;
    }
    const FILE: &str = "roles/nginx.toml";
    let fleet = Fleet::example();
    fleet.edit(FILE, "charset utf-8;", "no_such_directive on;");
    let mut fleet = fleet.serve();
    let machine = fleet.boot(release, "machine.example.org", 10);
    let page = "perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(q(127.0.0.1:80)) or exit 1; print $s qq(GET / HTTP/1.0\\r\\nHost: a\\r\\n\\r\\n); print <$s>'";

    // Role and nginx in one run of apt, which is content.
    machine.apt("install pg-role-nginx");
    machine.ok("systemctl is-active nginx.service");
    assert!(machine.ok(page).contains("Welcome to nginx!"), "nginx as Debian installs it");
    assert!(machine.tree().exists("/etc/nginx/sites-enabled/default"), "the transaction is one");
    assert!(!machine.tree().exists("/etc/nginx/conf.d/pg-nginx.conf"));
    let status = machine.run("pg-runtime status");
    assert!(status.status == 1 || status.stdout.contains("mark"), "{}", status.all());
    assert!(status.stdout.contains("pg-role-nginx: validate:"), "{}", status.stdout);
    assert!(machine.tree().read("/var/lib/pg/marks/pg-role-nginx").contains("no_such_directive"), "what nginx said");
    assert_eq!(machine.ok("dpkg --audit"), "");

    // Mended: it applies, and the mark goes.
    fleet.edit(FILE, "no_such_directive on;", "charset utf-8;");
    fleet.publish();
    machine.apt("update");
    machine.apt("upgrade");
    machine.no_marks();
    machine.ok("systemctl is-active nginx.service");
    assert!(machine.ok("nginx -T 2>/dev/null").contains("charset utf-8;"));
    assert!(!machine.tree().exists("/etc/nginx/sites-enabled/default"));

    // The same on an upgrade: nginx stays on what it had.
    let before = machine.ok("systemctl show -p MainPID nginx.service");
    fleet.edit(FILE, "charset utf-8;", "charset utf-8");
    fleet.publish();
    machine.apt("update");
    machine.apt("upgrade");
    assert!(machine.tree().read("/etc/nginx/conf.d/pg-nginx.conf").contains("charset utf-8;"));
    assert!(machine.tree().exists("/var/lib/pg/marks/pg-role-nginx"));
    machine.ok("nginx -q -t && systemctl is-active nginx.service");
    assert_eq!(machine.ok("systemctl show -p MainPID nginx.service"), before);
    fleet.edit(FILE, "charset utf-8", "charset koi8-r;");
    fleet.publish();
    machine.apt("update");
    machine.apt("upgrade");
    machine.no_marks();
    assert!(machine.ok("nginx -T 2>/dev/null").contains("charset koi8-r;"));
}

/// How often systemd said that about a unit since the machine was booted.
fn count(machine: &Machine, unit: &str, what: &str) -> usize {
    let log = machine.ok(&format!("journalctl --sync; journalctl -b --no-pager -o cat _PID=1 UNIT={unit}"));
    log.lines().filter(|line| line.starts_with(what)).count()
}

#[test]
fn one_changed_role_touches_one_package_and_one_service_once() {
    if skip("a change of one role", &[Need::Boot]) {
        return;
    }
    for release in Release::ALL {
        let mut fleet = Fleet::published();
        let machine = fleet.boot(release, "machine.example.org", 10);
        machine.apt("install pg-role-web pg-role-git");
        machine.no_marks();
        let (before, versions) = (fleet.pool(), versions(&machine));
        let units = ["nginx.service", "varnish.service", "ssh.service", "pg-git-daemon.service"];
        let state = || {
            units.map(|unit| {
                [count(&machine, unit, "Reloaded"), count(&machine, unit, "Started"), count(&machine, unit, "Stopped")]
            })
        };
        let first = state();

        fleet.edit("roles/web/nginx.conf", "expires 5m;", "expires 10m;");
        fleet.publish();
        let new: Vec<String> =
            fleet.pool().into_iter().filter(|(name, _)| !before.contains_key(name)).map(|(name, _)| name).collect();
        // The role's package, and those of the hosts that carry their own rendering of that file.
        assert!(new.iter().all(|name| name.starts_with("pg-role-web_") || name.starts_with("pg-host-web")), "{new:?}");
        assert!(
            before.iter().all(|(name, hash)| fleet.pool().get(name) == Some(hash)),
            "what was published stays, byte for byte"
        );
        machine.apt("update");
        machine.apt("upgrade");
        let changed: Vec<String> = versions_that_differ(&versions, &self::versions(&machine));
        assert_eq!(changed, ["pg-role-web"]);
        let mut expected = first;
        expected[0][0] += 1;
        assert_eq!(
            state(),
            expected,
            "nginx was reloaded once; nothing else happened to {units:?} (reloaded, started, stopped)"
        );

        // One more for the unit that is ours: restarted once, nothing else.
        fleet.edit(
            "roles/git/pg-git-daemon.service",
            "--informative-errors",
            "--informative-errors --max-connections=64",
        );
        fleet.publish();
        machine.apt("update");
        machine.apt("upgrade");
        machine.no_marks();
        expected[3][1] += 1;
        expected[3][2] += 1;
        assert_eq!(state(), expected, "the daemon was restarted once");
        assert!(machine.ok("systemctl show -p ExecStart pg-git-daemon.service").contains("--max-connections=64"));

        // And nothing at all.
        let said = fleet.publish();
        let (pool, versions) = (fleet.pool(), self::versions(&machine));
        assert!(said.to_lowercase().contains("nothing"), "{said}");
        machine.apt("update");
        machine.apt("upgrade");
        assert_eq!((fleet.pool(), self::versions(&machine), state()), (pool, versions, expected));
    }
}

fn versions(machine: &impl Runs) -> Vec<(String, String)> {
    let listed = machine.run("dpkg-query -W -f '${Package} ${Version}\\n'").ok("dpkg-query");
    listed
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, version)| (name.into(), version.into()))
        .collect()
}

fn versions_that_differ(before: &[(String, String)], after: &[(String, String)]) -> Vec<String> {
    after.iter().filter(|pair| !before.contains(pair)).map(|(name, _)| name.clone()).collect()
}

/// A role with nothing but a file and a unit, so that only what is tested happens.
fn small_role(summary: &str, content: &str) -> String {
    format!("summary = \"{summary}\"\n{content}")
}

const FILE: &str = "[[file]]\npath = \"/etc/moving\"\ncontent = \"moved\\n\"\n";
const UNIT: &str = "[[unit]]\nname = \"moving.service\"\nenable = true\ncontent = \"\"\"\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n\"\"\"\n";
const STAYS: &str = "[[file]]\npath = \"/etc/NAME/stays\"\ncontent = \"NAME\\n\"\n";

#[test]
fn a_file_moved_between_roles_upgrades_in_either_order() {
    if skip("a moved file", &[Need::Trees]) {
        return;
    }
    for release in Release::ALL {
        for order in [["left", "right"], ["right", "left"]] {
            let fleet = Fleet::example();
            let stays = |name: &str| STAYS.replace("NAME", name);
            fleet.write("roles/left.toml", &small_role("Left", &format!("{}{FILE}{UNIT}", stays("left"))));
            fleet.write("roles/right.toml", &small_role("Right", &stays("right")));
            let mut fleet = fleet.serve();
            let machine = fleet.machine_tree(release, "machine.example.org");
            machine.services(Services::Denied);
            fleet.join(&machine, &machine);
            machine.apt("install pg-role-left pg-role-right");
            machine.no_marks();
            assert_eq!(machine.read("/etc/moving"), "moved\n");

            fleet.write("roles/left.toml", &small_role("Left", &stays("left")));
            fleet.write("roles/right.toml", &small_role("Right", &format!("{}{FILE}{UNIT}", stays("right"))));
            fleet.publish();
            machine.apt("update");
            for role in order {
                machine.apt(&format!("install --only-upgrade pg-role-{role}"));
            }
            machine.no_marks();
            assert_eq!(machine.read("/etc/moving"), "moved\n", "{order:?}");
            assert!(machine.run("pg-runtime owner /etc/moving").stdout.contains("pg-role-right"));
            let unit = machine.ok(
                "dpkg -S /usr/lib/systemd/system/moving.service /lib/systemd/system/moving.service 2>/dev/null || true",
            );
            assert!(unit.starts_with("pg-role-right:"), "{unit}");
            assert!(machine.exists("/etc/systemd/system/multi-user.target.wants/moving.service"));

            // Its new owner goes: it goes. The other role's own file stays.
            machine.apt("purge pg-role-right");
            assert!(
                !machine.exists("/etc/moving") && !machine.exists("/etc/right") && machine.exists("/etc/left/stays")
            );
            assert!(!machine.exists("/etc/systemd/system/multi-user.target.wants/moving.service"));
        }
    }
}

#[test]
fn what_leaves_the_tree_leaves_the_machines() {
    if skip("a role that goes", &[Need::Trees]) {
        return;
    }
    for release in Release::ALL {
        let fleet = Fleet::example();
        let stays = STAYS.replace("NAME", "left");
        fleet.write("roles/left.toml", &small_role("Left", &format!("{stays}{FILE}{UNIT}")));
        let mut fleet = fleet.serve();
        let machine = fleet.machine_tree(release, "machine.example.org");
        machine.services(Services::Denied);
        fleet.join(&machine, &machine);
        machine.write("/etc/moving", "there before\n");
        machine.apt("install pg-role-left");
        machine.no_marks();
        assert_eq!(machine.read("/etc/moving"), "moved\n");
        assert!(machine.exists("/etc/systemd/system/multi-user.target.wants/moving.service"));
        let first = machine.version("pg-role-left").expect("installed");

        // A file and a unit leave the role: they leave the machine, and what was there before comes back.
        fleet.write("roles/left.toml", &small_role("Left", &stays));
        fleet.publish();
        machine.apt("update");
        machine.apt("upgrade");
        machine.no_marks();
        assert_eq!(machine.read("/etc/moving"), "there before\n");
        assert!(!machine.exists("/etc/systemd/system/multi-user.target.wants/moving.service"));
        assert_eq!(machine.run("ls /lib/systemd/system/moving.service").status, 2);
        let second = machine.version("pg-role-left").expect("installed");

        // The role leaves the tree: its package becomes an empty one.
        fleet.remove("roles/left.toml");
        fleet.publish();
        machine.apt("update");
        machine.apt("upgrade");
        machine.no_marks();
        assert!(!machine.exists("/etc/left"), "the file and its directory");
        let third = machine.version("pg-role-left").expect("installed");
        let files = machine.ok("dpkg -L pg-role-left");
        assert!(
            files.lines().all(|line| line == "/."
                || line.starts_with("/usr/share/doc")
                || ["/usr", "/usr/share"].contains(&line)),
            "{files}"
        );
        assert_eq!(machine.ok("dpkg-query -W -f '${Depends}' pg-role-left"), "");

        // And back again: higher still.
        fleet.write("roles/left.toml", &small_role("Left", &stays));
        fleet.publish();
        machine.apt("update");
        machine.apt("upgrade");
        let fourth = machine.version("pg-role-left").expect("installed");
        assert_eq!(machine.read("/etc/left/stays"), "left\n");
        for pair in [&first, &second, &third, &fourth].windows(2) {
            machine.ok(&format!("dpkg --compare-versions {} lt {}", pair[0], pair[1]));
        }
    }
}
