# ----------------------------------------------------------------------------------------------------------- attempting

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
rules && $1 == "drop" && index($4, "/etc/sudoers.d/") == 1 { next }
$1 ~ /^(bad|wait|idle)$/ || ($2 in out) || ($4 in out) || (some && !($3 in only)) { next }
{
    before = $3; p = $4; order = 2
    if ($1 == "drop") { order = $6 ~ /[OD]/ ? 3 : 0; if (!order) gap[p] = 1 }
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

makes_administrators() { # PACKAGE
    package_home "$1"
    grep -qs '^admin ' "$home/grants"
}

# A rule of sudo(8) may move from one package to another. It is not taken away while a package that makes administrators
# is set aside, nor by who is removed in the middle of a dpkg run: it may be the last one, and the next apply decides.
rules_stay() {
    while read -r pkg; do
        makes_administrators "$pkg" || continue
        sed -n "s,^drop [^ ]* [^ ]* \\(/etc/sudoers\\.d/[^ ]*\\) .*,\\1,p" "$w/actions" >"$w/list" || die "cannot write to $w"
        while read -r path; do mark "$pkg" "sudo: $path stays until the rules of this package are there"; done <"$w/list"
        return 0
    done <"$w/aside"
    [ -n "$withdrawing" ] && [ -z "$all" ] && [ -n "$in_dpkg" ] || return 1
    while read -r pkg; do
        if makes_administrators "$pkg"; then return 0; fi
    done <"$w/withdrawn"
    return 1
}

accept_actions() {
    empty tell.all
    rules=
    if rules_stay; then rules=stay; fi
    awk -v aside="$w/aside" -v committed="$w/committed" -v withdrawn="$w/withdrawn" -v held="$w/held" -v gaps="$w/gaps" \
        -v desired="$w/desired" -v applied="$applied" -v tellfile="$w/tell.all" -v rules="$rules" "$accept" \
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
        line[p] = ($7 ~ /I/ ? "initial" : kind) " " p " " pkg " "; args[p] = arg == "" ? "" : " " arg
        original[p] = $7 ~ /[DVW]/ ? "diverted" : $7 ~ /[NO]/ ? "kept" : $7 ~ /I.*E/ ? "there" : "-"
    }
    # A directory that we made stays ours to remove, once it is empty.
    if ((op == "drop" || op == "forget") && kind == "dir" && $7 !~ /O/) made[p] = 1
    next
}
# Of a package that is not settled while the record is made anew, what is there is not known yet: one that is set aside,
# that dpkg has in its hands, or of which a path is held.
FILENAME == aside { if ($1 !~ /^\//) waits[$1] = 1; next }
FILENAME == left { waits[$2] = 1; next }
FILENAME == withdrawn { only[$1] = 1; some = 1; next }
FILENAME == desired {
    if ($1 == "package") { known[$2] = 1; if ($3 != "active") waits[$2] = 1 }
    if (($1 == "reload" || $1 == "restart") && ($2 in line)) { say = $1 " " $2 " " $3; if (!(say in said)) { said[say] = 1; print say } }
    next
}
FNR == 1 { next }
$1 == "made" { made[$2] = 1; next }
$1 == "lost" { if (some ? !($2 in only) : (($2 in waits) || !($2 in known))) missing[$2] = 1; next }
!($2 in touched) { print }
END {
    if (lost) for (p in waits) missing[p] = 1
    for (p in missing) print "lost " p
    for (p in line) print line[p] original[p] args[p]
    for (p in made) print "made " p
}'

write_record() { # TRANSACTION
    {
        printf 'debrole-applied 1 %s\n' "$1"
        awk -v plan="$w/plan" -v aside="$w/aside" -v left="$w/left" -v withdrawn="$w/withdrawn" -v desired="$w/desired" \
            -v lost="$lost" "$record" "$w/plan" "$w/aside" "$w/left" "$w/withdrawn" "$w/desired" "$applied" | sort || echo broken
    } >"$w/record" || return 1
    [ "$(tail -n 1 "$w/record")" != broken ] || return 1
    write_atomically "$state/applied" <"$w/record" || return 1
    applied=$state/applied
}

# trouble PACKAGE PATH TEXT: a step failed; with the message of the command that failed, if it had one.
trouble() {
    why=$(sed -n '$s/^[a-z-]*: //p' "$w/error" 2>/dev/null)
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
    empty error
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

# What a person reads afterwards.
report() {
    awk '
        $6 == "made" || $3 == "note" || $3 == "forget" { next }
        $3 == "put" && $6 == "absent" { print "moved away " $5 " (" $4 ")"; next }
        $3 == "put" { print "installed " $5 " (" $4 ")"; next }
        { print ($7 ~ /O|D[^P]/ ? "put back what was at " : "removed ") $5 " (" $4 ")" }' "$w/plan" |
        while read -r line; do say "$line"; done
}
