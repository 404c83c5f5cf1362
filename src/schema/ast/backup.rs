//! Jobs of backups, and the machines that keep them.

use crate::schema::decode::{Decode, Decoder, Many, Text, Texts, Toml};
use crate::schema::meta::{Field, Options, Table, TableMeta, schema};
use crate::source::Span;

schema! {
    /// A backup job: what is backed up together, and how often. Each machine with the role runs it by a timer, by restic(1)
    /// through SSH, to every machine that has a role with `[backup_server]`, encrypted before it leaves. The machine can
    /// add backups and read its own; it can't remove or change any. The servers look whether backups arrive, thin them out as `keep` says, and restore a
    /// sample of them monthly.
    ///
    /// ```toml
    /// [[backup]]
    /// name    = "www"
    /// paths   = ["/srv/www"]
    /// exclude = ["/srv/www/cache"]
    ///
    /// [[backup]]
    /// name = "cluster"
    /// dump = [{ file = "all.sql", command = "pg_dumpall", user = "postgres" }]
    /// ```
    table Backup("[[backup]]") {
        /// The job's name, with the role's in front: `www` of the role web is the job `web_www`; of a host it is `machine_www`.
        /// Lower case letters, digits and inner hyphens.
        name: Text { required: true, example: "\"www\"", pattern: "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$" },
        /// Files and directories, with all that is below them.
        paths: Texts { default: "[]", example: "[\"/srv/www\"]" },
        /// What is left out: patterns of restic(1), each a path or a name with `*`, `?` and `**`.
        exclude: Texts { default: "[]", example: "[\"/srv/www/cache\", \"*.tmp\"]", source: "restic(1), excluding files" },
        /// What commands write, such as a dump of a database: backed up together with the paths. When one fails, the job
        /// does, and nothing arrives that looks like a backup.
        dump: Many<Dump>,
        /// A fragment of POSIX sh that is run as root before anything is read. When it fails, the job does.
        before: Text { example: "\"systemctl stop app.service\"", source: "Debian Policy 10.4" },
        /// A fragment of POSIX sh that is run as root afterwards, whatever came of the rest.
        after: Text { example: "\"systemctl start app.service\"", source: "Debian Policy 10.4" },
        /// When it is run: `hourly`, `daily`, `weekly` or `monthly`, or days of the week, a date and a time of
        /// systemd.time(7). Each machine begins up to an hour later, always at the same time.
        schedule: Text { default: "\"daily\"", example: "\"Mon..Fri *-*-* 22:30\"", source: "systemd.time(7), CALENDAR EVENTS" },
        /// For how long the server keeps every backup, counted back from the newest. A number and `d`, `w` or `y`.
        keep: Text { default: "\"7d\"", example: "\"2d\"", pattern: "^[0-9]+[dwy]$" },
        /// For how long it keeps the last backup of each day on which one arrived.
        keep_daily: Text { default: "\"30d\"", example: "\"14d\"", pattern: "^[0-9]+[dwy]$" },
        /// For how long it keeps the last of each week.
        keep_weekly: Text { default: "\"12w\"", example: "\"8w\"", pattern: "^[0-9]+[dwy]$" },
        /// For how long it keeps the last of each month.
        keep_monthly: Text { default: "\"1y\"", example: "\"2y\"", pattern: "^[0-9]+[dwy]$" },
        /// The age of the newest backup at which monitoring warns. A number and `h`, `d` or `w`.
        warn_after: Text { default: "the schedule's longest pause and a sixth of it: 28h where it is daily", example: "\"28h\"", pattern: "^[0-9]+[hdw]$" },
        /// The age at which it is critical. A backup that never came is from the beginning.
        critical_after: Text { default: "three times that pause: 72h where it is daily", example: "\"72h\"", pattern: "^[0-9]+[hdw]$" },
        /// The size below which a backup is too small to be one: monitoring warns. Without it, less than half of the largest
        /// of the last two weeks is. A number and `K`, `M`, `G` or `T`.
        at_least: Text { example: "\"100M\"", pattern: "^[0-9]+[KMGT]$" },
    }

    /// What is particular to a role's backup job on this machine, in the place of what the role says. `ROLE` is one that the
    /// machine has, by itself or included. The machine's own jobs are changed where they are written.
    ///
    /// ```toml
    /// [backup_job."web/www"]
    /// schedule = "hourly"
    /// at_least = "20G"
    /// ```
    table BackupJob("[backup_job.\"ROLE/JOB\"]") {
        /// What is left out, in the place of what the role leaves out: name these again to go on leaving them out.
        exclude: Texts { default: "the role's", example: "[\"/srv/www/cache\", \"/srv/www/mirror\"]", source: "restic(1), excluding files" },
        /// When it is run.
        schedule: Text { default: "the role's", example: "\"hourly\"", source: "systemd.time(7), CALENDAR EVENTS" },
        /// For how long the server keeps every backup. A number and `d`, `w` or `y`.
        keep: Text { default: "the role's", example: "\"2d\"", pattern: "^[0-9]+[dwy]$" },
        /// For how long it keeps the last backup of each day.
        keep_daily: Text { default: "the role's", example: "\"14d\"", pattern: "^[0-9]+[dwy]$" },
        /// For how long it keeps the last of each week.
        keep_weekly: Text { default: "the role's", example: "\"8w\"", pattern: "^[0-9]+[dwy]$" },
        /// For how long it keeps the last of each month.
        keep_monthly: Text { default: "the role's", example: "\"2y\"", pattern: "^[0-9]+[dwy]$" },
        /// The age of the newest backup at which monitoring warns. A number and `h`, `d` or `w`.
        warn_after: Text { default: "the role's; where it says nothing, by the schedule", example: "\"3h\"", pattern: "^[0-9]+[hdw]$" },
        /// The age at which it is critical.
        critical_after: Text { default: "the role's; where it says nothing, by the schedule", example: "\"6h\"", pattern: "^[0-9]+[hdw]$" },
        /// The size below which monitoring warns. A number and `K`, `M`, `G` or `T`.
        at_least: Text { default: "the role's", example: "\"20G\"", pattern: "^[0-9]+[KMGT]$" },
    }

    /// What a command writes on its standard output, as a file of a backup: below `/var/lib/PREFIX-backup/JOB/`, for root
    /// alone. The file is replaced when the command has succeeded.
    table Dump("[[backup.dump]]") {
        /// The file's name: letters, digits, `.`, `_` and `-`.
        file: Text { required: true, example: "\"all.sql\"", pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$" },
        /// One line, run by /bin/sh.
        command: Text { required: true, example: "\"pg_dumpall\"" },
        /// The user that runs it.
        user: Text { default: "\"root\"", example: "\"postgres\"", source: "runuser(1)" },
    }

    /// A role with this table makes a machine a backup server: the jobs of all machines of the fleet go there, each
    /// machine's into a repository of its own. With several servers they go to each of them.
    ///
    /// ```toml
    /// [backup_server]
    /// directory = "/srv/backup"
    /// ```
    table BackupServer("[backup_server]") {
        /// Where the backups are: in a directory for each machine, by its name. Made where it is not there.
        directory: Text { default: "\"/srv/backup\"", example: "\"/srv/backup\"" },
        /// For how long the backups of a machine or a job are kept that has left the tree, counted from the day on which
        /// the server heard of it. A number and `d`, `w` or `y`.
        keep_left: Text { default: "\"1y\"", example: "\"90d\"", pattern: "^[0-9]+[dwy]$" },
    }
}
