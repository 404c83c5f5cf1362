//! Packages that can meet on one machine may not contradict each other. Each refused tree has its accepted twin.

use super::*;

struct Case<'a> {
    what: &'a str,
    /// The bodies of roles a and b.
    refused: (&'a str, &'a str),
    accepted: (&'a str, &'a str),
    code: &'a str,
}

const FILE: &str = "[[file]]\npath = \"/etc/x\"\ncontent = \"a\"\n";

fn roles(a: &str, b: &str) -> Lowered {
    let (a, b) = (format!("summary = \"A\"\n{a}"), format!("summary = \"B\"\n{b}"));
    lower(&[("roles/a.toml", &a), ("roles/b.toml", &b), ("roles/base.toml", BASE)])
}

#[test]
fn two_roles() {
    let cases = [
        Case {
            what: "two files",
            refused: (FILE, FILE),
            accepted: (FILE, "[[file]]\npath = \"/etc/y\"\ncontent = \"a\"\n"),
            code: "path-claimed-twice",
        },
        Case {
            what: "roles that conflict never meet",
            refused: (FILE, FILE),
            accepted: (FILE, &format!("conflicts = [\"pg-role-a\"]\n{FILE}")),
            code: "path-claimed-twice",
        },
        Case {
            what: "nor do those that break each other, but a versioned one excludes some versions only",
            refused: (&format!("breaks = [\"pg-role-b (<< 20200101.1)\"]\n{FILE}"), FILE),
            accepted: (&format!("breaks = [\"pg-role-b\"]\n{FILE}"), FILE),
            code: "path-claimed-twice",
        },
        Case {
            what: "nor those that provide and conflict with one name",
            refused: (&format!("provides = [\"pg-front\"]\n{FILE}"), &format!("provides = [\"pg-front\"]\n{FILE}")),
            accepted: (
                &format!("provides = [\"pg-front\"]\nconflicts = [\"pg-front\"]\n{FILE}"),
                &format!("provides = [\"pg-front\"]\n{FILE}"),
            ),
            code: "path-claimed-twice",
        },
        Case {
            what: "roles of disjoint releases never meet",
            refused: (FILE, &format!("releases = [\"bookworm\"]\n{FILE}")),
            accepted: (&format!("releases = [\"trixie\"]\n{FILE}"), &format!("releases = [\"bookworm\"]\n{FILE}")),
            code: "path-claimed-twice",
        },
        Case {
            what: "merged /usr",
            refused: (
                "[[file]]\npath = \"/lib/x/y\"\ncontent = \"a\"\n",
                "[[file]]\npath = \"/usr/lib/x/y\"\ncontent = \"a\"\n",
            ),
            accepted: (
                "[[file]]\npath = \"/lib/x/y\"\ncontent = \"a\"\n",
                "[[file]]\npath = \"/usr/libx/y\"\ncontent = \"a\"\n",
            ),
            code: "path-claimed-twice",
        },
        Case {
            what: "directories with other modes",
            refused: ("[[directory]]\npath = \"/srv/x\"\n", "[[directory]]\npath = \"/srv/x\"\nmode = \"0750\"\n"),
            accepted: ("[[directory]]\npath = \"/srv/x\"\n", "[[directory]]\npath = \"/srv/x\"\n"),
            code: "path-claimed-twice",
        },
        Case {
            what: "directories with other owners",
            refused: ("[[directory]]\npath = \"/srv/x\"\n", "[[directory]]\npath = \"/srv/x\"\ngroup = \"adm\"\n"),
            accepted: (
                "[[directory]]\npath = \"/srv/x\"\ngroup = \"adm\"\n",
                "[[directory]]\npath = \"/srv/x\"\ngroup = \"adm\"\n",
            ),
            code: "path-claimed-twice",
        },
        Case {
            what: "a directory where another wants a file",
            refused: ("[[directory]]\npath = \"/etc/x\"\n", FILE),
            accepted: ("[[directory]]\npath = \"/etc/x.d\"\n", FILE),
            code: "path-claimed-twice",
        },
        Case {
            what: "a file below a file",
            refused: ("[[file]]\npath = \"/etc/x/y/z\"\ncontent = \"a\"\n", FILE),
            accepted: ("[[file]]\npath = \"/etc/xx/y/z\"\ncontent = \"a\"\n", FILE),
            code: "path-claimed-twice",
        },
        Case {
            what: "a file below a symlink",
            refused: (
                "[[file]]\npath = \"/etc/l/y\"\ncontent = \"a\"\n",
                "[[symlink]]\npath = \"/etc/l\"\ntarget = \"/srv\"\n",
            ),
            accepted: ("[[file]]\npath = \"/etc/l/y\"\ncontent = \"a\"\n", "[[directory]]\npath = \"/etc/l\"\n"),
            code: "path-claimed-twice",
        },
        Case {
            what: "kept away by one, put there by the other",
            refused: (FILE, "[[absent]]\npath = \"/etc/x\"\n"),
            accepted: ("[[absent]]\npath = \"/etc/x\"\n", "[[absent]]\npath = \"/etc/x\"\n"),
            code: "path-claimed-twice",
        },
        Case {
            what: "a file below what another keeps away",
            refused: ("[[file]]\npath = \"/etc/gone/y\"\ncontent = \"a\"\n", "[[absent]]\npath = \"/etc/gone\"\n"),
            accepted: ("[[file]]\npath = \"/etc/gone/y\"\ncontent = \"a\"\n", "[[absent]]\npath = \"/etc/gone/z\"\n"),
            code: "path-claimed-twice",
        },
        Case {
            what: "a unit that both ship",
            refused: (
                "[[unit]]\nname = \"x.service\"\ncontent = \"[Service]\\nExecStart=/bin/true\\n\"\n",
                "[[unit]]\nname = \"x.service\"\ncontent = \"[Service]\\nExecStart=/bin/true\\n\"\n",
            ),
            accepted: (
                "[[unit]]\nname = \"x.service\"\ncontent = \"[Service]\\nExecStart=/bin/true\\n\"\n",
                "[[unit]]\nname = \"y.service\"\ncontent = \"[Service]\\nExecStart=/bin/true\\n\"\n",
            ),
            code: "path-claimed-twice",
        },
        Case {
            what: "a masked unit whose place another's file takes",
            refused: (
                "[[service]]\nunit = \"x.service\"\nmask = true\n",
                "[[file]]\npath = \"/etc/systemd/system/x.service\"\ncontent = \"\"\n",
            ),
            accepted: (
                "[[service]]\nunit = \"x.service\"\nmask = true\n",
                "[[service]]\nunit = \"x.service\"\nmask = true\n",
            ),
            code: "path-claimed-twice",
        },
        Case {
            what: "the apt source of the keyring package",
            refused: ("[[file]]\npath = \"/etc/apt/sources.list.d/pg.sources\"\ncontent = \"a\"\n", ""),
            accepted: ("[[file]]\npath = \"/etc/apt/sources.list.d/other.sources\"\ncontent = \"a\"\n", ""),
            code: "path-claimed-twice",
        },
        Case {
            what: "an escaped unit name",
            refused: (
                "[[unit]]\nname = 'mnt-a\\x2db.mount'\ncontent = \"[Mount]\\nWhat=/dev/x\\nWhere=/mnt/a-b\\n\"\n",
                "",
            ),
            accepted: ("[[unit]]\nname = 'mnt-ab.mount'\ncontent = \"[Mount]\\nWhat=/dev/x\\nWhere=/mnt/ab\\n\"\n", ""),
            code: "generated-path",
        },
        Case {
            what: "the states of a service",
            refused: (
                "[[service]]\nunit = \"x.service\"\nenable = true\n",
                "[[service]]\nunit = \"x.service\"\nenable = false\n",
            ),
            accepted: (
                "[[service]]\nunit = \"x.service\"\nenable = true\n",
                "[[service]]\nunit = \"x.service\"\ndrop_in = \"[Service]\\nNice=1\\n\"\n",
            ),
            code: "service-state-clash",
        },
        Case {
            what: "kernel parameters, however they are written",
            refused: ("[sysctl]\n\"vm.swappiness\" = 1\n", "[sysctl]\n\"vm/swappiness\" = 2\n"),
            accepted: ("[sysctl]\n\"vm.swappiness\" = 1\n", "[sysctl]\n\"vm/swappiness\" = 1\n"),
            code: "sysctl-clash",
        },
        Case {
            what: "environment variables",
            refused: ("[environment]\nEDITOR = \"vi\"\n", "[environment]\nEDITOR = \"nano\"\n"),
            accepted: ("[environment]\nEDITOR = \"vi\"\n", "[environment]\nPAGER = \"nano\"\n"),
            code: "environment-clash",
        },
        Case {
            what: "answers to debconf",
            refused: (
                "[[debconf]]\npackage = \"x1\"\nquestion = \"x1/q\"\nvalue = \"1\"\n",
                "[[debconf]]\npackage = \"x1\"\nquestion = \"x1/q\"\nvalue = \"2\"\n",
            ),
            accepted: (
                "[[debconf]]\npackage = \"x1\"\nquestion = \"x1/q\"\nvalue = \"1\"\n",
                "[[debconf]]\npackage = \"x1\"\nquestion = \"x1/q\"\nvalue = \"1\"\n",
            ),
            code: "debconf-clash",
        },
    ];
    let mut out = String::new();
    for case in cases {
        let refused = roles(case.refused.0, case.refused.1);
        assert_eq!(refused.codes(), [case.code], "{}: {}", case.what, refused.report());
        let accepted = roles(case.accepted.0, case.accepted.1);
        assert!(accepted.diagnostics.is_empty(), "{}: {}", case.what, accepted.report());
        out.push_str(&format!("##### {}\n{}\n", case.what, refused.report()));
    }
    insta::assert_snapshot!("clashes", out);
}

#[test]
fn a_role_that_includes_one_that_conflicts_never_meets_the_other() {
    let include = format!("includes = [\"base\"]\n{FILE}");
    let base = "summary = \"Base\"\nconflicts = [\"pg-role-b\"]\n";
    let a = format!("summary = \"A\"\n{include}");
    let b = format!("summary = \"B\"\n{FILE}");
    lower(&[("roles/a.toml", &a), ("roles/b.toml", &b), ("roles/base.toml", base)]).right();
    let met = lower(&[("roles/a.toml", &a), ("roles/b.toml", &b), ("roles/base.toml", BASE)]);
    assert_eq!(met.codes(), ["path-claimed-twice"]);
}

#[test]
fn hosts() {
    let role = format!("summary = \"A\"\n{FILE}");
    let bound = "summary = \"A\"\n[[file]]\npath = \"/etc/x\"\ncontent = '{{ host.fqdn }}'\ntemplate = true\n";
    let host = |roles: &str, rest: &str| format!("roles = [{roles}]\nrelease = \"bookworm\"\n{rest}");
    let with = |role: &str, one: &str, two: &str| {
        lower(&[("roles/a.toml", role), ("hosts/h.example.org.toml", one), ("hosts/i.example.org.toml", two)])
    };
    let none = host("", "");
    // A host's rendering takes the place of its own role's file; two hosts never meet.
    with(bound, &host("\"a\"", ""), &host("\"a\"", "")).right();
    with(&role, &host("", ""), &none).right();
    // Its own file doesn't, whether the role is its own or may be installed some day.
    for roles in ["\"a\"", ""] {
        let clash = with(&role, &host(roles, FILE), &none);
        assert_eq!(clash.codes(), ["path-claimed-twice"], "{}", clash.report());
        assert!(clash.report().contains("pg-host-h.example.org and pg-role-a both claim /etc/x"), "{}", clash.report());
    }
    // A machine of another release never has the role's file.
    let trixie = format!("summary = \"A\"\nreleases = [\"trixie\"]\n{FILE}");
    with(&trixie, &host("", FILE), &host("", FILE)).right();
    // A host's word is the last on services, kernel parameters and environment, but not on debconf.
    let role = "summary = \"A\"\n[sysctl]\n\"vm.swappiness\" = 1\n[environment]\nA = \"1\"\n[[service]]\nunit = \"x.service\"\nenable = true\n";
    let other =
        "[sysctl]\n\"vm.swappiness\" = 2\n[environment]\nA = \"2\"\n[[service]]\nunit = \"x.service\"\nmask = true\n";
    with(role, &host("\"a\"", other), &none).right();
    let answer = |value: &str| format!("[[debconf]]\npackage = \"x1\"\nquestion = \"x1/q\"\nvalue = \"{value}\"\n");
    let role = format!("summary = \"A\"\n{}", answer("1"));
    assert_eq!(with(&role, &host("\"a\"", &answer("2")), &none).codes(), ["debconf-clash"]);
    with(&role, &host("\"a\"", &answer("1")), &none).right();
}

#[test]
fn a_path_that_everybody_claims_is_reported_a_few_times_and_counted() {
    let names: Vec<_> = (0..30).map(|i| format!("roles/r{i:02}.toml")).collect();
    let role = format!("summary = \"A\"\n{FILE}");
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), role.as_str())).collect();
    let lowered = lower(&files);
    assert_eq!(lowered.diagnostics.len(), 8);
    assert!(lowered.report().contains("note: 21 more packages claim /etc/x"), "{}", lowered.report());
}

/// What `check` says of a tree with mistakes of several stages: codes, sorted.
fn all_at_once(files: &[(&str, &str)]) -> Vec<&'static str> {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in [("debrole.toml", DEBROLE)].iter().chain(files) {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let (_, diagnostics, _) = crate::ui::check(dir.path());
    let mut codes: Vec<&str> = diagnostics.iter().map(|d| d.rule.code).collect();
    codes.sort();
    codes
}

#[test]
fn a_mistake_of_one_stage_hides_none_of_another() {
    let template = "summary = \"T\"\n[[file]]\npath = \"/etc/t\"\ntemplate = true\ncontent = \"{{ host.wrokers }}\"\n";
    let file = "summary = \"F\"\n[[file]]\npath = \"/etc/f\"\ncontent = \"x\"\n";
    let host = "roles = [\"nope\"]\nrelease = \"bookworm\"\n";
    let bad_unit = "[[unit]]\nname = \"x.service\"\ncontent = \"[Service\"\n";
    assert_eq!(
        all_at_once(&[("roles/t.toml", template), ("hosts/h.example.org.toml", host)]),
        ["unknown-role", "unknown-template-value"]
    );
    let with_bad_unit = format!("{file}{bad_unit}");
    assert_eq!(
        all_at_once(&[("roles/a.toml", file), ("roles/b.toml", &with_bad_unit)]),
        ["path-claimed-twice", "unit-without-section"]
    );
    let fleet = DEBROLE.replace("maintainer = \"", "maintainer = \"<");
    assert_ne!(fleet, DEBROLE);
    assert_eq!(
        all_at_once(&[("debrole.toml", &fleet), ("roles/t.toml", template)]),
        ["invalid-maintainer", "unknown-template-value"]
    );
}

#[test]
fn what_only_follows_from_a_known_mistake_is_not_said() {
    let template = "summary = \"T\"\n[[file]]\npath = \"/etc/t\"\ntemplate = true\ncontent = \"{{ host.workers }}\"\n";
    let file = "summary = \"F\"\n[[file]]\npath = \"/etc/f\"\ncontent = \"x\"\n";
    let value = |table: &str, line: &str| format!("roles = [\"t\"]\nrelease = \"bookworm\"\n[{table}]\n{line}\n");
    for (table, line, code) in [
        ("vlaues", "workers = 1", "unknown-key"),
        ("values", "workers = 1979-05-27", "wrong-type"),
        ("values", "workers = ", "toml-syntax"),
    ] {
        let host = value(table, line);
        assert_eq!(all_at_once(&[("roles/t.toml", template), ("hosts/h.example.org.toml", &host)]), [code]);
    }
    // Two roles that would exclude each other, were it not for a slip.
    let excluding = file.replace("[[file]]", "conflicts = [\"pg-role-a | xx\"]\n[[file]]");
    assert_eq!(all_at_once(&[("roles/a.toml", file), ("roles/b.toml", &excluding)]), ["alternatives-not-allowed"]);
    // The same path twice in one role is one mistake.
    let twice = format!("{file}[[file]]\npath = \"/etc/f\"\ncontent = \"y\"\n");
    assert_eq!(all_at_once(&[("roles/a.toml", &twice)]), ["duplicate-path"]);
}
