//! What is watched, by whom, and who hears of it.

use crate::schema::decode::{Day, Decode, Decoder, Flag, Many, Measure, Named, Number, Scalars, Text, Texts, Toml};
use crate::schema::meta::{Field, Options, Table, TableMeta, schema};
use crate::source::Span;

schema! {
    /// What holds for all that is monitored. The machines with a role that has `[nagios_server]` ask all machines of the
    /// fleet, each for its roles' `[[check]]` and for what every machine is asked: nrpe, disk, load, memory, kernel,
    /// updates, patcher, refresh, drift, units and clock.
    ///
    /// ```toml
    /// [monitoring]
    /// contacts = ["sysadmins"]
    ///
    /// [monitoring.thresholds.disk]
    /// warning  = 15
    /// critical = 5
    ///
    /// [[monitoring.escalation]]
    /// after    = 3
    /// contacts = ["oncall"]
    /// ```
    table Monitoring("[monitoring]") {
        /// Groups whose members hear of problems, by mail to their `email`, where neither the check nor its role nor the
        /// machine names others. Required where a role has `[nagios_server]`, unless each of those names its own.
        contacts: Texts { default: "[]", example: "[\"sysadmins\"]" },
        /// How often a check is made. A number and `m` or `h`.
        interval: Text { default: "\"5m\"", example: "\"5m\"", pattern: "^[0-9]+[mh]$", source: "Nagios, check_interval; at least 1m, at most 24h" },
        /// How soon a check that found a problem is made again, until the problem is certain. A number and `m` or `h`.
        retry: Text { default: "\"1m\"", example: "\"1m\"", pattern: "^[0-9]+[mh]$", source: "Nagios, retry_interval; at least 1m, at most 24h" },
        /// After so many checks that found it a problem is certain, and told.
        attempts: Number { default: "4", example: "4", range: Some((1, 20)), source: "Nagios, max_check_attempts" },
        /// How often a problem that lasts is told again. A number and `m`, `h` or `d`; `0m`: told once.
        repeat: Text { default: "\"4h\"", example: "\"12h\"", pattern: "^[0-9]+[mhd]$", source: "Nagios, notification_interval; at most 30d" },
        /// When problems are told: the name of a `[monitoring.periods.NAME]`.
        period: Text { default: "always", example: "\"workhours\"", source: "Nagios, notification_period" },
        /// Whether a service that changes its state again and again is told once as flapping, instead of each time.
        flapping: Flag { default: "true", example: "false", source: "Nagios, flap_detection_enabled" },
        /// Whether plugins of Munin stay that no role names. The package munin-node links those into `/etc/munin/plugins`
        /// that it finds useful when it is installed; they are the machine's, and stay when a role goes that names them,
        /// too. false: each machine has the plugins of its roles and of the agent, and no other of Debian's; those that
        /// were there come back when this is true again.
        detected_plugins: Flag { default: "true", example: "false", source: "munin-node-configure(1)" },
        /// From what on the checks that every machine has find a problem, by the check's name. A role's and a host's
        /// `[monitoring]` take precedence, the host's most of all.
        thresholds: Named<Thresholds>,
        /// Who hears of a problem that lasts.
        escalation: Many<Escalation>,
        /// Times of the week, by a name.
        periods: Named<Period>,
    }

    /// From what on a check finds a problem.
    ///
    /// ```toml
    /// [monitoring.thresholds.disk]
    /// warning  = 15
    /// critical = 5
    /// ```
    table Thresholds("[monitoring.thresholds.NAME]") {
        /// From this on it is WARNING.
        warning: Measure { default: "what held before", example: "15" },
        /// From this on it is CRITICAL.
        critical: Measure { default: "what held before", example: "5" },
    }

    /// Who hears of a problem that lasts, besides those who did from the start.
    ///
    /// ```toml
    /// [[monitoring.escalation]]
    /// after    = 3
    /// contacts = ["oncall"]
    /// repeat   = "30m"
    /// ```
    table Escalation("[[monitoring.escalation]]") {
        /// From which notification on: the first is 1.
        after: Number { required: true, example: "3", range: Some((1, 1000)), source: "Nagios, first_notification" },
        /// The groups that hear of it, in the place of those that did before: name these again to keep them.
        contacts: Texts { required: true, example: "[\"sysadmins\", \"oncall\"]" },
        /// How often it is told from then on. A number and `m`, `h` or `d`.
        repeat: Text { default: "[monitoring]'s", example: "\"30m\"", pattern: "^[0-9]+[mhd]$", source: "Nagios, notification_interval" },
        /// Only in this period: the name of a `[monitoring.periods.NAME]`.
        period: Text { default: "always", example: "\"nights\"", source: "Nagios, escalation_period" },
    }

    /// Times of the week, in the time zone of the monitoring machine.
    ///
    /// ```toml
    /// [monitoring.periods.workhours]
    /// days = ["monday-friday 09:00-17:30"]
    /// ```
    table Period("[monitoring.periods.NAME]") {
        /// A day or several days in a row, and the times on each: `monday-friday 09:00-12:00,13:00-17:30`.
        days: Texts { required: true, example: "[\"monday-friday 09:00-17:30\", \"saturday 10:00-12:00\"]", source: "Nagios, timeperiod" },
    }

    /// What a role says of the monitoring of its machines.
    ///
    /// ```toml
    /// [monitoring]
    /// contacts = ["webteam"]
    /// ```
    table RoleMonitoring("[monitoring] of a role") {
        /// Groups that hear of problems of the role's checks.
        contacts: Texts { default: "the fleet's", example: "[\"webteam\"]" },
        /// From what on the checks that every machine has find a problem on machines with this role.
        thresholds: Named<Thresholds>,
    }

    /// What is particular to the monitoring of a machine.
    ///
    /// ```toml
    /// [monitoring]
    /// parents = ["kvm1.example.org"]
    ///
    /// [monitoring.thresholds."web/http"]
    /// critical = 20
    ///
    /// [[monitoring.skip]]
    /// check  = "updates"
    /// reason = "frozen until the vendor has moved"
    /// until  = 2027-01-31
    /// ```
    table HostMonitoring("[monitoring] of a host") {
        /// Groups that hear of problems of the machine itself: that it can't be reached, and of the checks that every
        /// machine has.
        contacts: Texts { default: "the fleet's", example: "[\"sysadmins\"]" },
        /// Machines without which this one can't be reached, such as a virtual machine's hypervisor: while they are down,
        /// it is not told that this one is.
        parents: Texts { default: "[]", example: "[\"kvm1.example.org\"]", source: "Nagios, parents" },
        /// From what on a check finds a problem on this machine: a check that every machine has by its name, a role's
        /// as `"ROLE/CHECK"`.
        thresholds: Named<Thresholds>,
        /// Checks that this machine does without for a time.
        skip: Many<Skip>,
    }

    /// A check that a machine does without for a time.
    ///
    /// ```toml
    /// [[monitoring.skip]]
    /// check  = "updates"
    /// reason = "frozen until the vendor has moved"
    /// until  = 2027-01-31
    /// ```
    table Skip("[[monitoring.skip]]") {
        /// The check's name; a role's is `ROLE/CHECK`. `all`: the machine is not monitored.
        check: Text { required: true, example: "\"updates\"" },
        /// Why the machine can do without it for a while.
        reason: Text { required: true, example: "\"frozen until the vendor has moved\"" },
        /// The last day, in UTC. From then on `debrole check` says that it has ended, until somebody removes it or
        /// writes a later day.
        until: Day { required: true, example: "2027-01-31" },
    }

    /// Makes a role one of monitoring servers: its package depends on `pg-nagios-config`, which has Nagios ask all
    /// machines of the fleet. The machines need an address and a host key.
    ///
    /// ```toml
    /// [nagios_server]
    /// ```
    table NagiosServer("[nagios_server]") {
        /// Whether it tells problems. A second server that only watches has false; one of the fleet's roles has to.
        notify: Flag { default: "true", example: "false", source: "Nagios, enable_notifications" },
    }

    /// Makes a role one of servers of Munin: its package depends on `pg-munin-config`, which has Munin ask all machines
    /// of the fleet. The machines need an address.
    ///
    /// ```toml
    /// [munin_server]
    /// ```
    table MuninServer("[munin_server]") {
    }

    /// What Nagios asks about each machine with the role. On the machine it is a command of NRPE, `ROLE_NAME` (a host's
    /// own: `host_NAME`), in Nagios the service `ROLE: NAME`.
    ///
    /// ```toml
    /// [[check]]
    /// name     = "http"
    /// command  = "/usr/lib/nagios/plugins/check_http -H localhost -w {warning} -c {critical}"
    /// warning  = 2
    /// critical = 10
    /// ```
    table Check("[[check]]") {
        /// Its name: lower case letters, digits and inner hyphens, at most 40.
        name: Text { required: true, example: "\"http\"", pattern: "^[a-z][a-z0-9]*(-[a-z0-9]+)*$" },
        /// nrpe: the machine itself runs the command when it is asked. active: the monitoring server runs it.
        /// passive: the machine tells by itself
        /// (`/usr/lib/PREFIX/agent report ROLE/NAME STATE TEXT`, as root), and is missed when it does not.
        kind: Text { default: "\"nrpe\"", example: "\"active\"", values: &["nrpe", "active", "passive"] },
        /// A plugin's absolute path and its arguments, separated by blanks; an argument with blanks or other
        /// characters in it in quotes. No shell: what needs one is a script that the role ships (`[[file]]`).
        /// `{warning}` and `{critical}` are the thresholds; in an active one `{address}` and `{fqdn}` are the machine's.
        /// A plugin of Debian's monitoring-plugins brings its package; of another one, name it in `depends`.
        command: Text { example: "\"/usr/lib/nagios/plugins/check_procs -C nginx -c {critical}\"", source: "Nagios plugin API" },
        /// Whether the command is run on the machine as this user, by sudo. Without: as nagios.
        user: Text { default: "\"nagios\"", example: "\"postgres\"", source: "sudoers(5)" },
        /// Packages that the command needs: on the machine itself, of an active one on the monitoring server.
        depends: Texts { default: "[]", example: "[\"monitoring-plugins-contrib\"]", source: "Debian Policy 7.2" },
        /// What `{warning}` is. A number, a list of numbers with commas, or a range of the plugin's. A host's
        /// `[monitoring.thresholds."ROLE/NAME"]` takes precedence.
        warning: Measure { example: "2" },
        /// What `{critical}` is.
        critical: Measure { example: "10" },
        /// Whether a higher or a lower number is worse. (A range says so itself.)
        worse: Text { default: "\"higher\"", example: "\"lower\"", values: &["higher", "lower"] },
        /// Of a passive one: after this time without a word it is CRITICAL. A number and `m`, `h` or `d`.
        freshness: Text { example: "\"26h\"", pattern: "^[0-9]+[mhd]$", source: "Nagios, freshness_threshold; at least 1m, at most 90d" },
        /// Groups that hear of its problems.
        contacts: Texts { default: "the role's, else the fleet's", example: "[\"webteam\"]" },
        /// How often it is made. A number and `m` or `h`.
        interval: Text { default: "the fleet's", example: "\"15m\"", pattern: "^[0-9]+[mh]$", source: "Nagios, check_interval; at least 1m, at most 24h" },
        /// What whoever is told should know or do: in the mail, and in the web pages.
        notes: Text { example: "\"systemctl status nginx; the runbook is at …\"" },
    }

    /// A plugin of Munin. When the last role goes that names it, it does, unless munin-node's own installation had linked it
    /// before: see `detected_plugins` of `[monitoring]`.
    ///
    /// ```toml
    /// [[munin]]
    /// plugin = "nginx_request"
    /// env    = { url = "http://localhost/nginx_status" }
    /// ```
    table Munin("[[munin]]") {
        /// The plugin's name in `/usr/share/munin/plugins`, or the absolute path of another.
        plugin: Text { required: true, example: "\"nginx_request\"" },
        /// Its name on the machine. Required for a plugin whose name ends in `_`: `if_eth0` of `if_`.
        name: Text { default: "the plugin's", example: "\"if_eth0\"", pattern: "^[A-Za-z0-9][A-Za-z0-9_.-]*$" },
        /// Packages that it needs.
        depends: Texts { default: "[]", example: "[\"libwww-perl\"]", source: "Debian Policy 7.2" },
        /// The user that runs it.
        user: Text { default: "\"munin\"", example: "\"root\"", source: "munin-node, plugin-conf.d" },
        /// The group that it runs with.
        group: Text { example: "\"adm\"", source: "munin-node, plugin-conf.d" },
        /// Its settings.
        env: Scalars { example: "{ url = \"http://localhost/nginx_status\" }", source: "munin-node, plugin-conf.d" },
    }
}
