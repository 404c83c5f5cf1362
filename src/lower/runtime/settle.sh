# ------------------------------------------------------------------------------------------------------------- settling

# $state/packages/NAME: "version V" and "setup HASH", what was applied of a package last.
settle_packages() {
    matching '^package [^ ]* active' "$w/desired" >"$w/list" || die "cannot write to $w"
    while read -r _ pkg _ version _; do
        applied_state "$pkg"
        setup_run=$setup_done
        setup_wanted=$(sed -n "s/^setup $pkg //p" "$w/desired")
        if is_aside "$pkg"; then
            # Its setup may make the account that its files wait for. It runs again, and counts, when they are there.
            if [ -z "$second" ] && [ -n "$setup_wanted" ] && [ "${setup_wanted%% *}" != "$setup_done" ] && grep -qxF -e "$pkg" "$w/accountless"; then
                say "running the setup of $pkg before its files, which wait for an account"
                fragment "$setup_seconds" "${setup_wanted#* }/setup" || say "the setup of $pkg failed (status $fragment_status)"
                setup_ran=yes
            fi
            continue
        fi
        if [ -n "$setup_wanted" ] && [ "${setup_wanted%% *}" != "$setup_done" ] && ! grep -q "^held $pkg " "$w/held" &&
            ! grep -qxF -e "$pkg" "$w/failed.setup"; then
            say "running the setup of $pkg"
            setup_ran=yes
            if fragment "$setup_seconds" "${setup_wanted#* }/setup"; then
                setup_run=${setup_wanted%% *}
            else
                printf '%s\n' "$pkg" >>"$w/failed.setup" || die "cannot write to $w"
                mark "$pkg" "setup: failed (status $fragment_status), it is run again by the next apply" "$w/log.fragment"
            fi
        elif [ -z "$setup_wanted" ]; then
            setup_run=-
        fi
        if [ "$version_done.$setup_done" != "$version.$setup_run" ]; then
            # One that puts no files has a record too, of no lines: else it would count as lost.
            exists "$state/applied" || echo "debrole-applied 1 none" | write_atomically "$state/applied" ||
                die "cannot write $state/applied"
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
        awk -v now="$w/held.now" -v before="$state/held" -v effects="$w/effects" '
            FILENAME == now { held[$1] = 1; next }
            FILENAME == before { if (!($1 in held)) freed[$1] = 1; next }
            $1 != "reload" && $1 != "restart" { next }
            FILENAME == effects { role = $2; sub(/\/.*/, "", role); if (("@PREFIX@-role-" role) in freed) print $1, $3; next }
            $4 in freed { print $1, $3 }' \
            "$w/held.now" "$state/held" "$w/effects" "$w/desired" >>"$run/queue" || die "cannot write $run/queue"
    fi
    if [ -s "$w/held.now" ] || [ -s "$state/held" ]; then write_atomically "$state/held" <"$w/held.now"; fi
}


# Directories that we made and that nobody needs any more go when they are empty.
settle_directories() {
    [ -e "$state/applied" ] || return 0
    awk '$1 == "made" { made[$2] = 1; next }
        $1 ~ /^(file|initial|link|dir|absent)$/ { p = $2; if ($1 == "dir") needed[p] = 1; while (sub(/\/[^\/]*$/, "", p) && p != "") needed[p] = 1 }
        END { for (p in made) if (!(p in needed)) print p }' "$state/applied" | sort -r >"$w/unneeded" ||
        die "cannot write to $w"
    [ -s "$w/unneeded" ] || return 0
    empty unmade
    while read -r directory; do
        if [ -d "$directory" ] && [ ! -L "$directory" ]; then
            # By now it may be a Debian package's, too.
            if ! grep -rqxF -e "$directory" --include='*.list' /var/lib/dpkg/info; then
                rmdir "$directory" 2>/dev/null || continue
            fi
        fi
        printf 'made %s\n' "$directory" >>"$w/unmade" || die "cannot write to $w"
    done <"$w/unneeded"
    [ -s "$w/unmade" ] || return 0
    grep -vxF -f "$w/unmade" "$state/applied" | write_atomically "$state/applied" || die "cannot write the record"
}
