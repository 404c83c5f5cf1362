# ------------------------------------------------------------------------------------------------ verify, owner, status

# verify [json]: is the machine still as we left it? Changes nothing. 1: it is not.
verify() {
    [ "$(id -u)" = 0 ] || { warn "this needs root: not everybody may read what is managed"; exit 2; }
    if [ -e "$run/lock" ]; then
        exec 9<"$run/lock"
        flock -s -w "$lock_seconds" 9 || { warn "a run of @PREFIX@-runtime has not ended in $lock_seconds seconds"; exit 2; }
    fi
    w=$(mktemp -d) || exit 2
    trap 'rm -rf "$w"' EXIT
    true >"$w/withdrawn" || die "cannot write to $w"
    if [ -e "$state/journal" ]; then
        interrupted="a run was interrupted: run @PREFIX@-runtime apply"
        if [ "${1-}" = json ]; then warn "$interrupted"; else say "$interrupted"; fi
    fi
    find_holds
    look
    {
        awk -v applied="$applied" -v stat="$w/stat" -v sums="$w/sha" '
            function rest(n,  s, i) { s = $0; for (i = 0; i < n; i++) sub(/^[^ ]* /, "", s); return s }
            function finding(kind, path, pkg, was, is) { print kind "\t" path "\t" pkg "\t" was "\t" is }
            FILENAME == stat {
                type[$5] = substr($1, 1, 1); mode[$5] = $2; owner[$5] = $3 ":" $4; if (type[$5] == "l") target[$5] = rest(6)
                next
            }
            FILENAME == sums { sha[$2] = $1; next }
            FILENAME == applied {
                if ($1 !~ /^(file|link|dir|absent)$/) next
                p = $2; seen[p] = 1; pkg = $3
                if ($1 == "absent") { if (type[p] != "") finding("appeared", p, pkg); next }
                if (type[p] == "") { finding("missing", p, pkg); next }
                if (type[p] != ($1 == "file" ? "-" : $1 == "link" ? "l" : "d")) { finding("replaced", p, pkg); next }
                if ($1 == "link") { if (target[p] != rest(4)) finding("changed", p, pkg, rest(4), target[p]); next }
                if ($1 == "file" && sha[p] != $8) finding("changed", p, pkg)
                if (mode[p] != $5) finding("mode", p, pkg, $5, mode[p])
                if (owner[p] != $6 ":" $7) finding("owner", p, pkg, $6 ":" $7, owner[p])
                next
            }
            $1 == "put" && $6 ~ /F/ && !($4 in seen) { finding("foreign", $4, $2); next }
            ($1 == "put" || $1 == "bad" || $1 == "wait") && !($4 in seen) { finding("not applied", $4, $2) }
            $1 == "put" && $6 ~ /W/ { finding("not diverted", $4, $2) }
            ($1 == "drop") && !($4 in seen) { finding("not removed", $4, $2) }' \
            "$w/stat" "$w/sha" "$applied" "$w/actions" "$w/left" | sort
        if [ -e "$state/units" ]; then
            while read -r kind unit pkg wanted _; do
                unit_state "$unit"
                case $wanted.$unit_is in
                enabled.disabled | enabled.masked* | enabled.not-found | disabled.enabled* | masked.enabled* | masked.disabled)
                    finding unit "$unit" "$pkg" "$wanted" "$unit_is"
                    ;;
                esac
                : "$kind"
            done <"$state/units"
        fi
        awk '$1 == "crowd" { print "foreign\t" $3 "\t" $2 "\tnone\t" $4 " files" }' "$w/desired" | sort
        # Their names, which can have tabs, stand last.
        awk '{ pkg = $1; sub(/^[^ ]* /, ""); print "foreign\t\t" pkg "\t\t" $0 }' "$w/blanks" | sort
        [ -z "$lost" ] || finding missing "$state/applied" @PREFIX@-runtime
        verify_secrets
        verify_plugins
    } >"$w/drift"
    tell_drift "${1:-text}"
}

# finding KIND PATH|UNIT PACKAGE [WAS IS]: a line of $w/drift. What a symlink points to can have any character but a line's
# end here, so it comes last. Without PATH it is IS, which can have them, too.
finding() { printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "${4-}" "${5-}"; }

# tell_drift text|json: 1 if anything differs that is not held. As JSON, an object a line; what is not UTF-8 in a name or in
# what a symlink points to is U+FFFD. As text, a line each: a name with a blank or a control character in it is written as in JSON, and so
# is what a symlink points to where it has a control character.
tell_drift() {
    awk -v form="$1" -v holds="$w/holds" -v record="$state/applied" '
        BEGIN {
            FS = "\t"
            for (i = 1; i < 256; i++) byte[sprintf("%c", i)] = i
        }
        # RFC 8259, section 7, in bytes (LC_ALL=C); which sequences are UTF-8: RFC 3629, section 4.
        function json(s,  out, i, c, n, more, first, second) {
            out = ""
            for (i = 1; i <= length(s); i++) {
                c = substr(s, i, 1)
                n = byte[c]
                if (n == 1) n = 10 # a newline, in our lists
                if (c == "\\" || c == "\"") { out = out "\\" c; continue }
                if (n < 32 || n == 127) { out = out sprintf("\\u%04x", n); continue }
                if (n < 128) { out = out c; continue }
                more = n < 194 ? 0 : n < 224 ? 1 : n < 240 ? 2 : n < 245 ? 3 : 0
                second = byte[substr(s, i + 1, 1)]
                first = n == 224 ? 160 : n == 240 ? 144 : 128
                if (!more || second < first || second > (n == 237 ? 159 : n == 244 ? 143 : 191) ||
                    (more > 1 && !continues(s, i + 2)) || (more > 2 && !continues(s, i + 3))) { out = out "\357\277\275"; continue }
                out = out substr(s, i, more + 1)
                i += more
            }
            return "\"" out "\""
        }
        function continues(s, i,  n) { n = byte[substr(s, i, 1)]; return n >= 128 && n < 192 }
        FILENAME == holds { split($0, words, " "); hold[words[1]] = 1; next }
        {
            was = $4
            is = $0
            for (i = 0; i < 4; i++) sub(/^[^\t]*\t/, "", is)
            path = $2
            if (path == "") path = is
            held = 0
            for (h in hold) if (h == "all" || path == h || index(path, h "/") == 1) held = 1
            if (!held) found = 1
            if (form == "json") {
                line = "{\"kind\":" json($1) "," ($1 == "unit" ? "\"unit\":" : "\"path\":") json(path) ",\"package\":" json($3)
                if (was != "") line = line ",\"is\":" json(is) ",\"was\":" json(was)
                print line ",\"held\":" (held ? "true" : "false") "}"
                next
            }
            detail = $2 == record ? ": the record of what was applied" : was == "" ? "" : $1 == "changed" ? ": points to " (is ~ /[[:cntrl:]]/ ? json(is) : is) : ": is " is ", was " was
            print (held ? "held: " : "") $1 ": " ($2 == "" || path ~ /[[:cntrl:]]/ ? json(path) : path) " (" $3 ")" detail
        }
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
