//! Somebody without rights who owns a directory that a role puts something in, and the runtime, which is root there.

use super::{Host, debian_package, role};
use crate::machine::{Need, skip};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Owns /srv/m, as a service owns its state directory.
fn machine() -> Host {
    let host = Host::new();
    host.ok("useradd -r -U mallory; install -d -o mallory -g mallory /srv/m");
    host
}

#[test]
fn what_lies_under_the_name_of_a_new_file_leads_nowhere() {
    if skip("planted temporary names", &[Need::Trees]) {
        return;
    }
    let host = machine();
    let package = |version: &str| {
        role("app", version)
            .file_as("/srv/m/config", "0644 mallory mallory", &format!("config {version}\n"))
            .line(&format!("link /srv/m/link target{version}"))
            .make(&host)
    };
    for (version, plant) in [
        ("1", "ln -s /etc/profile.d /srv/m/.pg-new.$n~"),
        ("2", "ln -s /etc/passwd /srv/m/.pg-new.$n~"),
        ("3", "mkdir -p /srv/m/.pg-new.$n~/x"),
        ("4", "mkfifo /srv/m/.pg-new.$n~"),
    ] {
        let deb = package(version);
        host.ok(&format!(
            "rm -rf /srv/m/.pg-new.*; n=1; while [ $n -le 40 ]; do setpriv --reuid mallory --regid mallory --clear-groups sh -c \"{}\"; n=$((n + 1)); done
             ls -lR /etc/profile.d >/root/before; stat -c '%U %a' /etc/passwd >>/root/before",
            plant.replace('$', "\\$").replace("\\$n", "$n")
        ));
        host.dpkg("-i", &[&deb]);
        host.assert_settled();
        host.ok("{ ls -lR /etc/profile.d; stat -c '%U %a' /etc/passwd; } | diff /root/before -");
        assert_eq!(
            host.ok("cat /srv/m/config; readlink /srv/m/link; stat -c '%U %F' /srv/m/config"),
            format!("config {version}\ntarget{version}\nmallory regular file\n"),
            "{plant}"
        );
    }
}

#[test]
fn a_directory_that_becomes_a_symlink_in_between_gives_nobody_what_it_leads_to() {
    if skip("a directory exchanged while it is looked at", &[Need::Trees]) {
        return;
    }
    let host = machine();
    let deb = role("app", "1").line("dir /srv/m/d 0777 mallory mallory").make(&host);
    // The worst moment, made certain: when chown, and when chmod, is about to run.
    for command in ["chown", "chmod"] {
        host.ok(&format!(
            "rm -rf /srv/m/*; mkdir /srv/m/d; chown mallory /srv/m/d
             mv /usr/bin/{command} /usr/bin/{command}.real
             printf '%s\\n' '#!/bin/sh' 'if [ -d /srv/m/d ] && [ ! -L /srv/m/d ]; then mv /srv/m/d /srv/m/was; ln -s /etc /srv/m/d; echo >>/root/{command}; fi' 'exec /usr/bin/{command}.real \"$@\"' >/usr/bin/{command}
             chmod{real} 755 /usr/bin/{command}",
            real = if command == "chmod" { ".real" } else { "" }
        ));
        host.dpkg("-i", &[&deb]);
        host.ok(&format!("mv /usr/bin/{command}.real /usr/bin/{command}; test -s /root/{command}"));
        assert_eq!(host.ok("stat -c '%U:%G %a' /etc"), "root:root 755\n", "{command}");
        // Once it is a directory again, everything is as the role says.
        host.ok("rm -rf /srv/m/*; pg-runtime apply");
        host.assert_settled();
        assert_eq!(host.ok("stat -c '%U:%G %a' /srv/m/d"), "mallory:mallory 777\n");
        host.dpkg("-P", &["pg-role-app"]);
    }
}

/// Lists of paths have a line for each.
#[test]
fn a_newline_in_a_name_or_a_target_makes_no_path_of_what_follows() {
    if skip("newlines in names", &[Need::Trees]) {
        return;
    }
    let host = machine();
    let deb = role("app", "1")
        .line("dir /srv/m 0755 mallory mallory")
        .line("exclusive /srv/m")
        .line("link /srv/m/link target")
        .file("/etc/app", "app\n")
        .make(&host);
    host.dpkg("-i", &[&deb]);
    host.assert_settled();
    host.ok("setpriv --reuid mallory --regid mallory --clear-groups sh -c 'd=\"/srv/m/x\n/etc\"; mkdir -p \"$d\"; touch \"$d/shadow\" \"$d/hosts\"'
             echo hosts >/etc/hosts");
    assert_eq!(
        host.run("pg-runtime verify").stdout,
        "foreign: \"/srv/m/x\\u000a/etc/hosts\" (pg-role-app)\nforeign: \"/srv/m/x\\u000a/etc/shadow\" (pg-role-app)\n"
    );
    assert_eq!(host.run("pg-runtime apply").status, 1);
    assert_eq!(
        host.mark("pg-role-app"),
        "/srv/m: holds a file with a blank in its name: remove it by hand (pg-runtime verify names it)\n"
    );
    assert_eq!(
        host.ok("grep -c ^root: /etc/shadow; cat /etc/hosts; find /srv/m -name shadow | wc -l"),
        "1\nhosts\n2\n"
    );
    host.ok("rm -r /srv/m/x*; pg-runtime apply");
    host.assert_settled();

    // A line as stat(1) would have it of a file that is as it should be.
    host.ok("chmod 0600 /etc/app; rm /srv/m/link; ln -s 'target
-rw-r--r-- 644 root root /etc/app' /srv/m/link");
    let verify = host.run("pg-runtime verify");
    assert!(verify.stdout.contains("mode: /etc/app (pg-role-app): is 600, was 644\n"), "{}", verify.all());
    assert!(verify.stdout.contains("changed: /srv/m/link (pg-role-app)"), "{}", verify.all());
    host.ok("pg-runtime apply");
    host.assert_settled();
    assert_eq!(host.ok("readlink /srv/m/link; stat -c %a /etc/app"), "target\n644\n");
}

/// Whatever somebody calls a file in an exclusive directory, `verify` says a fact of it in one line, and of nothing else.
#[test]
fn each_foreign_name_is_one_fact_whatever_is_in_it() {
    if skip("hostile names", &[Need::Trees]) {
        return;
    }
    let host = machine();
    let blank = debian_package(&host, "blank", "1", &[("/srv/m/of a package", "theirs\n")], &[]);
    let deb = role("app", "1").line("dir /srv/m 0755 mallory mallory").line("exclusive /srv/m").make(&host);
    host.dpkg("-i", &[&deb, &blank]);
    host.assert_settled();
    let names: [&[u8]; 11] = [
        b" ",
        b"a b",
        b"x (pg-role-app)\nmissing: /etc/shadow",
        b"\nforeign\t/etc/passwd\tpg-role-app\t\t",
        b"t\t/etc/shadow",
        b"\", \"held\": true, \"x\": \" \\",
        b"\x1b]0;title\x07 \r",
        b"\x1b[2J",
        b"\xff \xc3\xa9",
        b"$(touch /etc/x) `id` *",
        b"-rf /etc",
    ];
    for name in names {
        let path = host.tree.path("/srv/m").join(OsStr::from_bytes(name));
        std::fs::create_dir_all(path.parent().expect("not the root")).expect("writable");
        std::fs::write(path, "").expect("writable");
    }
    let told = host.run("pg-runtime verify --json");
    assert_eq!((told.status, told.stderr.as_str()), (1, ""));
    let mut paths: Vec<String> = told
        .stdout
        .lines()
        .map(|line| {
            let fact: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
            let path = fact["path"].as_str().expect("a path").to_owned();
            assert_eq!(
                fact,
                serde_json::json!({ "kind": "foreign", "path": path, "package": "pg-role-app", "held": false })
            );
            path
        })
        .collect();
    let mut expected: Vec<String> =
        names.iter().map(|name| format!("/srv/m/{}", String::from_utf8_lossy(name))).collect();
    paths.sort();
    expected.sort();
    assert_eq!(paths, expected);

    let told = host.run("pg-runtime verify");
    assert_eq!((told.status, told.stderr.as_str(), told.stdout.lines().count()), (1, "", names.len()));
    for line in told.stdout.lines() {
        let name = line.strip_prefix("foreign: ").and_then(|line| line.strip_suffix(" (pg-role-app)"));
        let name = name.unwrap_or_else(|| panic!("{line}"));
        let path: String = serde_json::from_str(name).unwrap_or_else(|e| panic!("{e}: {name}"));
        assert!(expected.contains(&path), "{path}");
    }

    // What has a name that can be written is moved away, the rest stays and is a mark; a hold is for them, too.
    assert_eq!(host.run("pg-runtime apply").status, 1);
    let told = host.run("pg-runtime verify").stdout;
    assert!(!told.contains("2J") && told.lines().count() == names.len() - 1, "{told}");
    host.ok("pg-runtime hold /srv/m --until tomorrow --reason night");
    let told = host.run("pg-runtime verify");
    assert_eq!((told.status, told.stdout.lines().all(|line| line.starts_with("held: foreign: \""))), (0, true));
    host.ok("pg-runtime release all; cd /srv/m; find . -mindepth 1 -maxdepth 1 ! -name 'of a package' -exec rm -r -- {} +; pg-runtime apply");
    host.assert_settled();
    assert_eq!(host.ok("ls /srv/m; test ! -e /etc/x"), "of a package\n");
}
