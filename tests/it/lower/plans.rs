//! What packages hold.

use super::*;
use debrole::plan::{ControlMember, PackageKind};
use debrole::relation::RelationField;

#[test]
fn a_role_with_every_table() {
    let lowered = lower(&[("roles/web.toml", EVERYTHING), ("roles/base.toml", BASE)]).right();
    insta::assert_snapshot!("role_with_every_table", show(lowered.plan("pg-role-web")));
    // Every payload file is there with the recorded hash; every record of the manifest is read back.
    let manifest = lowered.manifest("pg-role-web");
    assert_eq!(manifest.files.len(), 12);
    for (path, record) in &manifest.files {
        let bytes = lowered.payload("pg-role-web", path.as_str());
        assert_eq!(record.sha256, debrole::deb::sha256(bytes.as_bytes()), "{path}");
    }
}

#[test]
fn a_role_with_nothing_of_its_own() {
    let lowered = lower(&[("roles/base.toml", BASE)]).right();
    insta::assert_snapshot!("empty_role", show(lowered.plan("pg-role-base")));
}

#[test]
fn releases_that_differ_are_variants_and_others_are_not() {
    let role = r#"
summary = "Database"
depends = ["postgresql"]
[[file]]
path = "/etc/db.conf"
content = "on {{ release.codename }} {{ release.version }}\n"
template = true
[release.trixie]
depends = ["postgresql-17"]
"#;
    let same = "summary = \"Same\"\nreleases = [\"trixie\"]\n[[file]]\npath = \"/etc/x\"\ncontent = \"x\"\n";
    let lowered = lower(&[("roles/db.toml", role), ("roles/base.toml", BASE), ("roles/new.toml", same)]).right();
    let variants = &lowered.plan("pg-role-db").variants;
    assert_eq!(variants.len(), 2);
    assert_eq!(text(&variants[0].deb, "/usr/share/pg/roles/db/files/etc/db.conf"), "on bookworm 12\n");
    assert_eq!(text(&variants[1].deb, "/usr/share/pg/roles/db/files/etc/db.conf"), "on trixie 13\n");
    let depends = |i: usize| {
        let relations: &Vec<_> = &variants[i].deb.relations[&RelationField::Depends];
        relations.iter().map(|r| r.to_string()).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(depends(0), "pg-runtime, postgresql");
    assert_eq!(depends(1), "pg-runtime, postgresql, postgresql-17");
    let base = &lowered.plan("pg-role-base").variants;
    assert_eq!(base.len(), 1);
    assert_eq!(base[0].releases.len(), 2);
    let new = &lowered.plan("pg-role-new").variants;
    assert_eq!((new.len(), new[0].releases.len(), new[0].releases[0].as_str()), (1, 1, "trixie"));
    // One claim for what both releases have in common.
    let claims = &lowered.plan("pg-role-db").claims;
    assert_eq!((claims.len(), claims[0].releases.len()), (1, 2));
}

#[test]
fn a_host_with_everything() {
    let host = r#"
roles = ["web", "base"]
release = "bookworm"
addresses = ["192.0.2.10", "2001:db8::10"]
[values]
workers = 8
[sysctl]
"vm.swappiness" = 1
[environment]
GREETING = "here"
[[file]]
path = "/etc/host.conf.d/own"
content = "{{ host.fqdn }} {{ host.name }} {{ host.domain }} {{ host.addresses | join(' ') }} {{ host.ipv4 }} {{ host.ipv6 }} {{ host.release }} {{ host.roles | join(' ') }} {{ host.workers }}\n"
template = true
[[cron]]
name = "nightly"
schedule = "@daily"
command = "true"
[[service]]
unit = "nginx.service"
drop_in = "[Service]\nNice=5\n"
"#;
    let web = r#"
summary = "Web"
[sysctl]
"vm.swappiness" = 10
[environment]
GREETING = "there"
[[file]]
path = "/etc/web.conf"
content = "workers {{ host.workers }}\n"
template = true
validate = "true"
reload = ["nginx.service"]
[[file]]
path = "/etc/listen.conf"
content = "listen {{ host.ipv4 }}\n"
template = true
restart = ["nginx.service"]
"#;
    let lowered = lower(&[
        ("hosts/web1.example.org.toml", host),
        ("roles/web.toml", web),
        ("roles/base.toml", BASE),
        ("hosts/db1.example.org.toml", "roles = []\nrelease = \"trixie\"\nsummary = \"the database machine\"\n"),
    ])
    .right();
    insta::assert_snapshot!("host_with_everything", show(lowered.plan("pg-host-web1.example.org")));
    insta::assert_snapshot!("host_bound_role", show(lowered.plan("pg-role-web")));
    let other = lowered.plan("pg-host-db1.example.org");
    assert_eq!(other.variants[0].releases[0].as_str(), "trixie");
    assert_eq!(other.variants[0].deb.summary, "the database machine");
}

#[test]
fn the_keyring_has_a_variant_for_each_release() {
    let lowered = lower(&[("roles/base.toml", BASE)]).right();
    let plan = lowered.plan("pg-archive-keyring");
    assert_eq!(plan.variants.len(), 2);
    insta::assert_snapshot!("keyring", show(plan));
    // With more than one architecture each machine asks for its own.
    let two = DEBROLE.replace("[\"amd64\"]", "[\"amd64\", \"arm64\"]");
    let lowered = lower(&[("debrole.toml", &two)]).right();
    let sources = text(lowered.deb("pg-archive-keyring", "trixie"), "/usr/share/pg/pg.sources");
    assert!(sources.contains("Suites: trixie\n") && !sources.contains("Architectures"), "{sources}");
}

#[test]
fn the_sites_own_packages_may_be_installed_from_our_archive() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    std::fs::write(root.join("debrole.toml"), DEBROLE).unwrap();
    std::fs::create_dir(root.join("packages")).unwrap();
    std::fs::write(root.join("packages/site-tool_1_all.deb"), super::judges::deb("site-tool", "1", &[])).unwrap();
    let lowered = lower_directory(root).right();
    let preferences = text(lowered.deb("pg-archive-keyring", "bookworm"), "/usr/share/pg/pg.pref");
    let stanza = |priority: u32| {
        let stanza = preferences.split("\n\n").find(|s| s.trim_end().ends_with(&format!("Pin-Priority: {priority}")));
        stanza.and_then(|s| s.lines().find_map(|line| line.strip_prefix("Package: "))).unwrap_or_default().to_owned()
    };
    assert_eq!(stanza(499), "site-tool", "{preferences}");
    assert!(!stanza(500).contains("site-tool"), "{preferences}");
    // The tree lets it replace Debian's.
    std::fs::write(root.join("debrole.toml"), DEBROLE.to_owned() + "[pin]\nallow = [\"site-tool\"]\n").unwrap();
    let lowered = lower_directory(root).right();
    let preferences = text(lowered.deb("pg-archive-keyring", "bookworm"), "/usr/share/pg/pg.pref");
    assert!(preferences.contains("pg-host-* site-tool\n") && !preferences.contains("499"), "{preferences}");
}

#[test]
fn the_runtime_is_the_same_on_all_releases_and_carries_the_prefix() {
    let tree = DEBROLE.replace("\"pg\"", "\"xy\"");
    let lowered = lower(&[("debrole.toml", &tree), ("roles/base.toml", BASE)]).right();
    let plan = lowered.plan("xy-runtime");
    assert_eq!(plan.variants.len(), 1);
    let deb = &plan.variants[0].deb;
    for (path, entry) in &deb.entries {
        if let Entry::File { bytes, .. } = entry {
            assert!(!String::from_utf8_lossy(bytes).contains("@PREFIX@"), "{path}");
        }
    }
    for (member, text) in &deb.scripts {
        assert!(!text.contains("@PREFIX@") && text.contains("xy"), "{member:?}: {text}");
    }
    assert!(deb.scripts[&ControlMember::Triggers].lines().any(|line| line == "interest-noawait xy-apply"));
    assert!(text(lowered.deb("xy-role-base", "trixie"), "/usr/share/xy/roles/base/manifest").contains("xy-role-base"));
}

#[test]
fn tombstones_are_empty_and_let_go() {
    let lowered = lower(&[("roles/base.toml", BASE)]).right();
    let name = debrole::names::PackageName::parse("pg-role-old").unwrap();
    let mut out = String::new();
    for kind in [PackageKind::Role, PackageKind::Runtime, PackageKind::Keyring] {
        let deb = debrole::lower::tombstone(&lowered.model, &name, kind);
        assert!(deb.entries.is_empty() && deb.relations.is_empty());
        let releases = vec![lowered.model.fleet.releases[0].codename.value.clone()];
        let variants = vec![debrole::plan::Variant { releases, deb: deb.into() }];
        let plan =
            PackagePlan { name: name.clone(), kind, span: None, variants, claims: Vec::new(), secrets: Vec::new() };
        out.push_str(&format!("##### {kind:?}\n{}", show(&plan)));
    }
    insta::assert_snapshot!("tombstones", out);
}

#[test]
fn threads_make_no_difference() {
    let hosts: Vec<_> = (0..20)
        .map(|i| {
            let text = format!(
                "roles = [\"web\"]\nrelease = \"bookworm\"\naddresses = [\"192.0.2.{i}\"]\n[values]\nworkers = {i}\n"
            );
            (format!("hosts/h{i}.example.org.toml"), text)
        })
        .collect();
    let mut files: Vec<(&str, &str)> = hosts.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let web = "summary = \"Web\"\n[[file]]\npath = \"/etc/a\"\ntemplate = true\ncontent = \"{{ host.workers }}{{ host.ipv4 }}\"\n";
    files.push(("roles/web.toml", web));
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| lower(&files).right().plans.iter().map(show).collect::<String>())
    };
    let one = on(1);
    assert_eq!(one.matches("=== pg-host-").count(), 20);
    assert_eq!(one, on(4));
}
