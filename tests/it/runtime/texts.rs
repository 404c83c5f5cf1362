//! The texts themselves.

use super::{MANUAL, SCRIPT, prefix, prefixed, text};
use crate::machine::{Need, skip};
use debrole::lower::monitoring;
use debrole::lower::runtime::ACCESS;
use debrole::plan::ControlMember;
use std::io::Write;
use std::process::{Command, Stdio};

fn judged(program: &str, arguments: &[&str], text: &str) -> (bool, String) {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{program}: {e}"));
    let mut stdin = child.stdin.take().expect("a pipe");
    let text = text.to_owned();
    let writer = std::thread::spawn(move || drop(stdin.write_all(text.as_bytes())));
    let output = child.wait_with_output().expect("our child");
    writer.join().expect("the writer does not panic");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), said)
}

#[test]
fn shells_and_shellcheck_have_nothing_to_say() {
    if skip("shellcheck", &[Need::Program("dash"), Need::Program("shellcheck")]) {
        return;
    }
    let mut texts = text::scripts(&prefix());
    texts.remove(&ControlMember::Triggers);
    for text in texts.into_values().chain([SCRIPT, monitoring::CHECK, monitoring::AGENT].map(prefixed)) {
        assert_eq!(judged("dash", &["-n"], &text), (true, String::new()));
        assert_eq!(judged("shellcheck", &["--shell=dash", "-"], &text), (true, String::new()));
    }
    assert!(!judged("shellcheck", &["--shell=dash", "-"], "#!/bin/sh\nrm $1\n").0, "shellcheck judges");
}

#[test]
fn the_manual_page_is_well_formed_and_names_every_command() {
    if skip("the manual page", &[Need::Program("groff")]) {
        return;
    }
    let text = prefixed(MANUAL);
    assert_eq!(judged("groff", &["-man", "-Tutf8", "-ww", "-z"], &text), (true, String::new()));
    for verb in [
        "apply",
        "withdraw",
        "verify",
        "hold",
        "release",
        "owner",
        "status",
        "refresh",
        "access",
        "web-login",
        "secrets",
    ] {
        assert!(text.contains(&format!(".B {verb}\n")) || text.contains(&format!(".BR {verb} ")), "{verb}");
        assert!(SCRIPT.contains(&format!("\n{verb})")), "{verb}");
    }
}

/// perl-base is Essential, the other modules of perl are not.
#[test]
fn the_program_for_people_compiles_with_perl_base_alone() {
    if skip("perl of a minimal Debian", &[Need::Trees]) {
        return;
    }
    for release in crate::machine::Release::ALL {
        let tree = crate::machine::Tree::new(release);
        tree.write("/root/access", prefixed(ACCESS));
        assert_eq!(tree.run("perl -wc /root/access").all(), "/root/access syntax OK\n");
        // It ends at once with a usage; what it has loaded until then is all.
        let modules =
            tree.run("perl -e '@ARGV = q(--what); END { print join qq(\\n), values %INC } do q(/root/access)'").stdout;
        for module in modules.lines().filter(|line| line.starts_with("/usr/")) {
            assert_eq!(tree.ok(&format!("dpkg -S {module} | sed 's/:.*//'")), "perl-base\n", "{module}");
        }
        assert!(modules.contains("Fcntl.pm"), "{modules}");
    }
    let programs = prefixed(ACCESS);
    assert!(!programs.contains("@PREFIX@") && !programs.contains("TODO"));
}

/// What is not Essential on every Debian machine: the runtime may use none of it but what its package depends on.
#[test]
fn it_uses_essential_programs_only() {
    if skip("which package has a program", &[Need::Trees]) {
        return;
    }
    let tree = crate::machine::Tree::new(crate::machine::Release::Bookworm);
    let essential = tree.ok(
        "dpkg-query -W -f '${Package} ${Essential} ${Priority}\\n' | awk '$2 == \"yes\" { print $1 }'; echo mount; echo mawk",
    );
    let essential: Vec<&str> = essential.lines().collect();
    let programs = "awk cat chmod chown cmp cp date dpkg-query dpkg-trigger deb-systemd-helper deb-systemd-invoke env \
                    find flock getent grep id install ln ls mkdir mktemp mount mv paste readlink rm rmdir sed sha256sum \
                    sleep sort stat sync tac tail timeout tr uname unshare wc xargs";
    for program in programs.split_whitespace() {
        assert!(SCRIPT.contains(program), "{program} is not used any more");
        let owner = tree.ok(&format!(
            "p=$(readlink -f $(command -v {program})); dpkg -S $p /usr$p ${{p#/usr}} 2>/dev/null | sed 's/:.*//' | head -n1"
        ));
        // getent is libc-bin's, which libc6 brings.
        assert!(
            essential.contains(&owner.trim()) || owner.trim() == "libc-bin",
            "{program} is {}'s, which is not Essential",
            owner.trim()
        );
    }
}
