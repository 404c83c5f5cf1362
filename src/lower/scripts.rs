//! Maintainer scripts. They are thin, because an old prerm or postrm can never be mended: all logic is in the
//! runtime. Every script handles every verb of Debian Policy 6.5; a verb that it doesn't know is none of its
//! business and succeeds. They are POSIX sh, run with `set -e` and never read their standard input.

use crate::model::DebconfAnswer;
use crate::names::{PackageName, Prefix};
use crate::plan::ControlMember;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The trigger that the runtime is interested in.
pub fn trigger(prefix: &Prefix) -> String {
    format!("{prefix}-apply")
}

/// The scripts of a package that the runtime applies: a role or a host.
///
/// All but the preinst are there whatever is in it: the version before may have held what the runtime must take away
/// now, and the one after may come while this one's removal runs.
pub fn applied(
    prefix: &Prefix,
    package: &PackageName,
    answers: &[DebconfAnswer],
    units_in_place: bool,
) -> BTreeMap<ControlMember, String> {
    let mut scripts = withdrawn(prefix, package, units_in_place);
    if !answers.is_empty() {
        scripts.insert(ControlMember::Preinst, seeding(answers));
    }
    scripts
}

/// The scripts of an empty package in the place of one that was applied. dpkg calls the old prerm with `upgrade`,
/// which does nothing; so the new preinst has the runtime withdraw while the old payload (and its teardown) is still
/// there, and the trigger makes sure of it where that was not possible.
pub fn tombstone(prefix: &Prefix, package: &PackageName) -> BTreeMap<ControlMember, String> {
    let mut scripts = withdrawn(prefix, package, false);
    scripts.insert(ControlMember::Preinst, preinst_withdrawing(&prefix.runtime_package(), package.as_str()));
    scripts
}

/// The scripts of an empty package in the place of the runtime itself: nothing could withdraw afterwards.
pub fn runtime_tombstone(runtime: &PackageName) -> BTreeMap<ControlMember, String> {
    BTreeMap::from([(ControlMember::Preinst, preinst_withdrawing(runtime, "--all"))])
}

/// The scripts of a group's package, and of the empty one in its place: the runtime's reconciler looks once, at the end
/// of the dpkg run. When the runtime goes in the same run, its own removal sees to the accounts.
pub fn access(prefix: &Prefix) -> BTreeMap<ControlMember, String> {
    let trigger = trigger(prefix);
    let script = |verbs: &str, body: &str| {
        format!("#!/bin/sh\nset -e\n\ncase \"$1\" in\n    {verbs})\n{body}        ;;\nesac\n")
    };
    let tell = format!("        dpkg-trigger --no-await {trigger}\n");
    BTreeMap::from([
        (ControlMember::Postinst, script("configure|abort-upgrade|abort-deconfigure|abort-remove", &tell)),
        (ControlMember::Postrm, script("remove|disappear", &tell)),
    ])
}

/// The scripts of `<prefix>-access`: sshd reads its configuration anew where that is valid.
pub fn people(prefix: &Prefix) -> BTreeMap<ControlMember, String> {
    let trigger = trigger(prefix);
    let script = |verbs: &str| {
        format!(
            "\
#!/bin/sh
set -e

case \"$1\" in
    {verbs})
        if [ -d /run/systemd/system ] && sshd -t 2>/dev/null; then
            deb-systemd-invoke reload ssh.service >/dev/null || true
        fi
        dpkg-trigger --no-await {trigger}
        ;;
esac
"
        )
    };
    BTreeMap::from([
        (ControlMember::Postinst, script("configure|abort-upgrade|abort-deconfigure|abort-remove")),
        (ControlMember::Postrm, script("remove|disappear")),
    ])
}

/// The scripts of `<prefix>-backup`: its timers are the roles' own. The password of the backups goes with a purge.
pub fn backup_client(prefix: &Prefix) -> BTreeMap<ControlMember, String> {
    let reload = "        if [ -d /run/systemd/system ]; then
            systemctl --system daemon-reload >/dev/null || true
        fi
";
    let script = |cases: String| format!("#!/bin/sh\nset -e\n\ncase \"$1\" in\n{cases}esac\n");
    let purge = format!("        rm -rf /var/lib/{prefix}-backup /var/cache/{prefix}-backup\n");
    BTreeMap::from([
        (
            ControlMember::Postinst,
            script(format!("    configure|abort-upgrade|abort-deconfigure|abort-remove)\n{reload}        ;;\n")),
        ),
        (ControlMember::Postrm, script(format!("    remove)\n{reload}        ;;\n    purge)\n{purge}        ;;\n"))),
    ])
}

const RELOAD_SSHD: &str =
    "        if [ -d /run/systemd/system ] && command -v sshd >/dev/null && sshd -t 2>/dev/null; then
            deb-systemd-invoke reload ssh.service >/dev/null || true
        fi
";

/// The scripts of `<prefix>-backup-config`: sshd reads its configuration anew where that is valid.
pub fn backup_server(prefix: &Prefix) -> BTreeMap<ControlMember, String> {
    let script = |cases: String| format!("#!/bin/sh\nset -e\n\ncase \"$1\" in\n{cases}esac\n");
    let purge = format!("        rm -rf /var/lib/{prefix}-backup-server /run/{prefix}-backup-server.*\n");
    BTreeMap::from([
        (
            ControlMember::Postinst,
            script(format!("    configure|abort-upgrade|abort-deconfigure|abort-remove)\n{RELOAD_SSHD}        ;;\n")),
        ),
        (
            ControlMember::Postrm,
            script(format!("    remove|disappear)\n{RELOAD_SSHD}        ;;\n    purge)\n{purge}        ;;\n")),
        ),
    ])
}

/// Of an empty package in the place of either.
pub fn backup_gone() -> BTreeMap<ControlMember, String> {
    let script = format!("#!/bin/sh\nset -e\n\ncase \"$1\" in\n    configure)\n{RELOAD_SSHD}        ;;\nesac\n");
    BTreeMap::from([(ControlMember::Postinst, script)])
}

fn preinst_withdrawing(runtime: &PackageName, what: &str) -> String {
    format!(
        "\
#!/bin/sh
set -e

case \"$1\" in
    upgrade)
        if command -v {runtime} >/dev/null; then
            {runtime} withdraw {what} || true
        fi
        ;;
esac
"
    )
}

fn withdrawn(prefix: &Prefix, package: &PackageName, units_in_place: bool) -> BTreeMap<ControlMember, String> {
    let trigger = trigger(prefix);
    let postinst = format!(
        "\
#!/bin/sh
set -e

case \"$1\" in
    configure|abort-upgrade|abort-deconfigure|abort-remove)
        dpkg-trigger --no-await {trigger}
        ;;
esac
"
    );
    let prerm = format!(
        "\
#!/bin/sh
set -e

case \"$1\" in
    remove|deconfigure)
        if command -v {prefix}-runtime >/dev/null; then
            {prefix}-runtime withdraw {package} || true
        fi
        ;;
esac
"
    );
    // Only Essential packages can be relied on here; systemd is none (Debian Policy 7.2).
    let reload = if units_in_place {
        "    remove)
        if [ -d /run/systemd/system ]; then
            systemctl --system daemon-reload >/dev/null || true
        fi
        ;;
"
    } else {
        ""
    };
    let postrm = format!(
        "\
#!/bin/sh
set -e

case \"$1\" in
{reload}    purge)
        rm -f /var/lib/{prefix}/packages/{package} /var/lib/{prefix}/marks/{package}
        # Files that were put there once stay until now. The runtime removes them, if it is there.
        dpkg-trigger --no-await {trigger} || true
        ;;
esac
"
    );
    let mut scripts = BTreeMap::from([
        (ControlMember::Postinst, postinst),
        (ControlMember::Prerm, prerm),
        (ControlMember::Postrm, postrm),
    ]);
    // What format! set aside for more than there is: in a large fleet megabytes.
    scripts.values_mut().for_each(String::shrink_to_fit);
    scripts
}

/// A preinst that answers debconf's questions before the packages that ask them are configured. It needs
/// `Pre-Depends: debconf`. Each answer is one line, and starts with a package's name: none can end the here-document.
///
/// dpkg-preconfigure asks before any preinst runs, and a `config` script of ours would not help: it runs those of
/// the packages that we depend on first. What counts is the question as the package's own postinst finds it, and that
/// is the seeded answer.
fn seeding(answers: &[DebconfAnswer]) -> String {
    let mut lines = String::new();
    for answer in answers {
        let (package, question) = (&answer.package.value, &answer.question.value);
        // Infallible: a String takes everything.
        let _ = writeln!(lines, "{package} {question} {} {}", answer.kind, answer.value.value);
    }
    format!(
        "\
#!/bin/sh
set -e

case \"$1\" in
    install|upgrade)
        debconf-set-selections <<'ANSWERS'
{lines}ANSWERS
        ;;
esac
"
    )
}
