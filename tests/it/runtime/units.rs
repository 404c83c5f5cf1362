//! Units: their state, reloads and restarts. systemd is pretended (what is asked of it is written down), enablement
//! is deb-systemd-helper's and systemctl's own.

use super::{Host, Package, debian_package, role};
use crate::machine::{Need, Release, Services, skip};

const UNIT: &str = "[Unit]\nDescription=x\n[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n";

fn machine() -> Host {
    let host = Host::new();
    host.pretend_systemd();
    host
}

/// A daemon of Debian's, enabled by its postinst as debhelper writes it.
fn daemon(host: &Host, name: &str) {
    let unit = format!("/usr/lib/systemd/system/{name}.service");
    let postinst = format!(
        "#!/bin/sh\nset -e\ncase \"$1\" in\nconfigure)\n    deb-systemd-helper unmask '{name}.service' >/dev/null || true\n    \
         if deb-systemd-helper --quiet was-enabled '{name}.service'; then\n        \
         deb-systemd-helper enable '{name}.service' >/dev/null || true\n    else\n        \
         deb-systemd-helper update-state '{name}.service' >/dev/null || true\n    fi\n    ;;\nesac\n"
    );
    let postrm = format!(
        "#!/bin/sh\nset -e\ncase \"$1\" in\npurge)\n    deb-systemd-helper purge '{name}.service' >/dev/null || true\n    \
         deb-systemd-helper unmask '{name}.service' >/dev/null || true\n    ;;\nesac\n"
    );
    let package = debian_package(host, name, "1", &[(&unit, UNIT)], &[("postinst", &postinst), ("postrm", &postrm)]);
    host.dpkg("-i", &[&package]);
    host.ok(&format!("touch /root/active/{name}.service"));
}

fn enabled(host: &Host, unit: &str) -> String {
    host.run(&format!("systemctl is-enabled {unit}")).stdout.trim().to_owned()
}

#[test]
fn a_changed_file_reloads_its_service_once_and_an_unchanged_one_does_not() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = machine();
    host.ok("touch /root/active/a.service /root/active/b.service /root/active/c.service");
    let with = |name: &str, version: &str, one: &str, two: &str| {
        role(name, version)
            .file(&format!("/etc/{name}/one"), one)
            .file(&format!("/etc/{name}/two"), two)
            .line(&format!("reload /etc/{name}/one a.service"))
            .line(&format!("reload /etc/{name}/two a.service"))
            .line(&format!("reload /etc/{name}/one c.service"))
            .line(&format!("restart /etc/{name}/two b.service"))
            .line(&format!("restart /etc/{name}/two c.service"))
            .line(&format!("reload /etc/{name}/two inactive.service"))
            .make(&host)
    };
    host.dpkg("-i", &[&with("x", "20260101.1", "1", "1"), &with("y", "20260101.1", "1", "1")]);
    assert_eq!(host.calls(), ["reload a.service", "restart b.service", "restart c.service"], "once for all of the run");
    host.dpkg("-i", &[&with("x", "20260102.1", "1", "1")]);
    assert_eq!(host.calls(), [""; 0], "a new version, nothing changed");
    host.dpkg("-i", &[&with("x", "20260103.1", "2", "1")]);
    assert_eq!(host.calls(), ["reload a.service", "reload c.service"]);
    host.ok("chmod 600 /etc/y/two; pg-runtime apply");
    assert_eq!(host.calls(), ["reload a.service", "restart b.service", "restart c.service"], "mended drift");
    host.dpkg("-i", &[&role("x", "20260104.1").file("/etc/x/one", "2").make(&host)]);
    assert_eq!(host.calls(), ["reload a.service", "restart b.service", "restart c.service"], "a file went");
    host.ok("mkdir -p /root/noreload; touch /root/noreload/a.service");
    host.dpkg("-r", &["pg-role-y"]);
    assert_eq!(
        host.calls(),
        ["restart a.service", "restart b.service", "restart c.service"],
        "after removal; a unit that can't reload is restarted"
    );
}

#[test]
fn a_role_that_goes_with_the_runtime_still_tells_its_services() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = machine();
    host.ok("touch /root/active/a.service");
    host.dpkg("-i", &[&role("x", "20260101.1").file("/etc/x", "x\n").line("reload /etc/x a.service").make(&host)]);
    assert_eq!(host.calls(), ["reload a.service"]);
    host.dpkg("-P", &["pg-role-x", "pg-runtime"]);
    assert_eq!(host.calls(), ["reload a.service"]);
    assert!(!host.tree.exists("/run/pg") && !host.tree.exists("/etc/x"));
}

#[test]
fn without_systemd_or_where_policy_forbids_nothing_is_started() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let package = |version: &str, text: &str| {
        role("x", version).file("/etc/x", text).line("restart /etc/x a.service").own_unit(
            "x-job.service",
            "enabled",
            UNIT,
        )
    };
    let host = machine();
    host.tree.services(Services::Denied);
    host.ok("touch /root/active/a.service");
    host.dpkg("-i", &[&package("20260101.1", "1").make(&host)]);
    assert_eq!(host.calls(), [""; 0], "policy-rc.d says 101");
    assert_eq!(host.mark("pg-runtime"), "");
    host.tree.services(Services::Allowed);
    host.ok("rm -r /run/systemd");
    host.dpkg("-i", &[&package("20260102.1", "2").make(&host)]);
    assert_eq!(host.calls(), [""; 0], "systemd does not run");
    assert_eq!(enabled(&host, "x-job.service"), "enabled", "it will with the next boot");
    assert_eq!(host.run("pg-runtime apply").status, 0);
    host.ok("mkdir -p /run/systemd/system; pg-runtime apply");
    assert_eq!(host.calls(), [""; 0], "what started later has read its files");
    // And without systemctl at all.
    let host = Host::new();
    host.ok("rm -f /usr/bin/systemctl /bin/systemctl");
    host.dpkg("-i", &[&package("20260101.1", "1").make(&host)]);
    assert_eq!(
        host.ok("readlink -f /etc/systemd/system/multi-user.target.wants/x-job.service"),
        "/usr/lib/systemd/system/x-job.service\n"
    );
    host.assert_settled();
    host.dpkg("-P", &["pg-role-x"]);
    assert_eq!(host.ok("find /etc/systemd /var/lib/systemd -name '*x-job*'"), "");
}

#[test]
fn a_failed_service_is_started_when_its_files_are_mended() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = machine();
    daemon(&host, "a");
    host.ok("rm /root/active/a.service; touch /root/failed/a.service");
    host.dpkg("-i", &[&role("x", "20260101.1").file("/etc/x", "x\n").line("reload /etc/x a.service").make(&host)]);
    assert_eq!(host.calls(), ["restart a.service"]);
}

#[test]
fn a_reload_that_fails_is_a_mark_and_is_tried_again() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = machine();
    host.ok("touch /root/active/a.service /root/refuse");
    host.dpkg("-i", &[&role("x", "20260101.1").file("/etc/x", "x\n").line("reload /etc/x a.service").make(&host)]);
    assert_eq!(
        host.mark("pg-runtime"),
        "unit: reload of a.service failed: see systemctl status a.service\n    Job for a.service failed.\n"
    );
    assert_eq!(host.ok("dpkg --audit; cat /etc/x"), "x\n");
    assert_eq!(host.run("pg-runtime apply").status, 1);
    host.calls();
    host.ok("rm /root/refuse; pg-runtime apply");
    assert_eq!(host.calls(), ["reload a.service"]);
    assert_eq!(host.mark("pg-runtime"), "");
    host.assert_settled();
}

#[test]
fn the_state_of_debians_units_is_set_kept_and_given_back() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = machine();
    for name in ["on", "off", "masked"] {
        daemon(&host, name);
    }
    host.ok("deb() { DPKG_MAINTSCRIPT_PACKAGE=x deb-systemd-helper $@; }; deb disable on.service; rm /root/active/on.service");
    let states = |host: &Host| ["on", "off", "masked"].map(|name| enabled(host, &format!("{name}.service")));
    let before = host.files();
    assert_eq!(states(&host), ["disabled", "enabled", "enabled"]);
    let package = |version: &str, lines: &[&str]| {
        lines.iter().fold(role("x", version), |package: Package, line| package.line(line)).make(&host)
    };
    let all = ["unit on.service enabled", "unit off.service disabled", "unit masked.service masked"];
    host.dpkg("-i", &[&package("20260101.1", &all)]);
    assert_eq!(states(&host), ["enabled", "disabled", "masked"]);
    assert_eq!(host.calls(), ["stop masked.service", "stop off.service", "start on.service"]);
    host.assert_settled();
    assert_eq!(host.calls(), [""; 0]);
    // Their packages are upgraded: debhelper's scripts keep to it.
    for name in ["on", "off", "masked"] {
        host.dpkg("-i", &[&format!("{name}_1")]);
    }
    assert_eq!(states(&host), ["enabled", "disabled", "masked"]);
    host.calls();
    // Somebody changes them: found and mended.
    host.ok("systemctl disable on.service; systemctl enable off.service");
    let verify = host.run("pg-runtime verify");
    assert_eq!(verify.status, 1);
    assert_eq!(
        verify.stdout,
        "unit: off.service (pg-role-x): is enabled, was disabled\nunit: on.service (pg-role-x): is disabled, was enabled\n"
    );
    host.ok("pg-runtime apply");
    assert_eq!(states(&host), ["enabled", "disabled", "masked"]);
    host.assert_settled();
    // The role has no say about one of them any more.
    host.calls();
    host.dpkg("-i", &[&package("20260102.1", &all[..2])]);
    assert_eq!(states(&host), ["enabled", "disabled", "enabled"]);
    assert_eq!(host.calls(), ["start masked.service"]);
    host.dpkg("-P", &["pg-role-x"]);
    assert_eq!(states(&host), ["disabled", "enabled", "enabled"]);
    assert_eq!(host.calls(), ["start off.service", "stop on.service"]);
    assert_eq!(host.files(), before);
}

/// As trixie's postfix, which is started by a trigger of its own package: whichever trigger comes first in the run.
#[test]
fn a_unit_that_its_package_had_not_started_yet_runs_on_when_the_role_goes() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = machine();
    daemon(&host, "late");
    host.ok("rm /root/active/late.service");
    host.dpkg("-i", &[&role("x", "20260101.1").line("unit late.service enabled").make(&host)]);
    assert_eq!(host.calls(), ["start late.service"]);
    host.dpkg("-P", &["pg-role-x"]);
    assert_eq!((host.calls(), enabled(&host, "late.service")), (Vec::new(), "enabled".to_owned()));
}

#[test]
fn a_unit_that_is_not_there_is_a_mark_and_comes_later() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = machine();
    host.dpkg("-i", &[&role("x", "20260101.1").line("unit later.service disabled").file("/etc/x", "x\n").make(&host)]);
    assert_eq!(host.mark("pg-role-x"), "unit: later.service is not on this machine: is its package installed?\n");
    assert!(host.tree.exists("/etc/x"));
    daemon(&host, "later");
    host.ok("pg-runtime apply");
    assert_eq!(enabled(&host, "later.service"), "disabled");
    assert_eq!(host.mark("pg-role-x"), "");
    // Its package goes before the role: nothing is left to give back.
    host.dpkg("-P", &["later"]);
    host.dpkg("-P", &["pg-role-x"]);
    assert_eq!(host.ok("find /etc/systemd /var/lib/systemd -name '*later*'"), "");
}

#[test]
fn own_units_start_restart_when_changed_and_go() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = machine();
    let before = host.files();
    let package = |version: &str, text: &str| {
        let timer = "[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n";
        role("x", version).own_unit("x.service", "static", text).own_unit("x.timer", "enabled", timer)
    };
    host.dpkg("-i", &[&package("20260101.1", UNIT).make(&host)]);
    assert_eq!(host.calls(), ["start x.timer"]);
    assert_eq!(enabled(&host, "x.timer"), "enabled");
    host.assert_settled();
    host.dpkg("-i", &[&package("20260102.1", UNIT).file("/etc/x", "x\n").make(&host)]);
    assert_eq!(host.calls(), [""; 0], "unchanged units are left alone");
    let changed = UNIT.replace("true", "false");
    host.dpkg("-i", &[&package("20260103.1", &changed).make(&host)]);
    assert_eq!(host.calls(), [""; 0], "the service does not run");
    host.ok("touch /root/active/x.service");
    host.dpkg("-i", &[&package("20260104.1", UNIT).make(&host)]);
    assert_eq!(host.calls(), ["restart x.service"]);
    // One is dropped by an upgrade, the other goes with the package.
    host.dpkg("-i", &[&role("x", "20260105.1").own_unit("x.service", "static", UNIT).make(&host)]);
    assert_eq!(host.calls(), ["stop x.timer"]);
    host.dpkg("-P", &["pg-role-x"]);
    assert_eq!(host.calls(), ["stop x.service"]);
    assert_eq!(host.files(), before);
    assert_eq!(host.ok("find /var/lib/systemd -name '*x.timer*'"), "");
}

#[test]
fn a_drop_in_makes_systemd_read_its_units_before_the_restart() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = machine();
    host.ok("touch /root/active/a.service");
    let path = "/etc/systemd/system/a.service.d/50-pg-role-x.conf";
    let package = role("x", "20260101.1").file(path, "[Service]\nNice=5\n").line(&format!("restart {path} a.service"));
    host.dpkg("-i", &[&package.make(&host)]);
    assert_eq!(host.ok("cat /root/calls; : >/root/calls"), "daemon-reload\nrestart a.service\n");
    host.dpkg("-r", &["pg-role-x"]);
    assert_eq!(host.ok("cat /root/calls"), "daemon-reload\nrestart a.service\n");
    assert!(!host.tree.exists("/etc/systemd/system/a.service.d"));
}

#[test]
fn services_of_a_package_that_was_set_aside_are_left_alone() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::bare(Release::Trixie);
    host.dpkg("-i", &["pg-runtime_1"]);
    host.pretend_systemd();
    daemon(&host, "a");
    let package = |version: &str, validator: &str| {
        role("x", version)
            .file("/etc/x", version)
            .line(&format!("validate /etc/x {validator}"))
            .line("reload /etc/x a.service")
            .line("unit a.service disabled")
            .own_unit("x.service", "enabled", UNIT)
            .setup("echo >/root/setup")
    };
    host.dpkg("-i", &[&package("20260101.1", "false").make(&host)]);
    assert_eq!(host.calls(), [""; 0]);
    assert_eq!(enabled(&host, "a.service"), "enabled");
    assert!(!host.tree.exists("/root/setup"));
    host.dpkg("-i", &[&package("20260102.1", "true").make(&host)]);
    assert_eq!(host.calls(), ["start x.service", "stop a.service"]);
    assert!(host.tree.exists("/root/setup"));
}

#[test]
fn a_timer_of_the_runtimes_that_was_disabled_stays_so_when_the_runtime_is_upgraded() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    const TIMERS: [&str; 4] = ["pg-access.timer", "pg-refresh-keyring.timer", "pg-refresh.timer", "pg-verify.timer"];
    let states = || TIMERS.map(|timer| enabled(&host, timer));
    assert_eq!(states(), ["enabled"; 4]);
    host.ok("systemctl disable pg-refresh.timer; systemctl mask pg-verify.timer");
    host.runtime("2");
    host.dpkg("-i", &["pg-runtime_2"]);
    assert_eq!(states(), ["enabled", "enabled", "disabled", "masked"]);
    host.ok("systemctl enable pg-refresh.timer; systemctl unmask pg-verify.timer");
    host.runtime("3");
    host.dpkg("-i", &["pg-runtime_3"]);
    assert_eq!(states(), ["enabled"; 4]);
    assert_eq!(host.ok("dpkg --audit"), "");
}
