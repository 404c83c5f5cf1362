//! Between two steps of dpkg's: a role has gone, or has given a grant away, and what brings it back is not unpacked yet.
//! The timer's run falls just there.

use super::super::{debian_package, role};
use super::{ALICE, BOB, CAROL, People, on_both, on_one};

/// What of bob runs, or would run by itself.
const JOBS: &str = "mkdir -p /var/spool/cron/crontabs /var/spool/cron/atjobs /var/lib/systemd/linger
    echo '@daily true' >/var/spool/cron/crontabs/bob; echo at >/var/spool/cron/atjobs/a1; chown bob /var/spool/cron/atjobs/a1
    touch /var/lib/systemd/linger/bob\n";

/// bob's process; then the function that tells what he has.
const BOB_RUNS: &str = "setpriv --reuid 2002 --clear-groups sleep 31337 & bob=$!
    has() { echo \"$1: $(kill -0 $bob 2>/dev/null && echo runs) $(ls /var/spool/cron/crontabs /var/spool/cron/atjobs /var/lib/systemd/linger | grep -c 'bob\\|a1') $(test -e /etc/ssh/pg-keys/bob && echo key) $(id -Gn bob)\"; }\n";

/// `COMMAND &`, up to where the package `slow` is about to be unpacked, TEXT there, and then to its end.
fn meanwhile(command: &str, text: &str) -> String {
    format!(
        "{BOB_RUNS}rm -f /root/at /root/go; touch /root/hold; ({command}) >/root/log 2>&1 <&- & apt=$!
        until [ -e /root/at ]; do kill -0 $apt || {{ cat /root/log; exit 1; }}; sleep 0.05; done
        {text}
        touch /root/go; wait $apt || {{ cat /root/log; exit 1; }}\n"
    )
}

impl People {
    /// With the role `web` as a package that lets bob's team in, `portal` that does so too and depends on `slow`, and
    /// `slow`, whose preinst waits until it is told to go on.
    fn with_packages(&self) {
        self.host.ok("rm -r /usr/share/pg/roles/web; apt-get --version >/dev/null");
        let web = role("web", "1").grants("login webteam\n").make(&self.host);
        role("web", "2").grants("sudo webteam %webteam ALL=(root) /usr/bin/id\n").make(&self.host);
        role("portal", "1").grants("login webteam\n").depends("slow").make(&self.host);
        let wait = "#!/bin/sh\n[ -e /root/hold ] || exit 0\n: >/root/at\nn=0\n\
                    while [ ! -e /root/go ] && [ $n -lt 3000 ]; do sleep 0.1; n=$((n + 1)); done\n";
        debian_package(&self.host, "slow", "1", &[("/usr/share/slow", "x\n")], &[("preinst", wait)]);
        self.host.dpkg("-i", &[&web]);
        self.run();
        self.host.ok(JOBS);
        assert_eq!(self.groups("bob"), "bob pg-people webteam");
    }

    /// Back to where `web` alone lets bob in.
    fn again(&self) {
        self.host.ok("rm -f /root/hold; dpkg -P pg-role-portal slow; dpkg -i /root/pg-role-web_1.deb");
        self.members("webteam", 3002, &format!("{BOB}{CAROL}"));
        self.run();
        self.host.ok(JOBS);
        assert_eq!(self.groups("bob"), "bob pg-people webteam");
    }
}

const REPLACE: &str = "apt-get -y install /root/slow_1.deb /root/pg-role-portal_1.deb pg-role-web-";
const KEEPS: &str = "runs 3 key bob pg-people webteam";

#[test]
fn a_role_that_takes_anothers_place_in_one_apt_run_puts_nobody_out() {
    on_both("a role replaced", |people| {
        people.with_packages();
        // The timers' runs: access, and the one that asks the archive first.
        let said = people.host.ok(&(meanwhile(
            REPLACE,
            "dpkg-query -W -f '${Package} ${db:Status-Status}\\n' pg-role-web pg-role-portal 2>&1 | sort
             test ! -e /usr/share/pg/roles/web/grants; test ! -e /usr/share/pg/roles/portal/grants
             pg-runtime access; echo status $?; has between; pg-runtime apply >/dev/null 2>&1; has between; pg-runtime status",
        ) + "has after; pg-runtime access; echo status $?"));
        assert!(said.contains("pg-role-web config-files\n"), "{said}");
        assert_eq!(said.matches(&format!("between: {KEEPS}\n")).count(), 2, "{said}");
        assert!(said.contains(&format!("after: {KEEPS}\n")), "{said}");
        assert!(said.contains("status 1\n") && said.ends_with("status 0\n"), "{said}");
        let mark = "access: pg-role-web: apt-get (process ";
        let rest = ") is at dpkg, and this package is not completely installed: what it let people do counts on until that ends, until 20";
        assert!(said.contains(mark) && said.contains(rest), "{said}");
        assert_eq!(people.host.mark("access"), "");
        assert!(!people.host.tree.exists("/var/lib/pg/access/between"));
        people.run();

        // One that goes for good: when dpkg has ended, all has.
        people.again();
        let said = people.host.ok(&format!("{BOB_RUNS}apt-get -y purge pg-role-web <&- >/dev/null 2>&1; has after"));
        assert!(said.contains("after:  0  bob pg-people\n"), "{said}");
        people.assert_out("bob", 2002);

        // So is it when apt was killed in between.
        people.again();
        let said = people.host.ok(&meanwhile(
            &format!("{REPLACE}; true"),
            "pg-runtime access >/dev/null 2>&1; has between; kill -9 $(pidof apt-get) $(pidof dpkg); pg-runtime access; has after",
        ));
        assert!(said.contains(&format!("between: {KEEPS}\n")), "{said}");
        assert!(said.contains("after:  0  bob pg-people\n"), "{said}");
    });
}

#[test]
fn whoever_is_at_dpkg_nobody_keeps_what_was_taken_from_them() {
    on_one("revoked meanwhile", |people| {
        people.with_packages();
        let today = people.host.ok("date -u +%F").trim().to_owned();
        let head = "debrole-access 1\npackage pg-access-webteam\ngroup webteam 3002\n";
        let members = "/usr/share/pg/access/webteam/members";
        let gone = "debrole-people 1\nband 2000 59999\ndeparted 2002 - bob\n";
        for (what, change, clock) in [
            ("out of the group", format!("printf '%s' '{head}{CAROL}' >{members}"), String::new()),
            ("the group's package removed", format!("rm {members}"), String::new()),
            ("departed", format!("printf '%s' '{gone}' >/usr/share/pg/people"), String::new()),
            (
                "the last day over",
                format!("printf '%s' '{head}{}{CAROL}' >{members}", BOB.replacen(" - ", &format!(" {today} "), 1)),
                people.at(1),
            ),
        ] {
            let said = people.host.ok(&meanwhile(
                REPLACE,
                &format!("pg-runtime access >/dev/null 2>&1; has between; {change}; {clock} pg-runtime access 2>&1; has after"),
            ));
            assert!(said.contains(&format!("between: {KEEPS}\n")), "{what}: {said}");
            assert!(said.contains("after:  0  bob pg-people\n"), "{what}: {said}");
            people.people("");
            people.again();
        }
    });
}

#[test]
fn a_grant_that_moves_from_role_to_role_counts_on_for_an_hour_at_most() {
    on_both("a grant that moves", |people| {
        people.with_packages();
        // What apt does: it holds the lock of frontends while it has dpkg unpack one package after the other.
        let lock = "perl -MFcntl -e '$| = 1; open F, q(+>>), q(/var/lib/dpkg/lock-frontend) or die; \
                    my $l = pack(q(s s x![q] q q i x![q]), F_WRLCK, 0, 0, 0, 0); fcntl(F, F_SETLK, $l) or die $!; \
                    open my $t, q(>), q(/root/locked); close $t; sleep 1000' & lock=$!
                    until [ -e /root/locked ]; do sleep 0.05; done; rm /root/locked; export DPKG_FRONTEND_LOCKED=true\n";
        let late = people.later(3590);
        let early = format!("{BOB_RUNS}{lock}dpkg --unpack --no-triggers /root/pg-role-web_2.deb >/dev/null\n");
        let said = people.host.ok(&format!(
            "{early}pg-runtime access --dry-run; has dry; test ! -e /var/lib/pg/access/between
             pg-runtime access; has first; cat /var/lib/pg/access/between; {late} pg-runtime access; has late; cat /var/lib/pg/access/between
             dpkg -i /root/slow_1.deb /root/pg-role-portal_1.deb >/dev/null; pg-runtime access; has both
             dpkg --configure -a >/dev/null; kill $lock; has after; pg-runtime access; echo status $?"
        ));
        for what in ["dry", "first", "late", "both", "after"] {
            assert!(said.contains(&format!("{what}: {KEEPS}\n")), "{what}: {said}");
        }
        let since: Vec<&str> = said.lines().filter(|line| line.starts_with("roles/web/grants ")).collect();
        assert!(since.len() == 2 && since[0] == since[1], "{said}");
        assert!(said.ends_with("status 0\n"), "{said}");

        // Nobody brings it back: an hour later it has gone, and stays so.
        people.again();
        let over = people.later(3601);
        let said = people.host.ok(&format!(
            "{early}pg-runtime access >/dev/null 2>&1; has first; {over} pg-runtime access; has over; pg-runtime access; has again
             test ! -e /var/lib/pg/access/between"
        ));
        assert!(said.contains(&format!("first: {KEEPS}\n")), "{said}");
        assert!(said.contains("over:  0  bob pg-people\n") && said.contains("again:  0  bob pg-people\n"), "{said}");

        // A clock that is set back does not make the hour longer than it is.
        people.again();
        let back = people.later(-60);
        let said =
            people.host.ok(&format!("{early}pg-runtime access >/dev/null 2>&1; {back} pg-runtime access; has back"));
        assert!(said.contains("back:  0  bob pg-people\n"), "{said}");

        // Without the lock, or where dpkg has the package installed as it should be, nothing counts on.
        people.again();
        let said = people.host.ok(&format!("{early}kill $lock; wait $lock; pg-runtime access; has unlocked"));
        assert!(said.contains("unlocked:  0  bob pg-people\n"), "{said}");
        people.again();
        let said =
            people.host.ok(&format!("{BOB_RUNS}{lock}rm /usr/share/pg/roles/web/grants; pg-runtime access; has gone"));
        assert!(said.contains("gone:  0  bob pg-people\n"), "{said}");

        // Where it can't be written down since when, neither.
        people.again();
        let said = people.host.run(&format!(
            "{early}mkdir /root/small; mount -t tmpfs -o size=256k tmpfs /root/small; cp -a /var/lib/pg/. /root/small/
             mount --move /root/small /var/lib/pg; cat /dev/zero >/var/lib/pg/fill 2>/dev/null; pg-runtime access; has full"
        ));
        assert!(said.stdout.contains("full:  0  bob pg-people\n"), "{}", said.all());
        assert!(people.keys("alice").is_some(), "{ALICE}");
    });
}
