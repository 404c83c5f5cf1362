# --------------------------------------------------------------------------------------------------------------- access
#
# Accounts, keys and memberships of people are a program of their own (/usr/lib/@PREFIX@/access): it needs passwd and
# shadow in its hands. It takes a lock of its own, so that nobody's removal waits for a long setup, and leaves its own
# mark, $state/marks/access.

accesses() { # OPTION…: where there are people, or were
    [ -x "$library/access" ] || return 0
    if [ -d "$share/access" ] || [ -d "$state/access" ]; then
        "$library/access" "$@" </dev/null 9>&- 8>&- 7>&-
        set -- "$?" "$@"
    else
        set -- 0 "$@"
    fi
    [ "${2-}" = --dry-run ] || [ "${2-}" = --before ] || web_logins
    return "$1"
}

# Before files are put in place. Where the guard refuses, no rule of sudo that is there is touched either.
access_first() {
    accesses --before
    [ $? -ne 3 ] || echo /etc/sudoers.d >>"$w/holds" || die "cannot write to $w"
}

# And after, when the rules of sudo are as they will be.
access_last() {
    accesses || :
}

access() { # [--dry-run]
    case $#.${1-} in 0. | 1.--dry-run) ;; *) usage ;; esac
    [ "$(id -u)" = 0 ] || { warn "this needs root"; exit 2; }
    accesses "$@"
}

# revoke: what the archive has of access that is newer than what is installed counts now, whoever is at dpkg and
# whatever is broken there; dpkg catches up with it. apt downloads it into a directory of ours, and verifies it by the
# archive's signature; it is unpacked below $state/access/fetched, for nothing but its data.
revoke() {
    [ -d "$share/access" ] || return 0
    dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\n' '@PREFIX@-access' '@PREFIX@-access-*' 2>/dev/null |
        sed -n '/^not-installed \|^config-files /!s/^[^ ]* //p' >"$r/access"
    if [ ! -s "$r/access" ]; then # dpkg's database can't be read
        set +f
        for group in "$share"/access/*/members; do
            group=${group%/members}
            [ ! -d "$group" ] || echo "@PREFIX@-access-${group##*/} 0"
        done >"$r/access"
        set -f
        echo '@PREFIX@-access 0' >>"$r/access"
    fi
    mkdir -p "$cache/access/partial" "$state/access/fetched" || return 0
    chmod 0700 "$state/access"
    true >"$r/status" || return 0
    sed '/^pkgCacheFile::Generate/d' "$r/ask.conf" >"$r/fetch.conf"
    cat >>"$r/fetch.conf" <<END
Dir::State::status "$r/status";
Dir::Cache "$cache/access";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
END
    # shellcheck disable=SC2046 # names of packages have no blanks
    apt-cache -c "$r/fetch.conf" --no-all-versions show $(sed 's/ .*//' "$r/access") 2>"$r/log" 7>&- 8>&- |
        awk '$1 == "Package:" { p = $2 } $1 == "Version:" { print p, $2 }' >"$r/newest"
    while read -r pkg version; do
        installed=$(sed -n "s/^$pkg //p" "$r/access")
        fetched=$(cat "$state/access/fetched/$pkg/version" 2>/dev/null)
        [ -n "$fetched" ] && dpkg --compare-versions "$fetched" gt "$installed" && installed=$fetched
        dpkg --compare-versions "$version" gt "$installed" || continue
        fetch "$pkg" "$version" </dev/null || warn "refresh: $pkg $version can't be fetched ahead of dpkg: $(log_errors "$r/log")"
    done <"$r/newest"
    rm -rf "$cache/access"
    accesses || :
}

fetch() { # PACKAGE VERSION
    new=$state/access/fetched/.new
    rm -rf "$new" "$r/deb"
    mkdir -p "$r/deb" "$new/root" || return 1
    (cd "$r/deb" && apt-get -c "$r/fetch.conf" -q -o APT::Sandbox::User=root download "$1=$2") >"$r/log" 2>&1 7>&- 8>&- || return 1
    set +f
    set -- "$1" "$2" "$r"/deb/*.deb
    set -f
    dpkg-deb -x "$3" "$new/root" >"$r/log" 2>&1 || return 1
    echo "$2" >"$new/version" || return 1
    rm -rf "$state/access/fetched/$1"
    mv "$new" "$state/access/fetched/$1" || return 1
    say "refresh: $1 $2 counts from now on, ahead of dpkg"
}
