//! AST → model: what a tree means, and what is said of a tree that means nothing.

use crate::ui::debrole_toml;
use debrole::diagnostics::Diagnostic;
use debrole::model::{Content, FileText, Model, ServiceState, Value};
use debrole::names::{Codename, RoleName};
use debrole::relation::RelationField;
use debrole::resolve::resolve;
use debrole::source::Sources;
use debrole::tree::Tree;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::TempDir;

/// A tree of these files; `debrole.toml` is completed, and a plain one where there is none.
fn tree(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("debrole.toml"), debrole_toml("")).unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = if *name == "debrole.toml" { debrole_toml(text) } else { (*text).to_owned() };
        fs::write(path, text).unwrap();
    }
    dir
}

fn run(root: &Path) -> (Option<Model>, Vec<Diagnostic>, Sources) {
    let (mut tree, mut diagnostics) = Tree::read(root);
    let (model, more) = resolve(&mut tree);
    diagnostics.extend(more);
    (model, diagnostics, tree.sources)
}

fn codes(files: &[(&str, &str)]) -> Vec<&'static str> {
    run(tree(files).path()).1.iter().map(|d| d.rule.code).collect()
}

/// The codes that a role with this content gives.
fn role(content: &str) -> Vec<&'static str> {
    codes(&[("roles/web.toml", &format!("summary = \"Web\"\n{content}"))])
}

#[track_caller]
fn model(files: &[(&str, &str)]) -> Model {
    let (model, diagnostics, _) = run(tree(files).path());
    assert!(diagnostics.is_empty(), "{diagnostics:#?}");
    model.unwrap()
}

fn content<'a>(model: &'a Model, role: &str, codename: &str) -> &'a Content {
    &model.roles[&RoleName::parse(role).unwrap()].contents[&Codename::parse(codename).unwrap()]
}

#[test]
fn debrole_toml_means_what_it_says() {
    let model = model(&[(
        "debrole.toml",
        "[fleet]\nuri = \"https://apt.example.org/debian//\"\nvalid_for = \"2w\"\nhomepage = \"https://example.org/\"\n\
         key = \"0123 4567 89ab cdef 0123 4567 89AB CDEF 0123 4567\"\narchitectures = [\"arm64\", \"amd64\"]\n\
         [release.trixie]\nsecurity = \"\"\ncomponents = [\"main\", \"contrib\"]\n[release.bookworm]\n\
         [values]\nsmarthost = \"mx\"\nports = [25, 587]\n[host_values]\ntz = \"UTC\"\n",
    )]);
    let fleet = &model.fleet;
    assert_eq!(fleet.uri.value, "https://apt.example.org/debian");
    assert_eq!(fleet.homepage.as_deref(), Some("https://example.org"));
    assert_eq!(fleet.valid_for, 14 * 86_400);
    assert_eq!(fleet.key.as_ref().unwrap().value, "0123456789ABCDEF0123456789ABCDEF01234567");
    assert_eq!(fleet.architectures.iter().map(|a| a.as_str()).collect::<Vec<_>>(), ["amd64", "arm64"]);
    assert_eq!(fleet.values["ports"].value, Value::Array(vec![Value::Integer(25), Value::Integer(587)]));
    assert_eq!(fleet.host_values["tz"].value, Value::String("UTC".into()));
    let releases: Vec<_> = fleet.releases.iter().map(|r| (r.codename.as_str(), r.version)).collect();
    assert_eq!(releases, [("bookworm", 12), ("trixie", 13)]);
    let suites: Vec<_> = fleet.releases[0].sources.iter().map(|s| (s.uri.as_str(), s.suite.as_str())).collect();
    assert_eq!(
        suites,
        [
            ("http://deb.debian.org/debian", "bookworm"),
            ("http://deb.debian.org/debian", "bookworm-updates"),
            ("http://security.debian.org/debian-security", "bookworm-security"),
        ]
    );
    assert_eq!(fleet.releases[1].sources.len(), 2);
    assert_eq!(fleet.releases[1].sources[0].components, ["main", "contrib"]);
}

#[test]
fn a_release_adds_to_lists_and_replaces_what_has_the_same_name() {
    let model = model(&[
        ("debrole.toml", "[release.bookworm]\n[release.trixie]\n"),
        (
            "roles/web.toml",
            r#"
summary = "Web"
depends = ["nginx", "varnish"]
setup = "true\n"
[sysctl]
"vm.swappiness" = 10
"net.core.somaxconn" = "1024"
[[file]]
path = "/etc/a"
content = "common\n"
[[file]]
path = "/etc/b"
content = "common\n"
[[service]]
unit = "nginx.service"
enable = true
[release.trixie]
depends = ["nginx-common", "nginx"]
setup = "false\n"
[release.trixie.sysctl]
"vm.swappiness" = 1
[[release.trixie.file]]
path = "/etc/a"
content = "trixie\n"
[[release.trixie.symlink]]
path = "/etc/b"
target = "a"
[[release.trixie.service]]
unit = "nginx.service"
mask = true
"#,
        ),
    ]);
    let (old, new) = (content(&model, "web", "bookworm"), content(&model, "web", "trixie"));
    let depends = |c: &Content| c.relations[&RelationField::Depends].iter().map(|r| r.to_string()).collect::<Vec<_>>();
    assert_eq!(depends(old), ["nginx", "varnish"]);
    assert_eq!(depends(new), ["nginx", "varnish", "nginx-common"]);
    let texts = |c: &Content| -> Vec<(String, Vec<u8>)> {
        let bytes = |text: &FileText| match text {
            FileText::Plain(bytes) => bytes.to_vec(),
            FileText::Template(text) => text.as_bytes().to_vec(),
        };
        c.files.iter().map(|f| (f.path.to_string(), bytes(&f.text))).collect()
    };
    assert_eq!(texts(old), [("/etc/a".into(), b"common\n".to_vec()), ("/etc/b".into(), b"common\n".to_vec())]);
    assert_eq!(texts(new), [("/etc/a".into(), b"trixie\n".to_vec())]);
    assert_eq!((old.symlinks.len(), new.symlinks.len()), (0, 1));
    assert_eq!((old.services[0].state, new.services[0].state), (ServiceState::Enabled, ServiceState::Masked));
    assert_eq!((new.services.len(), new.setup.as_ref().unwrap().value.as_str()), (1, "false\n"));
    let swappiness = |c: &Content| c.sysctl["vm.swappiness"].value.clone();
    assert_eq!((swappiness(old), swappiness(new), new.sysctl.len()), ("10".into(), "1".into(), 2));
}

#[test]
fn a_directory_is_a_file_for_each_file_in_it() {
    let dir = tree(&[
        (
            "roles/web.toml",
            "summary = \"Web\"\n[[file]]\npath = \"/srv/www\"\ndirectory = \"site\"\ntemplate = true\nowner = \"www-data\"\n",
        ),
        ("roles/web/site/index.html", "{{ fleet.origin }}\n"),
        ("roles/web/site/bin/run", "#!/bin/sh\n"),
    ]);
    fs::set_permissions(dir.path().join("roles/web/site/bin/run"), fs::Permissions::from_mode(0o755)).unwrap();
    let (model, diagnostics, sources) = run(dir.path());
    assert!(diagnostics.is_empty(), "{diagnostics:#?}");
    let model = model.unwrap();
    let files = &content(&model, "web", "bookworm").files;
    let shown: Vec<_> = files.iter().map(|f| (f.path.as_str(), f.mode, f.owner.as_str())).collect();
    assert_eq!(shown, [("/srv/www/bin/run", 0o755, "www-data"), ("/srv/www/index.html", 0o644, "www-data")]);
    let FileText::Template(text) = &files[1].text else { panic!() };
    assert_eq!(sources.path(text.span.file), Path::new("roles/web/site/index.html"));
    assert_eq!(sources.snippet(text.span.within(3..15)), "fleet.origin");
}

#[test]
fn hosts_and_their_roles() {
    let model = model(&[
        ("roles/base.toml", "summary = \"Base\"\n"),
        ("roles/web.toml", "summary = \"Web\"\nincludes = [\"base\"]\n[values]\nworkers = 4\n"),
        (
            "hosts/web1.example.org.toml",
            "summary = \"First\"\nroles = [\"web\"]\nrelease = \"bookworm\"\naddresses = [\"192.0.2.1\", \"2001:DB8::1\"]\n\
             [values]\nworkers = 16\n[[file]]\npath = \"/etc/motd\"\nsource = \"motd\"\n",
        ),
        ("hosts/web1.example.org/motd", "Hello\n"),
    ]);
    let host = model.hosts.values().next().unwrap();
    assert_eq!(host.addresses.iter().map(|a| a.to_string()).collect::<Vec<_>>(), ["192.0.2.1", "2001:db8::1"]);
    assert_eq!(host.content.files[0].path.as_str(), "/etc/motd");
    let all: Vec<_> = model.closure(host.roles.iter().map(|r| &r.value)).iter().map(|r| r.as_str()).collect();
    assert_eq!(all, ["base", "web"]);
    assert_eq!(model.roles[&RoleName::parse("web").unwrap()].values["workers"].value, Value::Integer(4));
}

#[test]
fn errors_of_all_files_come_at_once_sorted_and_once_each() {
    let dir = tree(&[
        ("debrole.toml", "[fleet]\nprefix = \"P\"\nmaintainer = \"x\"\n[release.bookworm]\n[release.trixie]\n"),
        ("roles/a.toml", "summary = \"A.\"\nincludes = [\"b\", \"nope\"]\ndepends = [\"X\"]\n"),
        ("roles/b.toml", "[[file]]\npath = \"etc/x\"\nmode = \"9\"\n"),
        ("hosts/h.example.org.toml", "roles = [\"c\"]\nrelease = \"sid\"\n"),
    ]);
    let (model, diagnostics, sources) = run(dir.path());
    assert!(model.is_none());
    let shown: Vec<_> = diagnostics
        .iter()
        .map(|d| {
            let span = d.primary.as_ref().unwrap().span;
            (sources.path(span.file).display().to_string(), sources.line_column(span.file, span.start).0, d.rule.code)
        })
        .collect();
    let line = |file: &str, line: usize, code: &'static str| (file.to_owned(), line, code);
    assert_eq!(
        shown,
        [
            line("debrole.toml", 7, "invalid-prefix"),
            line("debrole.toml", 8, "invalid-maintainer"),
            line("hosts/h.example.org.toml", 1, "unknown-role"),
            line("hosts/h.example.org.toml", 2, "unknown-release"),
            line("roles/a.toml", 1, "invalid-summary"),
            line("roles/a.toml", 2, "unknown-role"),
            line("roles/a.toml", 3, "invalid-package-name"),
            line("roles/b.toml", 1, "file-text-choice"),
            line("roles/b.toml", 1, "missing-key"),
            line("roles/b.toml", 2, "relative-path"),
            line("roles/b.toml", 3, "invalid-mode"),
        ]
    );
}

#[test]
fn a_broken_debrole_toml_does_not_make_everything_else_wrong() {
    let host = ("hosts/h.example.org.toml", "roles = [\"web\"]\nrelease = \"bookworm\"\n");
    let web = ("roles/web.toml", "summary = \"Web\"\nreleases = [\"trixie\"]\nsuggests = [\"pg-role-db\"]\n");
    let dir = tree(&[host, web]);
    fs::write(dir.path().join("debrole.toml"), "schema = 1\n[fleet\n").unwrap();
    let codes: Vec<_> = run(dir.path()).1.iter().map(|d| d.rule.code).collect();
    assert_eq!(codes, ["toml-syntax"]);
}

#[test]
fn cycles() {
    let include = |names: &str| format!("summary = \"X\"\nincludes = [{names}]\n");
    assert_eq!(codes(&[("roles/a.toml", &include("\"a\""))]), ["include-cycle"]);
    let two = [
        ("roles/a.toml", include("\"b\"")),
        ("roles/b.toml", include("\"a\", \"c\"")),
        ("roles/c.toml", include("\"b\"")),
    ];
    let two: Vec<(&str, &str)> = two.iter().map(|(name, text)| (*name, text.as_str())).collect();
    assert_eq!(codes(&two), ["include-cycle", "include-cycle"]);
    // Seen from several sides, without a cycle.
    let diamond = [
        ("roles/a.toml", include("\"b\", \"c\"")),
        ("roles/b.toml", include("\"d\"")),
        ("roles/c.toml", include("\"d\"")),
        ("roles/d.toml", include("")),
    ];
    let diamond: Vec<(&str, &str)> = diamond.iter().map(|(name, text)| (*name, text.as_str())).collect();
    assert_eq!(codes(&diamond), Vec::<&str>::new());
}

#[test]
fn a_chain_of_two_thousand_includes_is_followed() {
    let names: Vec<String> = (0..2000).map(|i| format!("roles/r{i}.toml")).collect();
    let text = |i: usize| format!("summary = \"X\"\nincludes = [\"r{}\"]\ndepends = [\"nginx\"]\n", (i + 1) % 2000);
    let texts: Vec<String> = (0..2000).map(text).collect();
    let files: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(texts.iter().map(String::as_str)).collect();
    let (_, diagnostics, _) = run(tree(&files).path());
    assert_eq!(diagnostics.len(), 1);
    assert_eq!(diagnostics[0].rule.code, "include-cycle");
    assert_eq!(diagnostics[0].secondary.len(), 1999);
}

#[test]
fn paths_on_a_machine() {
    let file = |path: &str| role(&format!("[[file]]\npath = {path:?}\ncontent = \"x\\n\"\n"));
    for good in [
        "/etc/motd",
        "/usr/local/bin/x",
        "/srv/a/b",
        "/var/lib/web/x",
        "/lib/tmpfiles.d/x.conf",
        "/etc/x@y:z,1=2%.conf",
    ] {
        assert_eq!(file(good), Vec::<&str>::new(), "{good}");
    }
    for (bad, code) in [
        ("", "relative-path"),
        ("etc/motd", "relative-path"),
        ("~/x", "relative-path"),
        ("/", "forbidden-path"),
        ("//etc/motd", "path-not-normal"),
        ("/etc/", "path-not-normal"),
        ("/etc/./motd", "path-not-normal"),
        ("/../etc/motd", "path-not-normal"),
        ("/etc/a b", "path-characters"),
        ("/etc/\u{e4}", "path-characters"),
        ("/etc/$(id)", "path-characters"),
        ("/etc/a'b", "path-characters"),
        ("/proc/sys/x", "forbidden-path"),
        ("/dev/null", "forbidden-path"),
        ("/run/x", "forbidden-path"),
        ("/var/run/x", "forbidden-path"),
        ("/tmp/x", "forbidden-path"),
        ("/etc/shadow", "forbidden-path"),
        ("/var/lib/dpkg/status", "forbidden-path"),
        ("/usr/share/pg/x", "forbidden-path"),
        ("/var/lib/pg/x", "forbidden-path"),
        ("/var/backups/pg", "forbidden-path"),
        ("/usr/share/doc/pg-role-web/copyright", "forbidden-path"),
        ("/etc", "forbidden-path"),
        ("/bin", "forbidden-path"),
        ("/srv", "forbidden-path"),
    ] {
        assert_eq!(file(bad), [code], "{bad}");
    }
    let long = format!("/etc/{}", "x".repeat(256));
    assert_eq!(file(&long), ["path-characters"]);
    // What lands there by way of a whole folder is seen, too.
    let by_folder = codes(&[
        ("roles/web.toml", "summary = \"Web\"\n[[file]]\npath = \"/etc\"\ndirectory = \"etc\"\n"),
        ("roles/web/etc/shadow", "root::::::::\n"),
    ]);
    assert_eq!(by_folder, ["forbidden-path"]);
    assert_eq!(role("[[directory]]\npath = \"/srv\"\nowner = \"www-data\"\n"), Vec::<&str>::new());
    assert_eq!(role("[[directory]]\npath = \"/etc\"\nmode = \"0777\"\n"), ["forbidden-path", "special-mode"]);
}

#[test]
fn modes() {
    let file = |mode: &str| role(&format!("[[file]]\npath = \"/etc/x\"\ncontent = \"x\\n\"\nmode = {mode:?}\n"));
    for good in ["0644", "644", "0755", "0400", "0000", "1755"] {
        assert_eq!(file(good), Vec::<&str>::new(), "{good}");
    }
    for bad in ["", "64", "00644", "0o644", "888", "rw", "+644", " 644", "-644", "0644\n"] {
        assert_eq!(file(bad), ["invalid-mode"], "{bad:?}");
    }
    for special in ["4755", "2755", "6755", "0666", "0602", "1777", "7777"] {
        assert_eq!(file(special), ["special-mode"], "{special}");
    }
    let directory = |mode: &str| role(&format!("[[directory]]\npath = \"/srv/x\"\nmode = {mode:?}\n"));
    assert_eq!(directory("1777"), Vec::<&str>::new());
    assert_eq!(directory("0777"), ["special-mode"]);
    assert_eq!(directory("2775"), ["special-mode"]);
    assert_eq!(role("[[directory]]\npath = \"/srv/x\"\nmode = \"2775\"\nspecial = true\n"), Vec::<&str>::new());
}

#[test]
fn sources_stay_in_the_folder() {
    let source = |key: &str, path: &str| role(&format!("[[file]]\npath = \"/etc/x\"\n{key} = {path:?}\n"));
    for bad in ["../x", "/etc/shadow", "a/../../x", "..", "", "./x", "a//b", "a/"] {
        assert_eq!(source("source", bad), ["source-outside"], "{bad}");
        assert_eq!(source("directory", bad), ["source-outside"], "{bad}");
    }
    assert_eq!(source("source", "x"), ["missing-source"]);
    assert_eq!(source("directory", "x"), ["missing-source"]);
}

#[test]
fn schedules() {
    let cron = |schedule: &str| role(&format!("[[cron]]\nname = \"x\"\nschedule = {schedule:?}\ncommand = \"true\"\n"));
    for good in [
        "* * * * *",
        "17 3 * * *",
        "*/5 * * * *",
        "0-30/10 0 1 1 0",
        "0 0 1,15 * *",
        "0 0 * jan Mon-Fri",
        "0 0 * * 7",
        "@daily",
        "@reboot",
    ] {
        assert_eq!(cron(good), Vec::<&str>::new(), "{good}");
    }
    for bad in [
        "",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * * 8",
        "5-1 * * * *",
        "5/2 * * * *",
        "*/0 * * * *",
        "*/x * * * *",
        "a * * * *",
        "1, * * * *",
        "* * * foo *",
        "@dayly",
        "-1 * * * *",
        "001 * * * *",
    ] {
        assert_eq!(cron(bad), ["invalid-cron-schedule"], "{bad}");
    }
    assert_eq!(cron("* * * * *\n* * * * * root true"), ["control-character"]);
}

#[test]
fn nothing_begins_another_line() {
    for (content, code) in [
        ("description = \"a\\u0007b\"", "control-character"),
        ("[[cron]]\nname = \"x\"\nschedule = \"@daily\"\ncommand = \"true\\n* * * * * root id\"", "control-character"),
        ("[[cron]]\nname = \"x\"\nschedule = \"@daily\"\ncommand = \"true\"\nuser = \"root\\n\"", "invalid-account"),
        ("[sysctl]\n\"vm.x\" = \"1\\nkernel.core_pattern = |/bin/x\"", "control-character"),
        ("[sysctl]\n\"vm.x\\n\" = 1", "invalid-sysctl-key"),
        ("[environment]\nX = \"a\\nPATH=/tmp\"", "control-character"),
        ("[[debconf]]\npackage = \"x1\"\nquestion = \"x1/y\"\nvalue = \"a\\nx1 x1/z string b\"", "control-character"),
        ("[[debconf]]\npackage = \"x1\"\nquestion = \"x1/y\\n\"\nvalue = \"a\"", "invalid-debconf-question"),
        ("[[symlink]]\npath = \"/etc/x\"\ntarget = \"a\\nb\"", "control-character"),
        ("[[file]]\npath = \"/etc/x\"\ncontent = \"\"\nvalidate = \"true\\nid\"", "control-character"),
        ("[[file]]\npath = \"/etc/x\\ny\"\ncontent = \"\"", "path-characters"),
        ("[[service]]\nunit = \"a\\n.service\"\nenable = true", "invalid-unit-name"),
        ("depends = [\"nginx\\nPre-Depends: x\"]", "invalid-relation"),
        ("setup = \"true\\u0000\"", "control-character"),
        ("[[service]]\nunit = \"a.service\"\ndrop_in = \"[Service]\\r\\nUser=x\\r\\n\"", "carriage-return"),
    ] {
        assert_eq!(role(content), [code], "{content}");
    }
    for key in ["origin", "label", "maintainer"] {
        let text = format!("[fleet]\n{key} = \"Example <a@example.org>\\nX: y\"\n");
        assert_eq!(codes(&[("debrole.toml", &text)]), ["control-character"], "{key}");
    }
}

#[test]
fn values_of_the_fleet() {
    let fleet = |line: &str| codes(&[("debrole.toml", &format!("[fleet]\n{line}\n"))]);
    for good in ["http://a", "https://apt.example.org:8443/x", "file:///srv/apt", "file:/srv/apt"] {
        assert_eq!(fleet(&format!("uri = {good:?}")), Vec::<&str>::new(), "{good}");
    }
    for bad in [
        "",
        "apt",
        "ftp://a",
        "http://",
        "http:///x",
        "http://u:p@h",
        "http://a b",
        "file:srv",
        "http://\u{e4}",
        "http://a\nb",
    ] {
        assert_eq!(fleet(&format!("uri = {bad:?}")), ["invalid-uri"], "{bad}");
    }
    for bad in [
        "x",
        "a@b",
        "A <a>",
        "A <@b>",
        "A <a@>",
        "A <a@b",
        "<a@b>",
        " <a@b>",
        "A, B <a@b>",
        "A <a@b> x",
        "A <a b@c>",
        "A <a@b..c>",
    ] {
        assert_eq!(fleet(&format!("maintainer = {bad:?}")), ["invalid-maintainer"], "{bad}");
    }
    for bad in ["", "d", "0d", "23h", "91d", "10 d", "1m", "-1d", "99999999999999999999d", "1\u{b2}d", "\u{e4}"] {
        assert_eq!(fleet(&format!("valid_for = {bad:?}")), ["invalid-duration"], "{bad}");
    }
    for bad in ["", "a", "1a", "PG", "p-g", "abcdefghijklmnopq"] {
        assert_eq!(fleet(&format!("prefix = {bad:?}")), ["invalid-prefix"], "{bad}");
    }
    assert_eq!(fleet("architectures = []"), ["invalid-architecture"]);
    assert_eq!(fleet("architectures = [\"all\"]"), ["invalid-architecture"]);
    assert_eq!(
        codes(&[("debrole.toml", "[release.duke]\nversion = 12\n[release.bookworm]\n")]),
        ["release-version-differs"]
    );
    assert_eq!(codes(&[("debrole.toml", "[release.duke]\nversion = 0\n")]), ["release-version-differs"]);
    assert_eq!(codes(&[("debrole.toml", "[release.\"B!\"]\n")]), ["invalid-codename"]);
}

#[test]
fn the_fleets_own_packages() {
    let base = ("roles/base.toml", "summary = \"Base\"\n");
    let of = |line: &str| codes(&[base, ("roles/web.toml", &format!("summary = \"Web\"\n{line}\n"))]);
    for good in [
        "depends = [\"pg-role-base\"]",
        "depends = [\"pg-activity\"]",
        "provides = [\"pg-proxy\"]",
        "replaces = [\"pg-role-web (<< 1)\"]",
    ] {
        assert_eq!(of(good), Vec::<&str>::new(), "{good}");
    }
    assert_eq!(of("conflicts = [\"pg-role-bas\"]"), ["unknown-fleet-package"]);
    assert_eq!(of("depends = [\"pg-host-a.example.org\"]"), ["unknown-fleet-package"]);
    for name in ["pg-runtime", "pg-archive-keyring", "pg-host", "pg-host-x.example.org", "pg-role-new"] {
        assert_eq!(of(&format!("provides = [{name:?}]")), ["reserved-package-name"], "{name}");
    }
}

#[test]
fn units() {
    let unit = |name: &str, text: &str| role(&format!("[[unit]]\nname = {name:?}\ncontent = {text:?}\n"));
    for (name, text) in [
        ("a.service", "[Service]\nExecStart=/bin/true\n"),
        ("a@.service", "# x\n[Unit]\n[Service]\n"),
        ("a.target", "[Unit]\n"),
        ("a.slice", "[Slice]\n"),
        ("a.socket", "[Socket]\n"),
        ("srv-x.mount", "[Mount]\n"),
    ] {
        assert_eq!(unit(name, text), Vec::<&str>::new(), "{name}");
    }
    assert_eq!(unit("a.timer", "[Service]\n"), ["unit-without-section"]);
    assert_eq!(unit("a.target", ""), ["unit-without-section"]);
    for bad in ["a", "a.scope", "a.device", "a.conf", ".service", "a b.service", "../a.service"] {
        assert_eq!(unit(bad, "[Unit]\n[Service]\n"), ["invalid-unit-name"], "{bad}");
    }
}

/// Quadratic work would take minutes here, and a crowded machine some seconds for what is done now.
#[test]
fn absurdly_long_lists_do_not_take_absurdly_long() {
    let began = std::time::Instant::now();
    let list = |n: usize, item: &dyn Fn(usize) -> String| (0..n).map(item).collect::<Vec<_>>().join(", ");
    let depends = format!("depends = [{}]\n", list(60_000, &|i| format!("\"package{i}\"")));
    assert_eq!(role(&depends), [""; 0]);
    let addresses = list(60_000, &|i| format!("\"10.{}.{}.{}\"", i >> 16, i >> 8 & 255, i & 255));
    let host = format!("roles = []\nrelease = \"bookworm\"\naddresses = [{addresses}]\n");
    assert_eq!(codes(&[("hosts/a.example.org.toml", &host)]), [""; 0]);
    let keys: String = (0..50_000).map(|i| format!("suggesta{i}=1\n")).collect();
    assert_eq!(role(&keys).len(), 50_000);
    assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn the_direction_of_text_is_not_turned() {
    for c in ["\u{61c}", "\u{200e}", "\u{200f}", "\u{202a}", "\u{202e}", "\u{2066}", "\u{2069}"] {
        let texts = [
            format!("description = \"a{c}b\"\n"),
            format!("setup = \"true # {c}\"\n"),
            format!("[[cron]]\nname = \"a\"\nschedule = \"@daily\"\ncommand = \"a{c}b\"\n"),
        ];
        for text in &texts {
            assert_eq!(role(text), ["text-direction"], "{text:?}");
        }
        let fleet = format!("[fleet]\nmaintainer = \"A{c}B <a@example.org>\"\n");
        assert_eq!(codes(&[("debrole.toml", &fleet)]), ["text-direction"]);
        let host = format!("summary = \"a{c}\"\nroles = []\nrelease = \"bookworm\"\n");
        assert_eq!(codes(&[("hosts/a.example.org.toml", &host)]), ["text-direction"]);
    }
    assert_eq!(role("description = \"Grüße, שלום, مرحبا\"\n"), [""; 0]);
}
