//! Real apt, real nginx.

use super::{Host, role};
use crate::machine::{Need, Release, Services, skip};

/// nginx's own test reads all of its configuration: what the role ships is seen in the place where it will be.
fn web(host: &Host, version: &str, text: &str) -> String {
    role("web", version)
        .depends("nginx")
        .file("/etc/nginx/conf.d/web.conf", text)
        .line("validate /etc/nginx/conf.d/web.conf nginx -t")
        .line("reload /etc/nginx/conf.d/web.conf nginx.service")
        .make(host)
}

fn with_debian(release: Release) -> Host {
    let mut host = Host::bare(release);
    host.tree = host.tree.with_debian();
    host.tree.services(Services::Denied);
    host
}

#[test]
fn everything_in_one_apt_run_from_nothing() {
    if skip("apt", &[Need::Trees]) {
        return;
    }
    for release in Release::ALL {
        let host = with_debian(release);
        let role = web(&host, "20260101.1", "server { listen 8080; root /srv; }\n");
        let said = host.ok(&format!("apt-get -y -q install /root/pg-runtime_1.deb /root/{role}.deb <&-"));
        let place = |text: &str| said.find(text).unwrap_or_else(|| panic!("{text:?} is not in\n{said}"));
        assert!(place("Setting up nginx (") < place("installed /etc/nginx/conf.d/web.conf"), "{said}");
        assert_eq!(host.mark("pg-role-web"), "", "{said}");
        host.assert_settled();
        host.ok("nginx -t && nginx -T 2>/dev/null | grep -q 'listen 8080'");
    }
}

#[test]
fn a_bad_file_leaves_apt_content_and_nginx_as_it_was() {
    if skip("apt", &[Need::Trees]) {
        return;
    }
    for release in Release::ALL {
        let host = with_debian(release);
        let bad = web(&host, "20260101.1", "server { listen nonsense; }\n");
        host.ok(&format!("apt-get -y install /root/pg-runtime_1.deb /root/{bad}.deb <&-"));
        assert_eq!(host.ok("dpkg --audit"), "");
        assert!(!host.tree.exists("/etc/nginx/conf.d/web.conf"));
        host.ok("nginx -t");
        let mark = host.mark("pg-role-web");
        assert!(mark.starts_with("validate: \"nginx -t\" failed (status 1)"), "{mark}");
        assert!(mark.contains("[emerg]") && mark.contains("/etc/nginx/conf.d/web.conf"), "{mark}");
        // Mended, it applies.
        let good = web(&host, "20260102.1", "server { listen 8080; }\n");
        host.ok(&format!("apt-get -y install /root/{good}.deb <&-"));
        assert_eq!(host.mark("pg-role-web"), "");
        assert_eq!(host.tree.read("/etc/nginx/conf.d/web.conf"), "server { listen 8080; }\n");
        // Bad again: the good one stays.
        let bad = web(&host, "20260103.1", "server { listen nonsense; }\n");
        host.ok(&format!("apt-get -y install /root/{bad}.deb <&-"));
        assert_eq!(host.tree.read("/etc/nginx/conf.d/web.conf"), "server { listen 8080; }\n");
        assert!(host.mark("pg-role-web").starts_with("validate: "));
        host.ok("nginx -t");
        // All of it in one run, out again.
        host.ok("apt-get -y purge pg-role-web pg-runtime nginx nginx-common; apt-get -y autoremove --purge");
        assert_eq!(host.ok("find / -xdev -name '*pg-r*' ! -path '/root/*' ! -path '/var/log/*'; ls -d /var/lib/pg /run/pg /var/backups/pg 2>/dev/null || true"), "");
    }
}
