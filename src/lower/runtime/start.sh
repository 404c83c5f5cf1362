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
library=/usr/lib/@PREFIX@
state=/var/lib/@PREFIX@         # applied (the record), journal, originals/, units, packages/, marks/
backups=/var/backups/@PREFIX@   # copies of what was changed by somebody else, before we replace or remove it
run=/run/@PREFIX@               # lock, queue, work/ (rebuilt by every run)
w=$run/work
settings=$share/settings        # what the fleet says: "NAME VALUE" lines
validate_seconds=60             # the most that one validator may take,
setup_seconds=900               # a setup fragment, from first start to end,
teardown_seconds=300            # and a teardown fragment
lock_seconds=1200               # how long we wait for another run
hold_days=31                    # the longest hold
foreign_most=1000               # more files than that are not moved away from an exclusive directory at once
# Packages with a manifest that are neither a role nor a host; it is in $share/NAME, without the prefix.
of_fleet='@PREFIX@-agent @PREFIX@-backup @PREFIX@-backup-config @PREFIX@-munin-config @PREFIX@-nagios-config'
self=$0
newline='
'
newline_shown=$(printf '\001') # what stands for a newline in lists

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

# Lists in $w, made empty. Not by `:`, with which a shell ends at once where it cannot write (POSIX, special built-ins).
empty() { # NAME...
    for list; do
        true >"$w/$list" || die "cannot write to $w"
    done
}

# grep(1), which is content with nothing found: else it could not write.
matching() { grep "$@" || [ $? = 1 ]; }

setting() { # NAME DEFAULT
    value=$(sed -n "s/^$1 //p" "$settings" 2>/dev/null)
    printf '%s\n' "${value:-$2}"
}

exists() { [ -e "$1" ] || [ -L "$1" ]; }

systemd_runs() { [ -d /run/systemd/system ]; }

is_aside() { grep -qxF -e "$1" "$w/aside"; }

# What is not of its kind in $state (a file system was repaired, a backup was restored) would be in the way of every run.
mend_state() {
    for name_ in marks packages originals; do
        if exists "$state/$name_" && [ ! -d "$state/$name_" ]; then move_away "$state/$name_"; fi
    done
    set +f
    for file in "$state"/applied "$state"/journal "$state"/units "$state"/held "$state"/recheck "$state"/marks/* "$state"/packages/*; do
        if exists "$file" && [ ! -f "$file" ]; then move_away "$file"; fi
    done
    set -f
}

move_away() { # PATH
    rm -rf "$state/damaged/${1##*/}"
    { mkdir -p "$state/damaged" && mv -T "$1" "$state/damaged/${1##*/}"; } || die "$1 is not what it should be, and cannot be moved away"
    warn "$1 is not what it should be: it is in $state/damaged now, and what it told is worked out anew"
}

begin() {
    [ "$(id -u)" = 0 ] || { warn "this needs root"; exit 2; }
    # With dpkg --root and scripts run outside it, we would change the machine that builds, not the one being built.
    if [ -n "${DPKG_ROOT-}" ]; then
        say "nothing is applied below $DPKG_ROOT: run @PREFIX@-runtime apply on the machine itself"
        exit 0
    fi
    mend_state
    mkdir -p "$run" "$state/marks" "$state/packages" "$state/originals" || die "cannot make $state or $run"
    chmod 0700 "$run" "$state/originals" || die "cannot change the mode of $run and $state/originals: is a file system read-only?"
    true >>"$run/lock" || die "cannot open $run/lock"
    exec 9>"$run/lock"
    if ! flock -n 9; then
        say "waiting for another run of @PREFIX@-runtime"
        flock -w "$lock_seconds" 9 || die "another run of @PREFIX@-runtime has not ended in $lock_seconds seconds"
    fi
    rm -rf "$w"
    mkdir -m 0700 "$w" "$w/marks" || die "cannot make $w"
    find "$state/marks" -name '*.new' -delete || die "cannot write to $state/marks"
    empty aside accountless committed withdrawn started suspects held holds failed.setup error
}
