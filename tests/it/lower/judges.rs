//! Judges that we did not write: dash, shellcheck, lintian, apt.

use super::scripts::all_scripts;
use super::*;
use crate::machine::{Need, skip};
use debrole::deb::{Package, Stamp};
use debrole::names::PackageName;
use debrole::plan::PackageKind;
use std::process::Command;

/// The .deb of some content.
pub fn write(name: &str, content: &DebContent, version: &str) -> Vec<u8> {
    let name = PackageName::parse(name).unwrap();
    let package = Package { name: &name, maintainer: "Example Sysadmins <sysadmins@example.org>", content };
    let hash = package.content_hash().unwrap();
    let changelog = format!(
        "{name} ({version}) bookworm; urgency=medium\n\n  * Test.\n\n -- Example Sysadmins <sysadmins@example.org>  Sun, 22 Nov 2026 12:00:00 +0000\n"
    );
    let copyright =
        "Copyright: 2026 Example Project\n\nThis is configuration of Example Project; it may be used freely.\n";
    let stamp =
        Stamp { version, content_hash: &hash, moved_from: &[], changelog: &changelog, copyright, time: 1_795_348_800 };
    package.write(&stamp).unwrap().bytes
}

/// A .deb with these files.
pub fn deb(name: &str, version: &str, files: &[(&str, &str)]) -> Vec<u8> {
    let mut content = super::super::build::content("a test");
    for (path, text) in files {
        content = super::super::build::with_file(content, path, text);
    }
    write(name, &content, version)
}

#[test]
fn dash_and_shellcheck_accept_every_script() {
    if skip("scripts under dash and shellcheck", &[Need::Program("dash"), Need::Program("shellcheck")]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut checked = 0;
    for (what, scripts) in all_scripts() {
        for (member, script) in scripts.iter().filter(|(member, _)| member.mode() == 0o755) {
            let path = directory.path().join(format!("{}-{}", what.replace(' ', "-"), member.file_name()));
            std::fs::write(&path, script).unwrap();
            for command in [vec!["dash", "-n"], vec!["shellcheck", "-s", "sh"]] {
                let output = Command::new(command[0]).args(&command[1..]).arg(&path).output().unwrap();
                let said = String::from_utf8_lossy(&output.stdout);
                assert!(output.status.success(), "{what} {}: {said}\n{script}", member.file_name());
            }
            checked += 1;
        }
    }
    assert!(checked >= 18, "only {checked} scripts");
}

#[test]
fn lintian_finds_nothing() {
    if skip("packages under lintian", &[Need::Program("lintian")]) {
        return;
    }
    let host = "roles = [\"web\"]\nrelease = \"bookworm\"\naddresses = [\"192.0.2.1\"]\n[[cron]]\nname = \"x\"\nschedule = \"@daily\"\ncommand = \"true\"\n";
    let lowered =
        lower(&[("roles/web.toml", EVERYTHING), ("roles/base.toml", BASE), ("hosts/web1.example.org.toml", host)])
            .right();
    let directory = tempfile::tempdir().unwrap();
    let mut debs = Vec::new();
    let mut put = |name: &str, content: &DebContent| {
        let path = directory.path().join(format!("{name}_20261122.1_all.deb"));
        std::fs::write(&path, write(name, content, "20261122.1")).unwrap();
        debs.push(path);
    };
    for plan in &lowered.plans {
        put(plan.name.as_str(), &plan.variants[0].deb);
    }
    let old = PackageName::parse("pg-role-old").unwrap();
    put(old.as_str(), &debrole::lower::tombstone(&lowered.model, &old, PackageKind::Role));
    let output = Command::new("lintian")
        .args(["--no-cfg", "--allow-root", "--fail-on", "error,warning", "--tag-display-limit", "0"])
        // The content hash is a field of our own (deb-control(5) has room for such).
        .args(["--suppress-tags", "unknown-field"])
        .args(&debs)
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

/// apt's own choice between an archive of Debian and ours, with the preferences of the keyring package.
#[test]
fn apt_takes_from_our_archive_only_what_is_ours() {
    if skip("apt's preferences", &[Need::Program("apt-cache")]) {
        return;
    }
    // An origin that apt would read as a pattern must match itself alone.
    for origin in ["Example Project", "Example [1] *"] {
        let tree = DEBROLE.replace("origin = \"Example Project\"", &format!("origin = \"{origin}\""));
        let fleet = tempfile::tempdir().unwrap();
        std::fs::write(fleet.path().join("debrole.toml"), tree + "[pin]\nallow = [\"forked\"]\n").unwrap();
        std::fs::create_dir(fleet.path().join("packages")).unwrap();
        // Debian has packages of these names, too, but for the first.
        for name in ["site-tool", "taken", "forked"] {
            std::fs::write(fleet.path().join(format!("packages/{name}_9_all.deb")), deb(name, "9", &[])).unwrap();
        }
        let lowered = lower_directory(fleet.path()).right();
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let lists = root.join("lists");
        for path in ["lists/partial", "cache/archives/partial", "preferences.d", "sources.list.d"] {
            std::fs::create_dir_all(root.join(path)).unwrap();
        }
        std::fs::write(root.join("status"), "").unwrap();
        let preferences = text(lowered.deb("pg-archive-keyring", "bookworm"), "/usr/share/pg/pg.pref");
        // As in the package: apt reads it through a symlink.
        std::fs::write(root.join("pg.pref.target"), preferences).unwrap();
        std::os::unix::fs::symlink(root.join("pg.pref.target"), root.join("preferences.d/pg.pref")).unwrap();
        std::fs::write(
            root.join("sources.list.d/all.sources"),
            "Types: deb\nURIs: http://ours http://debian http://like\nSuites: bookworm\nComponents: main\nArchitectures: amd64\n",
        )
        .unwrap();
        let stanza = |name: &str, version: &str| {
            format!(
                "Package: {name}\nVersion: {version}\nArchitecture: all\nFilename: pool/{name}.deb\nSize: 1\nSHA256: {:064}\nDescription: d\n\n",
                0
            )
        };
        let archives = [
            (
                "ours",
                origin,
                [
                    ("pg-role-base", "1"),
                    ("nginx", "99"),
                    ("new-here", "1"),
                    ("site-tool", "9"),
                    ("taken", "9"),
                    ("forked", "9"),
                ]
                .as_slice(),
            ),
            (
                "debian",
                "Debian",
                [("nginx", "1.22"), ("pg-role-base", "0.5"), ("taken", "2"), ("forked", "2")].as_slice(),
            ),
            ("like", "Example 1 x", [("nginx", "1.23")].as_slice()),
        ];
        for (host, origin, packages) in archives {
            let release = format!(
                "Origin: {origin}\nLabel: {origin}\nSuite: bookworm\nCodename: bookworm\nArchitectures: amd64\nComponents: main\nDate: Sun, 22 Nov 2026 12:00:00 UTC\n"
            );
            std::fs::write(lists.join(format!("{host}_dists_bookworm_Release")), release).unwrap();
            let text: String = packages.iter().map(|(name, version)| stanza(name, version)).collect();
            std::fs::write(lists.join(format!("{host}_dists_bookworm_main_binary-amd64_Packages")), text).unwrap();
        }
        let root = root.display();
        let output = Command::new("apt-cache")
            .args(["policy", "pg-role-base", "nginx", "new-here", "site-tool", "taken", "forked"])
            .args([
                "-q=0",
                "-o",
                "Dir::Etc::sourcelist=/dev/null",
                "-o",
                "APT::Architecture=amd64",
                "-o",
                "APT::Architectures=amd64",
            ])
            .args(["-o", &format!("Dir::Etc::sourceparts={root}/sources.list.d")])
            .args([
                "-o",
                "Dir::Etc::preferences=/dev/null",
                "-o",
                &format!("Dir::Etc::preferencesparts={root}/preferences.d"),
            ])
            .args(["-o", &format!("Dir::State={root}"), "-o", &format!("Dir::State::status={root}/status")])
            .args(["-o", &format!("Dir::Cache={root}/cache")])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let candidates: Vec<_> = said.lines().filter_map(|line| line.trim().strip_prefix("Candidate: ")).collect();
        assert_eq!(candidates, ["1", "1.23", "1", "9", "2", "9"], "{said}{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("99 1\n") && said.contains("  1 500\n"), "{said}");
    }
}
