# ---------------------------------------------------------------------------------------------------------------- holds

# A hold is a line of $state/marks/hold, so that it is seen wherever marks are:
#   hold: PATH until TIME by WHO: REASON       PATH: what is at or below it is left alone, or "all"; TIME: UTC, ISO 8601
# A line whose time has come counts for nothing any more, and the next run takes it away.

find_holds() { # $w/holds: the paths
    empty holds
    [ -f "$state/marks/hold" ] || return 0
    awk -v now="$(date -u +%Y-%m-%dT%H:%M:%SZ)" '$1 == "hold:" && $4 > now { print $2 }' "$state/marks/hold" >"$w/holds" ||
        die "cannot read $state/marks/hold"
}

all_held() { grep -qxF all "$w/holds"; }

# What is to be done about held paths is taken out of $w/actions, into $w/left.
leave_held() {
    empty left
    [ -s "$w/holds" ] || return 0
    awk -v holds="$w/holds" -v left="$w/left" '
        function held(p,  h) { for (h in hold) if (h == "all" || p == h || index(p, h "/") == 1) return 1; return 0 }
        FILENAME == holds { hold[$1] = 1; next }
        held($4) { print >left; next }
        { print }' "$w/holds" "$w/actions" >"$w/actions.new" || die "cannot write to $w"
    mv "$w/actions.new" "$w/actions" || die "cannot write to $w"
}

settle_holds() {
    [ -e "$state/marks/hold" ] || return 0
    awk -v now="$(date -u +%Y-%m-%dT%H:%M:%SZ)" '!($1 == "hold:" && $4 <= now)' "$state/marks/hold" >"$w/holds.new" ||
        die "cannot read $state/marks/hold"
    cmp -s "$w/holds.new" "$state/marks/hold" && return 0
    grep -vxF -f "$w/holds.new" "$state/marks/hold" | while read -r _ path _; do say "the hold of $path has ended"; done
    write_holds
}

write_holds() { # from $w/holds.new
    if [ ! -s "$w/holds.new" ]; then
        rm -f "$state/marks/hold"
    else
        write_atomically "$state/marks/hold" <"$w/holds.new"
    fi || die "cannot write $state/marks/hold"
}

hold() { # PATH|all --until TIME --reason TEXT
    path='' ends='' reason=''
    while [ $# -gt 0 ]; do
        case $1 in
        --until | --reason)
            case $#.$1 in
            1.*) usage ;;
            *.--until) ends=$2 ;;
            *) reason=$2 ;;
            esac
            shift
            ;;
        all | /*) [ -z "$path" ] || usage; path=$1 ;;
        *) usage ;;
        esac
        shift
    done
    if [ -z "$path" ] || [ -z "$ends" ] || [ -z "$reason" ]; then usage; fi
    case $reason in *"$newline"*) warn "the reason is one line"; exit 2 ;; esac
    from=$(date +%s)
    to=$(date -d "$ends" +%s 2>/dev/null) || { warn "--until $ends: no time that date(1) understands, like \"08:00 tomorrow\""; exit 2; }
    [ "$to" -gt "$from" ] || { warn "--until $ends: that is over"; exit 2; }
    [ "$to" -le "$((from + hold_days * 86400))" ] || { warn "--until $ends: at most $hold_days days; what is to last belongs into the role"; exit 2; }
    begin
    [ "$path" = all ] || awk -v path="$path" '
        $1 ~ /^(file|link|dir|absent|made)$/ && ($2 == path || index($2, path "/") == 1) { found = 1 }
        END { exit !found }' "$state/applied" 2>/dev/null || { warn "$path: nothing there is managed"; exit 2; }
    {
        [ ! -e "$state/marks/hold" ] || awk -v path="$path" '$2 != path' "$state/marks/hold"
        printf 'hold: %s until %s by %s: %s\n' "$path" "$(date -u -d "@$to" +%Y-%m-%dT%H:%M:%SZ)" "${SUDO_USER:-$(id -un)}" "$reason"
    } >"$w/holds.new" || die "cannot write to $w"
    write_holds
    say "$(tail -n 1 "$w/holds.new")"
}

release() { # PATH|all: ends one hold, or all of them
    case ${1-} in all | /*) [ $# -eq 1 ] || usage ;; *) usage ;; esac
    begin
    [ -e "$state/marks/hold" ] || { say "nothing is held"; return 0; }
    awk -v path="$1" '$2 != path && path != "all"' "$state/marks/hold" >"$w/holds.new" || die "cannot write to $w"
    cmp -s "$w/holds.new" "$state/marks/hold" && { say "$1 is not held"; return 0; }
    write_holds
    say "released: $1 (the next apply makes it what the packages say)"
}
