//! On a booted machine: systemd's own word for it.

use super::{Host, debian_package, role};
use crate::machine::{Lab, Machine, Need, Release, skip};
use std::sync::Arc;

/// Writes a line for each start and each reload.
const APP: &str = "[Service]\nExecStart=/bin/sh -c 'echo start >>/run/app; exec sleep infinity'\n\
                   ExecReload=/bin/sh -c 'echo reload >>/run/app'\n[Install]\nWantedBy=multi-user.target\n";

const POSTINST: &str = "#!/bin/sh\nset -e\ncase \"$1\" in\nconfigure)\n    deb-systemd-helper enable app.service >/dev/null\n    \
                        if [ -d /run/systemd/system ]; then\n        systemctl --system daemon-reload\n        \
                        deb-systemd-invoke start app.service\n    fi\n    ;;\nesac\n";
const PRERM: &str = "#!/bin/sh\nset -e\ncase \"$1\" in\nremove)\n    if [ -d /run/systemd/system ]; then deb-systemd-invoke stop app.service; fi\n    ;;\nesac\n";
const POSTRM: &str =
    "#!/bin/sh\nset -e\ncase \"$1\" in\npurge)\n    deb-systemd-helper purge app.service >/dev/null\n    ;;\nesac\n";

#[test]
fn services_reload_restart_and_return_to_their_state() {
    if skip("a booted machine", &[Need::Boot]) {
        return;
    }
    for release in Release::ALL {
        let host = Host::bare(release);
        let app = debian_package(
            &host,
            "app",
            "1",
            &[("/usr/lib/systemd/system/app.service", APP)],
            &[("postinst", POSTINST), ("prerm", PRERM), ("postrm", POSTRM)],
        );
        let drop_in = "/etc/systemd/system/app.service.d/50-pg-role-web.conf";
        let job = "[Service]\nType=exec\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n";
        let web = |version: &str, text: &str| {
            role("web", version).depends("app").file("/etc/app", text).line("reload /etc/app app.service").own_unit(
                "web-job.service",
                "enabled",
                job,
            )
        };
        let one = web("20260101.1", "1\n").make(&host);
        let same = web("20260102.1", "1\n").make(&host);
        let two = web("20260103.1", "2\n")
            .file(drop_in, "[Service]\nEnvironment=DROPPED=in\n")
            .line(&format!("restart {drop_in} app.service"))
            .make(&host);
        let three = web("20260104.1", "2\n").line("unit app.service disabled").make(&host);
        let four = web("20260105.1", "2\n").line("unit app.service masked").make(&host);
        let machine = Machine::boot(&Arc::new(Lab::new()), host.tree, 11);
        let install = |packages: &[&str]| {
            let files: Vec<String> = packages.iter().map(|package| format!("/root/{package}.deb")).collect();
            machine.ok(&format!("dpkg -i {} <&- 2>&1", files.join(" ")))
        };
        install(&["pg-runtime_1", &app, &one]);
        assert_eq!(machine.ok("cat /run/app; systemctl is-active web-job.service"), "start\nreload\nactive\n");
        install(&[&same]);
        assert_eq!(machine.ok("cat /run/app"), "start\nreload\n");
        install(&[&two]);
        assert_eq!(
            machine.ok("cat /run/app; systemctl show -p Environment app.service"),
            "start\nreload\nstart\nEnvironment=DROPPED=in\n"
        );
        assert_eq!(
            machine.ok("pg-runtime apply; pg-runtime verify; cat /run/app"),
            "pg-runtime: nothing to do\nstart\nreload\nstart\n"
        );
        install(&[&three]);
        assert_eq!(
            machine.run("systemctl is-active app.service; systemctl is-enabled app.service").stdout,
            "inactive\ndisabled\n"
        );
        machine.ok("systemctl enable --now app.service");
        install(&[&four]);
        assert_eq!(
            machine.run("systemctl is-active app.service; systemctl is-enabled app.service").stdout,
            "inactive\nmasked\n"
        );
        machine.ok("dpkg -P pg-role-web pg-runtime <&-");
        assert_eq!(
            machine.ok("systemctl is-active app.service; systemctl is-enabled app.service"),
            "active\nenabled\n"
        );
        assert_eq!(
            machine
                .run("systemctl is-active web-job.service; systemctl list-unit-files web-job.service --no-legend")
                .stdout,
            "inactive\n"
        );
        assert_eq!(machine.ok("find /etc /var/lib/systemd /run/systemd -name '*web-job*' -o -name '*pg-role*'"), "");
    }
}
