# ------------------------------------------------------------------------------------------------------------- checking

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

    matching '^held ' "$w/desired" >"$w/held" || die "cannot write to $w"
    while read -r _ pkg path; do
        mark "$pkg" "host: $path comes with this machine's host package, its services wait: $(host_advice)"
    done <"$w/held"

    matching '^blank ' "$w/desired" >"$w/list" || die "cannot write to $w"
    while read -r _ pkg directory; do mark "$pkg" "$directory: holds a file with a blank in its name: remove it by hand (@PREFIX@-runtime verify names it)"; done <"$w/list"
    matching '^crowd ' "$w/desired" >"$w/list" || die "cannot write to $w"
    while read -r _ pkg directory crowd; do
        mark "$pkg" "$directory: holds $crowd files that no package has: more than $foreign_most are not moved away: remove them by hand, or let the directory be exclusive no more"
    done <"$w/list"

    [ -s "$w/actions" ] || return 0
    matching '^wait ' "$w/actions" >"$w/list" || die "cannot write to $w"
    while read -r _ pkg _ path _ _ text; do mark "$pkg" "$path: $text"; done <"$w/list"
    matching '^bad ' "$w/actions" >"$w/list" || die "cannot write to $w"
    while read -r _ pkg _ path _ _ text; do refuse "$pkg" "$path" "$text"; done <"$w/list"
    check_accounts
    check_parents
    check_owners
}

# host_advice: how to get this machine's host package. Without a domain its name is not the package's: apt knows it.
host_advice() {
    [ -n "$name" ] || machine_name
    packages=@PREFIX@-host-$name
    case $name in
    *.*) ;;
    *) packages=$(apt-cache pkgnames "@PREFIX@-host-$name." 2>/dev/null | sort) ;;
    esac
    case $packages in
    '' | *"$newline"*) printf '%s' "apt-get install the one that apt-cache pkgnames @PREFIX@-host-$name. lists" ;;
    *) printf '%s' "apt-get install $packages" ;;
    esac
}

# A user or group that is not there (yet): its package is applied once it is.
check_accounts() {
    awk '$1 == "put" && ($5 == "file" || $5 == "dir") { print "passwd " $8 " " $2 " " $4; print "group " $9 " " $2 " " $4 }' \
        "$w/actions" | grep -v ' root ' | sort -u >"$w/list" || die "cannot write to $w"
    [ -s "$w/list" ] || return 0
    for database in passwd group; do
        # shellcheck disable=SC2046
        getent "$database" $(sed -n "s/^$database \([^ ]*\) .*/\1/p" "$w/list" | sort -u) |
            sed "s/^\([^:]*\):.*/$database \1/" || :
    done >"$w/accounts" || die "cannot write to $w"
    while read -r database account pkg path; do
        grep -qxF -e "$database $account" "$w/accounts" && continue
        printf '%s\n' "$pkg" >>"$w/accountless" || die "cannot write to $w"
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
        sort -u >"$w/parents" || die "cannot write to $w"
    [ -s "$w/parents" ] || return 0
    xargs -d "$newline" readlink -m -- <"$w/parents" >"$w/real" || die "cannot write to $w"
    paste -d ' ' "$w/parents" "$w/real" | awk '
        { d = $1; if (d ~ /^\/(bin|sbin|lib|lib32|lib64|libx32)(\/|$)/) d = "/usr" d }
        $1 != $2 && d != $2' >"$w/list" || die "cannot write to $w"
    while read -r parent real; do
        awk -v parent="$parent" '
            ($1 == "put" || $1 == "drop") { p = $4; sub(/\/[^\/]*$/, "", p); if (p == parent) print $2, $4 }' \
            "$w/actions" >"$w/list2" || die "cannot write to $w"
        while read -r pkg path; do
            refuse "$pkg" "$path" "$parent is a symlink on this machine (to $real): name the real path in the role, or make it a directory"
        done <"$w/list2"
    done <"$w/list"
}

# What dpkg installed belongs to its package (Debian Policy 10.7.4, for conffiles; anything else would be back with
# the next upgrade). Directories may be shared.
check_owners() {
    awk '$1 == "put" && $5 != "dir" && $6 !~ /[DVW]/ {
            print $4
            if ($4 ~ /^\/usr\/(bin|sbin|lib)/) print substr($4, 5)
            if ($4 ~ /^\/(bin|sbin|lib)/) print "/usr" $4
        }' "$w/actions" >"$w/list" || die "cannot write to $w"
    [ -s "$w/list" ] || return 0
    grep -rxF -f "$w/list" --include='*.list' /var/lib/dpkg/info | sed 's|^.*/\([^/:]*\)\(:[^:]*\)*\.list:|\1 |' >"$w/owned" ||
        die "cannot write to $w"
    [ -s "$w/owned" ] || return 0
    awk 'NR == FNR { owner[$2] = $1; next }
        $1 == "put" && $5 != "dir" && $6 !~ /[DVW]/ {
            alias = $4 ~ /^\/usr\// ? substr($4, 5) : "/usr" $4
            if ($4 in owner) print $2, $4, owner[$4]; else if (alias in owner) print $2, $4, owner[alias]
        }' "$w/owned" "$w/actions" >"$w/list" || die "cannot write to $w"
    while read -r pkg path owner; do
        refuse "$pkg" "$path" "belongs to the Debian package $owner, whose files are never altered: use its drop-in directory, or another path"
    done <"$w/list"
}
