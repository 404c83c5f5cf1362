//! What there is on a machine: files, services, answers.

use crate::schema::decode::{Decode, Decoder, Flag, Text, TextOrTexts, Texts, Toml};
use crate::schema::meta::{Field, Options, Table, TableMeta, schema};
use crate::source::Span;

schema! {
    /// A file on the machine. What was there before is kept aside and put back when the role goes.
    ///
    /// A file that belongs to another package is never altered. Look for its drop-in directory first (`conf.d/`); for a
    /// daemon's options `drop_in` of `[[service]]` is the way. Where there is none, `policy = "divert"` takes the place
    /// of a file that dpkg installed, `adopt` that of one which maintainer scripts made, and `[[absent]]` keeps one away.
    ///
    /// ```toml
    /// [[file]]
    /// path     = "/etc/nginx/conf.d/pg-web.conf"
    /// source   = "pg-web.conf"
    /// template = true
    /// validate = "nginx -t"
    /// reload   = ["nginx.service"]
    /// ```
    table File("[[file]]") {
        /// Where it is on the machine: absolute, without `.`, `..` and doubled slashes. With `directory`, the
        /// directory below which the files land.
        path: Text { required: true, example: "\"/etc/nginx/conf.d/pg-web.conf\"", pattern: "^/[A-Za-z0-9._+@:,=%/-]+$", source: "Debian Policy 9.1" },
        /// What is in it, as text. Exactly one of `content`, `source` and `directory` is given.
        content: Text { example: "\"hello\\n\"" },
        /// The file in `roles/ROLE/` (a host: `hosts/FQDN/`) that it is a copy of. Any bytes, at most 64 MiB.
        source: Text { example: "\"pg-web.conf\"" },
        /// A folder in `roles/ROLE/`: every file in it lands below `path`.
        directory: Text { example: "\"site\"" },
        /// Whether the text is a template, rendered when the package is made: `{{ fleet.origin }}`,
        /// `{{ host.fqdn }}`. A value that isn't there is an error.
        template: Flag { default: "false", example: "true", source: "https://docs.rs/minijinja (Jinja2's syntax)" },
        /// Permissions, as an octal number in quotes.
        mode: Text { default: "\"0644\", or \"0755\" where the source is executable", example: "\"0640\"", pattern: "^[0-7]{3,4}$", source: "chmod(1), Debian Policy 10.9" },
        /// Has to be true for a mode that hands out power: setuid, setgid, or writable by everybody.
        special: Flag { default: "false", example: "true", source: "Debian Policy 10.9" },
        /// The user that owns it. It must exist on the machine when the file is put there.
        owner: Text { default: "\"root\"", example: "\"www-data\"", source: "useradd(8)" },
        /// The group that owns it.
        group: Text { default: "\"root\"", example: "\"adm\"", source: "groupadd(8)" },
        /// Commands that must succeed before the file takes effect. They see an /etc with all new files in place.
        /// Where one fails, the machine keeps its old configuration and says so.
        validate: TextOrTexts { example: "\"nginx -t\"" },
        /// Whether secrets are in it: `{{ secret.db_password }}`. It is a template then; the secrets are set in on the
        /// machine, in memory alone, and `path` is a symbolic link to `/run/PREFIX-secrets/…`. Its mode is 0400: only
        /// `owner` reads it. Not for what is read before sysinit.target.
        secret: Flag { default: "false", example: "true" },
        /// Units that are reloaded when the file changed, appeared or went.
        reload: Texts { default: "[]", example: "[\"nginx.service\"]", source: "systemctl(1), reload" },
        /// Units that are restarted when the file changed, appeared or went.
        restart: Texts { default: "[]", example: "[\"postgresql.service\"]", source: "systemctl(1), restart" },
        /// `managed`: what somebody changes is changed back. `initial`: put there if nothing is; from then on it is the
        /// machine's own, also where it is edited or removed, and goes only when the package is purged, as Debian's
        /// conffiles do. `divert`: in the place of a file that another package installed, which is diverted
        /// (dpkg-divert) while that package is there and put back when the role goes; never an Essential package's.
        /// Below /etc, apt is told then to keep changed conffiles (`--force-confold`), else unattended-upgrades
        /// would hold that package back.
        policy: Text { default: "\"managed\"", example: "\"initial\"", source: "Debian Policy 10.7, 3.9", values: &["managed", "initial", "divert"] },
        /// The package whose maintainer scripts make this file: `postfix` for `/etc/postfix/main.cf`. While it is
        /// installed the file is managed. What the scripts made is put back when the role goes, and is gone when that
        /// package was purged. Until the package is there, the file waits.
        adopt: Text { example: "\"postfix\"", source: "Debian Policy 10.7.3" },
    }

    /// A symbolic link.
    ///
    /// ```toml
    /// [[symlink]]
    /// path   = "/etc/nginx/sites-enabled/web"
    /// target = "../sites-available/web"
    /// ```
    table Symlink("[[symlink]]") {
        /// Where the link is.
        path: Text { required: true, example: "\"/etc/nginx/sites-enabled/web\"", source: "Debian Policy 10.5" },
        /// What it points to, absolute or relative to the link. Need not exist.
        target: Text { required: true, example: "\"../sites-available/web\"", source: "symlink(7)" },
    }

    /// A directory. Made if it isn't there; removed with the role if it is empty then.
    ///
    /// ```toml
    /// [[directory]]
    /// path  = "/srv/www"
    /// owner = "www-data"
    /// ```
    table Directory("[[directory]]") {
        /// Where it is.
        path: Text { required: true, example: "\"/srv/www\"", source: "Debian Policy 9.1" },
        /// Permissions, as an octal number in quotes.
        mode: Text { default: "\"0755\"", example: "\"0750\"", pattern: "^[0-7]{3,4}$", source: "chmod(1), Debian Policy 10.9" },
        /// Has to be true for a mode that hands out power: setuid, setgid, or writable by everybody without the
        /// sticky bit.
        special: Flag { default: "false", example: "true", source: "Debian Policy 10.9" },
        /// The user that owns it. It must exist on the machine when the directory is put there.
        owner: Text { default: "\"root\"", example: "\"www-data\"", source: "useradd(8)" },
        /// The group that owns it.
        group: Text { default: "\"root\"", example: "\"adm\"", source: "groupadd(8)" },
        /// Whether nothing may be in it but what packages put there, Debian's or the fleet's. A foreign file, at any
        /// depth, is moved away and put back when the role goes; more than 1000 at once are data, and stay with a mark.
        /// Below /etc only.
        exclusive: Flag { default: "false", example: "true" },
        /// Units that are reloaded when the directory changed or a foreign file was moved away.
        reload: Texts { default: "[]", example: "[\"nginx.service\"]", source: "systemctl(1), reload" },
        /// Units that are restarted when the directory changed or a foreign file was moved away.
        restart: Texts { default: "[]", example: "[\"postgresql.service\"]", source: "systemctl(1), restart" },
    }

    /// The state of a systemd unit. What it was before is put back when the role goes.
    ///
    /// ```toml
    /// [[service]]
    /// unit    = "nginx.service"
    /// enable  = true
    /// drop_in = """
    /// [Service]
    /// LimitNOFILE=65536
    /// """
    /// ```
    table Service("[[service]]") {
        /// The unit's name with its type.
        unit: Text { required: true, example: "\"nginx.service\"", source: "systemd.unit(5)" },
        /// true: enabled and started. false: disabled and stopped. Absent: left as it is.
        enable: Flag { example: "true", source: "systemctl(1), enable" },
        /// true: masked, so that nothing can start it. Not together with `enable`.
        mask: Flag { default: "false", example: "true", source: "systemctl(1), mask" },
        /// Text of a drop-in that changes the unit; it has a section such as `[Service]`.
        drop_in: Text { example: "\"[Service]\\nLimitNOFILE=65536\\n\"", source: "systemd.unit(5)" },
    }

    /// A systemd unit of the role's own, in `/usr/lib/systemd/system`.
    ///
    /// ```toml
    /// [[unit]]
    /// name    = "pg-report.timer"
    /// enable  = true
    /// content = """
    /// [Timer]
    /// OnCalendar=daily
    ///
    /// [Install]
    /// WantedBy=timers.target
    /// """
    /// ```
    table Unit("[[unit]]") {
        /// The unit's name with its type.
        name: Text { required: true, example: "\"pg-report.service\"", source: "systemd.unit(5)" },
        /// The unit file's text. Exactly one of `content` and `source` is given.
        content: Text { example: "\"[Service]\\nExecStart=/usr/bin/true\\n\"", source: "systemd.syntax(7)" },
        /// The file in `roles/ROLE/` that holds the text.
        source: Text { example: "\"pg-report.service\"" },
        /// Whether the text is a template; see `[[file]]`.
        template: Flag { default: "false", example: "true" },
        /// Whether it is enabled and started. Needs an `[Install]` section.
        enable: Flag { default: "false", example: "true", source: "systemctl(1), enable" },
    }

    /// A cron job: becomes `/etc/cron.d/PACKAGE-NAME`, and the package depends on `cron | cron-daemon`.
    ///
    /// ```toml
    /// [[cron]]
    /// name     = "rotate"
    /// schedule = "17 3 * * *"
    /// user     = "www-data"
    /// command  = "/usr/local/bin/rotate"
    /// ```
    table Cron("[[cron]]") {
        /// Part of the file's name: lower case letters, digits and hyphens. (cron ignores files with a dot.)
        name: Text { required: true, example: "\"rotate\"", pattern: "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", source: "cron(8), /etc/cron.d" },
        /// Five fields – minute, hour, day of month, month, day of week – or `@daily` and the like.
        schedule: Text { required: true, example: "\"17 3 * * *\"", source: "crontab(5)" },
        /// The user that runs it.
        user: Text { default: "\"root\"", example: "\"www-data\"", source: "crontab(5)" },
        /// One line, run by /bin/sh. A `%` is written `\%`, in double quotes `\\%`: cron makes a newline of a
        /// bare one.
        command: Text { required: true, example: "\"/usr/local/bin/rotate\"", source: "crontab(5)" },
    }

    /// The answer to a debconf question, given before the package is installed, so that it isn't asked.
    ///
    /// ```toml
    /// [[debconf]]
    /// package  = "postfix"
    /// question = "postfix/main_mailer_type"
    /// type     = "select"
    /// value    = "Internet Site"
    /// ```
    table Debconf("[[debconf]]") {
        /// The package that asks.
        package: Text { required: true, example: "\"postfix\"", source: "Debian Policy 5.6.7" },
        /// The question's name.
        question: Text { required: true, example: "\"postfix/main_mailer_type\"", source: "debconf-devel(7)" },
        /// The question's type, as in the package's templates.
        kind as "type": Text {
            default: "\"string\"", example: "\"select\"", source: "debconf-devel(7)",
            values: &["string", "boolean", "select", "multiselect", "note", "password", "text"]
        },
        /// The answer, one line. For a boolean `true` or `false`.
        value: Text { required: true, example: "\"Internet Site\"", source: "debconf-set-selections(1)" },
    }

    /// A secret that a service needs, in a file of its own: `/run/PREFIX-secrets/ROLE/NAME` (of a host:
    /// `…/FQDN/NAME`). The packages hold it encrypted to the machines that have the role; each decrypts it with its SSH
    /// host key when the package is installed and at boot, before services start, into memory and never to a disk. Only
    /// `owner` can read it. A service whose user is made when it starts (`DynamicUser=`) gets it by
    /// `LoadCredential=` of systemd.
    ///
    /// ```toml
    /// [[secret]]
    /// name    = "db_password"
    /// owner   = "www-data"
    /// restart = ["app.service"]
    /// ```
    table Secret("[[secret]]") {
        /// The file's name: lower case letters, digits and `_`.
        name: Text { required: true, example: "\"db_password\"", pattern: "^[a-z][a-z0-9_]{0,59}$" },
        /// What is in the file: a template, in which `secret.NAME` is what `secrets/NAME.age` holds. No filter can be
        /// applied to it, since it is set in on the machine.
        content: Text { default: "the secret of that name", example: "\"*:*:*:app:{{ secret.db_password }}\\n\"" },
        /// The user that may read it; the mode is 0400.
        owner: Text { default: "\"root\"", example: "\"www-data\"", source: "useradd(8)" },
        /// Units that are reloaded when it changed.
        reload: Texts { default: "[]", example: "[\"nginx.service\"]", source: "systemctl(1), reload" },
        /// Units that are restarted when it changed.
        restart: Texts { default: "[]", example: "[\"app.service\"]", source: "systemctl(1), restart" },
    }

    /// A path that is kept away: moved aside while the role is installed, put back when it goes.
    ///
    /// ```toml
    /// [[absent]]
    /// path   = "/etc/nginx/sites-enabled/default"
    /// reload = ["nginx.service"]
    /// ```
    table Absent("[[absent]]") {
        /// The file or link.
        path: Text { required: true, example: "\"/etc/nginx/sites-enabled/default\"" },
        /// Units that are reloaded when it went or came back.
        reload: Texts { default: "[]", example: "[\"nginx.service\"]", source: "systemctl(1), reload" },
        /// Units that are restarted when it went or came back.
        restart: Texts { default: "[]", example: "[\"postgresql.service\"]", source: "systemctl(1), restart" },
    }
}
