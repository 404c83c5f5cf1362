//! The packages under real dpkg, on real Debian.

use super::judges::{deb, write};
use super::*;
use crate::build::content;
use crate::machine::{Need, Release, Tree, skip};
use debrole::names::PackageName;
use debrole::plan::{ControlMember, PackageKind};

fn put(tree: &Tree, name: &str, content: &DebContent, version: &str) {
    tree.write(format!("/root/{name}_{version}.deb"), write(name, content, version));
}

/// A package that asks debconf a question and writes down the answer.
fn asker() -> Vec<u8> {
    let mut content = content("asks a question");
    let scripts = [
        (ControlMember::Templates, "Template: asker/q\nType: string\nDefault: stock\nDescription: Which?\n"),
        (
            ControlMember::Config,
            "#!/bin/sh\nset -e\n. /usr/share/debconf/confmodule\ndb_input high asker/q || true\ndb_go || true\n",
        ),
        (
            ControlMember::Postinst,
            "#!/bin/sh\nset -e\n. /usr/share/debconf/confmodule\ndb_get asker/q\necho \"$RET\" >/etc/asker\n",
        ),
    ];
    content.scripts = scripts.map(|(member, text)| (member, text.to_owned())).into();
    write("asker", &content, "1")
}

#[test]
fn an_answer_is_there_when_the_package_asks() {
    if skip("debconf answers under dpkg", &[Need::Trees]) {
        return;
    }
    let role = "summary = \"Asks\"\ndepends = [\"asker\"]\n[[debconf]]\npackage = \"asker\"\nquestion = \"asker/q\"\nvalue = \"it's $ours\"\n";
    let lowered = lower(&[("roles/a.toml", role)]).right();
    for release in Release::ALL {
        let tree = Tree::new(release);
        tree.write("/root/asker.deb", asker());
        for name in ["pg-runtime", "pg-role-a"] {
            put(&tree, name, lowered.deb(name, release.codename()), "20261122.1");
        }
        tree.ok("dpkg -i /root/*.deb </dev/null");
        assert_eq!(tree.read("/etc/asker"), "it's $ours\n", "{release:?}");
    }
}

/// Everything that dpkg does to a role: what it manages is there while it is, and gone afterwards.
#[test]
fn a_role_comes_goes_and_ends_in_a_tombstone() {
    if skip("roles under dpkg", &[Need::Trees]) {
        return;
    }
    let role = |text: &str| {
        format!(
            "summary = \"A\"\nteardown = \"touch /root/torn-down\"\n[[file]]\npath = \"/etc/a.conf\"\ncontent = \"{text}\\n\"\n[environment]\nA = \"1\"\n"
        )
    };
    let one = lower(&[("roles/a.toml", &role("one"))]).right();
    let two = lower(&[("roles/a.toml", &role("two"))]).right();
    let old = PackageName::parse("pg-role-a").unwrap();
    let tombstone = debrole::lower::tombstone(&one.model, &old, PackageKind::Role);
    for release in Release::ALL {
        let tree = Tree::new(release);
        tree.write("/etc/a.conf", "before\n");
        put(&tree, "pg-runtime", one.deb("pg-runtime", release.codename()), "20261122.1");
        put(&tree, "pg-role-a", one.deb("pg-role-a", release.codename()), "20261122.1");
        put(&tree, "pg-role-a", two.deb("pg-role-a", release.codename()), "20261122.2");
        put(&tree, "pg-role-a", &tombstone, "20261122.3");
        let dpkg = |what: &str| tree.ok(&format!("cd /root && dpkg {what} </dev/null"));
        let there = |what: &str, text: &str| {
            assert_eq!(tree.read("/etc/a.conf"), format!("{text}\n"), "{release:?}: {what}");
            let ours = text != "before";
            assert_eq!(tree.exists("/etc/profile.d/pg-role-a.sh"), ours, "{release:?}: {what}");
        };
        let torn_down = |what: &str| {
            assert_eq!(tree.run("rm /root/torn-down").status, 0, "{release:?}: {what}: teardown did not run");
        };
        dpkg("-i pg-runtime_20261122.1.deb pg-role-a_20261122.1.deb");
        there("installed", "one");
        dpkg("-i pg-role-a_20261122.2.deb");
        there("upgraded", "two");
        assert!(!tree.exists("/root/torn-down"), "an upgrade tears nothing down");
        dpkg("-r pg-role-a");
        there("removed", "before");
        torn_down("removed");
        dpkg("-i pg-role-a_20261122.1.deb");
        there("back again", "one");
        dpkg("-P pg-role-a");
        there("purged", "before");
        torn_down("purged");
        dpkg("-i pg-role-a_20261122.2.deb");
        dpkg("-i pg-role-a_20261122.3.deb");
        there("a tombstone", "before");
        torn_down("a tombstone");
        dpkg("-P pg-role-a");
        there("a purged tombstone", "before");
        // An unpack that fails after the tombstone's preinst: the old version goes on as it was.
        dpkg("-i pg-role-a_20261122.2.deb");
        tree.write("/root/blocker.deb", deb("blocker", "1", &[("/usr/share/doc/pg-role-a/copyright", "taken\n")]));
        tree.ok("dpkg --force-overwrite -i /root/blocker.deb");
        let failed = tree.run("dpkg -i /root/pg-role-a_20261122.3.deb </dev/null");
        assert!(failed.status != 0 && failed.all().contains("trying to overwrite"), "{}", failed.all());
        there("a tombstone that failed to unpack", "two");
        dpkg("-P pg-role-a pg-runtime");
        there("all purged", "before");
        assert!(!tree.exists("/var/lib/pg") && !tree.exists("/usr/share/pg"), "{release:?}");
    }
}

#[test]
fn the_keyring_asks_nothing_and_leaves_nothing() {
    if skip("the keyring under dpkg", &[Need::Trees]) {
        return;
    }
    let lowered = lower(&[("roles/a.toml", "summary = \"A\"\n")]).right();
    let moved = DEBROLE.replace("apt.example.org", "packages.example.org");
    let moved = lower(&[("debrole.toml", &moved), ("roles/a.toml", "summary = \"A\"\n")]).right();
    for release in Release::ALL {
        let tree = Tree::new(release);
        let before = tree.ok("find / -xdev -path /proc -prune -o -path /root -prune -o -path /var/lib/dpkg -prune -o -path /var/log -prune -o -print | sort");
        put(&tree, "pg-archive-keyring", lowered.deb("pg-archive-keyring", release.codename()), "20261122.1");
        put(&tree, "pg-archive-keyring", moved.deb("pg-archive-keyring", release.codename()), "20261122.2");
        tree.ok("dpkg -i /root/pg-archive-keyring_20261122.1.deb </dev/null");
        let source = "/etc/apt/sources.list.d/pg.sources";
        // Read there: the link is an absolute one.
        let sources = || tree.ok(&format!("cat {source}"));
        assert!(sources().contains("URIs: http://apt.example.org\n"), "{release:?}");
        let asked = tree.ok("apt-get update --print-uris");
        let wanted = format!("'http://apt.example.org/dists/{}/InRelease'", release.codename());
        assert!(asked.contains(&wanted), "{release:?}: {asked}");
        // An edit, and a link that is gone: the next version replaces both without a question.
        tree.ok(&format!("rm {source} && echo mine >{source}"));
        tree.ok("dpkg -i /root/pg-archive-keyring_20261122.2.deb </dev/null");
        assert!(sources().contains("URIs: http://packages.example.org\n"), "{release:?}");
        tree.ok("dpkg -P pg-archive-keyring");
        let after = tree.ok("find / -xdev -path /proc -prune -o -path /root -prune -o -path /var/lib/dpkg -prune -o -path /var/log -prune -o -print | sort");
        assert_eq!(before, after, "{release:?}");
    }
}

/// A machine's own word on a unit is the last, and while its package is there only.
#[test]
fn a_host_may_want_a_unit_that_its_role_masks() {
    if skip("units under dpkg", &[Need::Trees]) {
        return;
    }
    let unit = "[[service]]\nunit = \"apt-daily.timer\"\n";
    for release in Release::ALL {
        let codename = release.codename();
        let lowered = lower(&[
            ("roles/a.toml", &format!("summary = \"A\"\n{unit}mask = true\n")),
            ("hosts/h.example.org.toml", &format!("roles = [\"a\"]\nrelease = \"{codename}\"\n{unit}enable = true\n")),
        ])
        .right();
        let tree = Tree::new(release);
        tree.name("h.example.org", &[("192.0.2.1", "h.example.org")]);
        for name in ["pg-runtime", "pg-role-a", "pg-host-h.example.org"] {
            put(&tree, name, lowered.deb(name, codename), "20261122.1");
        }
        let link = || tree.run("readlink /etc/systemd/system/apt-daily.timer").stdout;
        tree.ok("cd /root && dpkg -i pg-runtime_*.deb pg-role-a_*.deb </dev/null");
        assert_eq!(link(), "/dev/null\n", "{release:?}: the role masks it");
        tree.ok("cd /root && dpkg -i pg-host-*.deb </dev/null");
        assert_eq!(link(), "", "{release:?}: the host wants it");
        tree.ok("dpkg -r pg-host-h.example.org");
        assert_eq!(link(), "/dev/null\n", "{release:?}: the role alone masks it again");
        tree.ok("dpkg -P pg-role-a pg-runtime");
        assert_eq!(link(), "", "{release:?}: as it was");
    }
}
