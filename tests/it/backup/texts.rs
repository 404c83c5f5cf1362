//! The programs and manual pages themselves.

use crate::machine::{Need, Release, Tree, skip};
use debrole::lower::backup::{CHECK, CLIENT, SERVE, SERVER};
use std::process::Command;

fn prefixed(text: &str) -> String {
    text.replace("@PREFIX@", "pg")
}

/// What a program says of a file with this text.
fn judged(program: &str, arguments: &[&str], text: &str) -> (bool, String) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("text");
    std::fs::write(&file, text).expect("writable");
    let output = Command::new(program).args(arguments).arg(&file).output().expect("it starts");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), said)
}

#[test]
fn shells_and_shellcheck_have_nothing_to_say() {
    if skip("shellcheck", &[Need::Program("dash"), Need::Program("shellcheck")]) {
        return;
    }
    for text in [CLIENT, SERVE, CHECK] {
        let text = prefixed(text);
        assert!(!text.contains("@PREFIX@") && !text.contains("TODO"));
        assert_eq!(judged("dash", &["-n"], &text), (true, String::new()));
        assert_eq!(judged("shellcheck", &["--shell=dash"], &text), (true, String::new()));
    }
}

#[test]
fn the_manual_pages_are_well_formed_and_name_every_command() {
    if skip("the manual pages of backups", &[Need::Program("groff")]) {
        return;
    }
    let client = include_str!("../../../src/lower/backup/pg-backup.8");
    let server = include_str!("../../../src/lower/backup/pg-backup-server.8");
    for (manual, program, verbs) in [
        (client, CLIENT, &["jobs", "run", "list", "restore"][..]),
        (server, SERVER, &["watch", "list", "restore", "sample", "clear", "renew"]),
    ] {
        assert_eq!(judged("groff", &["-man", "-Tutf8", "-ww", "-z"], &prefixed(manual)), (true, String::new()));
        for verb in verbs {
            let there = [format!(".B {verb}\n"), format!(".BI {verb} "), format!(".BR {verb} ")];
            assert!(there.iter().any(|text| manual.contains(text)), "the manual has no {verb}");
            assert!(program.contains(verb), "the program has no {verb}");
        }
    }
}

/// perl-base is Essential, the other modules of perl are not.
#[test]
fn the_servers_program_needs_perl_base_alone() {
    if skip("perl of a minimal Debian", &[Need::Trees]) {
        return;
    }
    for release in Release::ALL {
        let tree = Tree::new(release);
        tree.write("/root/server", prefixed(SERVER));
        assert_eq!(tree.run("perl -wc /root/server").all(), "/root/server syntax OK\n");
        let usage = tree.run("perl /root/server");
        assert!(usage.status == 2 && usage.stderr.starts_with("usage: pg-backup-server watch\n"), "{}", usage.all());
        let none = tree.run("perl /root/server watch");
        assert!(none.status == 1 && none.stderr.contains("no role with [backup_server]"), "{}", none.all());
    }
}
