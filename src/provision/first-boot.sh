#!/bin/sh
# The first boot of a machine that debrole made. Waits until the machine is up and its own checks are OK, says so on the
# console, lets apt's timers go, and removes itself with all that belongs to it. It runs at every boot until then.
#
# What it says are lines that begin with "[debrole WORD] ", where only root here and who made this machine know WORD:
#   begin                        it runs
#   check NAME STATUS TEXT       OK, WARNING, CRITICAL or UNKNOWN; told when it changes
#   ready                        all is well; may come twice (a getty that starts flushes its terminal)
#   failed TEXT                  it is not, and has not been for a while
set -u
umask 077
PATH=/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
home=/var/lib/first-boot
timers='@TIMERS@'
patience=300 # seconds from our start until it has failed,
pause=3      # and between two rounds of checks

# The word is never in a command line, where others could read it: printf and read are the shell's own.
IFS= read -r word <"$home/word" || exit 1

# On a line of its own, whatever is on the console's last one. Opened anew for each: a getty hangs up what was open.
say() { printf '\n[debrole %s] %s\n' "$word" "$*" >/dev/console 2>/dev/null || :; }

# In a container it is the hypervisor's: only a difference tells anything.
uptime_seconds() { sed 's/[. ].*//' /proc/uptime; }

# tell NAME STATUS TEXT: unless that was said already.
tell() {
    [ "$(cat "$work/told.$1" 2>/dev/null)" != "$2" ] || return 0
    printf '%s\n' "$2" >"$work/told.$1"
    say "check $1 $2 $3"
}

# verdict NAME STATUS TEXT: tells it, and counts what is not well.
verdict() {
    tell "$1" "$2" "$3"
    case $2 in
    OK) ;;
    WARNING) warned="$warned $1" ;;
    *) bad="$bad $1" ;;
    esac
}

first_line() { sed -n '1{s/|.*//; s/[^[:print:]]/ /g; s/ *$//; p;}'; }

# The commands that NRPE has of this machine's roles and of its own package, as the user who runs them there.
commands() {
    cat /etc/nagios/nrpe.d/*-@PREFIX@-role-*.cfg /etc/nagios/nrpe.d/*-@PREFIX@-host-*.cfg 2>/dev/null |
        sed -n 's/^command\[\([A-Za-z0-9_.-]*\)\]=\(.*\)/\1 \2/p' | sort -u
}

round() {
    bad=
    warned=
    state=$(systemctl is-system-running 2>/dev/null)
    case $state in
    running | degraded) ;;
    *)
        verdict system CRITICAL "$state: $(systemctl list-jobs --no-legend --no-pager 2>/dev/null | awk 'NR <= 5 { printf "%s ", $2 }')"
        return
        ;;
    esac
    verdict system OK "up"
    failed=$(systemctl list-units --state=failed --plain --no-legend --no-pager --full 2>/dev/null | awk '{ printf "%s ", $1 }')
    if [ -n "$failed" ]; then verdict units CRITICAL "failed: $failed"; else verdict units OK "none has failed"; fi
    if marks=$(@PREFIX@-runtime status 2>/dev/null); then
        verdict packages OK "applied"
    else
        verdict packages CRITICAL "$(printf '%s\n' "$marks" | sed -n 's/^mark ([^)]*) //p' | first_line)"
    fi
    commands >"$work/commands"
    while read -r name command; do
        text=$(runuser -u nagios -- timeout -k 5 60 sh -c "$command" </dev/null 2>&1)
        status=$?
        text=$(printf '%s\n' "$text" | first_line)
        case $status in
        0) verdict "$name" OK "$text" ;;
        1) verdict "$name" WARNING "$text" ;;
        2) verdict "$name" CRITICAL "$text" ;;
        124 | 137) verdict "$name" UNKNOWN "no answer in 60 seconds" ;;
        *) verdict "$name" UNKNOWN "$text" ;;
        esac
    done <"$work/commands"
}

# Forgets what held them back. They start with the next daemon-reload.
let_timers_go() {
    for timer in $timers; do
        rm -f "/etc/systemd/system/$timer.d/first-boot.conf"
        rmdir "/etc/systemd/system/$timer.d" 2>/dev/null || :
    done
}

start_timers() {
    systemctl daemon-reload
    for timer in $timers; do
        ! systemctl --quiet is-enabled "$timer" 2>/dev/null || systemctl --no-block start "$timer" || :
    done
}

main() {
    # The kernel's lines would fall into ours. It goes on with them afterwards.
    printk=$(cut -f 1 /proc/sys/kernel/printk 2>/dev/null)
    dmesg -n 1 2>/dev/null || :
    work=$(mktemp -d /run/first-boot.XXXXXX) || exit 1
    trap 'rm -rf "$work"; [ -z "$printk" ] || dmesg -n "$printk" 2>/dev/null' EXIT
    began=$(uptime_seconds)
    # Names that mkfs.xfs could not take over: pairs of lines, what is in a directory before it.
    if [ -s "$home/rename" ]; then
        while IFS= read -r from && IFS= read -r to; do
            if [ -e "$from" ] || [ -L "$from" ]; then mv -T -- "$from" "$to"; fi
        done <"$home/rename"
    fi
    rm -f "$home/rename"
    say begin
    # It returns when no job is left; a job that never ends must not keep us silent.
    timeout "$patience" systemctl --wait is-system-running >/dev/null 2>&1
    # Where there was no systemd when packages were installed, this is what they could not do.
    @PREFIX@-runtime apply || :
    while :; do
        round
        [ -n "$bad$warned" ] || break
        # A warning alone keeps nobody from working with the machine, but it may go away by itself.
        if [ $(($(uptime_seconds) - began)) -ge "$patience" ]; then break; fi
        sleep "$pause"
    done
    let_timers_go
    if [ -n "$bad" ]; then
        start_timers
        say "failed$bad"
        sleep 2
        say "failed$bad"
        exit 1
    fi
    rm -rf "$home" /etc/systemd/system/first-boot.service /etc/systemd/system/multi-user.target.wants/first-boot.service
    # Nobody waits for systemd, which takes seconds to read all units anew where a processor is translated.
    say ready
    start_timers
    sleep 2
    say ready
    exit 0
}

main
