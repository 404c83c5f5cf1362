//! Secrets whose text this machine's own package brings. (All of it end to end: `example::secrets`.)

use super::{Host, host_package, role};
use crate::machine::{Need, Release, Services, skip};

/// With age, a host key, and a systemd that seems to run.
fn machine(release: Release) -> Host {
    let mut host = Host::bare(release);
    host.tree = host.tree.with_debian();
    host.tree.services(Services::Denied);
    host.tree.name("m1.example.org", &[]);
    host.ok("apt-get -y -q install age openssh-client /root/pg-runtime_1.deb <&- >/dev/null
             ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key; rm /usr/sbin/policy-rc.d");
    host.pretend_systemd();
    host
}

/// What is mounted at /run is there for one command only.
const IN_MEMORY: &str = "set -e; mount -t tmpfs tmpfs /run; mkdir -p /run/systemd/system /run/lock; touch /root/active/app.service
    calls() { echo \"$1:\" $(grep app.service /root/calls || true); : >/root/calls; }
    secrets() { echo \"$1:\" $(cat /run/pg-secrets/app/* 2>/dev/null || true); }
    install() { for deb; do set -- \"$@\" /root/$deb.deb; shift; done; dpkg -i \"$@\" >/root/log 2>&1 <&- || { cat /root/log; exit 1; }; }\n";

#[test]
fn a_role_waits_for_a_secret_that_its_machine_brings_with_its_services() {
    if skip("secrets of hosts", &[Need::Trees]) {
        return;
    }
    for release in Release::ALL {
        let host = machine(release);
        let app = |version: &str, password: &str| {
            role("app", version)
                .line("host-bound-secret /run/pg-secrets/app/login")
                .own_unit(
                    "app-job.service",
                    "enabled",
                    "[Service]\nExecStart=true\n[Install]\nWantedBy=multi-user.target\n",
                )
                .setup("cat /run/pg-secrets/app/login >>/root/setup")
                .secrets(
                    &host,
                    "out app/password root\nsecret password\nrestart app.service\n",
                    &[("password", password)],
                )
                .make(&host)
        };
        let own = |name: &str, login: &str| {
            host_package(name, "20260101.1")
                .secrets(&host, "out app/login root\nsecret login\nreload app.service\n", &[("login", login)])
                .make(&host)
        };
        let (first, second) = (app("20260101.1", "one;"), app("20260102.1", "two;"));
        let (mine, others) = (own("m1.example.org", "me;"), own("m2.example.org", "you;"));
        let said = host.ok(&format!(
            "{IN_MEMORY}install {first}; calls first; secrets first; cat /var/lib/pg/marks/pg-role-app
             systemctl is-enabled app-job.service || true; test ! -e /root/setup
             install {second}; calls second; secrets second
             install {others}; calls others; secrets others; grep -c '^host: /run' /var/lib/pg/marks/pg-role-app; dpkg -P pg-host-m2.example.org >/dev/null
             pg-runtime verify
             install {mine}; calls mine; secrets mine; cat /root/setup; echo; systemctl is-enabled app-job.service
             ls /var/lib/pg/marks; pg-runtime apply; pg-runtime verify; calls again
             install {first}; calls changed
             dpkg -r pg-host-m1.example.org >/dev/null 2>&1; calls gone; secrets gone; grep -c '^host: /run' /var/lib/pg/marks/pg-role-app
             install {second}; calls held; install {mine}; calls back; secrets back"
        ));
        assert_eq!(
            said,
            "first:\nfirst: one;\n\
             host: /run/pg-secrets/app/login comes with this machine's host package, its services wait: \
             apt-get install pg-host-m1.example.org\n\
             disabled\nsecond:\nsecond: two;\nothers:\nothers: two;\n1\n\
             mine: restart app.service\nmine: me;two;\nme;\nenabled\n\
             pg-runtime: nothing to do\nagain:\n\
             changed: restart app.service\n\
             gone:\ngone: one;\n1\n\
             held:\nback: restart app.service\nback: me;two;\n",
        );
    }
}
