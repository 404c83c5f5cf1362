#!/bin/sh
# check-backup FQDN JOB: a plugin for Nagios that tells of the backups of one job, from what @PREFIX@-backup-server saw.
# Any user may run it: there is nothing secret in what it reads.
set -u
LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
expected=/usr/share/@PREFIX@/backup-server/expected
status=/var/lib/@PREFIX@-backup-server/status/${1-}

case ${1-}${2-} in
"" | *[!a-z0-9._-]*)
    echo "UNKNOWN - usage: check-backup FQDN JOB"
    exit 3
    ;;
esac
if [ ! -r "$expected" ]; then
    echo "UNKNOWN - $expected can't be read"
    exit 3
fi
[ -r "$status" ] || status=/dev/null
awk -v now="$(date +%s)" -v client="$1" -v job="${2-}" -v status="$status" '
    function age(seconds) {
        if (seconds >= 172800) return int(seconds / 86400) " days"
        if (seconds >= 7200) return int(seconds / 3600) " hours"
        return int(seconds / 60) " minutes"
    }
    function size(bytes, unit) {
        for (unit = 0; bytes >= 1024 && unit < 4; unit++) bytes /= 1024
        return unit ? sprintf("%.1f %siB", bytes, substr("KMGT", unit, 1)) : bytes " bytes"
    }
    function tell(level, text) {
        if (level > worst) { worst = level; said = text } else if (level == worst) said = said (said == "" ? "" : "; ") text
    }
    FILENAME != status && $1 == "job" && $2 == client && $3 == job { there = 1; warn = $4; critical = $5; least = $6; next }
    FILENAME != status { next }
    $1 == "time" { looked = $2 }
    $1 == "job" && $2 == job { count = $3; newest = $4; bytes = $5; largest = $6; restored = $7; $1 = $2 = $3 = $4 = $5 = $6 = $7 = ""; sub(/^ +/, ""); failure = $0 }
    $1 == "alarm" { sub(/^alarm /, ""); alarm = alarm (alarm == "" ? "" : "; ") $0 }
    END {
        if (!there) { print "UNKNOWN - no backup of " client " is expected for the job " job; exit 3 }
        worst = 0
        said = ""
        if (!looked) tell(2, "nobody has looked for backups here yet (@PREFIX@-backup-watch.timer)")
        else if (now - looked > 7200) tell(2, "nobody has looked for backups for " age(now - looked) " (@PREFIX@-backup-watch.timer)")
        if (alarm != "") tell(2, alarm)
        if (!count) tell(2, "never backed up")
        else {
            if (now - newest >= critical) tell(2, "the newest backup is " age(now - newest) " old")
            else if (now - newest >= warn) tell(1, "the newest backup is " age(now - newest) " old")
            if (bytes < least) tell(1, "the newest backup has " size(bytes) ", less than " size(least))
            else if (bytes * 2 < largest) tell(1, "the newest backup has " size(bytes) ", one before it " size(largest))
            if (failure != "") tell(2, "the restore of a sample failed: " failure)
            else if (restored && now - restored > 45 * 86400) tell(1, "no sample was restored for " age(now - restored))
        }
        if (said == "") said = count " backups, the newest " age(now - newest) " old, " size(bytes)
        gsub(/\|/, "/", said)
        print (worst == 2 ? "CRITICAL" : worst ? "WARNING" : "OK") " - " said (count ? sprintf("|age=%ds;%d;%d;0 size=%dB", now - newest, warn, critical, bytes) : "")
        exit worst
    }' "$expected" "$status"
