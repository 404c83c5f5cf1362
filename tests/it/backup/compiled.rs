//! One list of jobs: what machines run, what servers expect and let in, and what monitoring asks for.

use crate::lower::{Lowered, lower};
use debrole::lower::backup::{checks, jobs};
use debrole::names::MachinePath;
use debrole::plan::{Entry, PackagePlan};
use debrole::relation::RelationField;

const KEYS: [&str; 4] = [
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMD",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE",
];

/// web1 with the job of its role and one of its own, and a server that runs the job, too.
fn fleet(others: &[(&str, &str)]) -> Lowered {
    let debrole = format!("{}\n[secrets]\nrecipients = [\"{} safe\"]\n", crate::lower::DEBROLE, KEYS[3]);
    let host = |roles: &str, key: &str, more: &str| {
        format!("roles = {roles}\nrelease = \"bookworm\"\nssh_host_key = \"{key}\"\n{more}")
    };
    let web = r#"summary = "Web"
[[backup]]
name = "www"
paths = ["/srv/www", "/etc/web"]
exclude = ["/srv/www/cache", "*.tmp"]
before = "true"
schedule = "Mon..Fri 22:30"
keep = "2d"
at_least = "10M"

[[backup.dump]]
file = "all.sql"
command = "pg_dumpall --clean"
user = "postgres"
"#;
    let backup = "summary = \"Backup\"\n[backup_server]\ndirectory = \"/srv/backup\"\nkeep_left = \"90d\"\n";
    let own = "[[backup]]\nname = \"home\"\npaths = [\"/home\"]\n";
    let web1 = host("[\"web\"]", KEYS[0], own);
    let server = host("[\"backup\", \"web\"]", KEYS[1], "");
    let second = host("[\"backup\"]", KEYS[2], "");
    let mut files = vec![
        ("debrole.toml", debrole.as_str()),
        ("roles/web.toml", web),
        ("roles/backup.toml", backup),
        ("hosts/web1.example.org.toml", &web1),
        ("hosts/backup1.example.org.toml", &server),
        ("hosts/backup2.example.org.toml", &second),
    ];
    files.retain(|(path, _)| others.iter().all(|(other, _)| other != path));
    files.extend(others.iter().filter(|(_, text)| !text.is_empty()));
    lower(&files)
}

fn plan<'l>(lowered: &'l Lowered, name: &str) -> &'l PackagePlan {
    lowered.plans.iter().find(|plan| plan.name.as_str() == name).unwrap_or_else(|| panic!("no {name}"))
}

fn text(lowered: &Lowered, package: &str, path: &str) -> String {
    let deb = &plan(lowered, package).variants[0].deb;
    match deb.entries.get(&MachinePath::parse(path).expect("a path")) {
        Some(Entry::File { bytes, .. }) => String::from_utf8(bytes.to_vec()).expect("text"),
        other => panic!("{package} has {other:?} at {path}"),
    }
}

fn depends(lowered: &Lowered, package: &str, on: &str) -> bool {
    let deb = &plan(lowered, package).variants[0].deb;
    let mut relations = deb.relations.get(&RelationField::Depends).into_iter().flatten();
    relations.any(|relation| relation.0.iter().any(|one| one.name.as_str() == on))
}

#[test]
fn a_job_is_run_expected_let_in_and_asked_for() {
    let lowered = fleet(&[]).right();
    assert_eq!(
        text(&lowered, "pg-role-web", "/usr/share/pg/roles/web/backup/www"),
        "debrole-backup-job 1\npath /srv/www\npath /etc/web\nexclude /srv/www/cache\nexclude *.tmp\n\
         dump all.sql postgres pg_dumpall --clean\n"
    );
    assert_eq!(
        text(&lowered, "pg-role-web", "/usr/share/pg/roles/web/backup/www.before"),
        "#!/bin/sh\nset -e\n\ntrue\n"
    );
    let timer = text(&lowered, "pg-role-web", "/usr/lib/systemd/system/pg-backup-web_www.timer");
    assert!(
        timer.contains("\nOnCalendar=Mon..Fri 22:30\n") && timer.contains("\nUnit=pg-backup@web_www.service\n"),
        "{timer}"
    );
    assert!(depends(&lowered, "pg-role-web", "pg-backup") && depends(&lowered, "pg-role-backup", "pg-backup-config"));
    assert!(depends(&lowered, "pg-host-web1.example.org", "pg-backup"), "its own job's");
    assert!(depends(&lowered, "pg-backup", "pg-known-hosts"));

    // From Friday to Monday there are three days.
    let expected = text(&lowered, "pg-backup-config", "/usr/share/pg/backup-server/expected");
    assert_eq!(
        expected,
        "debrole-backup 1\n\
         client backup1.example.org\n\
         job backup1.example.org web_www 302400 777600 10485760 172800 2592000 7257600 31536000\n\
         client web1.example.org\n\
         job web1.example.org machine_home 100800 259200 0 604800 2592000 7257600 31536000\n\
         job web1.example.org web_www 302400 777600 10485760 172800 2592000 7257600 31536000\n"
    );
    let keys = text(&lowered, "pg-backup-config", "/usr/share/pg/backup-server/keys");
    let line = |fqdn: &str, key: &str| format!("restrict,command=\"/usr/lib/pg/backup-serve {fqdn}\" {key} {fqdn}\n");
    assert_eq!(keys, line("backup1.example.org", KEYS[1]) + &line("web1.example.org", KEYS[0]));
    assert_eq!(
        text(&lowered, "pg-backup", "/usr/share/pg/backup/servers"),
        "backup1.example.org\nbackup2.example.org\n"
    );
    let recipients = text(&lowered, "pg-backup", "/usr/share/pg/backup/recipients");
    let readers: Vec<&str> = recipients.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(
        readers,
        [
            format!("{} backup1.example.org", KEYS[1]),
            format!("{} backup2.example.org", KEYS[2]),
            format!("{} safe", KEYS[3])
        ]
    );
    assert_eq!(
        text(&lowered, "pg-role-backup", "/usr/share/pg/roles/backup/backup-server"),
        "directory /srv/backup\nkeep-left 7776000\n"
    );

    let asked: Vec<String> = checks(&lowered.model)
        .into_iter()
        .map(|check| format!("{}: {}, {}", check.server, check.command, check.line))
        .collect();
    let line = |server: &str, client: &str, job: &str| {
        format!("{server}: backup_{client}_{job}, /usr/lib/pg/check-backup {client} {job}")
    };
    assert_eq!(
        asked,
        [
            line("backup1.example.org", "web1.example.org", "machine_home"),
            line("backup1.example.org", "web1.example.org", "web_www"),
            line("backup2.example.org", "backup1.example.org", "web_www"),
            line("backup2.example.org", "web1.example.org", "machine_home"),
            line("backup2.example.org", "web1.example.org", "web_www"),
        ],
        "no server is asked for its own"
    );
}

/// web1's own word on the job of its role.
fn with_own_job(table: &str) -> String {
    format!(
        "roles = [\"web\"]\nrelease = \"bookworm\"\nssh_host_key = \"{}\"\n[backup_job.\"web/www\"]\n{table}",
        KEYS[0]
    )
}

#[test]
fn what_a_host_says_of_a_roles_job_is_run_expected_and_asked_for_there_alone() {
    let own = with_own_job(
        "exclude = [\"/srv/www/mirror\"]\nschedule = \"weekly\"\nkeep = \"30d\"\nkeep_daily = \"60d\"\nat_least = \"1G\"\n",
    );
    let (usual, lowered) = (fleet(&[]).right(), fleet(&[("hosts/web1.example.org.toml", &own)]).right());
    let host = "pg-host-web1.example.org";
    let timer = |package: &str, path: &str| text(&lowered, package, path);
    let role = timer("pg-role-web", "/usr/lib/systemd/system/pg-backup-web_www.timer");
    let here = timer(host, "/usr/share/pg/hosts/web1.example.org/files/etc/systemd/system/pg-backup-web_www.timer");
    assert_eq!(here, role.replace("OnCalendar=Mon..Fri 22:30\n", "OnCalendar=weekly\n"));
    assert_ne!(here, role);
    let manifest = text(&lowered, host, "/usr/share/pg/hosts/web1.example.org/manifest");
    assert!(
        manifest.contains("\nrestart /etc/systemd/system/pg-backup-web_www.timer pg-backup-web_www.timer\n"),
        "{manifest}"
    );
    assert_eq!(
        text(&lowered, host, "/usr/share/pg/hosts/web1.example.org/backup-jobs/web_www"),
        "debrole-backup-job 1\nexclude /srv/www/mirror\n"
    );
    // The role is the same for everybody else.
    let deb = |lowered: &Lowered, name: &str| plan(lowered, name).variants[0].deb.clone();
    for package in ["pg-role-web", "pg-backup", "pg-host-backup1.example.org"] {
        assert_eq!(deb(&lowered, package), deb(&usual, package), "{package}");
    }
    // A week and a sixth; three weeks.
    let expected = text(&lowered, "pg-backup-config", "/usr/share/pg/backup-server/expected");
    assert_eq!(
        expected,
        "debrole-backup 1\n\
         client backup1.example.org\n\
         job backup1.example.org web_www 302400 777600 10485760 172800 2592000 7257600 31536000\n\
         client web1.example.org\n\
         job web1.example.org web_www 705600 1814400 1073741824 2592000 5184000 7257600 31536000\n"
    );
    let asked = checks(&lowered.model);
    assert!(asked.iter().any(|check| check.line == "/usr/lib/pg/check-backup web1.example.org web_www"), "{asked:?}");
}

/// A role without templates is one package on all releases; what its machines say of it counts on each.
#[test]
fn what_a_host_says_of_a_roles_job_counts_on_every_release() {
    for release in ["bookworm", "trixie"] {
        let own = with_own_job("exclude = [\"/srv/www/mirror\"]\n").replace("bookworm", release);
        let lowered = fleet(&[("hosts/web1.example.org.toml", &own)]).right();
        let job =
            text(&lowered, "pg-host-web1.example.org", "/usr/share/pg/hosts/web1.example.org/backup-jobs/web_www");
        assert_eq!(job, "debrole-backup-job 1\nexclude /srv/www/mirror\n", "{release}");
    }
}

/// What is as the role has it is in no other package.
#[test]
fn a_host_that_only_moves_ages_ships_nothing_of_the_job() {
    let own = with_own_job("exclude = []\nwarn_after = \"6d\"\n");
    let lowered = fleet(&[("hosts/web1.example.org.toml", &own)]).right();
    let deb = &plan(&lowered, "pg-host-web1.example.org").variants[0].deb;
    let paths: Vec<String> =
        deb.entries.keys().map(ToString::to_string).filter(|path| path.contains("web_www")).collect();
    assert_eq!(paths, ["/usr/share/pg/hosts/web1.example.org/backup-jobs/web_www"], "it leaves out nothing");
    let bare = text(&lowered, "pg-host-web1.example.org", &paths[0]);
    assert_eq!(bare, "debrole-backup-job 1\n");
    let expected = text(&lowered, "pg-backup-config", "/usr/share/pg/backup-server/expected");
    assert!(expected.contains("\njob web1.example.org web_www 518400 777600 10485760 172800 "), "{expected}");
}

/// On the release that has a job of its own, that is the one.
#[test]
fn a_host_changes_the_job_of_its_release_and_of_roles_that_are_included() {
    let web = "summary = \"Web\"\n[[backup]]\nname = \"www\"\npaths = [\"/srv/www\"]\nkeep = \"2d\"\n\
               [[release.trixie.backup]]\nname = \"www\"\npaths = [\"/srv/site\"]\nkeep = \"3d\"\n";
    let shop = "summary = \"Shop\"\nincludes = [\"web\"]\n";
    let own = with_own_job("exclude = [\"/srv/site/cache\"]\n").replace("[\"web\"]", "[\"shop\"]");
    let files = |release: &str| {
        let own = own.replace("bookworm", release);
        fleet(&[("roles/web.toml", web), ("roles/shop.toml", shop), ("hosts/web1.example.org.toml", &own)])
    };
    let lowered = files("trixie").right();
    let expected = text(&lowered, "pg-backup-config", "/usr/share/pg/backup-server/expected");
    assert!(expected.contains("\njob web1.example.org web_www 100800 259200 0 259200 "), "{expected}");
    let job = lowered.model.hosts.values().find_map(|host| host.backup_jobs.values().next()).expect("a job");
    assert_eq!(job.value.paths[0].value.as_str(), "/srv/site");
}

#[test]
fn who_leaves_the_tree_is_expected_and_let_in_no_more() {
    let lowered = fleet(&[("hosts/web1.example.org.toml", "")]).right();
    for path in ["expected", "keys"] {
        let text = text(&lowered, "pg-backup-config", &format!("/usr/share/pg/backup-server/{path}"));
        assert!(!text.contains("web1.example.org") && text.contains("backup1.example.org"), "{text}");
    }
    let names: Vec<String> =
        jobs(&lowered.model).iter().map(|job| job.client.name.value.to_string() + &job.name).collect();
    assert_eq!(names, ["backup1.example.orgweb_www"]);
}

#[test]
fn without_jobs_and_servers_there_is_nothing() {
    let lowered = lower(&[("roles/web.toml", "summary = \"Web\"\n")]).right();
    assert!(lowered.plans.iter().all(|plan| !plan.name.as_str().contains("backup")));
    assert!(checks(&lowered.model).is_empty());
}

#[test]
fn two_roles_that_would_make_one_server_in_two_places_are_a_clash() {
    let lowered = fleet(&[("roles/vault.toml", "summary = \"Vault\"\n[backup_server]\ndirectory = \"/srv/vault\"\n")]);
    assert!(lowered.report().contains("pg-backup-watch.timer"), "{}", lowered.report());
}

/// A unit, a directory and a check each have one name for both.
#[test]
fn a_machines_own_job_and_one_of_a_role_called_machine_are_not_one() {
    let machine = "summary = \"Machine\"\n[[backup]]\nname = \"home\"\npaths = [\"/home\"]\n";
    let web1 = |roles: &str| {
        format!(
            "roles = {roles}\nrelease = \"bookworm\"\nssh_host_key = \"{}\"\n[[backup]]\nname = \"home\"\npaths = [\"/srv\"]\n",
            KEYS[0]
        )
    };
    let both = web1("[\"web\", \"machine\"]");
    let lowered = fleet(&[("roles/machine.toml", machine), ("hosts/web1.example.org.toml", &both)]);
    let report = lowered.report();
    assert!(
        report.contains("backup-job-twice: web1.example.org has two backup jobs machine_home")
            && !report.contains("path-claimed-twice"),
        "{report}"
    );
    fleet(&[("hosts/web1.example.org.toml", &web1("[\"web\"]"))]).right();
}

/// What is not pinned is installed, and never upgraded.
#[test]
fn every_package_of_the_example_fleet_is_pinned() {
    let lowered = crate::lower::lower_directory(&crate::machine::packages::example_fleet());
    let pin = text(&lowered, "pg-archive-keyring", "/usr/share/pg/pg.pref");
    let (_, rest) = pin.split_once("\nPackage: ").expect("a stanza");
    let patterns: Vec<&str> = rest.lines().next().expect("a line").split(' ').collect();
    let pinned = |name: &str| {
        patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => *pattern == name,
        })
    };
    for plan in &lowered.plans {
        assert!(pinned(plan.name.as_str()), "{} is not among {patterns:?}", plan.name);
    }
    assert!(lowered.plans.iter().any(|plan| plan.name.as_str() == "pg-backup-config") && !pinned("pg-other"));
}
