//! The parser of relations, against the examples of Debian Policy and against debian-control's.

use debian_control::lossy;
use debian_control::relations::VersionConstraint;
use debrole::relation::{Comparison, Relation, RelationErrorKind as Kind, RelationField, check_version, parse};
use proptest::prelude::*;

/// The errors of a text: what kind, and what is marked.
fn errors(text: &str, field: RelationField) -> Vec<(Kind, &str)> {
    parse(text, field).unwrap_err().into_iter().map(|e| (e.kind, &text[e.range])).collect()
}

#[track_caller]
fn reads(text: &str, shown: &str) {
    let relation = parse(text, RelationField::Depends).unwrap_or_else(|e| panic!("{text}: {e:?}"));
    assert_eq!(relation.to_string(), shown);
}

#[test]
fn relations_are_read_with_any_blanks() {
    reads("nginx", "nginx");
    reads("  nginx  ", "nginx");
    reads("nginx(>=1.22)", "nginx (>= 1.22)");
    reads(
        "nginx ( >= 1.22 ) | apache2|lighttpd (<< 2:1.4~rc1-1+b2)",
        "nginx (>= 1.22) | apache2 | lighttpd (<< 2:1.4~rc1-1+b2)",
    );
    reads("python3:any (>= 3.11~)", "python3:any (>= 3.11~)");
    reads("libc6:i386", "libc6:i386");
    reads("g++", "g++");
    reads("0ad", "0ad");
}

#[test]
fn what_is_wrong_is_marked() {
    use RelationField::{Breaks, Depends, Provides};
    type Case<'a> = (&'a str, RelationField, &'a [(Kind, &'a str)]);
    let cases: &[Case<'_>] = &[
        ("", Depends, &[(Kind::Syntax, "")]),
        ("  ", Depends, &[(Kind::Syntax, "  ")]),
        ("a, b", Depends, &[(Kind::Syntax, ",")]),
        ("nginx\nPre-Depends: x", Depends, &[(Kind::Syntax, "\n")]),
        ("nginx | ", Depends, &[(Kind::Syntax, " ")]),
        ("| nginx", Depends, &[(Kind::Syntax, "")]),
        ("Nginx", Depends, &[(Kind::PackageName, "Nginx")]),
        ("x", Depends, &[(Kind::PackageName, "x")]),
        ("${misc:Depends}", Depends, &[(Kind::PackageName, "${misc"), (Kind::Syntax, "Depends}")]),
        ("nginx [amd64]", Depends, &[(Kind::ArchitectureRestriction, "[amd64]")]),
        ("nginx (>= 1) [!i386]", Depends, &[(Kind::ArchitectureRestriction, "[!i386]")]),
        ("nginx <!nocheck>", Depends, &[(Kind::BuildProfile, "<!nocheck>")]),
        ("nginx (> 1)", Depends, &[(Kind::Operator, ">")]),
        ("nginx (< 1)", Depends, &[(Kind::Operator, "<")]),
        ("nginx (== 1)", Depends, &[(Kind::Operator, "==")]),
        ("nginx (1.22)", Depends, &[(Kind::Operator, "1.22")]),
        ("nginx (>= 1.22", Depends, &[(Kind::Syntax, ">= 1.22")]),
        ("nginx (>=)", Depends, &[(Kind::Version, ">=")]),
        ("nginx >= 1.22", Depends, &[(Kind::Syntax, ">= 1.22")]),
        ("nginx apache2", Depends, &[(Kind::Syntax, "apache2")]),
        ("nginx (>= 1.22_1)", Depends, &[(Kind::Version, "_")]),
        ("nginx (>= v1)", Depends, &[(Kind::Version, "v")]),
        ("nginx (>= x:1)", Depends, &[(Kind::Version, "x")]),
        ("nginx (>= 1-)", Depends, &[(Kind::Version, "-")]),
        ("nginx (>= é1)", Depends, &[(Kind::Version, "é")]),
        ("nginx:native", Depends, &[(Kind::Syntax, "native")]),
        ("nginx:", Depends, &[(Kind::Syntax, "")]),
        (
            "Nginx (> 1) | Apache2 [amd64]",
            Depends,
            &[
                (Kind::PackageName, "Nginx"),
                (Kind::Operator, ">"),
                (Kind::PackageName, "Apache2"),
                (Kind::ArchitectureRestriction, "[amd64]"),
            ],
        ),
        ("a1 | b1", Breaks, &[(Kind::Alternatives, "|")]),
        ("a1 | b1", Provides, &[(Kind::Alternatives, "|")]),
        ("httpd (>= 1)", Provides, &[(Kind::ProvidedVersion, ">=")]),
    ];
    for (text, field, expected) in cases {
        assert_eq!(&errors(text, *field), expected, "{text:?}");
    }
    assert!(parse("httpd (= 1)", Provides).is_ok());
    assert_eq!(parse("Nginx", Depends).unwrap_err()[0].help, "package names are in lower case: nginx");
}

#[test]
fn versions_of_policy() {
    for good in
        ["1", "1.0", "0", "2:1.0", "1.0-1", "1.0-1-2", "1.0~rc1", "1.0+b1", "1:2:3-1", "2147483647:1", "1.0~~", "1a"]
    {
        assert_eq!(check_version(good), Ok(()), "{good}");
    }
    for bad in ["", ":1", "a:1", "2147483648:1", "-1", "1-", "v1", "1_0", "1 0", "1/2", "1\u{e9}", "1:", "~1", "1-a_b"]
    {
        assert!(check_version(bad).is_err(), "{bad}");
    }
}

fn pieces() -> impl Strategy<Value = String> {
    let name = "[a-z0-9][a-z0-9+.-]{0,6}";
    let version = "([0-9]{1,3}:)?[0-9][A-Za-z0-9.+~-]{0,8}(-[A-Za-z0-9.+~]{1,4})?";
    let operator = prop::sample::select(vec!["<<", "<=", "=", ">=", ">>", "<", ">", "==", ""]);
    let qualifier = prop::sample::select(vec!["", "", ":any", ":amd64", ":native", ":"]);
    let extra = prop::sample::select(vec!["", "", "", " ", " [amd64]", " <!nocheck>", ")", ","]);
    (name, qualifier, prop::option::of((operator, version, " ?", " ?")), " ?", extra).prop_map(
        |(name, qualifier, version, blank, extra)| {
            let version = version.map_or(String::new(), |(op, v, a, b)| format!("{blank}({op}{a}{v}{b})"));
            format!("{name}{qualifier}{version}{extra}")
        },
    )
}

fn same(ours: &Relation, theirs: &lossy::Relations) {
    let [entry] = theirs.0.as_slice() else { panic!("{theirs:?} is not one entry") };
    assert_eq!(ours.0.len(), entry.len());
    for (ours, theirs) in ours.0.iter().zip(entry) {
        assert_eq!(ours.name.as_str(), theirs.name);
        assert_eq!(ours.qualifier, theirs.archqual);
        assert_eq!((&theirs.architectures, theirs.profiles.len()), (&None, 0));
        let theirs = theirs.version.as_ref().map(|(op, version)| {
            let op = match op {
                VersionConstraint::LessThan => Comparison::Earlier,
                VersionConstraint::LessThanEqual => Comparison::EarlierOrEqual,
                VersionConstraint::Equal => Comparison::Exactly,
                VersionConstraint::GreaterThanEqual => Comparison::LaterOrEqual,
                VersionConstraint::GreaterThan => Comparison::Later,
            };
            (op, version.to_string())
        });
        // debversion writes an epoch without leading zeros.
        let ours =
            ours.version.as_ref().map(|(op, text)| (*op, text.parse::<debversion::Version>().unwrap().to_string()));
        assert_eq!(ours, theirs);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn what_we_read_debian_control_reads_alike(parts in prop::collection::vec(pieces(), 1..4)) {
        let text = parts.join(" | ");
        if let Ok(ours) = parse(&text, RelationField::Depends) {
            // As it reaches the control file; and as it was written, but that debian-control stumbles over some blanks.
            same(&ours, &ours.to_string().parse::<lossy::Relations>().unwrap());
            if let Ok(theirs) = text.parse::<lossy::Relations>() {
                same(&ours, &theirs);
            }
            prop_assert_eq!(parse(&ours.to_string(), RelationField::Depends).unwrap(), ours);
        }
    }

    #[test]
    fn any_text_is_read_or_refused_with_a_place_in_it(text in "\\PC{0,40}|[a-z|():<>=!\\[\\] .,0-9~:-]{0,40}") {
        for field in RelationField::ALL {
            match parse(&text, field) {
                Ok(relation) => prop_assert_eq!(parse(&relation.to_string(), field).unwrap(), relation),
                Err(errors) => {
                    prop_assert!(!errors.is_empty());
                    for error in errors {
                        prop_assert!(text.get(error.range.clone()).is_some(), "{:?} of {:?}", error, text);
                        prop_assert!(!error.message.is_empty() && !error.help.is_empty());
                    }
                }
            }
        }
    }

    #[test]
    fn versions_that_pass_are_what_debversion_reads(text in "([0-9]{1,2}:)?[A-Za-z0-9.+~_:-]{0,10}") {
        if check_version(&text).is_ok() {
            let version: debversion::Version = text.parse().unwrap();
            // An epoch of several zeros is the same number written shorter.
            prop_assert_eq!(&version, &version.to_string().parse().unwrap());
        }
    }
}
