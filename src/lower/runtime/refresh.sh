# ---------------------------------------------------------------------------------------------------------- refreshing
#
# refresh: what this machine has of our archive is brought up to date, and nothing else. Two timers call it: one for
# the keyring and access packages, within minutes, and one for all, within hours.
#
# Asking is apart from doing. To ask, apt reads our source alone, into lists of our own ($lists): it needs none of
# apt's locks, and where nothing is new the server says so in a few hundred bytes. Only if something may be to do, apt
# works out what, from Debian's lists as the machine has them and ours as they are now ($cache/lists), with the
# packages of every other origin pinned below what is installed: those come as new dependencies only, and what is
# installed keeps its marks. If somebody else is at apt or dpkg we wait, and give up in time for the next firing.
#
# $state/refresh/keyring, $state/refresh/roles: how it went, for people and monitoring. "NAME VALUE" lines:
#   tried N        when the last run ended        seconds since 1970 UTC
#   succeeded N    when the last run ended well   absent: never
#   result done|nothing|busy|failed               of the last run. done, nothing: all is up to date
#   failing N      since when no run has ended well; absent: the last one did
#   error TEXT     of the last run, a line each
#   waiting NAMES  packages of ours that are newer in the archive, and that apt could not bring
#   key HASH       of all that the last run went by: while that is the same, it would end the same

# refresh_die RESULT TEXT: ends this run.
refresh_die() {
    warn "$2"
    printf '%s\n' "$2" >>"$r/errors"
    refresh_report "$1"
    case $1 in
    busy) exit 75 ;; # EX_TEMPFAIL: the units count it as success
    *) exit 1 ;;
    esac
}

# refresh_report RESULT
refresh_report() {
    now=$(date +%s)
    succeeded=$(sed -n 's/^succeeded //p' "$report" 2>/dev/null)
    failing=$(sed -n 's/^failing //p' "$report" 2>/dev/null)
    key=$(cat "$r/key" 2>/dev/null)
    case $1 in done | nothing) succeeded=$now failing= ;; *) failing=${failing:-$now} ;; esac
    {
        echo "tried $now"
        [ -z "$succeeded" ] || echo "succeeded $succeeded"
        echo "result $1"
        [ -z "$failing" ] || echo "failing $failing"
        sed 's/^/error /' "$r/errors"
        [ ! -s "$r/waiting" ] || echo "waiting $(tr '\n' ' ' <"$r/waiting" | sed 's/ $//')"
        [ -z "$key" ] || echo "key $key"
    } | write_atomically "$report" || warn "cannot write $report"
}

# patiently LOG COMMAND…: runs it again while somebody else holds one of apt's and dpkg's locks; gives up when time is
# up. Its exit status.
patiently() {
    log=$1
    shift
    while :; do
        # Daemons that a maintainer script starts must not inherit our locks.
        "$@" </dev/null >"$log" 2>&1 7>&- 8>&-
        patiently_status=$?
        [ "$patiently_status" -ne 0 ] || return 0
        # apt: "Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1234 (apt)"; dpkg: "dpkg frontend
        # lock was locked by another process with pid 1234"
        other=$(tr '\r' '\n' <"$log" |
            grep -oE '(Could not get lock|Unable to (acquire|lock)|dpkg .*lock was locked by).*' | sed -n 's/\.*$//p;q')
        [ -n "$other" ] || return "$patiently_status"
        [ -n "$waited" ] || say "waiting: $other"
        waited=yes
        [ -z "$stopping" ] || refresh_die busy "stopped while waiting: $other"
        [ "$(seconds_left)" -gt 0 ] || refresh_die busy "$other: waited $patience_seconds seconds"
        sleep 2
    done
}

seconds_left() {
    left=$((deadline - $(date +%s)))
    [ "$left" -gt 0 ] || left=0
    echo "$left"
}

refresh_upgrade() {
    # Once we have said that we wait, apt itself does so for a while, and goes on as soon as it can.
    left=0
    [ -z "$waited" ] || left=$(seconds_left)
    [ "$left" -lt 20 ] || left=20
    apt-get -c "$r/do.conf" -q -o DPkg::Lock::Timeout="$left" upgrade --with-new-pkgs
}

# The errors of apt or dpkg in LOG, or else its last line.
log_errors() { # LOG
    grep -E '^(E:|W: .*(signature|expired|NO_PUBKEY)|dpkg: error)' "$1" || tail -n 1 "$1"
}

# What a run goes by: our archive, dpkg's database (holds are in it), preferences, Debian's lists, ourselves.
refresh_key() {
    set +f
    {
        cat "$lists"/*InRelease "$source" /var/lib/dpkg/status /etc/apt/preferences /etc/apt/preferences.d/* "$self"
        ls /var/lib/dpkg/updates
        stat -L -c '%n %Y' /var/lib/apt/lists/*_InRelease /var/lib/apt/lists/*_Release
        date +%F # whatever it was that could not be done is tried again every day
    } 2>/dev/null | sha256sum | sed 's/ .*//'
    set -f
}

# apt's configuration for asking and for doing. Read after the machine's own: its proxies and timeouts apply.
refresh_settings() {
    # Its hooks are for a whole update, and there may be no terminal to ask anything at.
    cat >"$r/ask.conf" <<END
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::State::lists "$lists";
Dir::Cache "$cache";
Dir::Etc::sourcelist "$source";
Dir::Etc::sourceparts "/dev/null";
pkgCacheFile::Generate "false";
Acquire::Languages "none";
END
    cat >"$r/do.conf" <<END
Dir::State::lists "$cache/lists";
Dir::Cache "$cache";
Dir::Etc::preferences "$r/preferences";
APT::Keep-Downloaded-Packages "false";
APT::Get::AutomaticRemove "false";
APT::Get::Remove "false";
APT::Get::Assume-Yes "true";
APT::Get::Show-Upgraded "true";
Dpkg::Options { "--force-confdef"; "--force-confold"; };
END
}

# Debian's lists as the machine has them, ours as they are now: symlinks, so nothing is copied, and what somebody's
# `apt update` replaces is replaced here too.
refresh_view() {
    rm -rf "$cache/lists"
    mkdir -p "$cache/lists/partial" "$cache/archives/partial" || refresh_die failed "cannot make $cache"
    set +f
    for file in /var/lib/apt/lists/* "$lists"/*; do
        [ -f "$file" ] || continue
        case ${file##*/} in lock) continue ;; esac
        ln -sf "$file" "$cache/lists/${file##*/}"
    done
    set -f
}

# $r/preferences: the machine's own say on origins, scaled down below 100, the priority of what is installed; so
# backports stay behind stable. Ours stand first: apt takes the first record that fits. A record that names packages
# goes before one that names none.
refresh_preferences() {
    {
        if [ "$scope" = keyring ]; then
            pin "@PREFIX@-archive-keyring @PREFIX@-access @PREFIX@-access-* @PREFIX@-known-hosts" "release o=$origin" 500
            pin "/./" "release o=$origin" 50
        fi
        pin '*' "release o=$origin" 1
        apt-cache -c "$r/look.conf" policy 2>/dev/null | awk '
            /^Pinned packages:/ { exit }
            /^ *-?[0-9]+ / { priority = $1; next }
            /^ *release / && !/[ ,]a=now(,|$)/ { emit("release " after($0, "release ")); next }
            /^ *origin ./ { if (priority != "") emit("origin \"" after($0, "origin ") "\"") }
            function after(line, word) { sub("^ *" word, "", line); gsub(/[][*?]/, "[&]", line); return line }
            function emit(pin,  p) {
                if (priority == "") return
                p = int(priority / 10); if (p > 99) p = 99
                if (p < 1 && priority > 0) p = 1
                if (p != 0) print "Package: *\nPin: " pin "\nPin-Priority: " p "\n"
                priority = ""
            }'
        cat /etc/apt/preferences 2>/dev/null
    } >"$r/preferences"
}

pin() { printf 'Package: %s\nPin: %s\nPin-Priority: %s\n\n' "$@"; }

# $r/todo: "NAME NEW|OLD" for what apt would install or upgrade; $r/waiting: ours that it would keep back.
refresh_simulate() {
    # Not locked, so nobody is waited for.
    apt-get -c "$r/do.conf" -q -s upgrade --with-new-pkgs >"$r/simulated" 2>"$r/log" 7>&- 8>&- || return 1
    awk '$1 == "Inst" { print $2, ($3 ~ /^\[/ ? "OLD" : "NEW") }' "$r/simulated" >"$r/todo"
    # Debian's own are pinned: what is kept back is ours.
    awk '/^The following packages have been kept back:/ { on = 1; next } /^[^ ]/ { on = 0 }
        on { for (i = 1; i <= NF; i++) print $i }' "$r/simulated" | sort >"$r/waiting"
}

# dpkg was interrupted, or a package's configuration failed: `dpkg --configure -a`, which asks nothing. Where that did
# not help it is not tried again until something changes.
refresh_repair() {
    half_done >"$r/half"
    [ -s "$r/half" ] || return 0
    say "dpkg was interrupted: configuring $(tr '\n' ' ' <"$r/half")"
    patiently "$r/log" dpkg --force-confdef --force-confold --configure -a
    repaired=$?
    half_done >"$r/half"
    [ -s "$r/half" ] || { say "dpkg is in order again"; return 0; }
    sed 's/^/    /' "$r/log" >&2
    printf '%s\n' "dpkg --configure -a (status $repaired) leaves $(tr '\n' ' ' <"$r/half")" >>"$r/errors"
}

half_done() {
    dpkg-query -W -f '${db:Status-Status} ${Package}\n' | awk '$1 !~ /^(installed|not-installed|config-files)$/ { print $2 }'
    ls /var/lib/dpkg/updates 2>/dev/null
}

refresh() {
    scope=roles
    patience_seconds=300
    while [ $# -gt 0 ]; do
        case $1 in
        --keyring) scope=keyring ;;
        --all) scope=roles ;;
        --wait)
            shift
            case ${1-} in '' | *[!0-9]*) usage ;; esac
            patience_seconds=$1
            ;;
        *) usage ;;
        esac
        shift
    done
    [ "$(id -u)" = 0 ] || { warn "this needs root"; exit 2; }
    [ -z "$in_dpkg" ] || { warn "refresh runs dpkg: it can't be called by it"; exit 0; }
    lists=$state/refresh/lists   # ours, as of the last time that we asked
    cache=/var/cache/@PREFIX@    # what can be made again
    report=$state/refresh/$scope
    r=$run/refresh               # this run's
    mkdir -p "$run" "$lists/partial" "$cache" || { warn "cannot make $lists and $cache"; exit 2; }
    chmod 0700 "$run"
    deadline=$(($(date +%s) + patience_seconds))
    waited=
    stopping=
    # systemd tells us alone; apt and dpkg end what they have begun.
    trap 'stopping=yes' TERM INT HUP
    true >>"$run/refresh.lock" || { warn "cannot write to $run"; exit 2; }
    exec 8>"$run/refresh.lock"
    flock -n 8 || flock -w "$patience_seconds" 8 || { say "another refresh is under way"; exit 75; }
    rm -rf "$r"
    mkdir -m 0700 "$r" || { warn "cannot make $r"; exit 2; }
    if ! true >"$r/errors" || ! true >"$r/waiting"; then warn "cannot write to $r"; exit 2; fi
    source=/etc/apt/sources.list.d/@PREFIX@.sources
    origin=$(sed -n '/^Pin: release o=/{s///p;q;}' "$share/@PREFIX@.pref" 2>/dev/null)
    if [ ! -e "$source" ] || [ -z "$origin" ]; then
        refresh_die failed "this machine has no source of ours: apt-get install @PREFIX@-archive-keyring"
    fi
    # Half a release upgrade is no time for ours: what they are for is not there yet, or no longer.
    codename=$(sed -n 's/^VERSION_CODENAME="*\([^"]*\)"*$/\1/p' /etc/os-release 2>/dev/null)
    suite=$(sed -n '/^Suites:/{s/^Suites: *//p;q;}' "$source")
    if [ -n "$codename" ] && [ "$codename" != "$suite" ]; then
        refresh_die busy "this machine runs $codename, but $source is for $suite: until the release upgrade has ended (apt-get full-upgrade), nothing is refreshed"
    fi
    command -v apt-get >/dev/null || refresh_die failed "there is no apt-get"
    DEBIAN_FRONTEND=noninteractive APT_LISTCHANGES_FRONTEND=none APT_LISTBUGS_FRONTEND=none
    export DEBIAN_FRONTEND APT_LISTCHANGES_FRONTEND APT_LISTBUGS_FRONTEND

    refresh_settings
    if ! apt-get -c "$r/ask.conf" -q --error-on=any update </dev/null >"$r/log" 2>&1 8>&-; then
        log_errors "$r/log" | sed 's/^[EW]: *//' >>"$r/errors"
        # What was fetched before still counts, and somebody may have broken dpkg meanwhile.
        asked=
    else
        asked=yes
    fi
    # Before anybody is waited for. Without an answer of the archive: what is known counts.
    if [ -n "$asked" ]; then revoke; else accesses || :; fi
    before=$(sed -n 's/^key //p' "$report" 2>/dev/null)
    if [ -n "$asked" ] && [ -n "$before" ] && [ "$(refresh_key)" = "$before" ]; then
        echo "$before" >"$r/key"
        sed -n 's/^waiting //p' "$report" | tr ' ' '\n' >"$r/waiting"
        sed -n 's/^error //p' "$report" >"$r/errors"
        refresh_end nothing
    fi

    # unattended-upgrades, unlike us, gives up for the day when somebody is at dpkg; but its timer waits for this lock
    # (/usr/lib/apt/apt.systemd.daily), and holds it while it updates and upgrades.
    if [ -d /var/lib/apt ] && true >>/var/lib/apt/daily_lock; then
        exec 7>>/var/lib/apt/daily_lock
        if ! flock -n 7; then
            say "waiting: apt's daily run is under way"
            flock -w "$(seconds_left)" 7 || refresh_die busy "apt's daily run is under way: waited $patience_seconds seconds"
        fi
    fi
    refresh_view
    sed 's/^Dir::Etc::preferences .*//' "$r/do.conf" >"$r/look.conf"
    refresh_repair
    refresh_preferences
    did=
    # Twice: an upgraded keyring or runtime may make more possible.
    for _ in 1 2; do
        [ -z "$stopping" ] || refresh_die busy "stopped"
        if ! refresh_simulate; then
            log_errors "$r/log" | sed 's/^[EW]: *//' >>"$r/errors"
            break
        fi
        [ -s "$r/todo" ] || break
        say "upgrading: $(sed -n 's/ OLD$//p' "$r/todo" | tr '\n' ' ')"
        if ! patiently "$r/log" refresh_upgrade; then
            sed 's/^/    /' "$r/log" >&2
            log_errors "$r/log" | sed 's/^[EW]: *//' >>"$r/errors"
        fi
        did='done'
        [ ! -s "$r/errors" ] || break
    done
    if [ -n "$did" ] && [ ! -s "$r/errors" ] && [ -s "$r/todo" ]; then
        refresh_simulate || :
        [ ! -s "$r/todo" ] || sed 's/ .*//; s/$/ was to be upgraded and is not/' "$r/todo" >>"$r/errors"
    fi
    rm -rf "$cache/lists"
    if [ -s "$r/waiting" ]; then
        say "apt keeps back: $(tr '\n' ' ' <"$r/waiting")"
    fi
    # What could not be fetched may come the next time, and who was killed under dpkg may live; anything else would only
    # fail again.
    if [ -n "$asked" ] && ! grep -qE 'Failed to fetch|received (a segmentation|signal)|exited unexpectedly' "$r/errors"; then
        refresh_key >"$r/key"
    fi
    refresh_end "${did:-nothing}"
}

# refresh_end done|nothing: unless there were errors.
refresh_end() {
    if [ -s "$r/errors" ]; then
        sed 's/^/@PREFIX@-runtime: refresh: /' "$r/errors" >&2
        refresh_report failed
        exit 1
    fi
    if [ "$1" = nothing ] && [ -z "${INVOCATION_ID-}" ]; then say "nothing to do"; fi
    refresh_report "$1"
    exit 0
}

# For status: how the refreshes went, if there are any.
refresh_status() {
    for scope in keyring roles; do
        report=$state/refresh/$scope
        [ -s "$report" ] || continue
        succeeded=$(sed -n 's/^succeeded //p' "$report")
        failing=$(sed -n 's/^failing //p' "$report")
        printf 'refresh of %s: last succeeded %s' "$scope" "$(if [ -n "$succeeded" ]; then date -d "@$succeeded" '+%Y-%m-%d %H:%M'; else echo never; fi)"
        [ -z "$failing" ] || printf ', failing since %s' "$(date -d "@$failing" '+%Y-%m-%d %H:%M')"
        echo
        sed -n 's/^error /    /p; s/^waiting /    kept back: /p' "$report"
    done
}
