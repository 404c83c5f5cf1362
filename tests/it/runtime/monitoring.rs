//! Links to Munin's plugins, the logins of the monitoring's web pages, and packages that are neither role nor host.

use super::{Host, fleet_package, host_package, role};
use crate::machine::{Need, Release, skip};

const PLUGINS: &str = "/etc/munin/plugins";

/// As munin-node leaves it: two links of its own, some plugins.
fn node() -> Host {
    let host = Host::new();
    host.ok(&format!(
        "mkdir -p {PLUGINS} /usr/share/munin/plugins /usr/local/lib; cd /usr/share/munin/plugins; \
         touch cpu df nginx_status if_ varnish_ /usr/local/lib/own; ln -s $PWD/cpu $PWD/df {PLUGINS}"
    ));
    host
}

pub(super) fn plugins(package: super::Package, lines: &str) -> super::Package {
    let (home, name) = (package.home(), package.name.clone());
    let mut package = package;
    package
        .files
        .insert(format!("{home}/munin")[1..].to_owned(), (0o644, format!("debrole-munin 1\npackage {name}\n{lines}")));
    package
}

fn links(host: &Host) -> String {
    host.ok(&format!("find {PLUGINS} -mindepth 1 -printf '%f %l\\n' | sed 's|/usr/share/munin/plugins/||' | sort"))
}

#[test]
fn plugins_are_linked_for_the_roles_that_want_them_and_no_longer() {
    if skip("Munin's plugins", &[Need::Trees]) {
        return;
    }
    let host = node();
    host.pretend_systemd();
    host.ok("touch /root/active/munin-node.service");
    let web = plugins(
        role("web", "20260101.1"),
        "plugin cpu cpu\nplugin nginx_status nginx_status\nplugin own /usr/local/lib/own\n",
    );
    let proxy = plugins(role("proxy", "20260101.1"), "plugin nginx_status nginx_status\nplugin if_eth0 if_\n");
    let before = links(&host);
    host.dpkg("-i", &[&web.make(&host), &proxy.make(&host)]);
    assert_eq!(links(&host), "cpu cpu\ndf df\nif_eth0 if_\nnginx_status nginx_status\nown /usr/local/lib/own\n");
    assert_eq!(host.calls(), ["restart munin-node.service"]);
    host.assert_settled();
    assert!(host.calls().is_empty());

    // A link of ours that is gone or turned is drift, and mended.
    host.ok(&format!("cd {PLUGINS} && rm own && ln -sfn /dev/null if_eth0"));
    let outcome = host.run("pg-runtime verify");
    assert_eq!(
        (outcome.status, outcome.stdout.as_str()),
        (
            1,
            "changed: /etc/munin/plugins/if_eth0 (munin): points to /dev/null\nmissing: /etc/munin/plugins/own (munin)\n"
        )
    );
    host.ok("pg-runtime apply");
    host.assert_settled();
    host.calls();

    // Both wanted it: it stays for the other one. Another target for an own link.
    let web = plugins(role("web", "20260101.2"), "plugin cpu cpu\nplugin own cpu\n");
    host.dpkg("-i", &[&web.make(&host)]);
    assert_eq!(links(&host), "cpu cpu\ndf df\nif_eth0 if_\nnginx_status nginx_status\nown cpu\n");
    host.dpkg("--purge", &["pg-role-proxy"]);
    assert_eq!(links(&host), "cpu cpu\ndf df\nown cpu\n");
    assert_eq!(host.calls(), ["restart munin-node.service", "restart munin-node.service"]);
    // munin-node's own stays, though a role wanted it, too.
    host.dpkg("--purge", &["pg-role-web"]);
    assert_eq!(links(&host), before);
    assert!(!host.tree.exists("/var/lib/pg/munin"));
}

/// What munin-node's installation found goes where a package says so, once no role names it, and comes back.
#[test]
fn detected_plugins_go_where_roles_alone_say_and_come_back() {
    if skip("Munin's detected plugins", &[Need::Trees]) {
        return;
    }
    let host = node();
    host.pretend_systemd();
    host.ok(&format!("touch /root/active/munin-node.service; ln -s /usr/local/lib/own {PLUGINS}/local"));
    let before = links(&host);
    let web = plugins(role("web", "20260101.1"), "plugin cpu cpu\nplugin nginx_status nginx_status\n");
    let base = |version: &str, only: &str| plugins(role("base", version), &format!("plugin if_eth0 if_\n{only}"));
    host.dpkg("-i", &[&web.make(&host), &base("20260101.1", "only\n").make(&host)]);
    assert_eq!(links(&host), "cpu cpu\nif_eth0 if_\nlocal /usr/local/lib/own\nnginx_status nginx_status\n");
    assert_eq!(host.calls(), ["restart munin-node.service"]);
    host.assert_settled();
    assert!(host.calls().is_empty());

    // It was there before a role named it, and no role does any more.
    host.dpkg("--purge", &["pg-role-web"]);
    assert_eq!(links(&host), "if_eth0 if_\nlocal /usr/local/lib/own\n");
    // An upgrade of munin-node finds it again.
    host.ok(&format!("ln -s /usr/share/munin/plugins/df {PLUGINS}/df; pg-runtime apply"));
    assert_eq!(links(&host), "if_eth0 if_\nlocal /usr/local/lib/own\n");

    host.dpkg("-i", &[&base("20260101.2", "").make(&host)]);
    assert_eq!(links(&host), "cpu cpu\ndf df\nif_eth0 if_\nlocal /usr/local/lib/own\n");
    host.dpkg("-i", &[&base("20260101.3", "only\n").make(&host)]);
    assert_eq!(links(&host), "if_eth0 if_\nlocal /usr/local/lib/own\n");
    host.dpkg("--purge", &["pg-role-base"]);
    assert_eq!(links(&host), before);
    assert!(!host.tree.exists("/var/lib/pg/munin") && !host.tree.exists("/var/lib/pg/munin-detected"));
}

/// A name is a name: a dot in it stands for itself, and a newline makes no other file of what follows.
#[test]
fn names_of_plugins_are_taken_as_they_are() {
    if skip("names of Munin's plugins", &[Need::Trees]) {
        return;
    }
    let host = node();
    let dots = "plugin snmp_db-x_load if_\nplugin snmp_db.x_load if_\nplugin cpu cpu\nplugin df df\nonly\n";
    host.dpkg("-i", &[&plugins(role("web", "20260101.1"), dots).make(&host)]);
    assert_eq!(links(&host), "cpu cpu\ndf df\nsnmp_db-x_load if_\nsnmp_db.x_load if_\n");
    host.ok(&format!(
        "echo precious >/etc/munin/victim; \
         ln -s \"$(printf 'z\\n../victim /usr/share/munin/plugins/cpu')\" {PLUGINS}/strange; pg-runtime apply"
    ));
    assert_eq!(host.ok("cat /etc/munin/victim"), "precious\n");
    assert!(
        !host.tree.exists("/var/lib/pg/munin-detected")
            || !host.ok("cat /var/lib/pg/munin-detected").contains("victim")
    );
}

#[test]
fn what_somebody_else_linked_is_left_alone_and_what_is_not_there_is_said() {
    if skip("Munin's plugins", &[Need::Trees]) {
        return;
    }
    let host = node();
    host.ok(&format!("ln -s /usr/share/munin/plugins/df {PLUGINS}/varnish_x; echo >{PLUGINS}/file"));
    let web = plugins(
        role("web", "20260101.1"),
        "plugin varnish_x varnish_\nplugin file df\nplugin gone gone\nplugin if_eth0 if_\n",
    );
    host.dpkg("-i", &[&web.make(&host)]);
    assert_eq!(links(&host), "cpu cpu\ndf df\nfile \nif_eth0 if_\nvarnish_x df\n");
    let mark = host.mark("pg-role-web");
    for text in [
        "munin: /etc/munin/plugins/varnish_x is somebody else's: remove it, then: pg-runtime apply",
        "munin: /etc/munin/plugins/file is somebody else's",
        "munin: there is no plugin /usr/share/munin/plugins/gone",
    ] {
        assert!(mark.contains(text), "{mark}");
    }
    host.ok(&format!("rm {PLUGINS}/varnish_x {PLUGINS}/file; touch /usr/share/munin/plugins/gone; pg-runtime apply"));
    assert_eq!(links(&host), "cpu cpu\ndf df\nfile df\ngone gone\nif_eth0 if_\nvarnish_x varnish_\n");
    host.assert_settled();
    host.dpkg("--purge", &["pg-runtime", "pg-role-web"]);
    assert_eq!(links(&host), "cpu cpu\ndf df\n");
}

#[test]
fn a_package_that_is_neither_role_nor_host_is_applied_and_a_host_overrides_it() {
    if skip("packages of the fleet", &[Need::Trees]) {
        return;
    }
    for release in Release::ALL {
        let host = Host::bare(release);
        host.tree.name("m1.example.org", &[]);
        host.dpkg("-i", &["pg-runtime_1"]);
        let before = host.files();
        let agent = fleet_package("agent", "20260101.1")
            .file("/etc/agent", "for all\n")
            .setup("echo set up >/root/setup")
            .teardown("rm /root/setup");
        let config = fleet_package("nagios-config", "20260101.1").file("/etc/nagios", "n\n");
        host.dpkg("-i", &[&agent.make(&host), &config.make(&host)]);
        assert_eq!(host.ok("cat /etc/agent /etc/nagios /root/setup"), "for all\nn\nset up\n");
        assert_eq!(host.ok("ls /var/lib/pg/packages"), "pg-agent\npg-nagios-config\n");
        assert!(host.ok("pg-runtime owner /etc/agent").contains("a file of pg-agent\n"));
        host.assert_settled();
        let own = host_package("m1.example.org", "20260101.1").file("/etc/agent", "for m1\n");
        host.dpkg("-i", &[&own.make(&host)]);
        assert_eq!(host.tree.read("/etc/agent"), "for m1\n");
        // The other packages of the fleet have no manifest, and are none of it.
        assert_eq!(host.ok("ls /var/lib/pg/packages"), "pg-agent\npg-host-m1.example.org\npg-nagios-config\n");
        host.dpkg("--purge", &["pg-host-m1.example.org"]);
        assert_eq!(host.tree.read("/etc/agent"), "for all\n");
        host.dpkg("--purge", &["pg-agent", "pg-nagios-config"]);
        assert_eq!(host.files(), before);
        assert!(!host.tree.exists("/root/setup"));
    }
}

/// The logins' file, and what `web-login` tells one of them.
fn logins(host: &Host) -> String {
    host.ok("[ ! -e /var/lib/pg/web/logins ] || cut -d: -f1,2 /var/lib/pg/web/logins")
}

#[test]
fn administrators_of_a_monitoring_server_have_logins_as_long_as_they_are_that() {
    if skip("logins of web pages", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    host.ok("groupadd sysadmins; groupadd webteam; groupadd nologin; \
             for u in alma bruno chidi dana; do useradd $u; done; \
             usermod -aG sysadmins alma; usermod -aG sysadmins,webteam bruno; usermod -aG webteam chidi; usermod -aG nologin dana");
    host.tree.write(
        "/usr/share/pg/roles/base/grants",
        "debrole-grants 1\npackage pg-role-base\nlogin sysadmins\nadmin sysadmins\nlogin webteam\nadmin nologin\n",
    );
    // No monitoring server: nothing.
    host.ok("pg-runtime access");
    assert!(!host.tree.exists("/var/lib/pg/web"));
    assert_eq!(host.run("SUDO_USER=alma pg-runtime web-login").status, 1);

    let config = fleet_package("nagios-config", "20260101.1").file("/etc/nagios", "n\n");
    host.dpkg("-i", &[&config.make(&host)]);
    assert_eq!(logins(&host), "alma:pg monitoring\nbruno:pg monitoring\n");
    assert_eq!(
        host.ok("stat -c '%a %U:%G' /var/lib/pg/web/logins /var/lib/pg/web/passwords /var/lib/pg/web/passwords/alma"),
        "640 root:www-data\n700 root:root\n600 root:root\n"
    );
    let said = host.ok("SUDO_USER=alma pg-runtime web-login");
    let password = said.lines().find_map(|line| line.strip_prefix("password  ")).expect("a password");
    assert!(password.len() >= 24 && said.contains("/nagios4/\n") && said.contains("user      alma\n"), "{said}");
    assert!(!said.contains("/munin/"), "{said}");
    // What Apache compares with (RFC 7616, 3.4.2).
    let digest = host.ok(&format!("printf 'alma:pg monitoring:{password}' | md5sum | cut -d' ' -f1"));
    assert!(host.tree.read("/var/lib/pg/web/logins").contains(&format!("alma:pg monitoring:{digest}")));
    // The same again, whoever else comes; another one when asked for.
    host.ok("pg-runtime access");
    assert_eq!(host.ok("pg-runtime web-login alma"), said);
    assert_ne!(host.ok("pg-runtime web-login bruno"), said.replace("alma", "bruno"));
    assert_ne!(host.ok("SUDO_USER=alma pg-runtime web-login --new"), said);
    for nobody in ["chidi", "dana", "root", "../alma", "mallory"] {
        assert_ne!(host.run(&format!("pg-runtime web-login {nobody}")).status, 0, "{nobody}");
    }

    // Out of the group; an account that has expired.
    host.ok("gpasswd -d bruno sysadmins; pg-runtime access");
    assert_eq!(logins(&host), "alma:pg monitoring\n");
    assert!(!host.tree.exists("/var/lib/pg/web/passwords/bruno"));
    host.ok("usermod -e 1 alma; pg-runtime access");
    assert_eq!(logins(&host), "");
    host.ok("usermod -e '' alma; pg-runtime access --dry-run");
    assert_eq!(logins(&host), "", "a dry run makes nothing");
    host.ok("pg-runtime access");
    assert_eq!(logins(&host), "alma:pg monitoring\n");
    host.dpkg("--purge", &["pg-nagios-config"]);
    host.ok("pg-runtime access");
    assert!(!host.tree.exists("/var/lib/pg/web"));
}
