//! NRPE between booted machines: certificates are exchanged by themselves, and nobody else is believed or answered. The
//! packages' files are written here by hand; the programs are Debian's.

use super::prefix;
use crate::machine::{Lab, Machine, Need, Outcome, Release, Services, Tree, skip};
use debrole::lower::monitoring;
use debrole::plan::Entry;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

const MONITOR: (&str, u8) = ("mon1.example.org", 50);
const WEB: (&str, u8) = ("web1.example.org", 10);
const DB: (&str, u8) = ("db1.example.org", 20);

/// As pg-agent has it.
const NRPE: &str = "allowed_hosts=192.0.2.50,2001:db8::50,192.0.2.10\nssl_version=TLSv1.2+\nssl_client_certs=2\n\
                    ssl_cert_file=/var/lib/pg/nrpe/agent.pem\nssl_privatekey_file=/var/lib/pg/nrpe/agent.key\n\
                    ssl_cacert_file=/var/lib/pg/nrpe/monitors.pem\ndont_blame_nrpe=0\n\
                    command[machine_memory]=/usr/lib/pg/check memory 10 5\n\
                    command[machine_units]=/usr/lib/pg/check units\n";

const SSHD: &str = "Match User pg-agents\n    AuthorizedKeysFile /usr/share/pg/nagios-config/agents.keys\n\
                    \x20   PasswordAuthentication no\n    KbdInteractiveAuthentication no\nMatch all\n";

/// A machine's tree with the software, its host key, and what its packages would bring but for the keys of the others.
fn tree(lab: &Arc<Lab>, release: Release, fqdn: &str, monitor: bool) -> Tree {
    let tree = Tree::new(release).with_debian().join(lab);
    tree.name(fqdn, &[]);
    tree.services(Services::Denied);
    let asks = if monitor { "nagios-nrpe-plugin" } else { "" };
    tree.ok(&format!(
        "apt-get -y -q install nagios-nrpe-server monitoring-plugins-basic openssh-server openssh-client openssl {asks}"
    ));
    tree.services(Services::Allowed);
    for (path, entry) in monitoring::agent_entries(&prefix()) {
        let Entry::File { mode, bytes } = entry else { panic!("{path} is no file") };
        tree.write(path.as_str(), &bytes);
        std::fs::set_permissions(tree.path(path.as_str()), std::fs::Permissions::from_mode(mode)).expect("writable");
    }
    for (name, _, text) in monitoring::agent_units(&prefix()) {
        tree.write(format!("/usr/lib/systemd/system/{name}"), text);
    }
    tree.write("/etc/nagios/nrpe.d/10-pg-agent.cfg", NRPE);
    tree.write("/usr/share/pg/agent/monitors", "mon1.example.org 192.0.2.50 2001:db8::50\n");
    tree.write(format!("/usr/share/pg/hosts/{fqdn}/manifest"), "debrole-manifest 1\n");
    if monitor {
        tree.write("/etc/ssh/sshd_config.d/20-pg-agents.conf", SSHD);
        tree.write(
            "/usr/lib/sysusers.d/pg-agents.conf",
            "u pg-agents - \"Certificates of machines\" /nonexistent /bin/sh\n",
        );
        tree.ok("systemd-sysusers /usr/lib/sysusers.d/pg-agents.conf");
    }
    tree
}

fn host_key(tree: &Tree) -> String {
    let key = tree.read("/etc/ssh/ssh_host_ed25519_key.pub");
    key.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// Asks a machine from the monitoring server, believing it by this certificate.
fn ask(from: &Machine, address: &str, pinned: &str, command: &str) -> Outcome {
    let n = "/var/lib/pg/nrpe";
    from.run(&format!(
        "setpriv --reuid=nagios --regid=nagios --clear-groups /usr/lib/nagios/plugins/check_nrpe -H {address} -t 10 \
         -A {n}/hosts/{pinned}.pem -C {n}/client.pem -K {n}/client.key {command}"
    ))
}

#[test]
fn certificates_are_exchanged_and_nobody_else_is_believed() {
    if skip("NRPE between machines", &[Need::Boot]) {
        return;
    }
    let lab = Arc::new(Lab::new());
    let trees = [(MONITOR, Release::Bookworm, true), (WEB, Release::Trixie, false), (DB, Release::Bookworm, false)]
        .map(|((fqdn, number), release, monitor)| (fqdn, number, tree(&lab, release, fqdn, monitor)));
    let keys: Vec<(&str, String)> = trees.iter().map(|(fqdn, _, tree)| (*fqdn, host_key(tree))).collect();
    let known: String = keys.iter().map(|(fqdn, key)| format!("{fqdn} {key}\n")).collect();
    let agents: String = keys
        .iter()
        .map(|(fqdn, key)| format!("restrict,command=\"/usr/lib/pg/agent accept {fqdn}\" {key}\n"))
        .collect();
    for (fqdn, _, tree) in &trees {
        tree.write("/etc/ssh/ssh_known_hosts2", &known);
        if *fqdn == MONITOR.0 {
            tree.write("/usr/share/pg/nagios-config/agents.keys", &agents);
        }
        // What the setup fragment does: NRPE's first start finds what it needs, and lets nobody in.
        tree.ok("/usr/lib/pg/agent keys");
        assert_eq!(tree.ok("stat -c '%a %U:%G' /var/lib/pg/nrpe/agent.key"), "640 root:nagios\n");
    }
    let [monitor, web, db] = trees.map(|(_, number, tree)| Machine::boot(&lab, tree, number));
    for machine in [&monitor, &web, &db] {
        machine.wait_for("systemctl is-active nagios-nrpe-server.service", 20);
    }
    // Before anything was exchanged.
    let early = ask(&monitor, "192.0.2.10", WEB.0, "");
    assert_ne!(early.status, 0, "{early:?}");

    // By itself.
    monitor.wait_for("systemctl is-active ssh.service", 20);
    for machine in [&monitor, &web, &db] {
        machine.ok("systemctl start pg-agent-exchange.service");
    }
    for (address, fqdn) in
        [("192.0.2.50", MONITOR.0), ("192.0.2.10", WEB.0), ("2001:db8::10", WEB.0), ("192.0.2.20", DB.0)]
    {
        let asked = ask(&monitor, address, fqdn, "-c machine_memory");
        assert_eq!(asked.status, 0, "{address}: {}", asked.all());
        assert!(asked.stdout.starts_with("MEMORY OK - "), "{}", asked.all());
        assert!(ask(&monitor, address, fqdn, "").stdout.starts_with("NRPE v4."), "without a command: its version");
    }
    // systemd answers an account without rights, too.
    assert!(ask(&monitor, "192.0.2.10", WEB.0, "-c machine_units").stdout.starts_with("UNITS OK - 0 failed"));
    // Once more: nothing changes, and NRPE is not restarted.
    let since = web.ok("systemctl show -p MainPID nagios-nrpe-server.service; sha256sum /var/lib/pg/nrpe/*.pem");
    web.ok("systemctl start pg-agent-exchange.service");
    assert_eq!(web.ok("systemctl show -p MainPID nagios-nrpe-server.service; sha256sum /var/lib/pg/nrpe/*.pem"), since);

    // A machine with the certificate of another one is not believed: each is pinned.
    let other = ask(&monitor, "192.0.2.10", DB.0, "-c machine_memory");
    assert_ne!(other.status, 0, "{}", other.all());
    assert!(!other.stdout.contains("MEMORY OK"), "{}", other.all());
    // The monitoring server without its certificate, or with one that is for serving, or that it has just made itself: no.
    let check = "/usr/lib/nagios/plugins/check_nrpe -H 192.0.2.10 -t 10 -c machine_memory";
    let n = "/var/lib/pg/nrpe";
    monitor.ok(&format!(
        "cd /root && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 10 -subj '/O=pg monitoring/CN=mon1.example.org' \
         -addext extendedKeyUsage=clientAuth -keyout forged.key -out forged.pem 2>&1; \
         openssl x509 -in {n}/client.pem -signkey forged.key -days 5 -out resigned.pem 2>&1"
    ));
    for more in [
        String::new(),
        format!("-A {n}/hosts/web1.example.org.pem"),
        format!("-C {n}/agent.pem -K {n}/agent.key"),
        "-C /root/forged.pem -K /root/forged.key".to_owned(),
        "-C /root/resigned.pem -K /root/forged.key".to_owned(),
        "--no-ssl".to_owned(),
    ] {
        let asked = monitor.run(&format!("{check} {more}"));
        assert!(asked.status != 0 && !asked.stdout.contains("MEMORY OK"), "{more}: {}", asked.all());
    }
    // One machine can't ask another, though its address is allowed, and though it has a certificate of its own.
    web.ok("[ ! -e /usr/lib/nagios/plugins/check_nrpe ]");
    let asked = web.run(&format!(
        "(echo | timeout 5 openssl s_client -connect 192.0.2.20:5666 -cert {n}/agent.pem -key {n}/agent.key -quiet; sleep 1) 2>&1; \
         echo; journalctl --no-pager -q -u nagios-nrpe-server.service -n 3"
    ));
    assert!(!asked.stdout.contains("MEMORY"), "{}", asked.all());

    // A job of a role reports how it went, to what Nagios reads.
    monitor.ok("mkdir -p /var/lib/nagios4/rw && mkfifo /var/lib/nagios4/rw/nagios.cmd && \
                chown -R nagios:www-data /var/lib/nagios4/rw && chmod 2710 /var/lib/nagios4/rw && chmod 660 /var/lib/nagios4/rw/nagios.cmd && \
                usermod -aG www-data pg-agents && systemd-run --quiet --unit=reader sh -c 'exec cat <>/var/lib/nagios4/rw/nagios.cmd >/root/commands'");
    web.ok("/usr/lib/pg/agent report web/jobs 2 \"3 jobs; one 'failed'\n[1] SHUTDOWN_PROGRAM\"");
    monitor.ok("/usr/lib/pg/agent report monitor/self 0 fine");
    let reported =
        monitor.wait_for("grep -m 1 self /root/commands >/dev/null && sed 's/^.[0-9]*. //' /root/commands", 10);
    assert_eq!(
        reported,
        "PROCESS_SERVICE_CHECK_RESULT;web1.example.org;web: jobs;2;3 jobs; one 'failed' [1] SHUTDOWN_PROGRAM\n\
         PROCESS_SERVICE_CHECK_RESULT;mon1.example.org;monitor: self;0;fine\n"
    );
    for arguments in ["web 0 x", "web/a/b 0 x", "'web/a;b' 0 x", "web/jobs 4 x", "web/jobs 0"] {
        assert_ne!(web.run(&format!("/usr/lib/pg/agent report {arguments}")).status, 0, "{arguments}");
    }

    // By its host key a machine is that machine and nothing more on the monitoring server.
    let ssh = "ssh -F /dev/null -i /etc/ssh/ssh_host_ed25519_key -o BatchMode=yes -o StrictHostKeyChecking=yes \
               -o GlobalKnownHostsFile=/etc/ssh/ssh_known_hosts2 -o UserKnownHostsFile=/dev/null -o HostKeyAlias=mon1.example.org";
    let before = monitor.ok("sha256sum /var/lib/pg/nrpe/hosts/*");
    for (input, arguments) in [
        ("", "pg-agents@192.0.2.50 'cat /etc/shadow'"),
        ("", "pg-agents@192.0.2.50 /usr/lib/pg/agent accept db1.example.org"),
        ("cat /var/lib/pg/nrpe/agent.key |", "pg-agents@192.0.2.50 certificates"),
        ("(cat /var/lib/pg/nrpe/agent.pem; echo rubbish) |", "pg-agents@192.0.2.50 certificates"),
        ("cat /var/lib/pg/nrpe/monitors.pem |", "pg-agents@192.0.2.50 certificates"), // for asking, not for serving
        ("head -c 1000000 /dev/zero |", "pg-agents@192.0.2.50 certificates"),
        ("cat /var/lib/pg/nrpe/agent.pem |", "pg-agents@192.0.2.50"),
        ("printf 'web/jobs;x 0 y\\n' |", "pg-agents@192.0.2.50 report"),
        ("printf 'web/jobs 7 y\\n' |", "pg-agents@192.0.2.50 report"),
        ("cat /var/lib/pg/nrpe/agent.pem |", "root@192.0.2.50"),
        (
            "cat /var/lib/pg/nrpe/agent.pem |",
            "-N -o ExitOnForwardFailure=yes -L 9999:127.0.0.1:22 -R 9998:127.0.0.1:22 pg-agents@192.0.2.50",
        ),
    ] {
        let input = if input.is_empty() { "true |" } else { input };
        let outcome = web.run(&format!("{input} timeout 20 {ssh} {arguments}"));
        assert_ne!(outcome.status, 0, "{arguments}: {}", outcome.all());
        assert!(!outcome.stdout.contains("root:"), "{}", outcome.all());
    }
    assert_eq!(monitor.ok("sha256sum /var/lib/pg/nrpe/hosts/*"), before);
    assert_eq!(monitor.ok("wc -l </root/commands"), "2\n");
    // A server with another host key is told nothing, and not believed.
    web.ok("sed -i 's/^mon1.example.org .*/mon1.example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHaTRQ1Pl3Kmd3F7xyO+qfWbg45O5Hlg0a1K5g5pQQSQ/' /etc/ssh/ssh_known_hosts2");
    let outcome = web.run("/usr/lib/pg/agent exchange");
    assert!(
        outcome.status == 1 && outcome.stderr.contains("mon1.example.org does not exchange certificates"),
        "{outcome:?}"
    );
    web.tree().write("/etc/ssh/ssh_known_hosts2", &known);

    // Near their end certificates are replaced, the next one known to the others before it is used: nobody misses an
    // answer. (The clock of these machines is this one's: the days ahead are moved instead.)
    let answers = |what: &str| {
        // NRPE starts again in between.
        monitor.wait_for("bash -c ': </dev/tcp/192.0.2.10/5666'", 20);
        let asked = ask(&monitor, "192.0.2.10", WEB.0, "-c machine_memory");
        assert_eq!(asked.status, 0, "{what}: {}", asked.all());
    };
    for (machine, name) in [(&web, "agent"), (&monitor, "client")] {
        let old = machine.ok(&format!("cat {n}/{name}.pem"));
        machine.ok("sed -i 's/^next=.*/next=800/; s/^valid=.*/valid=900/' /usr/lib/pg/agent && systemctl start pg-agent-exchange.service");
        assert_eq!(machine.ok(&format!("cat {n}/{name}.pem")), old);
        machine.ok(&format!("test -s {n}/{name}.next.pem"));
        web.ok("systemctl start pg-agent-exchange.service");
        answers("the next one is known");
        machine.ok("sed -i 's/^swap=.*/swap=750/' /usr/lib/pg/agent && /usr/lib/pg/agent keys");
        assert_ne!(machine.ok(&format!("cat {n}/{name}.pem")), old);
        machine.ok(&format!("test ! -e {n}/{name}.next.pem"));
        answers("the next one is in use");
        web.ok("systemctl start pg-agent-exchange.service");
        assert_eq!(monitor.ok(&format!("grep -c BEGIN {n}/hosts/web1.example.org.pem")), "1\n");
        answers("the old one is forgotten");
    }

    // Who has left the tree is forgotten on both sides.
    let rest: String = agents.lines().filter(|line| !line.contains("web1")).map(|line| format!("{line}\n")).collect();
    monitor.tree().write("/usr/share/pg/nagios-config/agents.keys", rest);
    monitor.ok("/usr/lib/pg/agent keys");
    assert_eq!(monitor.ok(&format!("ls {n}/hosts")), "db1.example.org.pem\nmon1.example.org.pem\n");
    assert_ne!(web.run("/usr/lib/pg/agent exchange").status, 0);
    db.tree().write("/usr/share/pg/agent/monitors", "");
    db.ok("/usr/lib/pg/agent exchange");
    let asked = ask(&monitor, "192.0.2.20", DB.0, "-c machine_memory");
    assert_ne!(asked.status, 0, "{}", asked.all());
    assert_eq!(db.ok("systemctl is-active nagios-nrpe-server.service"), "active\n");
}

/// Makes /root/agent.key, and /root/agent.pem that is valid in 2050.
const FUTURE: &str = "cd /root; openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout agent.key \
     -out agent.csr -subj '/O=pg monitoring/CN=web1' 2>&1
     printf '%s\n' '[ca]' default_ca=c '[c]' new_certs_dir=/root database=/root/db serial=/root/serial default_md=sha256 policy=p \
         x509_extensions=e '[p]' O=supplied CN=supplied '[e]' basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature \
         extendedKeyUsage=critical,serverAuth >ca.cnf
     : >db; echo 01 >serial
     openssl ca -batch -config ca.cnf -selfsign -keyfile agent.key -in agent.csr -startdate 20500101000000Z \
         -enddate 20520101000000Z -notext -out agent.pem 2>&1";

#[test]
fn a_certificate_is_neither_kept_nor_taken_that_would_shut_somebody_out() {
    if skip("certificates for NRPE", &[Need::Trees]) {
        return;
    }
    let tree = Tree::new(Release::Bookworm).with_debian();
    tree.ok("apt-get -y -q install openssl; groupadd nagios; useradd pg-agents");
    for (path, entry) in monitoring::agent_entries(&prefix()) {
        let Entry::File { mode, bytes } = entry else { panic!("{path} is no file") };
        tree.write(path.as_str(), &bytes);
        std::fs::set_permissions(tree.path(path.as_str()), std::fs::Permissions::from_mode(mode)).expect("writable");
    }
    tree.write("/usr/share/pg/agent/monitors", "mon-1.example.org 192.0.2.50\n");
    let accepted = "restrict,command=\"/usr/lib/pg/agent accept web1.example.org\" ssh-ed25519 AAAA\n";
    tree.write("/usr/share/pg/nagios-config/agents.keys", accepted);
    tree.ok(FUTURE);
    let n = "/var/lib/pg/nrpe";
    let valid = format!("openssl verify -partial_chain -trusted {n}/agent.pem {n}/agent.pem");

    // The clock was years ahead when it was made, and is right now.
    tree.ok(&format!("mkdir -p {n}; install -m 640 /root/agent.key /root/agent.pem {n}/"));
    assert!(!tree.run(&valid).succeeded(), "the test's own");
    tree.ok("/usr/lib/pg/agent keys");
    tree.ok(&valid);
    let accept = |from: &str| {
        tree.run(&format!("SSH_ORIGINAL_COMMAND=certificates /usr/lib/pg/agent accept web1.example.org <{from}"))
    };
    assert!(!accept("/root/agent.pem").succeeded());
    assert!(!tree.exists(format!("{n}/hosts/web1.example.org.pem")));

    // Without its last newline it would run into the next one.
    tree.ok(&format!("printf %s \"$(cat {n}/agent.pem)\" >/root/sent"));
    assert!(accept("/root/sent").succeeded());
    tree.ok(&format!("cmp {n}/agent.pem {n}/hosts/web1.example.org.pem"));

    // Who has left is forgotten, whoever else has a name that looks like it.
    tree.ok(&format!(
        "cp {n}/client.pem {n}/monitors/mon.1.example.org.pem; cp {n}/client.pem {n}/monitors/mon-1.example.org.pem"
    ));
    tree.ok("/usr/lib/pg/agent keys");
    assert_eq!(tree.ok(&format!("ls {n}/monitors")), "mon-1.example.org.pem\n");
}
