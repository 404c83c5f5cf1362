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
    # When a package is withdrawn, only what concerns it is news.
    if [ -n "$withdrawing" ] && ! grep -qxF -e "$1" "$w/withdrawn"; then return 0; fi
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
    for list in aside committed withdrawn started suspects held error; do
        : >"$w/$list" || die "cannot write to $w"
    done
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

# The arguments of an action by name: file MODE OWNER GROUP SHA256 SOURCE, dir MODE OWNER GROUP NOW NOW.
set_arguments() {
    # shellcheck disable=SC2086
    set -- $args
    a=${1-} b=${2-} c=${3-} d=${4-} e=${5-}
}

# Backwards through the journal, whatever point it was left at. Each step may have been undone already.
undo() {
    tac "$state/journal" >"$w/undo" || return 1
    undone=yes
    while read -r what number op _ path kind flags args; do
        [ "$what" = act ] || continue
        beside "$path" "$number"
        set_arguments
        if exists "$old"; then
            # mv -T puts a file over a file, but neither over a directory nor a directory over a file.
            if [ -d "$path" ] && [ ! -L "$path" ]; then
                rmdir "$path" || undone=
            elif [ -d "$old" ] && [ ! -L "$old" ]; then
                rm -f "$path" || undone=
            fi
            # Still two names of one file: mv would refuse a symlink, or do nothing.
            if [ "$(stat -c %d:%i -- "$old")" = "$(stat -c %d:%i -- "$path" 2>/dev/null)" ]; then
                rm -f "$old" || undone=
            else
                mv -fT "$old" "$path" || undone=
            fi
        else
            case $op.$kind.$flags in
            put.dir.*E*) chown "$e" "$path" && chmod "$d" "$path" || undone= ;;
            drop.dir.*) chown "$e" "$path" && chmod "$d" "$path" || undone= ;;
            *E*) ;; # not reached
            put.file.*) # only what we put there ourselves
                if [ -f "$path" ] && [ "$(sha256sum <"$path")" = "$d  -" ]; then rm -f "$path" || undone=; fi
                ;;
            put.link.*)
                if [ -L "$path" ] && [ "$(readlink "$path")" = "$args" ]; then rm -f "$path" || undone=; fi
                ;;
            put.dir.* | put.made.*) rmdir "$path" 2>/dev/null || : ;;
            drop.*) # an original that was put back where nothing was
                if [ ! -e "$new" ] && [ ! -L "$new" ] && same_as_original "$path"; then rm -rf "$path" || undone=; fi
                ;;
            esac
        fi
        if exists "$new"; then rm -rf "$new" || undone=; fi
    done <"$w/undo"
    [ -n "$undone" ] && rm -f "$state/journal"
}

# Only asked when a restored original is to be taken away again: what was put back at PATH is still in originals/.
same_as_original() {
    exists "$1" && exists "$state/originals$1~"
}

# After the commit: what is to be told goes into the queue, what was kept for undo goes.
finish() {
    sed -n 's/^tell //p' "$state/journal" >>"$run/queue" || return 1
    awk -v originals="$state/originals" -v prefix="@PREFIX@" '
        $1 == "act" {
            directory = $5; sub(/\/[^\/]*$/, "", directory)
            print directory "/." prefix "-new." $2 "~"
            print directory "/." prefix "-old." $2 "~"
            if ($3 == "drop") print originals $5 "~"
        }' "$state/journal" | xargs -r rm -rf || return 1
    rm -f "$state/journal"
}

# ------------------------------------------------------------------------------------------------------- looking

# look: $w/desired (what the packages want), $w/actions (what differs from the machine), $w/gaps (directories that
# are not there). Reads only.
look() {
    # Fails with 1 when a pattern matches nothing, which is no error here.
    dpkg-query -W -f '${Package} ${db:Status-Status} ${Version}\n' '@PREFIX@-role-*' '@PREFIX@-host-*' \
        >"$w/dpkg" 2>"$w/error"
    [ $? -le 1 ] || die "dpkg-query failed: $(cat "$w/error")"
    [ -e "$state/applied" ] || printf 'debrole-applied 1 none\n' >"$w/nothing"
    applied=$state/applied
    [ -e "$applied" ] || applied=$w/nothing

    # The machine's own name: /etc/hostname, completed from /etc/hosts. Never DNS: it may be what is broken.
    set +f
    set -- "$share"/roles/*/manifest "$share"/hosts/*/manifest
    set -f
    name=
    manifests=
    for manifest; do
        [ -f "$manifest" ] || continue
        manifests="$manifests $manifest"
        case $manifest in "$share"/hosts/*) [ -n "$name" ] || machine_name ;; esac
    done

    # Twice through the manifests: first to see which packages count, then to merge what those want.
    # shellcheck disable=SC2086
    awk -v dpkg="$w/dpkg" -v withdrawn="$w/withdrawn" -v applied="$applied" -v paths="$w/paths" \
        -v hosts="$share/hosts/" -v prefix="@PREFIX@" -v name="$name" -v short="${name%%.*}" "$merge" \
        "$w/dpkg" "$w/withdrawn" "$applied" $manifests pass=2 $manifests >"$w/desired" || die "cannot read the manifests"

    # One stat and one sha256sum for all. What is not there is what we look for, so errors say nothing.
    xargs -r -d "$newline" stat -c '%A %a %U %G %N' -- <"$w/paths" >"$w/stat" 2>/dev/null
    awk 'substr($1, 1, 1) == "-" { print $5 }' "$w/stat" | xargs -r -d "$newline" sha256sum -- >"$w/sha" 2>/dev/null
    awk -v desired="$w/desired" -v applied="$applied" -v stat="$w/stat" -v paths="$w/paths" -v gaps="$w/gaps" \
        -v prefix="@PREFIX@" "$compare" "$w/desired" "$applied" "$w/stat" "$w/sha" "$w/paths" >"$w/actions" ||
        die "cannot compare"
}

machine_name() {
    name=$(sed -n '/^[a-zA-Z0-9]/{p;q;}' /etc/hostname 2>/dev/null)
    [ -n "$name" ] || name=$(uname -n)
    case $name in
    *.*) ;;
    *)
        long=$(awk -v short="$name" '
            { sub(/#.*/, ""); for (i = 2; i <= NF; i++) if (index($i, short ".") == 1) { print $i; exit } }' \
            /etc/hosts 2>/dev/null)
        name=${long:-$name}
        ;;
    esac
}

# $w/desired:  package NAME active|frozen|refused VERSION DIRECTORY     (frozen: dpkg is in the middle of it)
#              file PATH PACKAGE MODE OWNER GROUP SHA256 SOURCE | link PATH PACKAGE TARGET | dir … | absent …
#              keep PATH                                      wanted by a frozen package: left as it is
#              reload|restart PATH UNIT PACKAGE | validate PACKAGE PATH COMMAND
#              unit UNIT PACKAGE STATE | own-unit UNIT PACKAGE STATE SHA256 | setup PACKAGE SHA256 DIRECTORY
#              held PACKAGE PATH                              waits for a host package that brings PATH
#              mark PACKAGE TEXT
# $w/paths:    every path that has to be looked at: those, those of the record, and the directories above
# shellcheck disable=SC2016 # awk's own $
merge='
function rest(n,  s, i) { s = $0; for (i = 0; i < n; i++) sub(/^[^ ]* /, "", s); return s }
# Versions are YYYYMMDD.N+debNN: by their numbers.
function newer(a, b,  x, y, i) {
    split(a, x, /[^0-9]+/); split(b, y, /[^0-9]+/)
    for (i = 1; i <= 3; i++) if (x[i] + 0 != y[i] + 0) return x[i] + 0 > y[i] + 0
    return 0
}
# A host overrides a role. Two roles name one path only while it moves from one to the other: the newer one counts.
function wins(a, b) {
    if (b == "") return 1
    if (rank[a] != rank[b]) return rank[a] > rank[b]
    return a != b && newer(version[a], version[b])
}
function claim(path, line) { if (wins(pkg, owner[path])) { owner[path] = pkg; entry[path] = line } }
function octal(mode) { sub(/^0+/, "", mode); return mode == "" ? "0" : mode }
function refuse(text) { state[pkg] = "refused"; print "mark " pkg " " text }
function state_of(status) {
    if (status == "" || status == "not-installed" || status == "config-files") return "gone"
    return status == "installed" || status ~ /^triggers-/ ? "active" : "frozen"
}
FILENAME == dpkg { version[$1] = $3; state[$1] = state_of($2); next }
FILENAME == withdrawn { state[$1] = "gone"; next }
FILENAME == applied { if (FNR > 1) path[$2] = 1; next }
FNR == 1 {
    dir = substr(FILENAME, 1, length(FILENAME) - length("/manifest"))
    base = dir; sub(/.*\//, "", base)
    host = index(dir, hosts) == 1
    pkg = prefix (host ? "-host-" : "-role-") base
    if (!(pkg in state)) state[pkg] = "gone"
    rank[pkg] = host
    home[pkg] = dir
    if (pass == 2 || state[pkg] != "active") next
    if ($0 != "debrole-manifest 1")
        refuse("format: its manifest is of a newer kind: upgrade " prefix "-runtime, until then nothing of it changes")
    else if (host && base != name && !(name == short && index(base, short ".") == 1))
        refuse("host: this machine is " name ", the package is for " base ": nothing of it is applied")
    next
}
pass != 2 {
    if (state[pkg] == "active" &&
        $1 !~ /^(package|file|link|dir|absent|host-bound|validate|reload|restart|unit|own-unit|setup)$/)
        refuse("format: its manifest has \"" $1 "\", unknown here: upgrade " prefix "-runtime, until then nothing of it changes")
    next
}
state[pkg] == "frozen" && $1 ~ /^(file|link|dir|absent)$/ { print "keep " $2; next }
state[pkg] != "active" { next }
$1 == "file" { claim($2, "file " $2 " " pkg " " octal($3) " " $4 " " $5 " " $6 " " dir "/files" $2) }
$1 == "link" { claim($2, "link " $2 " " pkg " " rest(2)) }
$1 == "dir" { claim($2, "dir " $2 " " pkg " " octal($3) " " $4 " " $5) }
$1 == "absent" { claim($2, "absent " $2 " " pkg) }
$1 == "host-bound" { bound[pkg " " $2] = 1 }
$1 == "validate" { print "validate " pkg " " rest(1) }
$1 == "reload" || $1 == "restart" { print $1 " " $2 " " $3 " " pkg }
$1 == "unit" {
    if (wins(pkg, unit_owner[$2])) { unit_owner[$2] = pkg; unit[$2] = "unit " $2 " " pkg " " $3; masked[$2] = $3 == "masked" }
}
$1 == "own-unit" {
    if (wins(pkg, unit_owner[$2])) { unit_owner[$2] = pkg; unit[$2] = "own-unit " $2 " " pkg " " $3 " " $4; masked[$2] = 0 }
}
$1 == "setup" { print "setup " pkg " " $2 " " dir }
END {
    # What masks a unit is a link: managed like any other, so that it goes when the package goes. Only that of the
    # package that has the say: a host may want a unit that its role masks.
    for (u in masked) if (masked[u]) {
        pkg = unit_owner[u]
        claim("/etc/systemd/system/" u, "link /etc/systemd/system/" u " " pkg " /dev/null")
    }
    for (p in state) print "package " p " " state[p] " " (p in version ? version[p] : "-") " " (p in home ? home[p] : "-")
    for (p in owner) { print entry[p]; path[p] = 1 }
    for (u in unit) print unit[u]
    for (b in bound) { split(b, f, " "); if (!(f[2] in owner)) print "held " b }
    for (p in path) {
        up = p
        while (up != "" && !(up in listed)) { listed[up] = 1; print up >paths; sub(/\/[^\/]*$/, "", up) }
    }
    printf "" >paths
}'

# $w/actions:  OPERATION PACKAGE BEFORE PATH KIND FLAGS …    BEFORE: the package that the record has for PATH, or "-"
#   put      … file MODE OWNER GROUP SHA256 SOURCE | link TARGET | dir MODE OWNER GROUP NOW NOW | absent
#   note     the same; the machine is as wanted, only the record is not
#   drop     no longer wanted: removed, or what was there before us put back
#   forget   no longer wanted, and nothing of ours is there
#   bad      … TEXT: can not be done
# FLAGS: E something is there; N it is not ours, save it as the original; L ours was changed by somebody, save a copy;
#        O an original is kept
# shellcheck disable=SC2016 # awk's own $
compare='
function rest(n,  s, i) { s = $0; for (i = 0; i < n; i++) sub(/^[^ ]* /, "", s); return s }
function same_content(kind, arg, p,  f) {
    split(arg, f, " ")
    if (kind == "file") return type[p] == "-" && sha[p] == f[4]
    if (kind == "link") return type[p] == "l" && target[p] == arg
    if (kind == "dir") return type[p] == "d"
    return type[p] == ""
}
function same(kind, arg, p,  f) {
    if (!same_content(kind, arg, p)) return 0
    split(arg, f, " ")
    return kind == "link" || kind == "absent" || (mode[p] == f[1] && user[p] == f[2] && group[p] == f[3])
}
function is_host(pkg) { return index(pkg, prefix "-host-") == 1 }
function stuck(pkg) { return state[pkg] == "frozen" || state[pkg] == "refused" }
function act(op, pkg, before, p, kind, flags, args) {
    print op " " pkg " " before " " p " " kind " " (flags == "" ? "-" : flags) (args == "" ? "" : " " args)
}
function want(p,  kind, pkg, recorded, foreign, ours, flags, args, before) {
    kind = wkind[p]; pkg = wpkg[p]; recorded = p in rkind
    if (recorded && stuck(rpkg[p]) && is_host(rpkg[p]) && !is_host(pkg)) return
    before = recorded ? rpkg[p] : "-"
    # Where something is to be absent and is there again, that is the newer original. A directory that we made for
    # what was in it is ours.
    foreign = recorded ? rkind[p] == "absent" : !((p in made) && type[p] == "d")
    ours = recorded && !foreign && same_content(rkind[p], rarg[p], p)
    flags = recorded && rorig[p] == "kept" ? "O" : ""
    if (type[p] != "") {
        flags = flags "E"
        if (foreign || (kind == "absent" && type[p] == "d")) flags = flags "N"
        else if (!ours && !same_content(kind, warg[p], p)) flags = flags "L"
    }
    args = warg[p]
    if (kind == "file") args = args " " wsource[p]
    if (kind == "dir") args = args (type[p] == "d" ? " " mode[p] " " user[p] ":" group[p] : " - -")
    if (same(kind, warg[p], p)) {
        if (!recorded || rpkg[p] != pkg || rkind[p] != kind || rarg[p] != warg[p] || rtell[p] != wtell[p])
            act("note", pkg, before, p, kind, flags, args)
        return
    }
    if ((kind == "file" || kind == "link") && type[p] == "d" && !(recorded && rkind[p] == "dir") && !(p in made))
        act("bad", pkg, before, p, kind, flags, "is a directory on this machine: move it away")
    else if ((kind == "file" || kind == "link") && type[p] != "" && type[p] !~ /[-ld]/)
        act("bad", pkg, before, p, kind, flags, "is a device, a socket or a pipe on this machine: move it away")
    else if (kind == "dir" && type[p] != "" && type[p] != "d" && !ours)
        act("bad", pkg, before, p, kind, flags, "is not a directory on this machine" \
            (type[p] == "l" ? " but a symlink to " target[p] : "") ": move it away")
    else
        act("put", pkg, before, p, kind, flags, args)
}
function unwanted(p,  kind, flags) {
    if ((p in keep) || stuck(rpkg[p])) return
    kind = rkind[p]
    flags = (rorig[p] == "kept" ? "O" : "") (type[p] != "" ? "E" : "")
    if (kind == "dir") {
        if (rorig[p] == "kept" && type[p] == "d")
            act("drop", rpkg[p], rpkg[p], p, kind, flags, "- - - " mode[p] " " user[p] ":" group[p])
        else act("forget", rpkg[p], rpkg[p], p, kind, flags, "")
    } else if (type[p] == "") {
        act(rorig[p] == "kept" ? "drop" : "forget", rpkg[p], rpkg[p], p, kind, flags, "")
    } else if (kind == "absent" || type[p] !~ /[-l]/) {
        act("forget", rpkg[p], rpkg[p], p, kind, flags, "")
    } else {
        act("drop", rpkg[p], rpkg[p], p, kind, flags (same_content(kind, rarg[p], p) ? "" : "L"), "")
    }
}
FILENAME == desired {
    if ($1 == "package") state[$2] = $3
    else if ($1 == "keep") keep[$2] = 1
    else if ($1 == "reload" || $1 == "restart") wtell[$2] = wtell[$2] $1 " " $3 ";"
    else if ($1 ~ /^(file|link|dir|absent)$/) {
        wkind[$2] = $1; wpkg[$2] = $3
        if ($1 == "file") { warg[$2] = $4 " " $5 " " $6 " " $7; wsource[$2] = rest(7) }
        else warg[$2] = NF > 3 ? rest(3) : ""
    }
    next
}
FILENAME == applied {
    if ($1 == "reload" || $1 == "restart") rtell[$2] = rtell[$2] $1 " " $3 ";"
    else if ($1 == "made") made[$2] = 1
    else if ($1 ~ /^(file|link|dir|absent)$/) {
        rkind[$2] = $1; rpkg[$2] = $3; rorig[$2] = $4; rarg[$2] = NF > 4 ? rest(4) : ""
    }
    next
}
FILENAME == stat {
    type[$5] = substr($1, 1, 1); mode[$5] = $2; user[$5] = $3; group[$5] = $4
    if (type[$5] == "l") target[$5] = rest(6)
    next
}
FILENAME == paths { if (type[$1] == "") print $1 >gaps; next }
{ sha[$2] = $1 }
END {
    printf "" >gaps
    for (p in wkind) want(p)
    for (p in rkind) if (!(p in wkind)) unwanted(p)
}'

# ------------------------------------------------------------------------------------------------------ checking

# refuse PACKAGE PATH TEXT: the package stays as it is, whole, until that is mended. Of a package that is going, only
# the one path stays: the rest goes.
refuse() {
    mark "$1" "$2: $3"
    if grep -q "^package $1 active " "$w/desired"; then set_aside "$1"; else set_aside "$2"; fi
}

# What can be known before anything is touched. Only looks at what would change.
check() {
    sed -n 's/^mark \([^ ]*\) /\1 /p' "$w/desired" >"$w/list" || die "cannot write to $w"
    while read -r pkg text; do
        mark "$pkg" "$text"
        set_aside "$pkg"
    done <"$w/list"

    grep '^held ' "$w/desired" >"$w/held"
    while read -r _ pkg path; do
        [ -n "$name" ] || machine_name
        mark "$pkg" "host: $path comes with this machine's host package, its services wait: apt-get install @PREFIX@-host-$name"
    done <"$w/held"

    [ -s "$w/actions" ] || return 0
    grep '^bad ' "$w/actions" >"$w/list"
    while read -r _ pkg _ path _ _ text; do refuse "$pkg" "$path" "$text"; done <"$w/list"
    check_accounts
    check_parents
    check_owners
}

# A user or group that is not there (yet): its package is applied once it is.
check_accounts() {
    awk '$1 == "put" && ($5 == "file" || $5 == "dir") { print "passwd " $8 " " $2 " " $4; print "group " $9 " " $2 " " $4 }' \
        "$w/actions" | grep -v ' root ' | sort -u >"$w/list"
    [ -s "$w/list" ] || return 0
    for database in passwd group; do
        # shellcheck disable=SC2046
        getent "$database" $(sed -n "s/^$database \([^ ]*\) .*/\1/p" "$w/list" | sort -u) |
            sed "s/^\([^:]*\):.*/$database \1/" || :
    done >"$w/accounts"
    while read -r database account pkg path; do
        grep -qxF -e "$database $account" "$w/accounts" && continue
        case $database in
        passwd) refuse "$pkg" "$path" "its owner is the user $account, who does not exist" ;;
        group) refuse "$pkg" "$path" "its group is $account, which does not exist" ;;
        esac
    done <"$w/list"
}

# Never write through a symlink: who made it may have meant something else by it. Debian's own (/lib → /usr/lib) are
# as good as directories.
check_parents() {
    awk '($1 == "put" || $1 == "drop") { p = $4; sub(/\/[^\/]*$/, "", p); if (p != "") print p }' "$w/actions" |
        sort -u >"$w/parents"
    [ -s "$w/parents" ] || return 0
    xargs -d "$newline" readlink -m -- <"$w/parents" >"$w/real" || die "cannot write to $w"
    paste -d ' ' "$w/parents" "$w/real" | awk '
        { d = $1; if (d ~ /^\/(bin|sbin|lib|lib32|lib64|libx32)(\/|$)/) d = "/usr" d }
        $1 != $2 && d != $2' >"$w/list"
    while read -r parent real; do
        awk -v parent="$parent" '
            ($1 == "put" || $1 == "drop") { p = $4; sub(/\/[^\/]*$/, "", p); if (p == parent) print $2, $4 }' \
            "$w/actions" >"$w/list2"
        while read -r pkg path; do
            refuse "$pkg" "$path" "$parent is a symlink on this machine (to $real): name the real path in the role, or make it a directory"
        done <"$w/list2"
    done <"$w/list"
}

# What dpkg installed belongs to its package (Debian Policy 10.7.4, for conffiles; anything else would be back with
# the next upgrade). Directories may be shared.
check_owners() {
    awk '$1 == "put" && $5 != "dir" {
            print $4
            if ($4 ~ /^\/usr\/(bin|sbin|lib)/) print substr($4, 5)
            if ($4 ~ /^\/(bin|sbin|lib)/) print "/usr" $4
        }' "$w/actions" >"$w/list"
    [ -s "$w/list" ] || return 0
    grep -rxF -f "$w/list" --include='*.list' /var/lib/dpkg/info | sed 's|^.*/\([^/:]*\)\(:[^:]*\)*\.list:|\1 |' >"$w/owned"
    [ -s "$w/owned" ] || return 0
    awk 'NR == FNR { owner[$2] = $1; next }
        $1 == "put" && $5 != "dir" {
            alias = $4 ~ /^\/usr\// ? substr($4, 5) : "/usr" $4
            if ($4 in owner) print $2, $4, owner[$4]; else if (alias in owner) print $2, $4, owner[alias]
        }' "$w/owned" "$w/actions" >"$w/list"
    while read -r pkg path owner; do
        refuse "$pkg" "$path" "belongs to the Debian package $owner, whose files are never altered: use its drop-in directory, or another path"
    done <"$w/list"
}

# ---------------------------------------------------------------------------------------------------- attempting

# $w/plan: the actions of what is neither done nor set aside, in their order, numbered; with them the directories to make.
#   act NUMBER OPERATION PACKAGE PATH KIND FLAGS …
# Removals come first (a file may become a directory), then directories, then what needs a new file beside it.
# $w/tell: the units to tell afterwards.
# shellcheck disable=SC2016 # awk's own $
accept='
FILENAME == aside || FILENAME == committed { out[$1] = 1; next }
FILENAME == withdrawn { only[$1] = 1; some = 1; next }
FILENAME == held { is_held[$2] = 1; next }
FILENAME == gaps { gap[$1] = 1; next }
FILENAME == desired {
    if ($1 == "reload" || $1 == "restart") { if (!($4 in is_held)) tell[$2] = tell[$2] $1 " " $3 "\n" }
    next
}
FILENAME == applied { if ($1 == "reload" || $1 == "restart") told[$2] = told[$2] $1 " " $3 "\n"; next }
$1 == "bad" || ($2 in out) || ($4 in out) || (some && !($3 in only)) { next }
{
    before = $3; p = $4; order = 2
    if ($1 == "drop") { order = $6 ~ /O/ ? 3 : 0; if (!order) gap[p] = 1 }
    if ($1 == "put" && $5 == "dir") { order = 1; directory[p] = 1 }
    if ($1 == "note" || $1 == "forget") order = 9
    line = $0; sub(/^[^ ]* [^ ]* [^ ]* /, "", line)
    print order " act " $1 " " $2 " " line
    if ($1 == "put") putter[p] = $2
    if (order < 9) {
        printf "%s", tell[p] >tellfile
        if (!($2 in is_held)) printf "%s", told[p] >tellfile
        if (p ~ /^\/etc\/systemd\/system\/|^\/usr\/(local\/)?lib\/systemd\/system\//) print "daemon-reload -" >tellfile
    }
}
END {
    printf "" >tellfile
    for (p in putter) {
        up = p
        while (sub(/\/[^\/]*$/, "", up) && up != "")
            if ((up in gap) && !(up in directory) && !(up in made)) {
                made[up] = 1
                print "1 act made " putter[p] " " up " made -"
            }
    }
}'

accept_actions() {
    : >"$w/tell.all"
    awk -v aside="$w/aside" -v committed="$w/committed" -v withdrawn="$w/withdrawn" -v held="$w/held" -v gaps="$w/gaps" \
        -v desired="$w/desired" -v applied="$applied" -v tellfile="$w/tell.all" "$accept" \
        "$w/aside" "$w/committed" "$w/withdrawn" "$w/held" "$w/gaps" \
        "$w/desired" "$applied" "$w/actions" >"$w/accepted" || die "cannot write to $w"
    sort -u "$w/tell.all" >"$w/tell" || die "cannot write to $w"
    # By order, then by path, so that a directory comes before what is in it.
    sort -k1,1 -k5,5 "$w/accepted" | awk '{
            sub(/^[0-9] act /, ""); sub(/^made /, "put "); print "act " NR " " $0
        }' >"$w/plan" || die "cannot write to $w"
}

# The next record: the old one with what was accepted put in.
# shellcheck disable=SC2016 # awk's own $
record='
function rest(n,  s, i) { s = $0; for (i = 0; i < n; i++) sub(/^[^ ]* /, "", s); return s }
FILENAME == plan {
    op = $3; pkg = $4; p = $5; kind = $6; touched[p] = 1; flags[p] = $7
    if (kind == "made") { made[p] = 1; next }
    if (op == "put" || op == "note") {
        arg = NF > 7 ? rest(7) : ""
        if (kind == "file") arg = $8 " " $9 " " $10 " " $11
        if (kind == "dir") arg = $8 " " $9 " " $10
        line[p] = kind " " p " " pkg " "; args[p] = arg == "" ? "" : " " arg
        original[p] = $7 ~ /[NO]/ ? "kept" : "-"
    }
    # A directory that we made stays ours to remove, once it is empty.
    if ((op == "drop" || op == "forget") && kind == "dir" && $7 !~ /O/) made[p] = 1
    next
}
FILENAME == desired {
    if (($1 == "reload" || $1 == "restart") && ($2 in line)) { say = $1 " " $2 " " $3; if (!(say in said)) { said[say] = 1; print say } }
    next
}
FNR == 1 { next }
$1 == "made" { made[$2] = 1; next }
!($2 in touched) { print }
END {
    for (p in line) print line[p] original[p] args[p]
    for (p in made) print "made " p
}'

write_record() { # TRANSACTION
    {
        printf 'debrole-applied 1 %s\n' "$1"
        awk -v plan="$w/plan" -v desired="$w/desired" "$record" "$w/plan" "$w/desired" "$applied" | sort || echo broken
    } >"$w/record" || return 1
    [ "$(tail -n 1 "$w/record")" != broken ] || return 1
    write_atomically "$state/applied" <"$w/record" || return 1
    applied=$state/applied
}

# trouble PACKAGE PATH TEXT: a step failed; with the message of the command that failed, if it had one.
trouble() {
    why=$(sed -n '$s/^[a-z]*: //p' "$w/error" 2>/dev/null)
    refuse "$1" "$2" "$3${why:+: $why}"
}

# attempt: carries out all that is not set aside, as one transaction. 1: it came to nothing, the machine is as
# before, and what was in the way has been set aside. Try again.
attempt() {
    attempts=$((attempts + 1))
    accept_actions
    [ -s "$w/plan" ] || return 0
    find_validators
    in_place=
    if [ -s "$w/commands" ]; then
        if grep -q outside "$w/scope"; then in_place=yes; else validate_in_view || in_place=yes; fi
        if [ -z "$in_place" ]; then judge || return 1; fi
    fi
    keep_originals || return 1
    transaction=$(date +%s).$$.$attempts
    {
        echo "transaction $transaction"
        grep -E '^act [0-9]+ (put|drop) ' "$w/plan"
        sed 's/^/tell /' "$w/tell"
    } >"$w/journal" || die "cannot write to $w"
    sed -n '/^act /p' "$w/journal" >"$w/journal.acts" || die "cannot write to $w"
    write_atomically "$state/journal" <"$w/journal" 2>"$w/error" || die "cannot write the journal: $(cat "$w/error")"
    : >"$w/error"
    if remove_and_make_directories && make_new_files && exchange && validated_in_place; then
        sync_directories
        if write_record "$transaction"; then
            finish || die "cannot clean up in $state"
            awk '{ print $5 }' "$w/plan" >>"$w/committed" || die "cannot write to $w"
            report
            return 0
        fi
        hopeless="cannot write the record in $state"
    fi
    undo || die "cannot undo: mend what the lines above say and run @PREFIX@-runtime apply"
    [ -z "$hopeless" ] || die "$hopeless"
    return 1
}

# What was there before us goes to originals/, what somebody changed to /var/backups. Beside the transaction: an
# original without a line in the record means nothing.
keep_originals() {
    grep -E '^act [0-9]+ [a-z]+ [^ ]+ [^ ]+ [a-z]+ [A-Z]*[NL]' "$w/plan" >"$w/list" || return 0
    now=$(date +%Y%m%dT%H%M%S)
    while read -r _ _ _ pkg path kind flags _; do
        : >"$w/error"
        case $flags in
        *N*)
            original=$state/originals$path~
            {
                rm -rf "$original" "$original.new" && mkdir -p "${original%/*}" &&
                    if [ "$kind" = dir ]; then # its mode and owner are all that we change
                        mkdir "$original.new" && chown --reference="$path" "$original.new" &&
                            chmod --reference="$path" "$original.new"
                    else
                        cp -a "$path" "$original.new"
                    fi && mv -T "$original.new" "$original"
            } 2>"$w/error" || { trouble "$pkg" "$path" "what is there now can not be saved in $state"; return 1; }
            ;;
        esac
        case $flags in
        *L*)
            copy=$backups$path.$now
            # Its directory is for root alone: what is copied may have been for few eyes.
            { mkdir -p "$backups" && chmod 0700 "$backups" && mkdir -p "${copy%/*}" && cp -a "$path" "$copy"; } 2>"$w/error" ||
                { trouble "$pkg" "$path" "what is there now can not be saved in $backups"; return 1; }
            say "$path was changed by somebody: a copy is in $copy"
            ;;
        esac
    done <"$w/list"
    find "$state/originals" -cnewer "$w/dpkg" -type f -exec sync {} + 2>/dev/null || :
}

remove_and_make_directories() {
    while read -r _ number op pkg path kind flags args; do
        set_arguments
        beside "$path" "$number"
        case $op.$kind.$flags in
        drop.*.*O*) ;;
        drop.*)
            mv -T "$path" "$old" 2>"$w/error" || { trouble "$pkg" "$path" "can not be removed"; return 1; }
            ;;
        put.made.*)
            [ -d "$path" ] || mkdir "$path" 2>"$w/error" || { trouble "$pkg" "$path" "can not be made"; return 1; }
            ;;
        put.dir.*)
            {
                { [ -d "$path" ] && [ ! -L "$path" ]; } || {
                    { ! exists "$path" || mv -T "$path" "$old"; } && mkdir -m 0700 "$path"
                } && chown "$b:$c" "$path" && chmod "$a" "$path"
            } 2>"$w/error" || { trouble "$pkg" "$path" "can not be made"; return 1; }
            ;;
        esac
    done <"$w/journal.acts"
}

# Everything that needs room is written before the first file is exchanged.
make_new_files() {
    : >"$w/new"
    : >"$w/sums"
    while read -r _ number op pkg path kind flags args; do
        set_arguments
        beside "$path" "$number"
        case $op.$kind.$flags in
        put.file.*)
            # install(1) sets the owner before the mode: a setuid file is never the wrong user's.
            install -m "$a" -o "$b" -g "$c" -- "$e" "$new" 2>"$w/error" ||
                { trouble "$pkg" "$path" "can not be written"; return 1; }
            { printf '%s\n' "$new" >>"$w/new" && printf '%s  %s\n' "$d" "$new" >>"$w/sums"; } || die "cannot write to $w"
            ;;
        put.link.*)
            rm -f "$new"
            ln -s -- "$args" "$new" 2>"$w/error" ||
                { trouble "$pkg" "$path" "can not be made"; return 1; }
            ;;
        drop.dir.*) ;;
        drop.*.*O*)
            { rm -rf "$new" && cp -a "$state/originals$path~" "$new"; } 2>"$w/error" ||
                { trouble "$pkg" "$path" "what was there before can not be put back"; return 1; }
            ;;
        esac
    done <"$w/journal.acts"
    [ -s "$w/new" ] || return 0
    xargs -d "$newline" sync -- <"$w/new" 2>"$w/error" || { trouble_any "can not be written to the disk"; return 1; }
    # A damaged payload would be put here again by every run.
    sha256sum -c --quiet "$w/sums" >"$w/sums.bad" 2>/dev/null && return 0
    damaged=$(sed -n '1s/.*-new\.\([0-9]*\)~: .*/\1/p' "$w/sums.bad")
    while read -r _ number _ pkg path _; do
        [ "$number" = "$damaged" ] || continue
        refuse "$pkg" "$path" "its payload below $share is damaged: apt-get install --reinstall $pkg"
    done <"$w/journal.acts"
    return 1
}

trouble_any() { # of nobody in particular: the first package stands for all, the next attempt is without it
    read -r _ _ _ pkg path _ <"$w/journal.acts"
    trouble "$pkg" "$path" "$1"
}

exchange() {
    while read -r _ number op pkg path kind flags _; do
        beside "$path" "$number"
        case $op.$kind.$flags in
        put.dir.* | put.made.*) ;;
        put.absent.*)
            mv -T "$path" "$old" 2>"$w/error" || { trouble "$pkg" "$path" "can not be moved away"; return 1; }
            ;;
        drop.dir.*)
            { chown --reference="$state/originals$path~" "$path" && chmod --reference="$state/originals$path~" "$path"; } \
                2>"$w/error" || { trouble "$pkg" "$path" "its owner and mode can not be put back"; return 1; }
            ;;
        put.* | drop.*.*O*)
            # A second name for what is there, so that undo is one rename; and there is no moment without the file.
            {
                if [ -d "$path" ] && [ ! -L "$path" ]; then
                    # One of ours. Directories in it may be left of what was removed from there; files are not.
                    { [ -z "$(find "$path" ! -type d ! -name '.@PREFIX@-old.*~')" ] || { echo "mv: the directory is not empty" >&2; false; }; } &&
                        mv -T "$path" "$old"
                elif [ -d "$new" ] && [ ! -L "$new" ] && exists "$path"; then
                    mv -T "$path" "$old"
                elif exists "$path"; then
                    rm -f "$old" && ln -P -- "$path" "$old"
                fi && mv -fT "$new" "$path"
            } 2>"$w/error" || { trouble "$pkg" "$path" "can not be replaced"; return 1; }
            ;;
        esac
    done <"$w/journal.acts"
}

sync_directories() {
    awk '{ d = $5; sub(/\/[^\/]*$/, "", d); print d == "" ? "/" : d }' "$w/journal.acts" | sort -u |
        while read -r directory; do [ -d "$directory" ] && printf '%s\n' "$directory"; done |
        xargs -r -d "$newline" sync -- 2>/dev/null || :
}

# What a person reads afterwards.
report() {
    awk '
        $6 == "made" || $3 == "note" || $3 == "forget" { next }
        $3 == "put" && $6 == "absent" { print "moved away " $5 " (" $4 ")"; next }
        $3 == "put" { print "installed " $5 " (" $4 ")"; next }
        { print ($7 ~ /O/ ? "put back what was at " : "removed ") $5 " (" $4 ")" }' "$w/plan" |
        while read -r line; do say "$line"; done
}

# ---------------------------------------------------------------------------------------------------- validating

# $w/commands: the validators of all packages and of all paths that the plan touches, each command once. (A host's
# file in the place of a role's has to please the role's validator.)
# $w/scope: "outside" if a file that has a validator is not in /etc, where a view can not show it.
find_validators() {
    : >"$w/commands"
    : >"$w/scope"
    [ -z "$withdrawing" ] || return 0
    awk -v plan="$w/plan" -v scope="$w/scope" '
        FILENAME == plan { if ($3 == "put" || $3 == "drop") { touched[$4] = 1; path[$5] = 1 }; next }
        $1 == "validate" && (($2 in touched) || ($3 in path)) {
            if (($3 in path) && $3 !~ /^\/etc\//) print "outside" >scope
            sub(/^[^ ]* [^ ]* [^ ]* /, "")
            if (!($0 in seen)) { seen[$0] = 1; print }
        }' "$w/plan" "$w/desired" >"$w/commands" || die "cannot write to $w"
}

# In a mount namespace of its own, where /etc is a copy with the changes in it: whatever a validator reads there is
# as it would be, and nothing takes effect. 1: no such thing is to be had here (a container, a machine short of memory).
validate_in_view() {
    mkdir -p "$run/view" || return 1
    unshare -m --propagation private -- /bin/sh "$self" view 9>&- 2>"$w/error" && return 0
    say "no private view of /etc is to be had here ($(tail -n 1 "$w/error")): installing, validating, and undoing if need be"
    return 1
}

view() { # in the namespace
    grep -E '^act [0-9]+ (put|drop) ' "$w/plan" >"$w/journal.acts" || :
    mount -t tmpfs -o mode=0700 "@PREFIX@-view" "$run/view" || exit 1
    mkdir "$run/view/etc" && cp -a /etc/. "$run/view/etc/" || exit 1
    while read -r _ _ op _ path kind flags args; do
        case $path in /etc/*) ;; *) continue ;; esac
        set_arguments
        there=$run/view$path
        case $op.$kind.$flags in
        put.made.*) mkdir -p "$there" ;;
        put.dir.*)
            { [ -d "$there" ] || rm -f "$there"; } && mkdir -p "$there" && chown "$b:$c" "$there" && chmod "$a" "$there"
            ;;
        put.file.*) rm -rf "$there" && install -m "$a" -o "$b" -g "$c" -- "$e" "$there" ;;
        put.link.*) rm -rf "$there" && ln -s -- "$args" "$there" ;;
        put.absent.*) rm -rf "$there" ;;
        drop.dir.*) ;;
        drop.*.*O*) rm -rf "$there" && cp -a "$state/originals$path~" "$there" ;;
        drop.*) rm -f "$there" ;;
        esac || exit 1
    done <"$w/journal.acts"
    mount --bind "$run/view/etc" /etc || exit 1
    run_validators
    exit 0
}

run_validators() {
    : >"$w/failed" || exit 1
    n=0
    while IFS= read -r command; do
        n=$((n + 1))
        timeout -k 5 "$validate_seconds" env -i -C / PATH="$PATH" HOME=/root LC_ALL=C.UTF-8 sh -c "$command" \
            </dev/null >"$w/log.$n" 2>&1 9>&-
        status=$?
        [ "$status" = 0 ] || printf '%s %s\n' "$n" "$status" >>"$w/failed" || exit 1
    done <"$w/commands"
}

# Who failed? Every package of the plan whose validator did is set aside.
judge() {
    [ -s "$w/failed" ] || return 0
    while read -r n status; do
        command=$(sed -n "${n}p" "$w/commands")
        printf '%s\n' "$command" >"$w/command"
        awk -v plan="$w/plan" -v file="$w/command" '
            FILENAME == file { command = $0; next }
            FILENAME == plan { if ($3 == "put" || $3 == "drop") { touched[$4] = 1; changer[$5] = $4 }; next }
            function blame(pkg) { if (!(pkg in seen)) { seen[pkg] = 1; print pkg } }
            $1 == "validate" {
                pkg = $2; path = $3; sub(/^[^ ]* [^ ]* [^ ]* /, "")
                if ($0 != command) next
                if (pkg in touched) blame(pkg)
                if (path in changer) blame(changer[path])
            }' "$w/command" "$w/plan" "$w/desired" >"$w/list"
        case $status in
        124 | 137) why="did not end within $validate_seconds seconds" ;;
        127) why="is not there" ;;
        *) why="failed (status $status)" ;;
        esac
        while read -r pkg; do
            mark "$pkg" "validate: \"$command\" $why: nothing of this package was changed" "$w/log.$n"
            set_aside "$pkg"
            printf '%s\n' "$pkg" >>"$w/suspects"
        done <"$w/list"
    done <"$w/failed"
    return 1
}

validated_in_place() {
    [ -n "$in_place" ] || return 0
    run_validators
    judge
}

# ------------------------------------------------------------------------------------------------------ settling

helper() { # deb-systemd-helper(1) wants to be called by a maintainer script
    DPKG_MAINTSCRIPT_PACKAGE=@PREFIX@-runtime DPKG_MAINTSCRIPT_NAME=postinst deb-systemd-helper "$@" >/dev/null 9>&-
}

# invoke ACTION UNIT [again]: through deb-systemd-invoke(1), which asks policy-rc.d. Nothing where systemd does not run.
# What will be tried again leaves no mark when it fails.
invoke() {
    systemd_runs || return 0
    [ -z "$reload_needed" ] || daemon_reload
    if timeout 300 deb-systemd-invoke "$1" "$2" </dev/null >"$w/log.unit" 2>&1 9>&-; then
        if [ -s "$w/log.unit" ]; then sed 's/^/    /' "$w/log.unit"; else say "$1 $2"; fi
        return 0
    fi
    [ -n "${3-}" ] || mark "@PREFIX@-runtime" "unit: $1 of $2 failed: see systemctl status $2" "$w/log.unit"
    return 1
}

daemon_reload() {
    reload_needed=
    [ ! -e "$run/queue" ] || sed -i '/^daemon-reload/d' "$run/queue" || die "cannot write $run/queue"
    systemd_runs || return 0
    timeout 120 systemctl --system daemon-reload </dev/null >"$w/log.unit" 2>&1 9>&- ||
        mark "@PREFIX@-runtime" "unit: systemctl daemon-reload failed" "$w/log.unit"
}

active() { systemd_runs && systemctl --quiet is-active -- "$1" </dev/null 2>/dev/null; }

# enabled, disabled, static, masked, … or not-found; also where there is no systemd, from the links alone.
unit_state() {
    if [ -x /usr/bin/systemctl ] || [ -x /bin/systemctl ]; then
        unit_is=$(systemctl is-enabled -- "$1" 2>/dev/null)
        unit_is=${unit_is:-not-found}
    elif [ -L "/etc/systemd/system/$1" ] && [ "$(readlink "/etc/systemd/system/$1")" = /dev/null ]; then
        unit_is=masked
    elif [ -f "/etc/systemd/system/$1" ] || [ -f "/usr/lib/systemd/system/$1" ] || [ -f "/lib/systemd/system/$1" ]; then
        if helper --quiet is-enabled "$1"; then unit_is=enabled; else unit_is=disabled; fi
    else
        unit_is=not-found
    fi
}

# deb-systemd-helper first, so that its state fits and the unit's own package keeps to it when it is upgraded
# ("enable" alone would not enable again what was once disabled); then systemctl for what that does not know:
# instances of templates, units made from /etc/init.d, links that somebody made by hand.
enable_unit() {
    _DEB_SYSTEMD_HELPER_PURGE=1 helper --quiet reenable "$1" 2>/dev/null || :
    unit_state "$1"
    [ "$unit_is" != disabled ] || systemctl --quiet --no-reload enable -- "$1" </dev/null 2>/dev/null 9>&- || :
    reload_needed=yes
}

disable_unit() {
    helper --quiet disable "$1" 2>/dev/null || :
    unit_state "$1"
    case $unit_is in
    enabled*) systemctl --quiet --no-reload disable -- "$1" </dev/null 2>/dev/null 9>&- || : ;;
    esac
    reload_needed=yes
}

start_unit() {
    active "$1" && return 0
    printf '%s\n' "$1" >>"$w/started" # what starts now has read its files: no reload on top
    invoke start "$1" || :
}

stop_unit() { if active "$1"; then invoke stop "$1" || :; fi; }

# $state/units: units that we changed, a line each, written before the change:
#   unit UNIT PACKAGE STATE BEFORE ACTIVE        BEFORE: what unit_state said; ACTIVE: active, inactive, or - (unknown)
#   own-unit UNIT PACKAGE STATE SHA256
keep_unit() { # UNIT [LINE]: without LINE it is forgotten
    {
        [ ! -e "$state/units" ] || awk -v unit="$1" '$2 != unit' "$state/units"
        [ -z "${2-}" ] || printf '%s\n' "$2"
    } | write_atomically "$state/units" || die "cannot write $state/units"
}

settle_units() {
    [ -e "$state/units" ] || : >"$state/units" || die "cannot write $state/units"
    awk -v aside="$w/aside" -v held="$w/held" -v desired="$w/desired" -v withdrawn="$w/withdrawn" '
        FILENAME == aside { out[$1] = 1; next }
        FILENAME == held { out[$2] = 1; next }
        FILENAME == withdrawn { only[$1] = 1; some = 1; next }
        FILENAME == desired {
            if ($1 == "package" && $3 != "active" && $3 != "gone") out[$2] = 1
            if ($1 == "unit" || $1 == "own-unit") { owner[$2] = $3; want[$2] = $0 }
            next
        }
        { had[$2] = $0; haver[$2] = $3 }
        END {
            for (u in had) if (!(u in want) && !(haver[u] in out) && (!some || (haver[u] in only))) print "undo " had[u]
            for (u in want) if (!(owner[u] in out) && !some) print "want " want[u] " was " (u in had ? had[u] : "- - - - -")
        }' "$w/aside" "$w/held" "$w/withdrawn" "$w/desired" "$state/units" | sort >"$w/units" || die "cannot write to $w"
    [ -s "$w/units" ] || return 0
    # Whatever starts now is to start with its new drop-ins.
    if grep -q '^daemon-reload' "$run/queue" 2>/dev/null; then reload_needed=yes; fi
    # "undo" sorts before "want".
    while read -r what kind unit pkg wanted f1 f2 f3 f4 f5 f6 f7 f8; do
        case $what.$kind in
        undo.unit) undo_unit "$unit" "$wanted" "$f1" "$f2" ;;
        undo.own-unit)
            stop_unit "$unit"
            helper --quiet purge "$unit" 2>/dev/null || :
            reload_needed=yes
            keep_unit "$unit"
            ;;
        want.unit) # was KIND UNIT PACKAGE STATE BEFORE ACTIVE
            want_unit "$unit" "$pkg" "$wanted" "$f2" "$f5" "$f6" "$f7"
            ;;
        want.own-unit) # SHA256 was KIND UNIT PACKAGE STATE SHA256
            want_own_unit "$unit" "$pkg" "$wanted" "$f1" "$f3" "$f6" "$f7"
            ;;
        esac
        : "$f4" "$f8"
    done <"$w/units"
}

undo_unit() { # UNIT STATE BEFORE ACTIVE
    unit_state "$1"
    case $3.$unit_is in
    disabled.enabled*)
        disable_unit "$1"
        # What deb-systemd-helper remembers goes too, unless the unit's own package looks after that.
        grep -qsF -e "$1" /var/lib/dpkg/info/*.postrm || helper --quiet purge "$1" 2>/dev/null || :
        ;;
    enabled*.disabled) enable_unit "$1" ;;
    esac
    unit_state "$1"
    case $2.$unit_is.$4 in
    *.not-found.* | *.masked.*) ;;
    enabled.*.inactive | enabled.disabled.-) stop_unit "$1" ;;
    disabled.*.active | disabled.enabled*.- | masked.*.active | masked.enabled*.-) start_unit "$1" ;;
    esac
    keep_unit "$1"
}

want_unit() { # UNIT PACKAGE STATE KIND STATE-BEFORE BEFORE ACTIVE (the last four from our record, or "-")
    before=$6
    was_active=$7
    unit_state "$1"
    if [ "$4" != unit ]; then
        if [ "$unit_is" = not-found ]; then
            # A masked unit need not exist: its link is there, and that is all there is to it.
            [ "$3" = masked ] || mark "$2" "unit: $1 is not on this machine: is its package installed?"
            return 0
        fi
        before=$unit_is
        [ "$3" != masked ] || before=- # its link is there already, and hides what it was
        was_active=-
        if systemd_runs; then if active "$1"; then was_active=active; else was_active=inactive; fi; fi
        keep_unit "$1" "unit $1 $2 $3 $before $was_active"
    elif [ "$5" != "$3" ]; then
        keep_unit "$1" "unit $1 $2 $3 $before $was_active"
    fi
    changed=
    [ "$5" = "$3" ] || changed=yes
    case $3.$unit_is in
    enabled.disabled)
        enable_unit "$1"
        say "enabled $1 ($2)"
        changed=yes
        ;;
    enabled.masked* | enabled.not-found)
        mark "$2" "unit: $1 is $unit_is on this machine: it can not be enabled"
        return 0
        ;;
    disabled.enabled*)
        disable_unit "$1"
        say "disabled $1 ($2)"
        changed=yes
        ;;
    esac
    [ -n "$changed" ] || return 0
    case $3 in
    enabled) start_unit "$1" ;;
    *) stop_unit "$1" ;;
    esac
}

want_own_unit() { # UNIT PACKAGE STATE SHA256 KIND STATE-BEFORE SHA256-BEFORE
    if [ "$5" = own-unit ] && [ "$6" = "$3" ] && [ "$7" = "$4" ]; then
        [ "$3" = enabled ] || return 0
        unit_state "$1"
        [ "$unit_is" = disabled ] || return 0
    fi
    reload_needed=yes
    keep_unit "$1" "own-unit $1 $2 $3 $4"
    if [ "$3" = enabled ]; then
        enable_unit "$1"
        # First seen, or disabled until now: it starts. Else only a change of its text counts, below.
        if [ "$5" != own-unit ] || [ "$6" != enabled ] || [ "$7" = "$4" ]; then
            start_unit "$1"
            return 0
        fi
    elif [ "$6" = enabled ]; then
        disable_unit "$1"
    fi
    if [ "$5" = own-unit ] && [ "$7" != "$4" ]; then printf 'restart %s\n' "$1" >>"$run/queue"; fi
}

# $state/packages/NAME: "version V" and "setup HASH", what was applied of a package last.
settle_packages() {
    grep '^package [^ ]* active' "$w/desired" >"$w/list"
    while read -r _ pkg _ version _; do
        if is_aside "$pkg"; then continue; fi
        applied_state "$pkg"
        setup_run=$setup_done
        setup_wanted=$(sed -n "s/^setup $pkg //p" "$w/desired")
        if [ -n "$setup_wanted" ] && [ "${setup_wanted%% *}" != "$setup_done" ] && ! grep -q "^held $pkg " "$w/held"; then
            say "running the setup of $pkg"
            if fragment "$setup_seconds" "${setup_wanted#* }/setup"; then
                setup_run=${setup_wanted%% *}
            else
                mark "$pkg" "setup: failed (status $fragment_status), it is run again by the next apply" "$w/log.fragment"
            fi
        elif [ -z "$setup_wanted" ]; then
            setup_run=-
        fi
        if [ "$version_done.$setup_done" != "$version.$setup_run" ]; then
            printf 'version %s\nsetup %s\n' "$version" "$setup_run" | write_atomically "$state/packages/$pkg" ||
                die "cannot write $state/packages/$pkg"
        fi
    done <"$w/list"
}

applied_state() { # PACKAGE
    version_done=- setup_done=-
    [ -e "$state/packages/$1" ] || return 0
    { read -r _ version_done && read -r _ setup_done; } <"$state/packages/$1" || setup_done=-
}

fragment() { # SECONDS FILE
    timeout -k 10 "$1" env -C / DEBIAN_FRONTEND=noninteractive "$2" </dev/null >"$w/log.fragment" 2>&1 9>&-
    fragment_status=$?
    return "$fragment_status"
}

# Roles whose host package has come: what was held back for them is told now.
settle_held() {
    sed -n 's/^held \([^ ]*\) .*/\1/p' "$w/desired" | sort -u >"$w/held.now" || die "cannot write to $w"
    if [ -s "$state/held" ]; then
        awk -v now="$w/held.now" -v before="$state/held" '
            FILENAME == now { held[$1] = 1; next }
            FILENAME == before { if (!($1 in held)) freed[$1] = 1; next }
            ($1 == "reload" || $1 == "restart") && ($4 in freed) { print $1, $3 }' \
            "$w/held.now" "$state/held" "$w/desired" >>"$run/queue" || die "cannot write $run/queue"
    fi
    if [ -s "$w/held.now" ] || [ -s "$state/held" ]; then write_atomically "$state/held" <"$w/held.now"; fi
}

# The queue: each unit once, a restart instead of a reload where both were asked for. It outlives a killed run; not a
# reboot, after which everything has read its files anyway.
run_queue() {
    [ -z "$reload_needed" ] || daemon_reload
    [ -s "$run/queue" ] || return 0
    : >"$w/again"
    if systemd_runs; then
        ! grep -q '^daemon-reload' "$run/queue" || daemon_reload
        awk -v started="$w/started" '
            FILENAME == started { done[$1] = 1; next }
            $1 == "restart" || $1 == "reload" { if (!($2 in todo) || $1 == "restart") todo[$2] = $1 }
            END { for (u in todo) if (!(u in done)) print todo[u], u }' "$w/started" "$run/queue" | sort >"$w/todo"
        # Twice: one may have failed because another one, later in the list, still held what it wants (a port).
        tell_units again
        if ! cp "$w/again" "$w/todo" || ! : >"$w/again"; then die "cannot write to $w"; fi
        tell_units
    fi
    cat "$w/again" >"$run/queue" || die "cannot write $run/queue"
}

tell_units() { # [again]
    while read -r action unit; do
        case $(systemctl is-active -- "$unit" </dev/null 2>/dev/null) in
        active | reloading)
            if [ "$action" = reload ] && [ "$(systemctl show -p CanReload --value -- "$unit" </dev/null)" = no ]; then
                action=restart
            fi
            ;;
        failed) action=restart ;; # it may have failed for want of just this change
        *) continue ;;            # it does not run: it will read its files when it starts
        esac
        invoke "$action" "$unit" "${1-}" || printf '%s %s\n' "$action" "$unit" >>"$w/again"
    done <"$w/todo"
}

# Directories that we made and that nobody needs any more go when they are empty.
settle_directories() {
    [ -e "$state/applied" ] || return 0
    awk '$1 == "made" { made[$2] = 1; next }
        $1 ~ /^(file|link|dir|absent)$/ { p = $2; if ($1 == "dir") needed[p] = 1; while (sub(/\/[^\/]*$/, "", p) && p != "") needed[p] = 1 }
        END { for (p in made) if (!(p in needed)) print p }' "$state/applied" | sort -r >"$w/unneeded"
    [ -s "$w/unneeded" ] || return 0
    : >"$w/unmade"
    while read -r directory; do
        if [ -d "$directory" ] && [ ! -L "$directory" ]; then
            # By now it may be a Debian package's, too.
            if ! grep -rqxF -e "$directory" --include='*.list' /var/lib/dpkg/info; then
                rmdir "$directory" 2>/dev/null || continue
            fi
        fi
        printf 'made %s\n' "$directory" >>"$w/unmade"
    done <"$w/unneeded"
    [ -s "$w/unmade" ] || return 0
    grep -vxF -f "$w/unmade" "$state/applied" | write_atomically "$state/applied" || die "cannot write the record"
}

settle_marks() {
    set +f
    set -- "$state"/marks/*
    set -f
    for old; do
        pkg=${old##*/}
        if [ -e "$old" ] && [ ! -e "$w/marks/$pkg" ]; then
            rm -f "$old"
            say "$pkg is well: its mark is gone"
        fi
    done
    set +f
    set -- "$w"/marks/*
    set -f
    for new; do
        [ -e "$new" ] || continue
        # The same mark keeps its file, whose time says since when.
        cmp -s "$new" "$state/marks/${new##*/}" || write_atomically "$state/marks/${new##*/}" <"$new" ||
            warn "cannot write $state/marks/${new##*/}"
    done
}

# --------------------------------------------------------------------------------------------------------- verbs

attempt_all() {
    until attempt; do # every failure sets at least one package or path aside
        [ "$attempts" -lt 10000 ] || die "gave up after $attempts attempts"
    done
    # With several packages under suspicion most may be innocent: a validator sees the files of all. Each once more.
    sort -u "$w/suspects" >"$w/suspects.once" 2>/dev/null || return 0
    [ "$(wc -l <"$w/suspects.once")" -gt 1 ] || return 0
    while read -r suspect; do
        grep -vxF -e "$suspect" "$w/aside" >"$w/aside.new"
        { mv "$w/aside.new" "$w/aside" && mv "$w/marks/$suspect" "$w/mark.before"; } || die "cannot write to $w"
        attempt || is_aside "$suspect" || set_aside "$suspect"
    done <"$w/suspects.once"
}

apply() {
    begin
    recover
    look
    check
    [ ! -s "$w/actions" ] || attempt_all
    settle_held
    settle_packages
    settle_units
    run_queue
    settle_directories
    settle_marks
    if [ -n "$in_dpkg" ]; then return 0; fi
    set +f
    set -- "$w"/marks/*
    [ ! -e "$1" ] || return 1
    [ "$attempts" -gt 0 ] || say "nothing to do"
}

# withdraw PACKAGE…|--all: takes back what they put here. Called while the package is still there, by its prerm.
withdraw() {
    begin
    recover
    withdrawing=yes
    all=
    if [ "${1-}" = --all ]; then
        all=yes
        {
            ls "$state/packages"
            awk 'FNR > 1 && $1 ~ /^(file|link|dir|absent)$/ { print $3 }' "$state/applied" 2>/dev/null
            awk '{ print $3 }' "$state/units" 2>/dev/null
        } | sort -u >"$w/withdrawn"
    else
        printf '%s\n' "$@" >"$w/withdrawn" || die "cannot write to $w"
    fi
    while read -r pkg; do
        [ -e "$state/packages/$pkg" ] || continue # nothing was ever applied of it
        case $pkg in
        @PREFIX@-role-*) teardown=$share/roles/${pkg#@PREFIX@-role-}/teardown ;;
        *) teardown=$share/hosts/${pkg#@PREFIX@-host-}/teardown ;;
        esac
        [ -x "$teardown" ] || continue
        say "running the teardown of $pkg"
        fragment "$teardown_seconds" "$teardown" || {
            warn "the teardown of $pkg failed (status $fragment_status)"
            sed 's/^/    /' "$w/log.fragment" >&2
        }
    done <"$w/withdrawn"
    look
    check
    [ ! -s "$w/actions" ] || attempt_all
    settle_units
    settle_directories
    while read -r pkg; do
        rm -f "$state/packages/$pkg"
        if [ -e "$w/marks/$pkg" ]; then
            write_atomically "$state/marks/$pkg" <"$w/marks/$pkg"
        else
            rm -f "$state/marks/$pkg"
        fi
    done <"$w/withdrawn"
    # Within a dpkg run that goes on with us in it, services are told once, at its end. Else now.
    if [ -n "$in_dpkg" ] && [ -z "$all" ] && dpkg-trigger --no-await @PREFIX@-apply 2>/dev/null; then
        daemon_reload_if_needed
    else
        run_queue
    fi
    if [ -n "$all" ] && ! grep -qE '^(file|link|dir|absent) ' "$state/applied" 2>/dev/null; then
        rm -rf "$state/applied" "$state/originals" "$state/units" "$state/held" "$state/marks" "$state/packages"
    fi
    return 0
}

daemon_reload_if_needed() { [ -z "$reload_needed" ] || daemon_reload; }

# verify: is the machine still as we left it? Changes nothing. 1: it is not.
verify() {
    [ "$(id -u)" = 0 ] || { warn "this needs root: not everybody may read what is managed"; exit 2; }
    if [ -e "$run/lock" ]; then
        exec 9<"$run/lock"
        flock -s -w "$lock_seconds" 9 || { warn "a run of @PREFIX@-runtime has not ended in $lock_seconds seconds"; exit 2; }
    fi
    w=$(mktemp -d) || exit 2
    trap 'rm -rf "$w"' EXIT
    : >"$w/withdrawn"
    [ ! -e "$state/journal" ] || say "a run was interrupted: run @PREFIX@-runtime apply"
    look
    awk -v applied="$applied" -v stat="$w/stat" -v sums="$w/sha" '
        function rest(n,  s, i) { s = $0; for (i = 0; i < n; i++) sub(/^[^ ]* /, "", s); return s }
        FILENAME == stat {
            type[$5] = substr($1, 1, 1); mode[$5] = $2; owner[$5] = $3 ":" $4; if (type[$5] == "l") target[$5] = rest(6)
            next
        }
        FILENAME == sums { sha[$2] = $1; next }
        FILENAME == applied {
            if ($1 !~ /^(file|link|dir|absent)$/) next
            p = $2; seen[p] = 1; of = " (" $3 ")"
            if ($1 == "absent") { if (type[p] != "") print "appeared: " p of; next }
            if (type[p] == "") { print "missing: " p of; next }
            if (type[p] != ($1 == "file" ? "-" : $1 == "link" ? "l" : "d")) { print "replaced: " p of; next }
            if ($1 == "link") { if (target[p] != rest(4)) print "changed: " p of ": points to " target[p]; next }
            if ($1 == "file" && sha[p] != $8) print "changed: " p of
            if (mode[p] != $5) print "mode: " p of ": is " mode[p] ", was " $5
            if (owner[p] != $6 ":" $7) print "owner: " p of ": is " owner[p] ", was " $6 ":" $7
            next
        }
        ($1 == "put" || $1 == "bad") && !($4 in seen) { print "not applied: " $4 " (" $2 ")" }
        ($1 == "drop") && !($4 in seen) { print "not removed: " $4 " (" $2 ")" }' \
        "$w/stat" "$w/sha" "$applied" "$w/actions" | sort >"$w/drift"
    if [ -e "$state/units" ]; then
        while read -r kind unit pkg wanted _; do
            unit_state "$unit"
            case $wanted.$unit_is in
            enabled.disabled | enabled.masked* | enabled.not-found | disabled.enabled* | masked.enabled* | masked.disabled)
                printf 'unit: %s (%s): is %s, was %s\n' "$unit" "$pkg" "$unit_is" "$wanted"
                ;;
            esac
            : "$kind"
        done <"$state/units" >>"$w/drift"
    fi
    cat "$w/drift"
    [ ! -s "$w/drift" ]
}

owner() { # PATH…: 1 if one of them is not ours
    [ $# -gt 0 ] || usage
    missing=
    for path; do
        awk -v path="$path" -v originals="$state/originals" '
            FNR == 1 || $2 != path { next }
            $1 ~ /^(file|link|dir|absent)$/ {
                found = 1
                what = $1 == "file" ? "a file" : $1 == "link" ? "a symlink" : $1 == "dir" ? "a directory" : "kept away"
                print path ": " what " of " $3
                if ($1 == "file") print "    mode " $5 ", owner " $6 ":" $7 ", sha256 " $8
                if ($1 == "dir") print "    mode " $5 ", owner " $6 ":" $7
                if ($4 == "kept") print "    what was there before: " originals path "~"
            }
            $1 == "made" { found = 1; print path ": a directory made for what is in it" }
            $1 == "reload" || $1 == "restart" { print "    " $1 " " $3 " when it changes" }
            END { exit !found }' "$state/applied" 2>/dev/null || {
            printf '%s: not managed\n' "$path"
            missing=yes
        }
    done
    [ -z "$missing" ]
}

status() {
    set +f
    for file in "$state"/packages/*; do
        [ -e "$file" ] || continue
        applied_state "${file##*/}"
        printf '%s %s applied\n' "${file##*/}" "$version_done"
    done
    [ ! -e "$state/journal" ] || echo "a run was interrupted: run @PREFIX@-runtime apply"
    for file in "$state"/marks/*; do
        [ -e "$file" ] || continue
        sed "1s/^/mark (since $(date -r "$file" '+%Y-%m-%d %H:%M')) ${file##*/}: /; 2,\$s/^\([^ ]\)/mark ${file##*/}: \1/" "$file"
    done
}

usage() {
    cat >&2 <<END
Usage: @PREFIX@-runtime apply                     make this machine what its packages say
       @PREFIX@-runtime withdraw PACKAGE...|--all  take back what they put here
       @PREFIX@-runtime verify                    what has changed since; exit status 1 if anything
       @PREFIX@-runtime owner PATH...             which package manages a path
       @PREFIX@-runtime status                    what is applied, and the marks
END
    exit 2
}

attempts=0
in_place=
withdrawing=
reload_needed=
hopeless=
name=
set -f # no path of ours has a character that a shell would expand; nothing else is to be
verb=${1-}
[ $# -eq 0 ] || shift
case $verb in
apply) [ $# -eq 0 ] || usage; apply ;;
withdraw) [ $# -gt 0 ] || usage; withdraw "$@" ;;
verify) verify ;;
owner) owner "$@" ;;
status) status ;;
view) view ;; # by ourselves, in a mount namespace
-h | --help) (usage) 2>&1 || exit 0 ;;
*) usage ;;
esac
