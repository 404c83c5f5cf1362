# --------------------------------------------------------------------------------------------- files of other packages

# What dpkg knows about the files of other packages that we take the place of, and about what is in exclusive
# directories. Only asked where a manifest has such a thing.
# $w/diverted: the paths that are diverted for us
# $w/others:   here PATH             its package is installed: our file may take its place
#              gone|purged PATH TEXT it is not: ours waits, what of ours is there goes; purged: and nothing comes back
#              busy PATH TEXT        dpkg is in the middle of it: nothing changes
#              never PATH TEXT       it can not be
# To $w/desired and $w/paths is added what is foreign in exclusive directories: it is to be absent.
find_others() {
    empty others blanks diversions
    if [ -s /var/lib/dpkg/diversions ]; then
        paste -d ' ' - - - </var/lib/dpkg/diversions >"$w/diversions" || die "cannot read dpkg's diversions"
    fi
    awk '$3 == "@PREFIX@-runtime" { print $1 }' "$w/diversions" >"$w/diverted" || die "cannot write to $w"
    {
        grep -E '^policy [^ ]+ (divert|adopt)' "$w/desired"
        sed 's/.*/policy & divert/' "$w/diverted" # those that nobody wants any more, too
    } | sort -u >"$w/policies" || die "cannot write to $w"
    if [ -s "$w/policies" ]; then find_other_packages; fi
    if grep -q '^exclusive ' "$w/desired"; then find_foreign; fi
}

find_other_packages() {
    # PATH PACKAGE: who made it, by its name or by dpkg.
    sed -n 's/^policy \([^ ]*\) adopt /\1 /p' "$w/policies" >"$w/makers" || die "cannot write to $w"
    awk '$1 == "policy" && $3 == "divert" {
            print $2
            if ($2 ~ /^\/usr\/(bin|sbin|lib)/) print substr($2, 5)
        }' "$w/policies" >"$w/list" || die "cannot write to $w"
    [ ! -s "$w/list" ] || grep -rxF -f "$w/list" --include='*.list' /var/lib/dpkg/info |
        sed 's|^.*/\([^/:]*\)\(:[^:]*\)*\.list:\(.*\)|\3 \1|' >>"$w/makers" || die "cannot write to $w"
    # shellcheck disable=SC2046
    dpkg-query -W -f '${Package} ${db:Status-Status} ${Essential}\n' $(awk '{ print $2 }' "$w/makers" | sort -u) \
        2>/dev/null | cat >"$w/packages" || die "cannot write to $w"
    awk -v packages="$w/packages" -v makers="$w/makers" -v diversions="$w/diversions" '
        function say(state, text) { print state " " $2 (text == "" ? "" : " " text) }
        FILENAME == packages { state[$1] = $2; essential[$1] = $3 == "yes"; next }
        FILENAME == makers { if (!($1 in maker) || state[$2] == "installed") maker[$1] = $2; next }
        FILENAME == diversions { if ($3 != "@PREFIX@-runtime") diverter[$1] = $3 == ":" ? "the administrator" : $3; next }
        {
            pkg = maker[$2]; s = state[pkg]
            if ($3 == "divert" && pkg == "" && (substr($2, 5) in maker))
                say("never", "dpkg knows it as " substr($2, 5) ": divert that")
            else if ($3 == "divert" && ($2 in diverter)) say("never", "is diverted already, by " diverter[$2])
            else if (essential[pkg]) say("never", "belongs to " pkg ", which is Essential: those files are never diverted")
            else if (pkg == "") say("purged", "waits for the package that has it: none is installed")
            else if (s == "installed" || s ~ /^triggers-/) say("here")
            else if (s == "config-files") say("gone", "waits for " pkg ", which is not installed")
            else if (s == "" || s == "not-installed") say("purged", "waits for " pkg ", which is not installed")
            else say("busy", "waits for " pkg ", which dpkg has not configured")
        }' "$w/packages" "$w/makers" "$w/diversions" "$w/policies" >"$w/others" || die "cannot write to $w"
}

# All that is below an exclusive directory, but directories; without what a package has there.
find_foreign() {
    sed -n 's/^exclusive //p' "$w/desired" >"$w/exclusive" || die "cannot write to $w"
    while read -r directory pkg; do
        if [ ! -d "$directory" ] || [ -L "$directory" ]; then continue; fi
        find "$directory" -xdev -mindepth 1 ! -type d ! -name '.@PREFIX@-*~' -print0 >"$w/inside.0" || die "cannot read $directory"
        # A newline in a name would make a path of its own of what follows.
        tr '\n\0' '\001\n' <"$w/inside.0" >"$w/inside" || die "cannot write to $w"
        # What was moved away from there stays away.
        awk -v directory="$directory/" '$1 == "absent" && index($2, directory) == 1 { print $2 }' "$applied" >"$w/away" ||
            die "cannot write to $w"
        cat "$w/away" >>"$w/inside" || die "cannot write to $w"
        find_blanks "$pkg" "$directory"
        [ -s "$w/inside" ] || continue
        grep -rhxF -f "$w/inside" --include='*.list' /var/lib/dpkg/info | cat >"$w/owned" || die "cannot write to $w"
        awk -v owned="$w/owned" -v desired="$w/desired" -v directory="$directory" -v pkg="$pkg" '
            FILENAME == owned { known[$1] = 1; next }
            FILENAME == desired {
                if ($1 ~ /^(file|link|dir|absent|keep)$/) known[$2] = 1
                if (($1 == "reload" || $1 == "restart") && $2 == directory) tell[++told] = $1 " " $3 " " $4
                next
            }
            ($1 in known) { next }
            {
                known[$1] = 1
                print "absent " $1 " " pkg; print "foreign " $1
                for (i = 1; i <= told; i++) { split(tell[i], t, " "); print t[1] " " $1 " " t[2] " " t[3] }
            }' "$w/owned" "$w/desired" "$w/inside" >"$w/foreign" || die "cannot write to $w"
        find_crowd "$pkg" "$directory"
        sed -n 's/^foreign //p' "$w/foreign" >>"$w/paths" || die "cannot write to $w"
        cat "$w/foreign" >>"$w/desired" || die "cannot write to $w"
    done <"$w/exclusive"
}

# Names in $w/inside that no list of ours can have, to $w/blanks: "PACKAGE NAME", a newline in the name as \001.
find_blanks() { # PACKAGE DIRECTORY
    matching "[[:space:]$newline_shown]" "$w/inside" >"$w/list" || die "cannot write to $w"
    [ -s "$w/list" ] || return 0
    {
        matching -v "[[:space:]$newline_shown]" "$w/inside" >"$w/inside.new" && mv "$w/inside.new" "$w/inside" &&
            grep -rhxF -f "$w/list" --include='*.list' /var/lib/dpkg/info | cat >"$w/owned" &&
            matching -vxF -f "$w/owned" "$w/list" >"$w/foreign"
    } || die "cannot write to $w"
    [ -s "$w/foreign" ] || return 0
    sed "s/^/$1 /" "$w/foreign" >>"$w/blanks" || die "cannot write to $w"
    printf 'blank %s %s\n' "$1" "$2" >>"$w/desired" || die "cannot write to $w"
}

# So many files are data, or the directory is the wrong one; and dpkg would have to wait for hours. What was moved away
# before stays away.
find_crowd() { # PACKAGE DIRECTORY: out of $w/foreign
    crowd=$(awk -v away="$w/away" 'FILENAME == away { gone[$1] = 1; next } $1 == "foreign" && !($2 in gone) { n++ } END { print n + 0 }' \
        "$w/away" "$w/foreign")
    [ "$crowd" -gt "$foreign_most" ] || return 0
    printf 'crowd %s %s %s\n' "$1" "$2" "$crowd" >>"$w/desired" || die "cannot write to $w"
    awk -v away="$w/away" 'FILENAME == away { gone[$1] = 1; next } $2 in gone' "$w/away" "$w/foreign" >"$w/foreign.new" ||
        die "cannot write to $w"
    mv "$w/foreign.new" "$w/foreign" || die "cannot write to $w"
}

# Where the other package's file is while ours has its place. No program that reads the directory takes it up.
diverted_to() { # PATH: $there
    there=${1%/*}/.@PREFIX@-diverted.${1##*/}~
}

# With the other package's file kept under its second name first: there is no moment without it.
divert() { # PATH [kept]: with "kept" what is at PATH is ours already
    diverted_to "$1"
    if [ -z "${2-}" ] && exists "$1"; then
        rm -f "$there" && ln -P -- "$1" "$there" || return 1
    fi
    dpkg-divert --quiet --package @PREFIX@-runtime --divert "$there" --no-rename --add "$1" 9>&-
}

undivert() { # PATH
    dpkg-divert --quiet --package @PREFIX@-runtime --no-rename --remove "$1" >/dev/null 9>&-
}
