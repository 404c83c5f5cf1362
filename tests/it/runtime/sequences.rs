//! dpkg's whole sequence for each kind of package, as debrole compiles them: what there is afterwards is one of four
//! states, whatever failed or was killed on the way. Nothing ever reads standard input.

use crate::lower::judges::write;
use crate::lower::lower;
use crate::machine::{Need, Release, Tree, skip};
use debrole::plan::{ControlMember, DebContent};
use std::path::Path;
use std::process::Command;

const HOST: &str = "pg-host-m1.example.org";
/// Each with what it needs.
const KINDS: [(&str, &str); 4] =
    [("pg-archive-keyring", ""), ("pg-runtime", ""), ("pg-role-web", "pg-runtime"), (HOST, "pg-runtime pg-role-web")];

fn role(version: &str) -> String {
    format!(
        r##"
summary = "Web"
setup = "mkdir -p /srv/made"
teardown = "rm -rf /srv/made"
[sysctl]
"vm.swappiness" = {version}
[[file]]
path = "/etc/app/conf"
content = "{version}\n"
validate = "grep -q . /etc/app/conf"
reload = ["app.service"]
[[file]]
path = "/etc/app/first"
content = "the machine's\n"
policy = "initial"
[[file]]
path = "/etc/e2scrub.conf"
content = "# {version}\n"
policy = "divert"
[[file]]
path = "/etc/motd"
content = "{version}\n"
[[file]]
path = "/etc/app/only-{version}"
content = "x\n"
[[symlink]]
path = "/etc/app/link"
target = "only-{version}"
[[directory]]
path = "/srv/data"
mode = "0750"
group = "mail"
[[absent]]
path = "/etc/stray"
[[unit]]
name = "pg-web.service"
enable = true
content = "[Service]\nExecStart=/bin/true\n# {version}\n[Install]\nWantedBy=multi-user.target\n"
"##
    )
}

fn host(version: &str) -> String {
    format!(
        "roles = [\"web\"]\nrelease = \"bookworm\"\n[[file]]\npath = \"/etc/host.conf.d/x\"\ncontent = \"{version}\\n\"\n\
         [[file]]\npath = \"/etc/app/of-host-{version}\"\ncontent = \"x\\n\"\n"
    )
}

/// Each script fails at its end while /root/fail/PACKAGE.SCRIPT is there.
fn with_hooks(name: &str, mut content: DebContent) -> DebContent {
    for member in [ControlMember::Preinst, ControlMember::Postinst, ControlMember::Prerm] {
        let text = content.scripts.entry(member).or_insert_with(|| "#!/bin/sh\nset -e\n".to_owned());
        let body = text.trim_end().strip_suffix("exit 0").unwrap_or(text).to_owned();
        *text = format!("{body}\n[ ! -e /root/fail/{name}.{} ] || exit 1\nexit 0\n", member.file_name());
    }
    content
}

fn machine(release: Release) -> Tree {
    let tree = Tree::new(release);
    tree.name("m1.example.org", &[]);
    for version in ["1", "2"] {
        let debrole = crate::lower::DEBROLE.replace("apt.example.org", &format!("apt{version}.example.org"));
        let (role, host) = (role(version), host(version));
        let lowered =
            lower(&[("debrole.toml", &debrole), ("roles/web.toml", &role), ("hosts/m1.example.org.toml", &host)]);
        assert!(lowered.diagnostics.iter().all(|d| !d.is_error()), "{}", lowered.report());
        for (name, _) in KINDS {
            // The host is one of bookworm's; where it is installed makes no difference here.
            let codename = if name == HOST { "bookworm" } else { release.codename() };
            let content = with_hooks(name, lowered.deb(name, codename).clone());
            tree.write(format!("/root/{name}_{version}.deb"), write(name, &content, version));
        }
    }
    tree.ok("mkdir -p /root/fail; echo stray >/etc/stray");
    tree.write("/root/functions", FUNCTIONS);
    tree
}

const FUNCTIONS: &str = r#"
exec <&-
look() { # what there is: files with their owners, modes and contents, packages with their states, the record, marks
    cd /
    places='etc srv usr/sbin/pg-runtime usr/share/keyrings usr/share/pg usr/lib/systemd/system usr/lib/sysusers.d var/lib/pg/originals var/lib/pg/marks'
    find $places ! -name 'pg-*.timer' ! -path etc/mtab ! \( -path 'var/lib/pg/originals/*' -type d \) -printf '%p %y %m %u:%g %l\n' 2>/dev/null | sort
    find $places -type f -exec sha256sum {} + 2>/dev/null | sort -k2
    dpkg-query -W -f '${Package} ${db:Status-Status} ${Version}\n' 'pg-*' 2>/dev/null | grep -vE 'not-installed|config-files'
    [ ! -e var/lib/pg/applied ] || sed 1d var/lib/pg/applied
    dpkg --audit
    dpkg-divert --list | grep pg- || true
    find / -xdev \( -name '.pg-new*' -o -name '.pg-old*' -o -name journal \) -path '*pg*' ! -path '/proc/*' ! -path '/run/*'
}
files() { for name in $2; do echo "/root/${name}_$1.deb"; done; } # VERSION NAMES
see() { look >"/root/state.$1"; }
is() { # STATE WHAT
    look >/root/state.now
    cmp -s "/root/state.$1" /root/state.now && return 0
    echo "after $2 it is not $1:"; diff "/root/state.$1" /root/state.now | head -40; tail -60 /root/log; exit 1
}
ok() { "$@" >/root/log 2>&1 || { echo "failed: $*"; cat /root/log; exit 1; }; }
fails() { ! "$@" >/root/log 2>&1 || { echo "did not fail: $*"; cat /root/log; exit 1; }; }
"#;

/// KIND and BASE are set. From nothing through everything that dpkg does, and back to nothing.
const SEQUENCE: &str = r#"
. /root/functions
[ -z "$BASE" ] || ok dpkg -i $(files 1 "$BASE")
one=$(files 1 "$KIND") two=$(files 2 "$KIND")
see nothing
ok dpkg -i $one; see one
if cmp -s /root/state.nothing /root/state.one; then echo "$KIND does nothing"; exit 1; fi
ok dpkg -i $two; see two
ok dpkg -r $KIND; see removed
ok dpkg -P $KIND; is nothing purge
ok dpkg -i $one; is one "the second installation"
ok dpkg -i $one; is one reinstallation
touch /root/fail/$KIND.preinst
fails dpkg -i $two; is one "a failing new preinst"
rm /root/fail/*
touch /root/fail/$KIND.postinst
fails dpkg -i $two
fails dpkg --configure -a
rm /root/fail/*
ok dpkg --configure -a; is two "a failing postinst and --configure -a"
touch /root/fail/$KIND.prerm
fails dpkg -r $KIND
rm /root/fail/*
ok dpkg --configure -a; is two "a failing prerm"
# On the way up, the old prerm fails, and the new one is asked instead.
echo 'if [ "$1" = upgrade ]; then exit 1; fi' >/root/edit
sed -i '2r /root/edit' /var/lib/dpkg/info/$KIND.prerm
ok dpkg -i $two; is two "a failing old prerm"
ok dpkg -i $one; is one "a downgrade"
ok dpkg -r $KIND; ok dpkg -i $two; is two "removal and installation"
ok dpkg -r $KIND; is removed removal
ok dpkg -P $KIND; is nothing "removal and purge"
ok dpkg -i $one; touch /root/fail/$KIND.postinst
fails dpkg -i $one
rm /root/fail/*
ok dpkg -P $KIND; is nothing "the purge of what was half-configured"
"#;

#[test]
fn each_kind_of_package_through_all_that_dpkg_does() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    for release in Release::ALL {
        for (kind, base) in KINDS {
            let tree = machine(release);
            let outcome = tree.run(&format!("KIND='{kind}' BASE='{base}'\n{SEQUENCE}"));
            assert_eq!(outcome.status, 0, "{kind} on {release:?}: {}", outcome.all());
        }
    }
}

/// The runtime under its roles, and all at once.
const TOGETHER: &str = r#"
. /root/functions
all="pg-archive-keyring pg-runtime pg-role-web pg-host-m1.example.org"
see nothing
ok dpkg -i $(files 1 "$all"); see one
ok dpkg -i $(files 2 pg-runtime)
ok dpkg -i $(files 1 pg-runtime); is one "the runtime upgraded and back, its roles staying"
for script in preinst postinst; do
    touch /root/fail/pg-runtime.$script
    fails dpkg -i $(files 2 pg-runtime)
    rm /root/fail/*
    ok dpkg --configure -a
    ok dpkg -i $(files 1 pg-runtime); is one "the runtime's failing $script"
done
ok dpkg -i $(files 2 "$all"); see two
for script in preinst postinst; do
    for kind in $all; do
        ok dpkg -i $(files 1 "$all"); is one "all back"
        touch /root/fail/$kind.$script
        fails dpkg -i $(files 2 "$all")
        rm /root/fail/*
        ok dpkg -i $(files 2 "$all"); is two "$kind's failing $script"
    done
done
for kind in $all; do
    touch /root/fail/$kind.prerm
    fails dpkg -P $all
    rm /root/fail/*
    ok dpkg -i $(files 2 "$all"); is two "$kind's failing prerm"
done
fails dpkg -r pg-runtime; is two "the runtime's refused removal"
ok dpkg -P $all; is nothing "the purge of all"
ok dpkg -i $(files 1 "$all"); ok dpkg -r $all
ok dpkg -P pg-runtime; ok dpkg -P $all; is nothing "the runtime purged before the rest"
"#;

#[test]
fn all_kinds_together_and_the_runtime_under_its_roles() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    for release in Release::ALL {
        let tree = machine(release);
        let outcome = tree.run(TOGETHER);
        assert_eq!(outcome.status, 0, "{release:?}: {}", outcome.all());
    }
}

/// SIGKILL at ten of dpkg's own calls of rename(2): it renames files as it unpacks them, and its own database at each
/// step in between. Afterwards what an administrator does: configure what is pending, and the same again.
const KILLED: &str = r#"
. /root/functions
all="pg-archive-keyring pg-runtime pg-role-web pg-host-m1.example.org"
saved='etc srv usr/sbin/pg-runtime usr/share/keyrings usr/share/pg usr/share/doc usr/share/man usr/share/lintian usr/lib/systemd/system usr/lib/sysusers.d var/lib/pg var/backups var/lib/dpkg var/lib/systemd'
save() { cd /; tar -cf /root/save.tar $(ls -d $saved 2>/dev/null); }
back() { cd /; rm -rf $saved run/pg; tar -xf /root/save.tar; }
trace() { LD_LIBRARY_PATH=/root/strace /root/strace/strace -qq -E LD_LIBRARY_PATH "$@"; }
killed() { # STATE COMMAND…
    state=$1
    shift
    save
    trace -o /root/calls -e trace=rename "$@" >/root/log 2>&1
    calls=$(grep -c '^rename' /root/calls)
    is "$state" "$*"
    [ "$calls" -ge 10 ] || { echo "only $calls calls in $*"; exit 1; }
    for point in 1 2 3 4 5 6 7 8 9 10; do
        back
        at=$(((calls - 1) * (point - 1) / 9 + 1))
        # How often dpkg renames depends a little on the clock: where it came to its end before that call, an
        # earlier one it is.
        trace -o /root/these -e trace=rename -e inject=rename:signal=SIGKILL:when=$at "$@" >/root/log 2>&1
        if [ $? != 137 ]; then
            at=$(grep -c '^rename' /root/these)
            [ "$at" -gt $((calls - 5)) ] || { echo "$*: $at calls of $calls"; exit 1; }
            at=$((at - 5))
            back
            trace -o /dev/null -e trace=rename -e inject=rename:signal=SIGKILL:when=$at "$@" >/root/log 2>&1
            [ $? = 137 ] || { echo "$*: not killed at $at of $calls"; exit 1; }
        fi
        # What was unpacked half or is half removed can not be configured; everything else is now.
        dpkg --configure -a >>/root/log 2>&1
        "$@" >>/root/log 2>&1 || { echo "$*, killed at $at of $calls, fails the second time:"; cat /root/log; exit 1; }
        is "$state" "$*, killed at $at of $calls, and again"
    done
}
see nothing
ok dpkg -i $(files 1 "$all"); see one
ok dpkg -i $(files 2 "$all"); see two
ok dpkg -r $all; see removed
ok dpkg -P $all; is nothing purge
case $PART in
up)
    killed one dpkg -i $(files 1 "$all")
    killed one dpkg -i $(files 1 "$all")
    killed two dpkg -i $(files 2 "$all")
    ;;
down)
    ok dpkg -i $(files 1 "$all"); ok dpkg -i $(files 2 "$all")
    save; mv /root/save.tar /root/two.tar
    killed removed dpkg -r $all
    killed nothing dpkg -P $all
    mv /root/two.tar /root/save.tar; back
    is two "coming back"
    killed nothing dpkg -P $all
    ;;
esac
"#;

fn killed(part: &str, release: Release) {
    if skip("strace", &[Need::Trees, Need::Program("strace")]) {
        return;
    }
    let tree = machine(release);
    // The tests' own strace, with its libraries.
    let said =
        Command::new("sh").args(["-c", "command -v strace; ldd $(command -v strace)"]).output().expect("sh runs");
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    for path in said
        .split_whitespace()
        .filter(|word| word.starts_with('/') && !word.contains("ld-linux") && !word.contains("libc.so"))
    {
        let name = Path::new(path).file_name().expect("a file").to_string_lossy().into_owned();
        tree.copy_in(path, format!("/root/strace/{name}"));
    }
    tree.ok("chmod 755 /root/strace/strace");
    let outcome = tree.run(&format!("PART={part}\n{KILLED}"));
    assert_eq!(outcome.status, 0, "{}", outcome.all());
}

#[test]
fn dpkg_killed_on_the_way_up_on_bookworm() {
    killed("up", Release::Bookworm);
}

#[test]
fn dpkg_killed_on_the_way_down_on_bookworm() {
    killed("down", Release::Bookworm);
}

#[test]
fn dpkg_killed_on_the_way_up_on_trixie() {
    killed("up", Release::Trixie);
}

#[test]
fn dpkg_killed_on_the_way_down_on_trixie() {
    killed("down", Release::Trixie);
}
