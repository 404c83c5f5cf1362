# ------------------------------------------------------------------------------------------------ verify, owner, status

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
    find_holds
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
        $1 == "put" && $6 ~ /F/ && !($4 in seen) { print "foreign: " $4 " (" $2 ")"; next }
        ($1 == "put" || $1 == "bad" || $1 == "wait") && !($4 in seen) { print "not applied: " $4 " (" $2 ")" }
        $1 == "put" && $6 ~ /W/ { print "not diverted: " $4 " (" $2 ")" }
        ($1 == "drop") && !($4 in seen) { print "not removed: " $4 " (" $2 ")" }' \
        "$w/stat" "$w/sha" "$applied" "$w/actions" "$w/left" | sort >"$w/drift"
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
    [ -z "$lost" ] || printf 'missing: %s (@PREFIX@-runtime): the record of what was applied\n' "$state/applied" >>"$w/drift"
    verify_secrets >>"$w/drift"
    verify_plugins >>"$w/drift"
    awk -v holds="$w/holds" '
        FILENAME == holds { hold[$1] = 1; next }
        { for (h in hold) if (h == "all" || $2 == h || index($2, h "/") == 1) { print "held: " $0; next }; found = 1; print }
        END { exit found }' "$w/holds" "$w/drift"
}

# What the daily timer runs: verifies, repairs where the fleet says so, and writes for whoever watches the machine
# $state/drift, a line each, replaced as a whole:
#   debrole-drift 1
#   time TIME               UTC, ISO 8601
#   found LINE              of verify, before
#   left LINE               of verify, after
record_drift() {
    lines=$(mktemp -d) || exit 2
    trap 'rm -rf "$lines"' EXIT
    /bin/sh "$self" verify >"$lines/found"
    outcome=$?
    [ "$outcome" -le 1 ] && cp "$lines/found" "$lines/left" || exit 2
    if [ "$(setting repair yes)" = yes ]; then
        /bin/sh "$self" apply
        /bin/sh "$self" verify >"$lines/left"
        outcome=$?
    fi
    begin
    settle_holds
    prune_copies
    {
        printf 'debrole-drift 1\ntime %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
        sed 's/^/found /' "$lines/found"
        sed 's/^/left /' "$lines/left"
    } | write_atomically "$state/drift" || die "cannot write $state/drift"
    cat "$lines/left"
    return "$outcome"
}

owner() { # PATH…: 1 if one of them is not ours
    [ $# -gt 0 ] || usage
    missing=
    for path; do
        awk -v path="$path" -v originals="$state/originals" '
            FNR == 1 || $2 != path { next }
            $1 == "initial" { found = 1; print path ": put there once by " $3 ", this machine\047s own since" }
            $1 ~ /^(file|link|dir|absent)$/ {
                found = 1
                what = $1 == "file" ? "a file" : $1 == "link" ? "a symlink" : $1 == "dir" ? "a directory" : "kept away"
                print path ": " what " of " $3
                if ($1 == "file") print "    mode " $5 ", owner " $6 ":" $7 ", sha256 " $8
                if ($1 == "dir") print "    mode " $5 ", owner " $6 ":" $7
                if ($4 == "diverted") { t = path; sub(/[^\/]*$/, ".@PREFIX@-diverted.&~", t); print "    what dpkg installed: " t }
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

# 1: there are marks, or a run was interrupted.
status() {
    well=yes
    set +f
    for file in "$state"/packages/*; do
        [ -e "$file" ] || continue
        applied_state "${file##*/}"
        printf '%s %s applied\n' "${file##*/}" "$version_done"
    done
    [ ! -e "$state/journal" ] || { echo "a run was interrupted: run @PREFIX@-runtime apply"; well=; }
    for file in "$state"/marks/*; do
        [ -f "$file" ] || continue
        well=
        sed "1s/^/mark (since $(date -r "$file" '+%Y-%m-%d %H:%M')) ${file##*/}: /; 2,\$s/^\([^ ]\)/mark ${file##*/}: \1/" "$file"
    done
    refresh_status
    [ -n "$in_dpkg$well" ]
}
