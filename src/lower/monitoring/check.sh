#!/bin/sh
# check NAME [WARNING CRITICAL]: what every machine of @PREFIX@ is asked, as a plugin of Nagios: one line, and 0 OK,
# 1 WARNING, 2 CRITICAL or 3 UNKNOWN. Called by NRPE, as an account without rights: what root alone can find out is
# written by @PREFIX@-agent-status.service. Needs Essential packages and awk only.
#
#   disk     the least free space and inodes of a local file system, percent     10 5      less is worse
#   memory   available memory, percent                                           10 5      less is worse
#   load     load of 15 minutes for each processor                               2 4
#   kernel   days for which a newer kernel than the running one is installed     1 14
#   updates  hours for which a security update has been known                    30 72
#   patcher  hours since unattended-upgrades last went well                      36 72
#   refresh  hours since this machine last had all of our archive                12 26
#   drift    hours since managed files were verified; what differs is WARNING,
#            what could not be applied CRITICAL                                  36 72
#   units    failed units of systemd                                             1 1
#   clock    seconds by which the clock is off                                   0.5 2
set -u
PATH=/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
TZ=UTC
export PATH LC_ALL TZ
unset CDPATH IFS ENV
state=/var/lib/@PREFIX@

end() { # OK|WARNING|CRITICAL|UNKNOWN TEXT
    printf '%s %s - %s\n' "$(printf '%s' "$what" | tr '[:lower:]' '[:upper:]')" "$1" "$2"
    case $1 in OK) exit 0 ;; WARNING) exit 1 ;; CRITICAL) exit 2 ;; *) exit 3 ;; esac
}

# worse VALUE: OK, WARNING or CRITICAL, by $warning and $critical, both of which count.
worse() {
    awk -v value="$1" -v warning="$warning" -v critical="$critical" -v less="$less" 'BEGIN {
        if (less ? value + 0 <= critical + 0 : value + 0 >= critical + 0) print "CRITICAL"
        else if (less ? value + 0 <= warning + 0 : value + 0 >= warning + 0) print "WARNING"
        else print "OK"
    }'
}

now() { date +%s; }

# hours SECONDS: how people say it.
hours() { awk -v s="$1" 'BEGIN { if (s < 0) s = 0; if (s < 5400) printf "%d min", s / 60; else if (s < 172800) printf "%d h", s / 3600; else printf "%d days", s / 86400 }'; }

# age FILE [PACKAGE]: $age in seconds of FILE's time, $never if it is not there: then since PACKAGE came, for which it
# had no time to be made.
age() {
    never=
    since=$(stat -c %Y -- "$1" 2>/dev/null)
    if [ -z "$since" ]; then
        never=yes
        since=$(stat -c %Y "/var/lib/dpkg/info/$2.list" 2>/dev/null) || end UNKNOWN "$1 is not there, and $2 is not installed"
    fi
    age=$(($(now) - since))
}

# A container's clock and kernel are its host's.
in_container() {
    if command -v systemd-detect-virt >/dev/null && systemd-detect-virt --quiet --container; then return 0; fi
    [ -s /run/systemd/container ]
}

disk() {
    # Not what is in memory or read-only by nature; an overlay is a container's root, or lies on a file system that counts.
    { df -PlT 2>/dev/null; echo; df -PliT 2>/dev/null; } | awk '
        /^$/ { inodes = 1; next }
        $1 == "Filesystem" || $2 ~ /^(tmpfs|devtmpfs|ramfs|squashfs|iso9660|udf|efivarfs|erofs)$/ { next }
        { at = $0; for (i = 0; i < 6; i++) sub(/^[^ ]+ +/, "", at) }
        $2 == "overlay" && at != "/" { next }
        $4 + $5 > 0 { print 100 * $5 / ($4 + $5), inodes + 0, at }' | sort -n >"$work" || end UNKNOWN "df fails"
    [ -s "$work" ] || end UNKNOWN "df names no file system"
    read -r free _ <"$work"
    status=$(worse "$free")
    end "$status" "$(awk -v warning="$warning" -v critical="$critical" '
        function of() { return (sprintf("%d", $1)) "% " ($2 ? "inodes" : "space") " free on " at() }
        function at(  s) { s = $0; sub(/^[^ ]+ [^ ]+ /, "", s); return s }
        NR == 1 || $1 + 0 <= warning + 0 { said = said (said == "" ? "" : ", ") of() }
        # Not all characters are for perfdata.
        !$2 && at() !~ /[^a-zA-Z0-9\/._-]/ { data = data sprintf(" \047%s\047=%.1f%%;%s:;%s:;0;100", at(), $1, warning, critical) }
        END { print said " |" data }' "$work")"
}

memory() {
    available=$(awk '$1 == "MemTotal:" { total = $2 } $1 == "MemAvailable:" { there = $2 }
        END { if (total > 0) printf "%.1f", 100 * there / total }' /proc/meminfo)
    [ -n "$available" ] || end UNKNOWN "/proc/meminfo can't be read"
    end "$(worse "$available")" "$available% available | available=$available%;$warning:;$critical:;0;100"
}

load() {
    processors=$(getconf _NPROCESSORS_ONLN) || end UNKNOWN "the number of processors is not known"
    load=$(awk -v n="$processors" '{ printf "%.2f", $3 / n }' /proc/loadavg) || end UNKNOWN "/proc/loadavg can't be read"
    end "$(worse "$load")" "$load for each of $processors processors in 15 minutes | load15=$load;$warning;$critical;0"
}

kernel() {
    ! in_container || end OK "a container: its kernel is its host's"
    runs=$(uname -r)
    set +f
    set -- /boot/vmlinuz-*
    set -f
    [ -e "$1" ] || end OK "no kernel is installed here; $runs runs"
    newest=$(printf '%s\n' "$@" | sed 's|^/boot/vmlinuz-||' | sort -V | tail -n 1)
    waiting=
    if [ "$newest" != "$runs" ] && [ "$(printf '%s\n%s\n' "$newest" "$runs" | sort -V | tail -n 1)" = "$newest" ]; then
        waiting=$newest
    else
        # Debian's updates often keep the name: then the version in /proc/version tells.
        installed=$(dpkg-query -W -f '${Version}' "linux-image-$runs" 2>/dev/null)
        newest=$runs
        if [ -n "$installed" ]; then
            grep -qF " Debian $installed " /proc/version || ! grep -q ' Debian [0-9]' /proc/version || waiting="$runs ($installed)"
        fi
    fi
    [ -n "$waiting" ] || end OK "$runs is the newest that is installed"
    # The time of the change is when dpkg put it there; the other is the package's.
    age=$(($(now) - $(stat -c %Z "/boot/vmlinuz-$newest")))
    days=$(awk -v s="$age" 'BEGIN { printf "%.2f", s / 86400 }')
    end "$(worse "$days")" "$runs runs, $waiting has waited for a restart for $(hours "$age") | waiting=$days;$warning;$critical;0"
}

updates() {
    file=$state/monitoring/updates
    age "$file" "@PREFIX@-agent"
    if [ -n "$never" ]; then
        [ "$age" -ge 10800 ] || end OK "not looked for yet"
        end CRITICAL "never looked for: see @PREFIX@-agent-status.service"
    fi
    [ "$age" -lt 21600 ] || end CRITICAL "last looked for $(hours "$age") ago: see @PREFIX@-agent-status.service"
    problem=$(sed -n 's/^error //p' "$file")
    [ -z "$problem" ] || end UNKNOWN "$problem"
    since=$(sed -n 's/^since //p' "$file")
    [ -n "$since" ] || end OK "no security update waits | waiting=0"
    n=$(grep -c '^update ' "$file")
    age=$(($(now) - since))
    end "$(worse "$(awk -v s="$age" 'BEGIN { print s / 3600 }')")" \
        "$n security update$([ "$n" = 1 ] || echo s), known for $(hours "$age"): $(sed -n 's/^update \([^ ]*\).*/\1/p' "$file" | head -n 8 | tr '\n' ' ')| waiting=$n"
}

patcher() {
    [ -e /var/lib/dpkg/info/unattended-upgrades.list ] || end CRITICAL "unattended-upgrades is not installed"
    age /var/lib/apt/periodic/unattended-upgrades-stamp unattended-upgrades
    status=$(worse "$(awk -v s="$age" 'BEGIN { print s / 3600 }')")
    [ -z "$never" ] || end "$status" "unattended-upgrades has never gone well; installed $(hours "$age") ago"
    # It succeeds with old lists, too.
    said="unattended-upgrades last went well $(hours "$age") ago"
    age /var/lib/apt/periodic/update-stamp unattended-upgrades
    lists=$(worse "$(awk -v s="$age" 'BEGIN { print s / 3600 }')")
    [ "$lists" = OK ] || said="$said, but apt's lists are $([ -n "$never" ] && echo 'from its installation' || echo 'old'): $(hours "$age")"
    case $status.$lists in
    CRITICAL.* | *.CRITICAL) status=CRITICAL ;;
    WARNING.* | *.WARNING) status=WARNING ;;
    esac
    end "$status" "$said"
}

refresh() {
    said=
    worst=OK
    for scope in roles keyring; do
        report=$state/refresh/$scope
        succeeded=$(sed -n 's/^succeeded //p' "$report" 2>/dev/null)
        never=
        [ -n "$succeeded" ] || { never=yes; succeeded=$(stat -c %Y "/var/lib/dpkg/info/@PREFIX@-runtime.list" 2>/dev/null) || end UNKNOWN "@PREFIX@-runtime is not installed"; }
        age=$(($(now) - succeeded))
        status=$(worse "$(awk -v s="$age" 'BEGIN { print s / 3600 }')")
        case $worst.$status in OK.* | WARNING.CRITICAL) worst=$status ;; esac
        of=$scope
        [ "$scope" = roles ] || of="keyring and access"
        if [ -n "$never" ]; then
            said="$said${said:+; }$of: never, installed $(hours "$age") ago"
        else
            said="$said${said:+; }$of: $(hours "$age") ago"
        fi
        problem=$(sed -n 's/^error //p' "$report" 2>/dev/null | head -n 1 | tr '|' '/')
        [ -z "$problem" ] || said="$said ($problem)"
        waiting=$(sed -n 's/^waiting //p' "$report" 2>/dev/null)
        if [ -n "$waiting" ]; then
            said="$said; apt keeps back $waiting"
            [ "$worst" != OK ] || worst=WARNING
        fi
    done
    end "$worst" "last refreshed: $said"
}

drift() {
    set +f
    for mark in "$state"/marks/*; do
        case $mark in *.new | */hold | */@PREFIX@-backup-*) continue ;; esac
        [ ! -f "$mark" ] || end CRITICAL "${mark##*/}: $(head -n 1 "$mark")"
    done
    set -f
    age "$state/drift" "@PREFIX@-runtime"
    status=$(worse "$(awk -v s="$age" 'BEGIN { print s / 3600 }')")
    [ -z "$never" ] || end "$status" "never verified; installed $(hours "$age") ago"
    [ "$status" = OK ] || end "$status" "last verified $(hours "$age") ago"
    n=$(grep '^left ' "$state/drift" | grep -vc '^left held: ')
    [ "$n" = 0 ] || end WARNING "$n difference$([ "$n" = 1 ] || echo s): $(grep '^left ' "$state/drift" | sed '/^left held: /d; s/^left //; q' | tr '|' '/')"
    end OK "verified $(hours "$age") ago"
}

units() {
    systemctl list-units --state=failed --plain --no-legend --no-pager --full >"$work" 2>&1 || end UNKNOWN "systemctl: $(head -n 1 "$work")"
    n=$(grep -c . "$work")
    end "$(worse "$n")" "$n failed$(awk 'NR == 1 { printf ": " } NR <= 10 { printf "%s%s", (NR > 1 ? ", " : ""), $1 }' "$work") | failed=$n;$warning;$critical;0"
}

clock() {
    ! in_container || end OK "a container: its clock is its host's"
    said=
    if command -v chronyc >/dev/null && chronyc -n tracking >"$work" 2>/dev/null; then
        # "System time     : 0.000012 seconds slow of NTP time"
        offset=$(awk -F: '$1 ~ /^System time/ { split($2, f, " "); print f[1] }' "$work")
        if grep -q '^Leap status *: Not synchronised' "$work"; then synchronised=no; else synchronised=yes; fi
        said=chrony
    else
        synchronised=$(timedatectl show --property=NTPSynchronized --value 2>"$work") || end UNKNOWN "timedatectl: $(head -n 1 "$work")"
        # "Offset: +1.234ms"; none where another program keeps the time.
        offset=$(timedatectl timesync-status 2>/dev/null | awk '
            $1 == "Offset:" {
                sub(/^[^:]*: */, ""); s = 0
                gsub(/[+-]/, "")
                for (i = 1; i <= NF; i++) {
                    n = $i + 0
                    if ($i ~ /min$/) n *= 60; else if ($i ~ /us$/) n /= 1000000; else if ($i ~ /ms$/) n /= 1000; else if ($i ~ /h$/) n *= 3600
                    s += n
                }
                printf "%.6f", s
            }')
    fi
    if [ "$synchronised" != yes ]; then
        up=$(sed 's/[. ].*//' /proc/uptime)
        [ "$up" -ge 900 ] || end OK "not synchronised yet, $(hours "$up") after the start"
        end CRITICAL "not synchronised${said:+ ($said)}"
    fi
    [ -n "$offset" ] || end OK "synchronised"
    end "$(worse "$offset")" "synchronised, off by $offset s | offset=${offset}s;$warning;$critical;0"
}

set -f
what=${1-}
less=
case $what in
disk | memory) less=yes default='10 5' ;;
load) default='2 4' ;;
kernel) default='1 14' ;;
updates) default='30 72' ;;
patcher | drift) default='36 72' ;;
refresh) default='12 26' ;;
units) default='1 1' ;;
clock) default='0.5 2' ;;
*)
    echo "usage: ${0##*/} disk|memory|load|kernel|updates|patcher|refresh|drift|units|clock [WARNING CRITICAL]"
    exit 3
    ;;
esac
warning=${2-${default% *}}
critical=${3-${default#* }}
for number in "$warning" "$critical"; do
    case $number in '' | *[!0-9.]* | *.*.* | .) end UNKNOWN "\"$number\" is no threshold" ;; esac
done
# The worse of the two has to be beyond the other.
awk -v a="$warning" -v b="$critical" -v less="$less" 'BEGIN { exit less ? b + 0 > a + 0 : b + 0 < a + 0 }' ||
    end UNKNOWN "the thresholds $warning and $critical are the wrong way round"
work=$(mktemp) || end UNKNOWN "there is no room for a temporary file"
trap 'rm -f "$work"' EXIT
"$what"
