//! System accounts: made before anything is to be owned by one.

use super::{Host, Package, role};
use crate::machine::{Need, skip};

fn git(version: &str, sysusers: &str) -> Package {
    let mut package = role("git", version)
        .line("dir /srv/git 0750 gitolite gitolite")
        .file_as("/etc/gitolite.conf", "0640 root gitolite", "conf\n")
        .line("account gitolite /usr/lib/sysusers.d/pg-role-git.conf");
    package.files.insert("usr/lib/sysusers.d/pg-role-git.conf".into(), (0o644, sysusers.to_owned()));
    package
}

const LINE: &str = "u gitolite - \"Git repositories\" /srv/git /usr/bin/git-shell\nm gitolite mail\n";

#[test]
fn an_account_is_made_before_files_are_its_own() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    let package = git("1", LINE).make(&host);
    let said = host.dpkg("-i", &[&package]);
    assert!(said.contains("making the accounts of /usr/lib/sysusers.d/pg-role-git.conf"), "{said}");
    assert_eq!(host.ok("stat -c '%U:%G %a' /srv/git /etc/gitolite.conf"), "gitolite:gitolite 750\nroot:gitolite 640\n");
    let passwd = host.ok("getent passwd gitolite; id -Gn gitolite");
    assert!(
        passwd.contains(":Git repositories:/srv/git:/usr/bin/git-shell") && passwd.contains("gitolite mail"),
        "{passwd}"
    );
    assert_eq!(host.mark("pg-role-git"), "");
    host.assert_settled();
    // What is there is left as it is; what was lost is made again.
    host.ok("usermod -s /bin/sh gitolite");
    host.assert_settled();
    assert!(host.ok("getent passwd gitolite").ends_with(":/bin/sh\n"));
    // The account stays when the role goes: what it owns may, too.
    host.dpkg("-P", &["pg-role-git"]);
    host.ok("getent passwd gitolite");
    host.ok("test ! -e /etc/gitolite.conf");
}

#[test]
fn an_account_that_can_not_be_made_holds_its_role_alone_back() {
    if skip("dpkg", &[Need::Trees]) {
        return;
    }
    let host = Host::new();
    let other = role("web", "1").file("/etc/web", "web\n").make(&host);
    let broken = git("1", "u gitolite - \"Git\n").make(&host);
    host.dpkg("-i", &[&broken, &other]);
    assert_eq!(host.ok("cat /etc/web"), "web\n");
    host.ok("test ! -e /etc/gitolite.conf && test ! -e /srv/git");
    assert!(host.mark("pg-role-git").contains("account: systemd-sysusers"), "{}", host.mark("pg-role-git"));
    let mended = git("2", LINE).make(&host);
    host.dpkg("-i", &[&mended]);
    assert_eq!(host.mark("pg-role-git"), "");
    host.assert_settled();
}
