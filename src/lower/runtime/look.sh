# -------------------------------------------------------------------------------------------------------------- looking

# look: $w/desired (what the packages want), $w/actions (what differs from the machine), $w/gaps (directories that
# are not there). Reads only.
look() {
    # Fails with 1 when a pattern matches nothing, which is no error here.
    # shellcheck disable=SC2086 # names of packages
    dpkg-query -W -f '${Package} ${db:Status-Status} ${Version}\n' '@PREFIX@-role-*' '@PREFIX@-host-*' $of_fleet \
        >"$w/dpkg" 2>"$w/error"
    [ $? -le 1 ] || die "dpkg-query failed: $(cat "$w/error")"
    lost=
    applied=$state/applied
    if record_is_lost; then lost=yes; fi
    if [ -n "$lost" ] || [ ! -e "$applied" ]; then
        printf 'debrole-applied 1 none\n' >"$w/nothing" || die "cannot write to $w"
        applied=$w/nothing
    fi
    (cd "$state/originals" 2>/dev/null && find . -name '*~') | sed 's/^\.//; s/~$//' >"$w/kept" || die "cannot write to $w"

    # The machine's own name: /etc/hostname, completed from /etc/hosts. Never DNS: it may be what is broken.
    set +f
    set -- "$share"/roles/*/manifest "$share"/hosts/*/manifest
    set -f
    for pkg in $of_fleet; do
        package_home "$pkg"
        set -- "$@" "$home/manifest"
    done
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
        -v hosts="$share/hosts/" -v roles="$share/roles/" -v prefix="@PREFIX@" -v name="$name" -v short="${name%%.*}" -v all_count="$all_count" "$merge" \
        "$w/dpkg" "$w/withdrawn" "$applied" $manifests pass=2 $manifests >"$w/desired" || die "cannot read the manifests"
    find_held_secrets
    find_others

    # One stat and one sha256sum for all. What is not there is what we look for, so errors say nothing.
    # What a symlink points to may hold a newline: no line of its own is to come of that.
    xargs -r -d "$newline" stat --printf '%A %a %U %G %N\0' -- <"$w/paths" 2>/dev/null | tr '\n\0' '\001\n' >"$w/stat" ||
        die "cannot write to $w"
    awk 'substr($1, 1, 1) == "-" { print $5 }' "$w/stat" | xargs -r -d "$newline" sha256sum -- 2>/dev/null | cat >"$w/sha" ||
        die "cannot write to $w"
    awk -v desired="$w/desired" -v applied="$applied" -v stat="$w/stat" -v paths="$w/paths" -v gaps="$w/gaps" \
        -v others="$w/others" -v diverted="$w/diverted" -v kept="$w/kept" -v lost="$lost" -v prefix="@PREFIX@" "$compare" \
        "$w/desired" "$applied" "$w/kept" "$w/others" "$w/diverted" "$w/stat" "$w/sha" "$w/paths" >"$w/actions" ||
        die "cannot compare"
    leave_held
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
#              policy PATH initial|divert|adopt [MAKER]       of a file
#              exclusive PATH PACKAGE | foreign PATH          a directory, and what is not to be in one
#              blank PACKAGE PATH                             an exclusive directory with something we can not name
#              crowd PACKAGE PATH NUMBER                      one with too many files of nobody's
#              keep PATH                                      wanted by a frozen package: left as it is
#              reload|restart PATH UNIT PACKAGE | validate PACKAGE PATH COMMAND
#              account NAME FILE PACKAGE                      a system account, and the sysusers.d(5) that has it
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
function claim(path, line) {
    if (wins(pkg, owner[path])) { owner[path] = pkg; entry[path] = line; delete policy[path]; delete exclusive[path] }
}
function octal(mode) { sub(/^0+/, "", mode); return mode == "" ? "0" : mode }
function refuse(text) { state[pkg] = "refused"; print "mark " pkg " " text }
function state_of(status) {
    if (status == "" || status == "not-installed" || status == "config-files") return "gone"
    return all_count || status == "installed" || status ~ /^triggers-/ ? "active" : "frozen"
}
FILENAME == dpkg && $2 == "not-installed" { next } # purged in this dpkg run
FILENAME == dpkg { version[$1] = $3; state[$1] = state_of($2); next }
FILENAME == withdrawn { state[$1] = "gone"; next }
FILENAME == applied { if (FNR > 1 && $1 != "lost") path[$2] = 1; next }
FNR == 1 {
    dir = substr(FILENAME, 1, length(FILENAME) - length("/manifest"))
    base = dir; sub(/.*\//, "", base)
    host = index(dir, hosts) == 1
    pkg = prefix (host ? "-host-" : index(dir, roles) == 1 ? "-role-" : "-") base
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
        $1 !~ /^(package|file|initial|divert|link|dir|absent|host-bound|host-bound-secret|adopt|exclusive|validate|reload|restart|unit|own-unit|account|setup)$/)
        refuse("format: its manifest has \"" $1 "\", unknown here: upgrade " prefix "-runtime, until then nothing of it changes")
    next
}
state[pkg] == "frozen" && $1 ~ /^(file|initial|divert|link|dir|absent)$/ { print "keep " $2; next }
state[pkg] != "active" { next }
$1 ~ /^(file|initial|divert)$/ {
    claim($2, "file " $2 " " pkg " " octal($3) " " $4 " " $5 " " $6 " " dir "/files" $2)
    if ($1 != "file" && owner[$2] == pkg) policy[$2] = $1
}
$1 == "adopt" && owner[$2] == pkg { policy[$2] = "adopt " $3 }
$1 == "exclusive" && owner[$2] == pkg { exclusive[$2] = 1 }
$1 == "link" { claim($2, "link " $2 " " pkg " " rest(2)) }
$1 == "dir" { claim($2, "dir " $2 " " pkg " " octal($3) " " $4 " " $5) }
$1 == "absent" { claim($2, "absent " $2 " " pkg) }
$1 == "host-bound" || $1 == "host-bound-secret" { bound[pkg " " $2] = 1 }
$1 == "validate" { print "validate " pkg " " rest(1) }
$1 == "reload" || $1 == "restart" { print $1 " " $2 " " $3 " " pkg }
$1 == "unit" {
    if (wins(pkg, unit_owner[$2])) { unit_owner[$2] = pkg; unit[$2] = "unit " $2 " " pkg " " $3; masked[$2] = $3 == "masked" }
}
$1 == "own-unit" {
    if (wins(pkg, unit_owner[$2])) { unit_owner[$2] = pkg; unit[$2] = "own-unit " $2 " " pkg " " $3 " " $4; masked[$2] = 0 }
}
$1 == "account" { print "account " $2 " " $3 " " pkg }
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
    for (p in policy) print "policy " p " " policy[p]
    for (p in exclusive) print "exclusive " p " " owner[p]
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
#   wait     … TEXT: this path is not touched yet, the rest of its package is
#   idle     the same, and there is no need to say so
# FLAGS: E something is there; N it is not ours, save it as the original; L ours was changed by somebody, save a copy;
#        O an original is kept; I put there once, then not ours; F foreign in an exclusive directory;
#        D another package's file, diverted; P that package was purged, and dpkg left what was diverted; V to be diverted; W to be diverted, and ours is there already
# shellcheck disable=SC2016 # awk's own $
compare='
function rest(n,  s, i) { s = $0; for (i = 0; i < n; i++) sub(/^[^ ]* /, "", s); return s }
function same_content(kind, arg, p,  f) {
    split(arg, f, " ")
    if (kind == "file" || kind == "initial") return type[p] == "-" && sha[p] == f[4]
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
# The flags that say what the record is to say of the original, and no more.
function remembered(p) { return rorig[p] == "kept" ? "O" : rkind[p] == "initial" && rorig[p] == "there" ? "E" : "" }
function want_initial(p,  flags, args) {
    args = warg[p] " " wsource[p]
    if (!(p in rkind) && type[p] == "") act("put", wpkg[p], "-", p, "file", "I", args)
    else if (!(p in rkind)) act("note", wpkg[p], "-", p, "file", "IE", args)
    else if (rkind[p] != "initial" || rpkg[p] != wpkg[p]) act("note", wpkg[p], rpkg[p], p, "file", "I" remembered(p), args)
}
function want(p,  kind, pkg, recorded, unknown, foreign, ours, flags, args, before) {
    kind = wkind[p]; pkg = wpkg[p]; recorded = p in rkind
    if (recorded && stuck(rpkg[p]) && is_host(rpkg[p]) && !is_host(pkg)) return
    if (policy[p] == "initial") { want_initial(p); return }
    before = recorded ? rpkg[p] : "-"
    # Where something is to be absent and is there again, that is the newer original. A directory that we made for
    # what was in it is ours. Where the record is lost, what is there is taken for ours, and an original that is kept for it.
    unknown = lost || (pkg in missing)
    if (recorded) foreign = rkind[p] == "absent" || rorig[p] == "there"
    else foreign = kind == "absent" || (!unknown && !((p in made) && type[p] == "d"))
    ours = recorded && !foreign && same_content(rkind[p], rarg[p], p)
    flags = (recorded ? rorig[p] == "kept" : unknown && (p in original)) ? "O" : ""
    if (p in is_diverted) flags = "D"
    else if (policy[p] == "divert") flags = recorded ? "W" : "V"
    if (type[p] != "") {
        flags = flags "E"
        if (!recorded && flags ~ /[DV]/) foreign = 0 # what was there has another name, and needs no copy
        else if (foreign || (kind == "absent" && type[p] == "d")) flags = flags "N"
        else if (!ours && !same_content(kind, warg[p], p)) flags = flags "L"
    }
    if (p in alien) flags = flags "F"
    args = warg[p]
    if (kind == "file") args = args " " wsource[p]
    if (kind == "dir") args = args (type[p] == "d" ? " " mode[p] " " user[p] ":" group[p] : " - -")
    if (same(kind, warg[p], p) && flags !~ /[VW]/) {
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
    if (kind == "initial") { # the machine keeps it until the package is purged
        if (rpkg[p] in known) return
        if (rorig[p] == "there") { act("forget", rpkg[p], rpkg[p], p, kind, "", ""); return }
    }
    # Of a purged package nothing is brought back.
    flags = (rorig[p] == "kept" && other[p] != "purged" ? "O" : "") (type[p] != "" ? "E" : "")
    if (p in is_diverted) {
        act("drop", rpkg[p], rpkg[p], p, kind, "D" (other[p] == "purged" ? "P" : "") (type[p] != "" ? "E" : "") (type[p] == "" || same_content(kind, rarg[p], p) ? "" : "L"), "")
        return
    }
    if (kind == "dir") {
        if (rorig[p] == "kept" && type[p] == "d")
            act("drop", rpkg[p], rpkg[p], p, kind, flags, "- - - " mode[p] " " user[p] ":" group[p])
        else act("forget", rpkg[p], rpkg[p], p, kind, flags, "")
    } else if (type[p] == "") {
        act(flags ~ /O/ ? "drop" : "forget", rpkg[p], rpkg[p], p, kind, flags, "")
    } else if (kind == "absent" || type[p] !~ /[-l]/) {
        act("forget", rpkg[p], rpkg[p], p, kind, flags, "")
    } else {
        act("drop", rpkg[p], rpkg[p], p, kind, flags (same_content(kind, rarg[p], p) ? "" : "L"), "")
    }
}
FILENAME == desired {
    if ($1 == "package") { state[$2] = $3; known[$2] = 1 }
    else if ($1 == "keep") keep[$2] = 1
    else if ($1 == "policy") policy[$2] = $3
    else if ($1 == "foreign") alien[$2] = 1
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
    else if ($1 == "lost") missing[$2] = 1
    else if ($1 ~ /^(file|initial|link|dir|absent)$/) {
        rkind[$2] = $1; rpkg[$2] = $3; rorig[$2] = $4; rarg[$2] = NF > 4 ? rest(4) : ""
    }
    next
}
FILENAME == kept { original[$0] = 1; next }
FILENAME == others { other[$2] = $1; othertext[$2] = rest(2); next }
FILENAME == diverted { is_diverted[$1] = 1; next }
FILENAME == stat {
    type[$5] = substr($1, 1, 1); mode[$5] = $2; user[$5] = $3; group[$5] = $4
    if (type[$5] == "l") target[$5] = rest(6)
    next
}
FILENAME == paths { if (type[$1] == "") print $1 >gaps; next }
{ sha[$2] = $1 }
END {
    printf "" >gaps
    for (p in wkind) {
        if (other[p] == "never") act("bad", wpkg[p], "-", p, wkind[p], "", othertext[p])
        else if (other[p] == "" || other[p] == "here") want(p)
        # Removed but not purged: its conffile stays where it is, and so does ours.
        else if (other[p] == "gone" && (p in is_diverted)) act("idle", wpkg[p], "-", p, wkind[p], "", "")
        else {
            act("wait", wpkg[p], "-", p, wkind[p], "", othertext[p])
            if (other[p] != "busy" && (p in rkind)) unwanted(p)
        }
    }
    for (p in rkind) if (!(p in wkind)) unwanted(p)
}'
