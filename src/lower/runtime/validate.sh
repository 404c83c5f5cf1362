# ----------------------------------------------------------------------------------------------------------- validating

# $w/commands: the validators of all packages and of all paths that the plan touches, each command once. (A host's
# file in the place of a role's has to please the role's validator.)
# $w/scope: "outside" if a file that has a validator is not in /etc, where a view can not show it.
find_validators() {
    empty commands scope
    [ -z "$withdrawing" ] || return 0
    awk -v plan="$w/plan" -v scope="$w/scope" -v actions="$w/actions" '
        FILENAME == actions { if ($1 == "wait" || $1 == "idle") waits[$4] = 1; next }
        FILENAME == plan { if ($3 == "put" || $3 == "drop") { touched[$4] = 1; path[$5] = 1 }; next }
        $1 == "validate" && !($3 in waits) && (($2 in touched) || ($3 in path)) {
            if (($3 in path) && $3 !~ /^\/etc\//) print "outside" >scope
            sub(/^[^ ]* [^ ]* [^ ]* /, "")
            if (!($0 in seen)) { seen[$0] = 1; print }
        }' "$w/actions" "$w/plan" "$w/desired" >"$w/commands" || die "cannot write to $w"
}

# In a mount namespace of its own, where /etc is a copy with the changes in it: whatever a validator reads there is
# as it would be, and nothing takes effect. 1: no such thing is to be had here (a container, a machine short of memory).
validate_in_view() {
    mkdir -p "$run/view" || return 1
    unshare -m --propagation private -- /bin/sh "$self" view 9>&- 2>"$w/error" && return 0
    say "no private view of /etc is to be had here ($(tail -n 1 "$w/error")): installing, validating, and undoing if need be"
    return 1
}

view() { # in the namespace
    matching -E '^act [0-9]+ (put|drop) ' "$w/plan" >"$w/journal.acts" || exit 1
    mount -t tmpfs -o mode=0700 "@PREFIX@-view" "$run/view" || exit 1
    mkdir "$run/view/etc" && cp -a /etc/. "$run/view/etc/" || exit 1
    while read -r _ _ op _ path kind flags args; do
        case $path in /etc/*) ;; *) continue ;; esac
        set_arguments
        there=$run/view$path
        case $op.$kind.$flags in
        put.made.*) mkdir -p "$there" ;;
        put.dir.*)
            { [ -d "$there" ] || rm -f "$there"; } && mkdir -p "$there" && chown "$b:$c" "$there" && chmod "$a" "$there"
            ;;
        put.file.*) rm -rf "$there" && install -m "$a" -o "$b" -g "$c" -- "$e" "$there" ;;
        put.link.*) rm -rf "$there" && ln -s -- "$args" "$there" ;;
        put.absent.*) rm -rf "$there" ;;
        drop.dir.*) ;;
        drop.*.*P*) rm -f "$there" ;;
        drop.*.*D*)
            target=$there
            diverted_to "$path"
            rm -rf "$target" && { ! exists "$there" || cp -a "$there" "$target"; }
            ;;
        drop.*.*O*) rm -rf "$there" && cp -a "$state/originals$path~" "$there" ;;
        drop.*) rm -f "$there" ;;
        esac || exit 1
    done <"$w/journal.acts"
    mount --bind "$run/view/etc" /etc && view_secrets || exit 1
    run_validators
    exit 0
}

run_validators() {
    true >"$w/failed" || exit 1
    n=0
    while IFS= read -r command; do
        n=$((n + 1))
        timeout -k 5 "$validate_seconds" env -i -C / PATH="$PATH" HOME=/root LC_ALL=C.UTF-8 sh -c "$command" \
            </dev/null >"$w/log.$n" 2>&1 9>&-
        status=$?
        [ "$status" = 0 ] || printf '%s %s\n' "$n" "$status" >>"$w/failed" || exit 1
    done <"$w/commands"
}

why_failed() { # STATUS
    case $1 in
    124 | 137) why="did not end within $validate_seconds seconds" ;;
    127) why="is not there" ;;
    *) why="failed (status $1)" ;;
    esac
}

# Who failed? Every package of the plan whose validator did is set aside.
judge() {
    [ -s "$w/failed" ] || return 0
    while read -r n status; do
        command=$(sed -n "${n}p" "$w/commands")
        printf '%s\n' "$command" >"$w/command" || die "cannot write to $w"
        awk -v plan="$w/plan" -v file="$w/command" '
            FILENAME == file { command = $0; next }
            FILENAME == plan { if ($3 == "put" || $3 == "drop") { touched[$4] = 1; changer[$5] = $4 }; next }
            function blame(pkg) { if (!(pkg in seen)) { seen[pkg] = 1; print pkg } }
            $1 == "validate" {
                pkg = $2; path = $3; sub(/^[^ ]* [^ ]* [^ ]* /, "")
                if ($0 != command) next
                if (pkg in touched) blame(pkg)
                if (path in changer) blame(changer[path])
            }' "$w/command" "$w/plan" "$w/desired" >"$w/list" || die "cannot write to $w"
        why_failed "$status"
        while read -r pkg; do
            mark "$pkg" "validate: \"$command\" $why: nothing of this package was changed" "$w/log.$n"
            set_aside "$pkg"
            printf '%s\n' "$pkg" >>"$w/suspects" || die "cannot write to $w"
        done <"$w/list"
    done <"$w/failed"
    return 1
}

validated_in_place() {
    [ -n "$in_place" ] || return 0
    run_validators
    judge
}

# Without what a package takes with it, others may be no longer right. $state/recheck: the commands of those that stay
# which the package that goes had run, too, or whose file it changed. Its going is not stopped by them: the next apply
# runs them, and each one after it until they succeed.
remember_checks() {
    manifests=
    while read -r pkg; do
        package_home "$pkg"
        [ ! -f "$home/manifest" ] || manifests="$manifests $home/manifest"
    done <"$w/withdrawn"
    # shellcheck disable=SC2086
    awk -v committed="$w/committed" -v desired="$w/desired" '
        FILENAME == committed { path[$1] = 1; next }
        $1 != "validate" { next }
        FILENAME == desired {
            at = $3; sub(/^[^ ]* [^ ]* [^ ]* /, "")
            if ((at in path) || ($0 in gone)) print
            next
        }
        { sub(/^[^ ]* [^ ]* /, ""); gone[$0] = 1 }' "$w/committed" $manifests "$w/desired" >"$w/recheck" ||
        die "cannot write to $w"
    [ -s "$w/recheck" ] || return 0
    [ ! -e "$state/recheck" ] || cat "$state/recheck" >>"$w/recheck" || die "cannot write to $w"
    sort -u "$w/recheck" | write_atomically "$state/recheck" || die "cannot write $state/recheck"
}

recheck() {
    [ -e "$state/recheck" ] || return 0
    awk -v desired="$w/desired" '
        FILENAME == desired { if ($1 == "validate") { sub(/^[^ ]* [^ ]* [^ ]* /, ""); wanted[$0] = 1 }; next }
        $0 in wanted' "$w/desired" "$state/recheck" >"$w/commands" || die "cannot write to $w"
    run_validators
    empty recheck
    while read -r n status; do
        command=$(sed -n "${n}p" "$w/commands")
        printf '%s\n' "$command" >>"$w/recheck" || die "cannot write to $w"
        why_failed "$status"
        printf '%s\n' "$command" | awk '
            NR == FNR { command = $0; next }
            $1 == "validate" { pkg = $2; sub(/^[^ ]* [^ ]* [^ ]* /, ""); if ($0 == command && !(pkg in seen)) { seen[pkg] = 1; print pkg } }' \
            - "$w/desired" >"$w/list" || die "cannot write to $w"
        while read -r pkg; do
            mark "$pkg" "validate: \"$command\" $why since another package went: its files are as they were" "$w/log.$n"
        done <"$w/list"
    done <"$w/failed"
    if [ -s "$w/recheck" ]; then
        write_atomically "$state/recheck" <"$w/recheck"
    else
        rm -f "$state/recheck"
    fi || die "cannot write $state/recheck"
}
