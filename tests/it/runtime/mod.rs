//! The machine's side: `pg-runtime` under real dpkg and apt in throwaway trees. The packages are made here by
//! dpkg-deb, from manifests written out by hand, so that these tests judge the runtime and not the compiler.

mod access;
mod accounts;
mod apply;
mod apt;
mod booted;
mod checks;
mod damaged;
mod exchange;
mod failure;
mod host;
mod hostile;
mod interrupted;
mod monitoring;
mod no_room;
mod others;
mod real;
mod removal;
mod secrets;
mod sequences;
mod staying;
mod steps;
mod texts;
mod units;
mod verbs;

use super::machine::{Outcome, Release, Tree};
use debrole::lower::runtime::{self as text, SCRIPT};
use debrole::model::{Drift, Refresh};
use debrole::names::Prefix;
use debrole::plan::Entry;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

const MANUAL: &str = include_str!("../../../src/lower/runtime/pg-runtime.8");

fn prefix() -> Prefix {
    Prefix::parse("pg").expect("a prefix")
}

fn prefixed(text: &str) -> String {
    text.replace("@PREFIX@", "pg")
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A machine with a tree of its own, on which packages are installed.
struct Host {
    tree: Tree,
}

impl Host {
    /// With the runtime's package at hand, not installed.
    fn bare(release: Release) -> Host {
        let host = Host { tree: Tree::new(release) };
        host.tree.write("/etc/hostname", "test\n");
        host.runtime("1");
        host
    }

    /// With the runtime installed.
    fn new() -> Host {
        let host = Host::bare(Release::Bookworm);
        host.dpkg("-i", &["pg-runtime_1"]);
        host
    }

    /// Makes /root/pg-runtime_VERSION.deb.
    fn runtime(&self, version: &str) {
        self.runtime_with(version, &Drift::default());
    }

    fn runtime_with(&self, version: &str, drift: &Drift) {
        let files =
            text::entries(&prefix(), drift, &Refresh::default()).into_iter().filter_map(|(path, entry)| match entry {
                Entry::File { mode, bytes } if !path.as_str().ends_with(".gz") => {
                    Some((path.as_str()[1..].to_owned(), (mode, String::from_utf8(bytes.to_vec()).expect("text"))))
                }
                _ => None,
            });
        let files: BTreeMap<String, (u32, String)> = files.collect();
        let members = text::scripts(&prefix()).into_iter().map(|(member, text)| (member.file_name(), text)).collect();
        deb(&self.tree, "pg-runtime", version, "Depends: mount\nMulti-Arch: foreign\n", &files, &members);
    }

    /// `dpkg OPTION` with packages of /root, named without `.deb`, or with package names. Fails the test unless dpkg
    /// succeeds; everything that was written.
    #[track_caller]
    fn dpkg(&self, option: &str, packages: &[&str]) -> String {
        let arguments: Vec<String> = match option {
            "-i" | "--unpack" => packages.iter().map(|package| format!("/root/{package}.deb")).collect(),
            _ => packages.iter().map(|&package| package.to_owned()).collect(),
        };
        let text = format!("dpkg {option} {} <&-", arguments.join(" "));
        let outcome = self.tree.run(&text);
        let all = outcome.all();
        outcome.ok(&text);
        all
    }

    fn run(&self, text: &str) -> Outcome {
        self.tree.run(text)
    }

    #[track_caller]
    fn ok(&self, text: &str) -> String {
        self.tree.ok(text)
    }

    /// `pg-runtime apply`, called by a person, has nothing to complain of and nothing to do.
    #[track_caller]
    fn assert_settled(&self) {
        assert_eq!(self.ok("pg-runtime apply"), "pg-runtime: nothing to do\n");
        assert_eq!(self.ok("pg-runtime verify"), "");
    }

    /// The text of a package's mark, or nothing.
    fn mark(&self, package: &str) -> String {
        std::fs::read_to_string(self.tree.path(format!("/var/lib/pg/marks/{package}"))).unwrap_or_default()
    }

    /// A systemd that seems to run: what is asked of it is written to /root/calls, the units that run are the files in
    /// /root/active; those in /root/failed have failed. (Enablement is systemctl's own, which needs no systemd.)
    fn pretend_systemd(&self) {
        self.tree.write("/root/systemctl", FAKE_SYSTEMCTL);
        self.ok("mv /usr/bin/systemctl /usr/bin/systemctl.real; install -m 755 /root/systemctl /usr/bin/systemctl; \
                 mkdir -p /run/systemd/system /root/active /root/failed; : >/root/calls");
    }

    /// What was asked of systemd since the last call, but for daemon-reload and the runtime's own timers; in the order in
    /// which it came.
    fn calls(&self) -> Vec<String> {
        let calls = self.ok("cat /root/calls; : >/root/calls");
        calls.lines().filter(|line| *line != "daemon-reload" && !line.contains(" pg-")).map(str::to_owned).collect()
    }

    /// Every path below /etc, /srv, /opt and /usr/local with its type, mode, owner, target and content; without the links
    /// that enable the runtime's timers.
    fn files(&self) -> String {
        self.ok("cd /; find etc srv opt usr/local ! -path etc/mtab ! -name 'pg-*.timer' -printf '%p %y %m %u:%g %l\\n' | sort; \
                 find etc srv opt usr/local -type f -exec sha256sum {} + | sort -k2")
    }
}

const FAKE_SYSTEMCTL: &str = r#"#!/bin/sh
quiet=
verb=
unit=
for argument; do
    case $argument in
    --quiet) quiet=yes ;;
    -*) ;;
    *) if [ -z "$verb" ]; then verb=$argument; else unit=$argument; fi ;;
    esac
done
case $verb in
is-active)
    state=inactive
    [ ! -e "/root/active/$unit" ] || state=active
    [ ! -e "/root/failed/$unit" ] || state=failed
    [ -n "$quiet" ] || echo $state
    [ $state = active ]
    ;;
show) if [ -e "/root/noreload/$unit" ]; then echo no; else echo yes; fi ;;
daemon-reload) echo daemon-reload >>/root/calls ;;
start | stop | reload | restart)
    echo "$verb $unit" >>/root/calls
    if [ -e /root/refuse ]; then echo "Job for $unit failed." >&2; exit 1; fi
    case $verb in
    stop) rm -f "/root/active/$unit" ;;
    *) : >"/root/active/$unit"; rm -f "/root/failed/$unit" ;;
    esac
    ;;
*) SYSTEMD_OFFLINE=1 exec /usr/bin/systemctl.real "$@" ;;
esac
"#;

/// A role's or a host's package.
struct Package {
    name: String,
    version: String,
    depends: String,
    lines: Vec<String>,
    files: BTreeMap<String, (u32, String)>,
}

fn role(name: &str, version: &str) -> Package {
    Package::new("role", &format!("/usr/share/pg/roles/{name}"), name, version)
}

fn host_package(fqdn: &str, version: &str) -> Package {
    Package::new("host", &format!("/usr/share/pg/hosts/{fqdn}"), fqdn, version)
}

/// A package that is neither a role's nor a host's.
fn fleet_package(name: &str, version: &str) -> Package {
    let package = Package::new("x", &format!("/usr/share/pg/{name}"), name, version);
    let name = format!("pg-{name}");
    Package {
        lines: vec![package.lines[0].clone(), package.lines[1].clone(), format!("package {name}")],
        name,
        ..package
    }
}

impl Package {
    fn new(kind: &str, home: &str, name: &str, version: &str) -> Package {
        let name = format!("pg-{kind}-{name}");
        let lines = vec![home.to_owned(), "debrole-manifest 1".to_owned(), format!("package {name}")];
        Package { name, version: version.to_owned(), depends: "pg-runtime".into(), lines, files: BTreeMap::new() }
    }

    fn home(&self) -> String {
        self.lines[0].clone()
    }

    /// A managed file of root's, mode 0644.
    fn file(self, path: &str, content: &str) -> Package {
        self.file_as(path, "0644 root root", content)
    }

    fn file_as(self, path: &str, ownership: &str, content: &str) -> Package {
        self.record("file", path, ownership, content)
    }

    fn record(mut self, kind: &str, path: &str, ownership: &str, content: &str) -> Package {
        let payload = format!("{}/files{path}", self.home());
        self.files.insert(payload[1..].to_owned(), (0o644, content.to_owned()));
        self.line(&format!("{kind} {path} {ownership} {}", sha256(content.as_bytes())))
    }

    /// A file that is put there once.
    fn initial(self, path: &str, content: &str) -> Package {
        self.record("initial", path, "0644 root root", content)
    }

    /// A file in the place of one of another package's.
    fn divert(self, path: &str, content: &str) -> Package {
        self.record("divert", path, "0644 root root", content)
    }

    /// A file in the place of one that the package's maintainer scripts make.
    fn adopt(self, path: &str, package: &str, content: &str) -> Package {
        self.file(path, content).line(&format!("adopt {path} {package}"))
    }

    /// A line of the manifest.
    fn line(mut self, line: &str) -> Package {
        self.lines.push(line.to_owned());
        self
    }

    fn setup(mut self, text: &str) -> Package {
        let script = format!("#!/bin/sh\nset -e\n{text}\n");
        let line = format!("setup {}", sha256(script.as_bytes()));
        self.files.insert(format!("{}/setup", self.home())[1..].to_owned(), (0o755, script));
        self.line(&line)
    }

    fn teardown(mut self, text: &str) -> Package {
        let script = format!("#!/bin/sh\nset -e\n{text}\n");
        self.files.insert(format!("{}/teardown", self.home())[1..].to_owned(), (0o755, script));
        self
    }

    /// What it lets groups do.
    fn grants(mut self, lines: &str) -> Package {
        let grants = format!("debrole-grants 1\npackage {}\n{lines}", self.name);
        self.files.insert(format!("{}/grants", self.home())[1..].to_owned(), (0o644, grants));
        self
    }

    /// A rule of sudo(8) by which a group administers the machine, and the grant of it.
    fn administers(self, group: &str) -> Package {
        let path = format!("/etc/sudoers.d/60-{}", self.name);
        let rule = format!("%{group} ALL=(root) ALL\n");
        self.grants(&format!("login {group}\nadmin {group}\n")).file_as(&path, "0440 root root", &rule)
    }

    /// The list of its secrets, each of which is beside it as the text `plain` encrypted to this machine's host key.
    fn secrets(mut self, host: &Host, lines: &str, plain: &[(&str, &str)]) -> Package {
        let list = format!("debrole-secrets 1\npackage {}\n{lines}", self.name);
        let at = |name: &str| format!("{}/secrets/{name}", self.home())[1..].to_owned();
        let mut files = BTreeMap::from([(at("list"), (0o644, list))]);
        for (name, text) in plain {
            let armored = host.ok(&format!("printf %s '{text}' | age -a -R /etc/ssh/ssh_host_ed25519_key.pub"));
            files.insert(at(&format!("{name}.age")), (0o644, armored));
        }
        self.files.extend(files);
        self
    }

    /// A unit in place, with its line.
    fn own_unit(mut self, unit: &str, state: &str, text: &str) -> Package {
        self.files.insert(format!("usr/lib/systemd/system/{unit}"), (0o644, text.to_owned()));
        self.line(&format!("own-unit {unit} {state} {}", sha256(text.as_bytes())))
    }

    fn depends(mut self, package: &str) -> Package {
        self.depends += ", ";
        self.depends += package;
        self
    }

    /// Makes /root/NAME_VERSION.deb in the tree; NAME_VERSION.
    fn make(mut self, host: &Host) -> String {
        let manifest = self.lines[1..].join("\n") + "\n";
        self.files.insert(format!("{}/manifest", self.home())[1..].to_owned(), (0o644, manifest));
        self.write(host)
    }

    /// An empty package in its place, as for what has left the tree.
    fn make_tombstone(self, host: &Host) -> String {
        self.write(host)
    }

    fn write(self, host: &Host) -> String {
        let name = &self.name;
        let members = BTreeMap::from([
            (
                "postinst",
                "#!/bin/sh\nset -e\ncase \"$1\" in\nconfigure|abort-upgrade|abort-deconfigure|abort-remove)\n    \
                 dpkg-trigger --no-await pg-apply\n    ;;\nesac\n"
                    .to_owned(),
            ),
            (
                "prerm",
                format!(
                    "#!/bin/sh\nset -e\ncase \"$1\" in\nremove|deconfigure)\n    if command -v pg-runtime >/dev/null; \
                     then\n        pg-runtime withdraw {name} || true\n    fi\n    ;;\nesac\n"
                ),
            ),
            (
                "postrm",
                format!(
                    "#!/bin/sh\nset -e\ncase \"$1\" in\npurge)\n    rm -f /var/lib/pg/packages/{name} \
                     /var/lib/pg/marks/{name}\n    dpkg-trigger --no-await pg-apply || true\n    ;;\nesac\n"
                ),
            ),
        ]);
        let fields = format!("Depends: {}\n", self.depends);
        deb(&host.tree, name, &self.version, &fields, &self.files, &members);
        format!("{name}_{}", self.version)
    }
}

/// A Debian package of somebody else's: files, of which those in /etc are conffiles.
fn debian_package(host: &Host, name: &str, version: &str, files: &[(&str, &str)], scripts: &[(&str, &str)]) -> String {
    let conffiles: String =
        files.iter().filter(|(path, _)| path.starts_with("/etc/")).map(|(p, _)| format!("{p}\n")).collect();
    let mut members: BTreeMap<&str, String> = scripts.iter().map(|&(member, text)| (member, text.to_owned())).collect();
    if !conffiles.is_empty() {
        members.insert("conffiles", conffiles);
    }
    let files = files.iter().map(|(path, text)| (path[1..].to_owned(), (0o644, (*text).to_owned()))).collect();
    deb(&host.tree, name, version, "", &files, &members);
    format!("{name}_{version}")
}

fn deb(
    tree: &Tree,
    name: &str,
    version: &str,
    fields: &str,
    files: &BTreeMap<String, (u32, String)>,
    members: &BTreeMap<&str, String>,
) {
    let new = tempfile::tempdir().expect("a temporary directory");
    let write = |path: &Path, mode: u32, text: &str| {
        std::fs::create_dir_all(path.parent().expect("not the root")).expect("writable");
        std::fs::write(path, text).expect("writable");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("writable");
    };
    std::fs::set_permissions(new.path(), std::fs::Permissions::from_mode(0o755)).expect("writable");
    for (path, (mode, text)) in files {
        write(&new.path().join(path), *mode, text);
    }
    for (member, text) in members {
        let mode = if matches!(*member, "conffiles" | "triggers") { 0o644 } else { 0o755 };
        write(&new.path().join("DEBIAN").join(member), mode, text);
    }
    let control = format!(
        "Package: {name}\nVersion: {version}\nArchitecture: all\nSection: admin\nPriority: optional\n\
         Maintainer: Example Sysadmins <sysadmins@example.org>\n{fields}Description: {name}\n"
    );
    write(&new.path().join("DEBIAN/control"), 0o644, &control);
    let out = tree.path(format!("/root/{name}_{version}.deb"));
    let built = Command::new("dpkg-deb")
        .args(["--root-owner-group", "-Zgzip", "-z1", "--build"])
        .arg(new.path())
        .arg(out)
        .output()
        .expect("dpkg-deb runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}
