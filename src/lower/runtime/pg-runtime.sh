#!/bin/sh
# @PREFIX@-runtime: makes this machine what its installed role and host packages say, as one transaction, and takes
# it back when they go. The manual is @PREFIX@-runtime(8). Needs dpkg, Essential packages, mount and awk only.
#
# One run of `apply`, in the order of this file:
#   recover   finish or undo what a killed run left behind (the journal)
#   look      manifests + record + the machine itself  → $w/actions: what differs
#   check     accounts, symlinks, files of other packages → what can't be done is set aside with a mark
#   attempt   validate in a private view of /etc, install by rename, write the record: the point of commit
#   settle    setup fragments, units, reloads
# A package is changed wholly or not at all. What went wrong is a file in $state/marks, and the old files stay.
set -u
umask 022
PATH=/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
QUOTING_STYLE=literal # how stat(1) prints names
export PATH LC_ALL QUOTING_STYLE
unset CDPATH IFS ENV

share=/usr/share/@PREFIX@
state=/var/lib/@PREFIX@         # applied (the record), journal, originals/, units, packages/, marks/
backups=/var/backups/@PREFIX@   # copies of what was changed by somebody else, before we replace or remove it
run=/run/@PREFIX@               # lock, queue, work/ (rebuilt by every run)
w=$run/work
validate_seconds=60             # the most that one validator may take,
setup_seconds=900               # a setup fragment, from first start to end,
teardown_seconds=300            # and a teardown fragment
lock_seconds=1200               # how long we wait for another run
self=$0
newline='
'

# Called by dpkg we never fail: a failing trigger leaves the package half-configured and blocks what depends on it.
in_dpkg=${DPKG_MAINTSCRIPT_NAME:+yes}

say() { printf '%s\n' "@PREFIX@-runtime: $*"; }
warn() { printf '%s\n' "@PREFIX@-runtime: $*" >&2; }

# die TEXT: the run can't go on. Nothing is half-done: either nothing was begun or the journal has it.
die() {
    warn "$*"
    if mkdir -p "$state/marks" 2>/dev/null; then
        printf 'runtime: %s\n' "$*" 2>/dev/null >"$state/marks/@PREFIX@-runtime" || :
    fi
    [ -n "$in_dpkg" ] && exit 0
    exit 2
}

exists() { [ -e "$1" ] || [ -L "$1" ]; }

systemd_runs() { [ -d /run/systemd/system ]; }

# mark PACKAGE TEXT [FILE]: says what is wrong with a package; FILE's end is quoted below it. All marks are found
# anew by each run, so a mark goes by itself once its reason has gone.
mark() {
    warn "$1: $2"
    {
        printf '%s\n' "$2"
        if [ -n "${3-}" ] && [ -s "$3" ]; then tail -n 40 "$3" | sed 's/^/    /'; fi
    } >>"$w/marks/$1" || :
    if [ -n "${3-}" ] && [ -s "$3" ]; then tail -n 40 "$3" | sed 's/^/    /' >&2; fi
}

set_aside() { printf '%s\n' "$1" >>"$w/aside" || die "cannot write to $w"; }

is_aside() { grep -qxF -e "$1" "$w/aside"; }

begin() {
    [ "$(id -u)" = 0 ] || { warn "this needs root"; exit 2; }
    # With dpkg --root and scripts run outside it, we would change the machine that builds, not the one being built.
    if [ -n "${DPKG_ROOT-}" ]; then
        say "nothing is applied below $DPKG_ROOT: run @PREFIX@-runtime apply on the machine itself"
        exit 0
    fi
    mkdir -p "$run" "$state/marks" "$state/packages" "$state/originals" || die "cannot make $state or $run"
    chmod 0700 "$run" "$state/originals" || die "cannot change the mode of $run"
    exec 9>"$run/lock" || die "cannot open $run/lock"
    if ! flock -n 9; then
        say "waiting for another run of @PREFIX@-runtime"
        flock -w "$lock_seconds" 9 || die "another run of @PREFIX@-runtime has not ended in $lock_seconds seconds"
    fi
    rm -rf "$w"
    mkdir -m 0700 "$w" "$w/marks" || die "cannot make $w"
    : >"$w/aside" && : >"$w/withdrawn" && : >"$w/started" || die "cannot write to $w"
}

# ---------------------------------------------------------------------------------------------------- the record
#
# $state/applied: what we put on this machine, a line a fact, replaced as a whole by rename(2).
#   debrole-applied 1 TRANSACTION
#   file PATH PACKAGE ORIGINAL MODE OWNER GROUP SHA256     ORIGINAL: "kept" if $state/originals has what was there
#   link PATH PACKAGE ORIGINAL TARGET                      before us, else "-"
#   dir PATH PACKAGE ORIGINAL MODE OWNER GROUP
#   absent PATH PACKAGE ORIGINAL
#   made PATH                                              a directory made because something had to be in it
#   reload|restart PATH UNIT                               what to do when PATH changes or goes
#
# $state/journal exists while files are being exchanged: the actions, and the units to tell afterwards. Its
# transaction number is in the record: all is done, and only cleaning up is left. It is not: all is undone.

write_atomically() { # FILE: from stdin
    cat >"$1.new" && sync "$1.new" && mv -fT "$1.new" "$1" && sync "${1%/*}"
}

# Beside a path, while it is being exchanged. The names begin with a dot and end in a tilde: whatever reads a whole
# directory (run-parts, cron, sudo, munin, systemd …) passes over one or the other.
beside() { # PATH NUMBER
    new=${1%/*}/.@PREFIX@-new.$2~
    old=${1%/*}/.@PREFIX@-old.$2~
}

recover() {
    rm -f "$state/applied.new" "$state/journal.new" "$state/units.new"
    [ -e "$state/journal" ] || return 0
    done_=$(sed -n '1s/^debrole-applied 1 //p' "$state/applied" 2>/dev/null)
    begun=$(sed -n '1s/^transaction //p' "$state/journal")
    if [ -n "$begun" ] && [ "$done_" = "$begun" ]; then
        say "cleaning up after an interrupted run"
        finish
    else
        say "undoing an interrupted run"
        undo || die "cannot undo the interrupted run: mend what the lines above say and run @PREFIX@-runtime apply"
    fi
}

# Backwards through the journal, whatever point it was left at. Each step may have been undone already.
undo() {
    tac "$state/journal" >"$w/undo" || return 1
    bad=
    while read -r what number op _ path kind flags a b c d _; do
        [ "$what" = act ] || continue
        beside "$path" "$number"
        if exists "$old"; then
            if [ -d "$path" ] && [ ! -L "$path" ]; then
                rmdir "$path" || bad=yes
            elif [ -d "$old" ] && [ ! -L "$old" ]; then
                rm -f "$path" || bad=yes
            fi
            mv -fT "$old" "$path" || bad=yes
        else
            case $op.$kind.$flags in
            *.*.*E*)
                # Was there: only a directory's mode and owner can have changed in place.
                case $op.$kind in
                put.dir) chown "$d" "$path" && chmod "${flags##*:}" "$path" || bad=yes ;;
                drop.dir) chown "$b:$c" "$path" && chmod "$a" "$path" || bad=yes ;;
                esac
                ;;
            put.file.*)
                if [ -f "$path" ] && [ "$(sha256sum <"$path")" = "$d  -" ]; then rm -f "$path" || bad=yes; fi
                ;;
            put.link.*)
                if [ -L "$path" ] && [ "$(readlink "$path")" = "$a" ]; then rm -f "$path" || bad=yes; fi
                ;;
            put.dir.* | put.made.*)
                rmdir "$path" 2>/dev/null || :
                ;;
            esac
        fi
        if exists "$new"; then rm -rf "$new" || bad=yes; fi
    done <"$w/undo"
    [ -z "$bad" ] || return 1
    rm -f "$state/journal"
}
