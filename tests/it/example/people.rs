//! What sshd, sudo and ssh of a real machine make of the packages on people. (Accounts are made by hand here, as the
//! runtime makes them.)

use super::fleet::{Fleet, Runs};
use crate::machine::{Need, Release, Services, skip};

#[test]
fn sshd_sudo_and_ssh_hear_of_the_fleets_people_on_bookworm() {
    sshd_sudo_and_ssh_hear_of_the_fleets_people(Release::Bookworm);
}

#[test]
fn sshd_sudo_and_ssh_hear_of_the_fleets_people_on_trixie() {
    sshd_sudo_and_ssh_hear_of_the_fleets_people(Release::Trixie);
}

fn sshd_sudo_and_ssh_hear_of_the_fleets_people(release: Release) {
    if skip("people", &[Need::Trees]) {
        return;
    }
    let fleet = Fleet::published();
    let machine = fleet.furnished_tree(release, "machine.example.org");
    machine.services(Services::Denied);
    fleet.join(&machine, &machine);
    machine.apt("install pg-role-base");
    machine.no_marks();
    machine.ok("getent group pg-people >/dev/null || groupadd --system pg-people; \
                getent group sysadmins >/dev/null || groupadd -g 3001 sysadmins; \
                getent passwd alma >/dev/null || useradd -m -u 2001 alma; usermod -aG pg-people,sysadmins alma; \
                useradd -m other; mkdir -p /run/sshd");
    let sshd = |user: &str| {
        let said = machine.ok(&format!("sshd -T -C user={user},host=client.example.org,addr=192.0.2.99,lport=22"));
        let value = |key: &str| {
            let line = said.lines().find_map(|line| line.strip_prefix(&format!("{key} ")));
            line.unwrap_or_default().to_owned()
        };
        (value("authorizedkeysfile"), value("passwordauthentication"), value("trustedusercakeys"))
    };
    assert_eq!(sshd("alma"), ("/etc/ssh/pg-keys/%u".into(), "no".into(), "none".into()));
    assert_eq!(sshd("other").0, ".ssh/authorized_keys .ssh/authorized_keys2", "an account that is not ours");

    assert_eq!(machine.ok("stat -c '%a %U %G' /etc/sudoers.d/60-pg-role-base"), "440 root root\n");
    machine.ok("visudo -c");
    let may = machine.ok("sudo -l -U alma");
    assert!(may.contains("(root) NOPASSWD: ALL"), "{may}");
    let may = machine.run("sudo -l -U other").all();
    assert!(may.contains("not allowed to run sudo"), "{may}");

    let known = machine.ok("ssh-keygen -F web1.example.org -f /etc/ssh/ssh_known_hosts2");
    assert!(known.contains("ssh-ed25519"), "{known}");
    let asked = machine.ok("ssh -G web1.example.org");
    assert!(
        asked.lines().any(|l| l.starts_with("globalknownhostsfile ") && l.contains("/etc/ssh/ssh_known_hosts2")),
        "{asked}"
    );

    machine.apt("remove pg-role-base");
    machine.apt("autoremove");
    for gone in
        ["/etc/sudoers.d/60-pg-role-base", "/etc/ssh/sshd_config.d/10-pg-access.conf", "/etc/ssh/ssh_known_hosts2"]
    {
        assert_eq!(machine.run(&format!("test -e {gone} || test -L {gone}")).status, 1, "{gone}");
    }
}
