//! From a tree on disk to .debs of every kind, judged by those who did not write them: lintian and debpkg.

use crate::build::Repository;
use crate::machine::{Need, skip};
use debrole::diagnostics::Diagnostic;
use debrole::lower::{self, Keyring};
use debrole::model::Model;
use debrole::plan::{PackageKind, PackagePlan};
use debrole::{resolve, tree};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

const FLEET: &str = r#"
schema = 1
[fleet]
prefix = "pg"
origin = "Example Project"
label = "Example Project"
maintainer = "Example Sysadmins <sysadmins@example.org>"
uri = "http://apt.example.org"
homepage = "https://example.org"
architectures = ["amd64"]
[release.bookworm]
[release.trixie]
"#;

const WEB: &str = r#"
summary = "public web front end"
description = """
Serves the public pages of the project: varnish in front of nginx.

It is what the world sees.
"""
includes = ["base"]
depends = ["nginx (>= 1.22)", "varnish"]
recommends = ["logrotate"]
setup = "true\n"
teardown = "true\n"
[sysctl]
"net.core.somaxconn" = 4096
[environment]
PG_SITE = "example"
[[file]]
path = "/etc/nginx/conf.d/pg-web.conf"
content = "server { server_name {{ host.fqdn }}; }\n"
template = true
validate = "nginx -t"
reload = ["nginx.service"]
[[directory]]
path = "/srv/www"
mode = "2775"
special = true
[[symlink]]
path = "/etc/nginx/sites-enabled/pg"
target = "/etc/nginx/conf.d/pg-web.conf"
[[service]]
unit = "nginx.service"
enable = true
drop_in = "[Service]\nRestart=always\n"
[[unit]]
name = "pg-web-report.service"
content = "[Unit]\nDescription=Report on the web front end\nDocumentation=https://example.org/report\n\n[Service]\nType=oneshot\nExecStart=/bin/true\n"
[[unit]]
name = "pg-web-report.timer"
content = "[Unit]\nDescription=Nightly report on the web front end\nDocumentation=https://example.org/report\n\n[Timer]\nOnCalendar=daily\n\n[Install]\nWantedBy=timers.target\n"
enable = true
[[cron]]
name = "tidy"
schedule = "@daily"
command = "/bin/true"
[[debconf]]
package = "postfix"
question = "postfix/main_mailer_type"
type = "select"
value = "No configuration"
[[absent]]
path = "/etc/nginx/sites-enabled/default"
reload = ["nginx.service"]
[release.trixie]
depends = ["nginx-common"]
"#;

const HOST: &str = r#"
release = "bookworm"
roles = ["web"]
addresses = ["192.0.2.10"]
"#;

/// Reads, resolves and lowers the tree; it has no error in it.
fn plans(files: &[(&str, &str)]) -> (Model, Vec<PackagePlan>) {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let (mut tree, mut found) = tree::Tree::read(root.path());
    let (model, more) = resolve::resolve(&mut tree);
    found.extend(more);
    let errors = |found: &[Diagnostic]| {
        let wrong: Vec<&str> = found.iter().filter(|d| d.is_error()).map(|d| d.message.as_str()).collect();
        assert_eq!(wrong, Vec::<&str>::new());
    };
    errors(&found);
    let model = model.unwrap();
    let keyring = Keyring { binary: b"\x98\x33key".to_vec(), armored: b"-----BEGIN PGP".to_vec() };
    let (plans, found) = lower::lower(&model, &keyring);
    errors(&found);
    (model, plans)
}

/// One of each kind: the pool holds runtime, keyring, roles, a host and a tombstone.
fn all_kinds() -> Repository {
    let base = ("roles/base.toml", "summary = \"what all machines have\"\n");
    let gone = ("roles/gone.toml", "summary = \"soon to go\"\n[[file]]\npath = \"/etc/gone\"\ncontent = \"x\\n\"\n");
    let rest = [("debrole.toml", FLEET), ("roles/web.toml", WEB), ("hosts/web1.example.org.toml", HOST), base];
    let mut repository = Repository::default();
    let (model, plans) = self::plans(&[&rest[..], &[gone]].concat());
    repository.publish(&model, &plans, 1_795_348_800).unwrap();
    let (model, plans) = self::plans(&rest);
    repository.publish(&model, &plans, 1_795_348_800).unwrap();
    let kinds: BTreeSet<PackageKind> = repository.manifest.as_ref().unwrap().packages.iter().map(|r| r.kind).collect();
    use PackageKind::{Host, Keyring, Role, Runtime, Tombstone};
    assert_eq!(kinds, BTreeSet::from([Runtime, Keyring, Role, Host, Tombstone]));
    repository
}

fn save(repository: &Repository, directory: &Path) -> Vec<std::path::PathBuf> {
    let records = &repository.manifest.as_ref().unwrap().packages;
    let save = |record: &debrole::repo::manifest::PackageRecord| {
        let path = directory.join(format!("{}_{}_all.deb", record.name, record.version));
        std::fs::write(&path, &repository.pool[&record.filename]).unwrap();
        path
    };
    records.iter().map(save).collect()
}

#[test]
fn lintian_finds_nothing_in_any_kind_of_package() {
    if skip("published packages under lintian", &[Need::Program("lintian")]) {
        return;
    }
    let repository = all_kinds();
    let directory = tempfile::tempdir().unwrap();
    let files = save(&repository, directory.path());
    let output = Command::new("lintian")
        .args(["--allow-root", "--fail-on=error,warning", "--no-cfg", "--tag-display-limit=0"])
        // The content hash is a field of our own: Debian Policy 5.7 leaves room for such.
        .args(["--suppress-tags", "unknown-field"])
        .args(&files)
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

#[test]
fn debpkg_reads_every_package_back() {
    let repository = all_kinds();
    for record in &repository.manifest.as_ref().unwrap().packages {
        let mut package = debpkg::DebPkg::parse(&repository.pool[&record.filename][..]).unwrap();
        let control = debpkg::Control::extract(package.control().unwrap()).unwrap();
        assert_eq!((control.name(), control.version()), (record.name.as_str(), record.version.as_str()));
        assert_eq!(control.get("Architecture"), Some("all"));
        let mut data = package.data().unwrap();
        let entries: Vec<_> =
            data.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().into_owned()).collect();
        assert!(entries.iter().any(|path| path.ends_with("changelog.gz")), "{entries:?}");
    }
}

#[test]
fn the_same_tree_again_changes_nothing() {
    let mut repository = all_kinds();
    let base = ("roles/base.toml", "summary = \"what all machines have\"\n");
    let rest = [("debrole.toml", FLEET), ("roles/web.toml", WEB), ("hosts/web1.example.org.toml", HOST), base];
    let pool = repository.pool.clone();
    let (model, plans) = self::plans(&rest);
    let build = repository.publish(&model, &plans, 1_800_000_000).unwrap();
    assert!(build.changes.iter().all(|change| !change.is_change()));
    assert_eq!(repository.pool, pool);
}
