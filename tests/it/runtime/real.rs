//! nginx, postfix, PostgreSQL, sshd and sudo from Debian, configured through every mechanism that there is for files of
//! other packages, and upgraded, purged and installed again under the role that does.

use super::{Host, role, sha256};
use crate::machine::{Need, Release, Services, skip};

const SOFTWARE: &str = "nginx postfix postgresql openssh-server sudo";
const KEEP: &str = "DPkg::Options { \"--force-confdef\"; \"--force-confold\"; };\n";
const NGINX: &str = "# ours\nuser www-data;\nevents {}\nhttp { include /etc/nginx/conf.d/*.conf; }\n";
const SUDOERS: &str = "# ours\nroot ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n";
const MAIN_CF: &str =
    "# ours\ncompatibility_level = 3.6\nmyhostname = mail.example.org\ninet_interfaces = loopback-only\n";

fn postgresql(release: Release) -> &'static str {
    match release {
        Release::Bookworm => "15",
        Release::Trixie => "17",
    }
}

fn machine(release: Release) -> Host {
    let mut host = Host::bare(release);
    host.tree = host.tree.with_debian();
    host.tree.services(Services::Denied);
    host
}

/// It depends on none of the software, so that this can go under it.
fn package(host: &Host, release: Release) -> String {
    let pg = postgresql(release);
    let cluster = format!("/etc/postgresql/{pg}/main");
    let conf = format!(
        "# ours\ndata_directory = '/var/lib/postgresql/{pg}/main'\nhba_file = '{cluster}/pg_hba.conf'\n\
         ident_file = '{cluster}/pg_ident.conf'\nmax_connections = 42\n"
    );
    role("all", "20260101.1")
        // Diversions: conffiles.
        .divert("/etc/nginx/nginx.conf", NGINX)
        .line("validate /etc/nginx/nginx.conf nginx -t")
        .record("divert", "/etc/sudoers", "0440 root root", SUDOERS)
        .line("validate /etc/sudoers visudo -c")
        // Drop-ins.
        .file("/etc/nginx/conf.d/site.conf", "server { listen 8080; }\n")
        .file("/etc/ssh/sshd_config.d/50-all.conf", "PasswordAuthentication no\n")
        .line("validate /etc/ssh/sshd_config.d/50-all.conf mkdir -p /run/sshd && sshd -t")
        .file_as("/etc/sudoers.d/60-all", "0440 root root", "%adm ALL=(ALL:ALL) /usr/bin/true\n")
        .file("/etc/systemd/system/nginx.service.d/50-all.conf", "[Service]\nLimitNOFILE=65536\n")
        // Made by maintainer scripts.
        .adopt("/etc/postfix/main.cf", "postfix", MAIN_CF)
        .line("validate /etc/postfix/main.cf postconf -n >/dev/null && postfix check")
        .file_as(&format!("{cluster}/postgresql.conf"), "0644 postgres postgres", &conf)
        .line(&format!("adopt {cluster}/postgresql.conf postgresql-{pg}"))
        .line(&format!(
            "validate {cluster}/postgresql.conf runuser -u postgres -- /usr/lib/postgresql/{pg}/bin/postgres -C max_connections \
             -c config_file={cluster}/postgresql.conf"
        ))
        .line("absent /etc/nginx/sites-enabled/default")
        // Nothing else may be here.
        .line("dir /etc/sudoers.d 0755 root root")
        .line("exclusive /etc/sudoers.d")
        .file("/etc/apt/apt.conf.d/60pg-role-all.conf", KEEP)
        .make(host)
}

/// Makes /root/PACKAGE.deb: the installed version with another one's number, and one line more in its conffile.
fn newer(host: &Host, package: &str, conffile: &str) {
    host.ok(&format!(
        "mkdir -p /root/new && cd /root/new && rm -rf * && apt-get -qq download {package} && dpkg-deb -R {package}_*.deb x && \
         sed -i 's/^Version: .*/&+new1/; s/nginx-common ([^)]*)/nginx-common/g' x/DEBIAN/control && \
         {{ [ -z '{conffile}' ] || echo '# new upstream' >>x{conffile}; }} && dpkg-deb -Zgzip -z1 -b x /root/{package}.deb"
    ));
}

fn ours(host: &Host, release: Release) {
    assert_eq!(host.mark("pg-role-all"), "");
    host.assert_settled();
    let pg = postgresql(release);
    host.ok("nginx -t 2>&1 && nginx -T 2>/dev/null | grep -q 'listen 8080' && visudo -c && sshd -t");
    assert_eq!(
        host.ok("postconf -h myhostname; sshd -T | grep ^passwordauthentication"),
        "mail.example.org\npasswordauthentication no\n"
    );
    assert_eq!(
        host.ok(&format!(
            "runuser -u postgres -- /usr/lib/postgresql/{pg}/bin/postgres -C max_connections -c config_file=/etc/postgresql/{pg}/main/postgresql.conf"
        )),
        "42\n"
    );
    assert_eq!(
        host.ok("ls /etc/sudoers.d /etc/nginx/sites-enabled; head -qn1 /etc/nginx/nginx.conf /etc/sudoers"),
        "/etc/nginx/sites-enabled:\n\n/etc/sudoers.d:\n60-all\nREADME\n# ours\n# ours\n"
    );
}

#[test]
fn real_software_through_every_mechanism_upgraded_and_purged_underneath() {
    if skip("real software", &[Need::Trees]) {
        return;
    }
    for release in Release::ALL {
        let host = machine(release);
        let role = package(&host, release);
        let pg = postgresql(release);
        // The role first: everything waits, nothing is in the way of the installation.
        let said = host.run(&format!("apt-get -y -q install /root/pg-runtime_1.deb /root/{role}.deb")).ok("apt");
        let mark = host.mark("pg-role-all");
        assert!(mark.contains("/etc/postfix/main.cf: waits for postfix, which is not installed\n"), "{mark}\n{said}");
        assert!(mark.contains("/etc/nginx/nginx.conf: waits for the package that has it"), "{mark}");
        assert!(!host.tree.exists("/etc/postfix/main.cf"), "{release:?}");
        // A stray grant is there before sudo is.
        host.ok("mkdir -p /etc/sudoers.d; echo 'mallory ALL=(ALL) ALL' >/etc/sudoers.d/stray");
        host.ok(&format!("DEBIAN_FRONTEND=noninteractive apt-get -y -q install {SOFTWARE} <&-"));
        ours(&host, release);
        // Upgraded, with other conffiles, as unattended: nobody is asked.
        newer(&host, "nginx-common", "/etc/nginx/nginx.conf");
        newer(&host, "nginx", ""); // it wants the version of nginx-common that it was built with
        newer(&host, "sudo", "/etc/sudoers");
        newer(&host, "postfix", "");
        newer(&host, "openssh-server", "");
        newer(&host, &format!("postgresql-{pg}"), "");
        let said = host.ok(&format!(
            "DEBIAN_FRONTEND=noninteractive apt-get -y -q install /root/nginx.deb /root/nginx-common.deb /root/sudo.deb /root/postfix.deb /root/openssh-server.deb /root/postgresql-{pg}.deb <&- 2>&1"
        ));
        assert!(!said.contains("onfiguration file '"), "{said}");
        ours(&host, release);
        assert_eq!(
            host.ok("tail -qn1 /etc/nginx/.pg-diverted.nginx.conf~ /etc/.pg-diverted.sudoers~"),
            "# new upstream\n# new upstream\n"
        );
        // Purged: of what was theirs nothing of ours stays, and nothing comes back.
        host.ok(&format!(
            "SUDO_FORCE_REMOVE=yes DEBIAN_FRONTEND=noninteractive apt-get -y -q purge nginx nginx-common postfix 'postgresql-{pg}' postgresql sudo <&-"
        ));
        // (apt purges after the triggers: what dpkg left of the diversions goes with the next apply.)
        host.run("pg-runtime apply");
        let mark = host.mark("pg-role-all");
        for what in [
            "/etc/nginx/nginx.conf: waits",
            "/etc/sudoers: waits",
            "/etc/postfix/main.cf: waits for postfix",
            "postgresql.conf: waits",
        ] {
            assert!(mark.contains(what), "{what}: {mark}");
        }
        assert_eq!(
            host.run(
                "ls -A /etc/sudoers /etc/.pg* /etc/postfix/main.cf /etc/nginx/nginx.conf /etc/nginx/.pg* 2>/dev/null"
            )
            .stdout,
            ""
        );
        assert_eq!(host.ok("dpkg-divert --list | grep pg- || true; dpkg --audit"), "");
        // The drop-in is there for the next sshd. Its validator, which is gone too, is not asked about what does not change.
        host.ok("DEBIAN_FRONTEND=noninteractive apt-get -y -q purge openssh-server <&-");
        assert_eq!(host.ok("ls /etc/ssh/sshd_config.d; test ! -e /etc/ssh/sshd_config"), "50-all.conf\n");
        // And again, then without the role: the files are as the packages want them.
        host.ok(&format!("DEBIAN_FRONTEND=noninteractive apt-get -y -q install {SOFTWARE} <&-"));
        ours(&host, release);
        host.ok("DEBIAN_FRONTEND=noninteractive apt-get -y -q purge pg-role-all <&-");
        assert_eq!(host.ok("dpkg --verify nginx-common sudo openssh-server postfix"), "");
        assert_eq!(
            host.ok(
                "grep -l '^# ours' /etc/postfix/main.cf /etc/postgresql/*/main/postgresql.conf || true; ls /etc/sudoers.d"
            ),
            "README\nstray\n"
        );
        host.ok("nginx -t 2>&1; visudo -c; postfix check; sshd -t; test -L /etc/nginx/sites-enabled/default");
        assert_eq!(host.ok("find / -xdev -name '.pg-*' ! -path '/proc/*'; dpkg-divert --list | grep pg- || true"), "");
    }
}

#[test]
fn unattended_upgrades_holds_no_diverted_conffile_back() {
    if skip("real software", &[Need::Trees]) {
        return;
    }
    let release = Release::Bookworm;
    let host = machine(release);
    host.dpkg("-i", &["pg-runtime_1"]);
    host.ok("DEBIAN_FRONTEND=noninteractive apt-get -y -q install nginx unattended-upgrades <&-");
    newer(&host, "nginx-common", "/etc/nginx/nginx.conf");
    // An archive with the newer one.
    host.ok(
        "mkdir /root/repo; mv /root/nginx-common.deb /root/repo/; cd /root/repo
        { dpkg-deb -f nginx-common.deb; echo Filename: ./nginx-common.deb; echo Size: $(stat -c %s nginx-common.deb)
          echo SHA256: $(sha256sum nginx-common.deb | cut -d' ' -f1); } | sed '/^$/d' >Packages
        printf 'Origin: Test\\nSuite: stable\\nSHA256:\\n %s %s Packages\\n' $(sha256sum Packages | cut -d' ' -f1) $(stat -c %s Packages) >Release
        echo 'deb [trusted=yes] file:/root/repo ./' >/etc/apt/sources.list.d/new.list
        printf 'Unattended-Upgrade::Origins-Pattern { \"origin=Test\"; };\\n' >/etc/apt/apt.conf.d/99test
        apt-get -qq update",
    );
    let divert = || role("web", "20260101.1").divert("/etc/nginx/nginx.conf", NGINX);
    host.dpkg("-i", &[&divert().make(&host)]);
    assert_eq!(host.mark("pg-role-web"), "");
    // Without the option, it is held back: this is what the option is for.
    let said = host.run("unattended-upgrade --dry-run -d").all();
    assert!(said.contains("nginx-common has conffile prompt"), "{said}");
    let with = super::Package {
        version: "20260102.1".into(),
        ..divert().file("/etc/apt/apt.conf.d/60pg-role-web.conf", KEEP)
    };
    host.dpkg("-i", &[&with.make(&host)]);
    assert!(host.ok("apt-config dump DPkg::Options").contains("--force-confold"), "apt reads it");
    let dry = host.run("unattended-upgrade --dry-run -d").all();
    assert!(!dry.contains("has conffile prompt"), "{dry}");
    let said = host.run("unattended-upgrade -v").all();
    assert!(host.ok("dpkg-query -W -f '${Version}' nginx-common").ends_with("+new1"), "{said}");
    assert_eq!(sha256(host.tree.read("/etc/nginx/nginx.conf").as_bytes()), sha256(NGINX.as_bytes()));
    assert_eq!(host.ok("tail -n1 /etc/nginx/.pg-diverted.nginx.conf~; dpkg --audit"), "# new upstream\n");
    host.assert_settled();
}
