//! Templates: defaults, host-bound files, a host's renderings; errors at their place.

use super::*;

const HOST: &str = "roles = [\"web\"]\nrelease = \"bookworm\"\naddresses = [\"192.0.2.10\"]\n";

fn role(content: &str) -> String {
    format!("summary = \"Web\"\n[[file]]\npath = \"/etc/t\"\ntemplate = true\ncontent = '''{content}'''\n")
}

/// What the role's and the host's package hold of /etc/t: a text, or `bound`, or nothing.
fn rendered(content: &str, host: &str) -> (String, Option<String>) {
    let lowered = lower(&[("roles/web.toml", &role(content)), ("hosts/h.example.org.toml", host)]).right();
    let path = MachinePath::parse("/etc/t").unwrap();
    let manifest = lowered.manifest("pg-role-web");
    let of_role = match (manifest.files.contains_key(&path), manifest.host_bound.contains(&path)) {
        (true, false) => lowered.payload("pg-role-web", "/etc/t"),
        (false, true) => "bound".to_owned(),
        other => panic!("{other:?}"),
    };
    let of_host = lowered.manifest("pg-host-h.example.org").files.contains_key(&path);
    (of_role, of_host.then(|| lowered.payload("pg-host-h.example.org", "/etc/t")))
}

#[test]
fn who_holds_a_rendering() {
    for (what, content, host, of_role, of_host) in [
        ("no host value", "{{ fleet.admin }} {{ release.codename }}\n", "", "root@example.org bookworm\n", None),
        ("a default that the host keeps", "{{ host.workers }}\n", "", "2\n", None),
        ("a default that the host changes", "{{ host.workers }}\n", "[values]\nworkers = 9\n", "2\n", Some("9\n")),
        ("a built-in value", "{{ host.fqdn }}\n", "", "bound", Some("h.example.org\n")),
        ("a value that only hosts have", "{{ host.color }}\n", "[values]\ncolor = \"red\"\n", "bound", Some("red\n")),
        ("one default, one without", "{{ host.workers }}{{ host.ipv4 }}", "", "bound", Some("2192.0.2.10")),
        ("a default in the template", "{{ host.color | default('blue') }}", "", "blue", None),
        (
            "a default in the template, and a host that differs",
            "{{ host.color | default('blue') }}",
            "[values]\ncolor = \"red\"\n",
            "blue",
            Some("red"),
        ),
        (
            "asked whether it is there",
            "{% if host.ipv4 is defined %}v4{% else %}none{% endif %}",
            "",
            "none",
            Some("v4"),
        ),
        ("a branch that is not taken", "{% if fleet.prefix == 'x' %}{{ host.fqdn }}{% endif %}-", "", "-", None),
        ("by another name", "{% set h = host %}{{ h.fqdn }}", "", "bound", Some("h.example.org")),
        ("by subscript", "{{ host['fqdn'] }}", "", "bound", Some("h.example.org")),
        ("through a filter", "{{ host.fqdn | upper }}", "", "bound", Some("H.EXAMPLE.ORG")),
        ("as an argument", "{{ range(host.count) | join }}", "[values]\ncount = 3\n", "bound", Some("012")),
        ("what a host can't be", "{{ host.ipv6 | default('::') }}", "", "::", None),
        ("trailing newlines and quotes stay", "<&\"'>\n\n", "", "<&\"'>\n\n", None),
        (
            "nested values",
            "{% for d in host.disks %}{{ d.name }}={{ d.size }};{% endfor %}",
            "[values]\ndisks = [{ name = \"sda\", size = 5 }, { name = \"sdb\", size = 1.5 }]\n",
            "bound",
            Some("sda=5;sdb=1.5;"),
        ),
    ] {
        let got = rendered(content, &format!("{HOST}{host}"));
        assert_eq!((got.0.as_str(), got.1.as_deref()), (of_role, of_host), "{what}");
    }
}

#[test]
fn a_role_default_beats_the_fleets_and_a_host_beats_both() {
    let web = format!("{}[values]\nworkers = 4\n", role("{{ host.workers }}"));
    let plain = "roles = [\"web\"]\nrelease = \"bookworm\"\n";
    let lowered = lower(&[
        ("roles/web.toml", &web),
        ("hosts/a.example.org.toml", plain),
        ("hosts/b.example.org.toml", &format!("{plain}[values]\nworkers = 6\n")),
    ])
    .right();
    assert_eq!(lowered.payload("pg-role-web", "/etc/t"), "4");
    assert!(lowered.manifest("pg-host-a.example.org").files.is_empty());
    assert_eq!(lowered.payload("pg-host-b.example.org", "/etc/t"), "6");
}

#[test]
fn an_included_roles_template_is_rendered_for_the_host_too() {
    let web = "summary = \"Web\"\nincludes = [\"base\"]\n";
    let lowered = lower(&[
        ("roles/web.toml", web),
        ("roles/base.toml", &role("{{ host.fqdn }} {{ host.roles | join(',') }} {{ role.name }}")),
        ("hosts/h.example.org.toml", HOST),
    ])
    .right();
    assert_eq!(lowered.payload("pg-host-h.example.org", "/etc/t"), "h.example.org base,web base");
}

#[test]
fn a_hosts_rendering_keeps_what_follows_from_a_change() {
    let web = "summary = \"Web\"\n[[file]]\npath = \"/etc/t\"\ntemplate = true\ncontent = '{{ host.fqdn }}'\nmode = \"0600\"\nvalidate = \"true\"\nreload = [\"a.service\"]\n";
    let lowered = lower(&[("roles/web.toml", web), ("hosts/h.example.org.toml", HOST)]).right();
    for package in ["pg-role-web", "pg-host-h.example.org"] {
        let manifest = lowered.manifest(package).to_string();
        assert!(manifest.contains("\nvalidate /etc/t true\nreload /etc/t a.service\n"), "{package}: {manifest}");
    }
    assert!(lowered.manifest("pg-host-h.example.org").to_string().contains("\nfile /etc/t 0600 root root "));
}

#[test]
fn a_unit_with_a_machines_values_is_overridden_in_etc() {
    let unit = |content: &str| {
        format!(
            "summary = \"Web\"\n[[unit]]\nname = \"pg-x.service\"\nenable = true\ntemplate = true\ncontent = '''\n[Unit]\nDescription={content}\n[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n'''\n"
        )
    };
    let host = format!("{HOST}[values]\nworkers = 5\n");
    let lowered =
        lower(&[("roles/web.toml", &unit("{{ host.workers }}")), ("hosts/h.example.org.toml", &host)]).right();
    let records = |lowered: &Lowered, package: &str| {
        let text = lowered.manifest(package).to_string();
        let hashes_out = text.lines().skip(2).map(|line| line.split(' ').take(3).collect::<Vec<_>>().join(" "));
        hashes_out.collect::<Vec<_>>()
    };
    assert_eq!(records(&lowered, "pg-role-web"), ["own-unit pg-x.service enabled"]);
    let overriding =
        ["file /etc/systemd/system/pg-x.service 0644", "restart /etc/systemd/system/pg-x.service pg-x.service"];
    assert_eq!(records(&lowered, "pg-host-h.example.org"), overriding);

    let lowered = lower(&[("roles/web.toml", &unit("{{ host.fqdn }}")), ("hosts/h.example.org.toml", HOST)]).right();
    let bound = [
        "host-bound /etc/systemd/system/pg-x.service",
        "restart /etc/systemd/system/pg-x.service pg-x.service",
        "unit pg-x.service enabled",
    ];
    assert_eq!(records(&lowered, "pg-role-web"), bound);
    assert_eq!(records(&lowered, "pg-host-h.example.org"), overriding);
    assert!(!show(lowered.plan("pg-role-web")).contains("/usr/lib/systemd"));
}

#[test]
fn a_secret_with_a_machines_values_is_held_for() {
    let role = |content: &str| {
        format!("summary = \"Web\"\n[[secret]]\nname = \"login\"\ncontent = '{content}'\nrestart = [\"a.service\"]\n")
    };
    let held = |content: &str| {
        let lowered = lower(&[("roles/web.toml", &role(content)), ("hosts/h.example.org.toml", HOST)]);
        // Nothing is encrypted here.
        assert!(lowered.codes().iter().all(|code| code.starts_with("secret")), "{}", lowered.report());
        let manifest = |package: &str| lowered.manifest(package).host_bound_secrets;
        assert!(manifest("pg-host-h.example.org").is_empty());
        let description = &lowered.plan("pg-role-web").variants[0].deb.description;
        let told = description.contains("must provide /run/pg-secrets/web/login: until it is installed");
        let lists = ["pg-role-web", "pg-host-h.example.org"].map(|package| {
            let entries = &lowered.plan(package).variants[0].deb.entries;
            let list = entries.iter().find(|(path, _)| path.as_str().ends_with("/secrets/list"));
            list.is_some_and(|(_, entry)| {
                let Entry::File { bytes, .. } = entry else { panic!("{entry:?}") };
                let text = String::from_utf8_lossy(bytes);
                text.contains("\nout web/login root\n") && text.contains("\nrestart a.service\n")
            })
        });
        let bound = manifest("pg-role-web");
        assert_eq!(told, !bound.is_empty(), "{description}");
        (bound.iter().map(ToString::to_string).collect::<Vec<_>>(), lists)
    };
    let path = "/run/pg-secrets/web/login".to_owned();
    assert_eq!(held("{{ host.fqdn }}:{{ secret.db }}"), (vec![path], [false, true]));
    assert_eq!(held("{{ secret.db }}"), (vec![], [true, false]));
    assert_eq!(held("{{ host.workers }}:{{ secret.db }}"), (vec![], [true, false]));
}

#[test]
fn what_is_wrong_with_a_template_is_said_at_its_place() {
    let mut out = String::new();
    for content in [
        "line\nlisten {{ host.fqnd }};",
        "{{ fleet.admni }}",
        "{{ hots.fqdn }}",
        "{{ role.nmae }} ",
        "{{ release.code }}",
        "{{ fleet.nothing_like_it }}",
        "a\nb {% if %}",
        "{% for x in [1] %}",
        "{{ 'open }}",
        "{{ 1 + 'x' }}",
        "{{ fleet.admin | frobnicate }}",
        "{% include 'other' %}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 'x' * 100000000 }}",
        "{% macro m(x) %}{{ m(x) }}{% endmacro %}{{ m(1) }}",
        "{{ host.ipv6 }}",
        "{{ host.color | upper }}",
    ] {
        let paint = format!("{HOST}[values]\nsize = 1\n");
        let other = "roles = []\nrelease = \"bookworm\"\n[values]\ncolor = \"red\"\n";
        let lowered = lower(&[
            ("roles/web.toml", &role(content)),
            ("hosts/h.example.org.toml", &paint),
            ("hosts/other.example.org.toml", other),
        ]);
        assert_eq!(lowered.diagnostics.len(), 1, "{content}: {}", lowered.report());
        out.push_str(&format!("##### {}\n{}\n", content.replace('\n', "\\n"), lowered.report()));
    }
    insta::assert_snapshot!("template_errors", out);
}

#[test]
fn an_error_in_a_template_file_points_into_that_file() {
    let web = "summary = \"Web\"\n[[file]]\npath = \"/etc/t\"\ntemplate = true\nsource = \"t.conf\"\n";
    let lowered = lower(&[("roles/web.toml", web), ("roles/web/t.conf", "one\n  two {{ host.fqnd }} three\n")]);
    assert!(lowered.report().contains("at roles/web/t.conf:2:10 `host.fqnd`"), "{}", lowered.report());
    // In a string with escapes the offsets are others than in the value: the whole string is marked.
    let web = "summary = \"Web\"\n[[file]]\npath = \"/etc/t\"\ntemplate = true\ncontent = \"a\\tb {{ host.fqnd }}\"\n";
    let lowered = lower(&[("roles/web.toml", web)]);
    assert!(lowered.report().contains("at roles/web.toml:5:"), "{}", lowered.report());
}

#[test]
fn one_error_that_many_meet_is_said_once() {
    let hosts: Vec<_> = (0..5).map(|i| format!("hosts/h{i}.example.org.toml")).collect();
    let web = role("{{ 1 + host.workers }}");
    let mut files: Vec<(&str, &str)> = hosts
        .iter()
        .map(|path| (path.as_str(), "roles = [\"web\"]\nrelease = \"trixie\"\n[values]\nworkers = \"many\"\n"))
        .collect();
    files.push(("roles/web.toml", &web));
    let lowered = lower(&files);
    assert_eq!(lowered.codes(), ["template-failed"], "{}", lowered.report());
}

#[test]
fn no_template_exhausts_the_stack() {
    let chain = |part: &str, times: usize| format!("{{{{ {}1 }}}}", part.repeat(times));
    for (content, right) in [
        (chain("1+", 2000), true),
        (chain("1+", 3000), false),
        (chain("1+", 100_000), false),
        (chain("not ", 100_000), false),
        (format!("{{% if 0 %}}{}{{% endif %}}", "{% elif 0 %}".repeat(40_000)), false),
        (format!("{{{{ {}1{} }}}}", "[".repeat(10_000), "]".repeat(10_000)), false),
    ] {
        let diagnostics = lower(&[("roles/web.toml", &role(&content))]).diagnostics;
        let codes: Vec<&str> = diagnostics.iter().map(|d| d.rule.code).collect();
        assert!(
            if right { codes.is_empty() || codes == ["template-failed"] } else { codes == ["template-syntax"] },
            "{codes:?}"
        );
    }
}

#[test]
fn no_expression_takes_long() {
    let began = std::time::Instant::now();
    let chain = |times: usize| format!("{{{{ 'a'{} }}}}", " ~ 'a'".repeat(times));
    for (content, right) in [(chain(3000), false), (chain(600), true), (chain(600).repeat(40), false)] {
        let diagnostics = lower(&[("roles/web.toml", &role(&content))]).diagnostics;
        let codes: Vec<&str> = diagnostics.iter().map(|d| d.rule.code).collect();
        assert_eq!(codes, if right { vec![] } else { vec!["template-syntax"] });
    }
    assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn what_is_left_open_is_named() {
    for (content, help) in [
        ("{% for d in [1] %}a", "write the {% endfor %} that is missing"),
        ("{% if true %}{% for d in [1] %}a{% endfor %}", "write the {% endif %} that is missing"),
        ("{% set x = 1 %}{%- macro m() %}a", "write the {% endmacro %} that is missing"),
        ("{% raw %}{% if %}", "write the {% endraw %} that is missing"),
        ("{% if true", "close the tag: {{ … }}, {% … %}"),
        ("{{ fleet.admin", "close the tag: {{ … }}, {% … %}"),
        ("{# a", "close the comment: {# … #}"),
        (
            "a{% endfor %}",
            "nothing that it belongs to is open here: {% if %} ends in {% endif %}, {% for %} in {% endfor %}",
        ),
        (
            "{% foo %}",
            "write a literal \"{{\", \"{%\" or \"{#\" as {{ \"{{\" }}, or put the text between {% raw %} and {% endraw %}",
        ),
    ] {
        let lowered = lower(&[("roles/web.toml", &role(content)), ("hosts/h.example.org.toml", HOST)]);
        let found: Vec<_> = lowered.diagnostics.iter().map(|d| (d.rule.code, d.help.join(" "))).collect();
        assert_eq!(found, [("template-syntax", help.to_owned())], "{content}");
    }
}
