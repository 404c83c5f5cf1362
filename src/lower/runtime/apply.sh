# --------------------------------------------------------------------------------------------------- apply and withdraw

attempt_all() {
    until attempt; do # every failure sets at least one package or path aside
        [ "$attempts" -lt 10000 ] || die "gave up after $attempts attempts"
    done
    # With several packages under suspicion most may be innocent: a validator sees the files of all. Each once more.
    sort -u "$w/suspects" >"$w/suspects.once" 2>/dev/null || return 0
    [ "$(wc -l <"$w/suspects.once")" -gt 1 ] || return 0
    while read -r suspect; do
        { matching -vxF -e "$suspect" "$w/aside" >"$w/aside.new" && mv "$w/aside.new" "$w/aside" && mv "$w/marks/$suspect" "$w/mark.before"; } || die "cannot write to $w"
        attempt || is_aside "$suspect" || set_aside "$suspect"
    done <"$w/suspects.once"
}

pass() {
    look
    make_accounts
    stage_secrets
    check
    [ ! -s "$w/actions" ] || attempt_all
    install_secrets
    settle_held
    settle_packages
}

# Once more for the packages that wait for an account: a setup has run since, and may have made it.
second_pass() {
    second=yes
    while read -r pkg; do
        { matching -vxF -e "$pkg" "$w/aside" >"$w/aside.new" && mv "$w/aside.new" "$w/aside" && rm -f "$w/marks/$pkg"; } || die "cannot write to $w"
    done <"$w/accountless"
    empty accountless committed
    pass
}

apply() {
    begin
    recover
    find_holds
    settle_holds
    access_first # a hold is for files: nobody's access waits for its end
    if all_held; then
        say "nothing is done: $(grep '^hold: all ' "$state/marks/hold")"
        return 0
    fi
    pass
    if [ -n "$setup_ran" ] && [ -s "$w/accountless" ]; then second_pass; fi
    recheck
    settle_plugins
    settle_units
    run_queue
    settle_directories
    access_last
    [ -z "$copied" ] || prune_copies
    settle_marks
    if [ -n "$in_dpkg" ]; then return 0; fi
    set +f
    set -- "$w"/marks/*
    if [ -e "$1" ] || [ -e "$state/marks/access" ]; then return 1; fi
    [ "$attempts" -gt 0 ] || say "nothing to do"
}

package_home() { # PACKAGE: $home
    case $1 in
    @PREFIX@-role-*) home=$share/roles/${1#@PREFIX@-role-} ;;
    @PREFIX@-host-*) home=$share/hosts/${1#@PREFIX@-host-} ;;
    *) home=$share/${1#@PREFIX@-} ;;
    esac
}

# Before packages in $w/going go whose lines of the record were lost and have not come again, because they waited all the
# time: what is there is recorded as theirs, so that it can be taken back. Nothing is changed for that, and nothing of
# theirs comes that is not there.
take_stock() {
    awk -v going="$w/going" 'FILENAME == going { goes[$1] = 1; next } $1 == "lost" && ($2 in goes) { print $2 }' \
        "$w/going" "$state/applied" >"$w/lost" 2>/dev/null
    [ -s "$w/lost" ] || return 0
    all_count=yes
    look
    awk -v lost="$w/lost" '
        FILENAME == lost { is_lost[$1] = 1; next }
        !($2 in is_lost) || $6 ~ /V/ || ($5 == "absent" && $6 ~ /N/) { next }
        $1 == "put" && $6 ~ /[EO]/ { $1 = "note" }
        $1 == "note" { gsub(/L/, "", $6); if ($6 == "") $6 = "-"; print } # copied when it goes' "$w/lost" "$w/actions" >"$w/actions.new" || die "cannot write to $w"
    mv "$w/actions.new" "$w/actions" || die "cannot write to $w"
    # The others wait on.
    sed -n 's/^lost //p' "$state/applied" | matching -vxF -f "$w/lost" >"$w/aside" || die "cannot write to $w"
    attempt || die "cannot take stock of what $(tr '\n' ' ' <"$w/lost")left here"
    all_count=
    empty aside
}

# withdraw PACKAGE…|--all: takes back what they put here. Called while the package is still there, by its prerm.
withdraw() {
    begin
    recover
    if record_is_lost; then
        # What is to be taken back has to be known first, of packages that dpkg has begun to remove, too.
        all_count=yes
        look
        check
        [ ! -s "$w/actions" ] || attempt_all
        all_count=
        empty aside suspects
    fi
    all=
    if [ "${1-}" = --all ]; then
        all=yes
        {
            ls "$state/packages"
            awk 'FNR > 1 && $1 ~ /^(file|link|dir|absent)$/ { print $3 } $1 == "lost" { print $2 }' "$state/applied" 2>/dev/null
            awk '{ print $3 }' "$state/units" 2>/dev/null
        } | sort -u >"$w/going" || die "cannot write to $w"
    else
        printf '%s\n' "$@" >"$w/going" || die "cannot write to $w"
    fi
    take_stock
    withdrawing=yes
    mv "$w/going" "$w/withdrawn" || die "cannot write to $w"
    while read -r pkg; do
        [ -e "$state/packages/$pkg" ] || continue # nothing was ever applied of it
        package_home "$pkg"
        [ -x "$home/teardown" ] || continue
        say "running the teardown of $pkg"
        fragment "$teardown_seconds" "$home/teardown" || {
            warn "the teardown of $pkg failed (status $fragment_status)"
            sed 's/^/    /' "$w/log.fragment" >&2
        }
    done <"$w/withdrawn"
    if [ -n "$all" ]; then accesses --withdraw || :; fi
    look
    check
    [ ! -s "$w/actions" ] || attempt_all
    sweep_secrets
    remember_checks
    settle_plugins
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
        # Files that were put there once, and are there still, are purged with us.
        if grep -q '^initial ' "$state/applied" 2>/dev/null; then
            sed -n -e 1p -e '/^initial /p' -e '/^made /p' "$state/applied" | write_atomically "$state/applied"
        else
            rm -f "$state/applied"
        fi
        rm -rf "$state/originals" "$state/units" "$state/held" "$state/marks" "$state/packages" \
            "$state/recheck" "$state/drift"
    fi
    return 0
}

daemon_reload_if_needed() { [ -z "$reload_needed" ] || daemon_reload; }
