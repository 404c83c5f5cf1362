# ---------------------------------------------------------------------------------------------------------------- marks

# mark PACKAGE TEXT [FILE]: says what is wrong with a package; FILE's end is quoted below it. All marks are found
# anew by each run, so a mark goes by itself once its reason has gone.
mark() {
    # When a package is withdrawn, only what concerns it is news.
    if [ -n "$withdrawing" ] && ! grep -qxF -e "$1" "$w/withdrawn"; then return 0; fi
    if grep -qsxF -e "$2" "$w/marks/$1"; then return 0; fi
    warn "$1: $2"
    {
        printf '%s\n' "$2"
        if [ -n "${3-}" ] && [ -s "$3" ]; then tail -n 40 "$3" | sed 's/^/    /'; fi
    } >>"$w/marks/$1" || :
    if [ -n "${3-}" ] && [ -s "$3" ]; then tail -n 40 "$3" | sed 's/^/    /' >&2; fi
}

set_aside() { printf '%s\n' "$1" >>"$w/aside" || die "cannot write to $w"; }

settle_marks() {
    set +f
    set -- "$state"/marks/*
    set -f
    for old; do
        pkg=${old##*/}
        if [ -f "$old" ] && [ "$pkg" != hold ] && [ "$pkg" != access ] && [ ! -e "$w/marks/$pkg" ]; then
            rm -f "$old"
            say "$pkg is well: its mark is gone"
        fi
    done
    set +f
    set -- "$w"/marks/*
    set -f
    for new; do
        [ -e "$new" ] || continue
        # The same mark keeps its file, whose time says since when.
        cmp -s "$new" "$state/marks/${new##*/}" || write_atomically "$state/marks/${new##*/}" <"$new" ||
            warn "cannot write $state/marks/${new##*/}"
    done
}
