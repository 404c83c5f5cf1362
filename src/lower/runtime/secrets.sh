# -------------------------------------------------------------------------------------------------------------- secrets

# Packages bring them encrypted, with a list that says what to make of them (secrets/list beside the manifest):
#   debrole-secrets 1
#   package NAME
#   out PATH OWNER            a file below $secrets that OWNER alone reads; made of the following, in their order:
#   text FILE                 beside the list
#   secret NAME               what NAME.age, beside the list, holds
#   validate COMMAND          has to succeed before a change takes effect
#   reload|restart UNIT       when it changed
# They are decrypted by the machine's SSH host key, into memory and never to a disk: $secrets and $w are in /run.
secrets=/run/@PREFIX@-secrets
host_key=/etc/ssh/ssh_host_ed25519_key
booting=

secrets_in_memory() {
    case $(stat -f -c %T /run) in tmpfs | ramfs) return 0 ;; esac
    return 1
}

# A role's secret that this machine's package brings is there, as far as "held" in $w/desired goes, when that package is.
find_held_secrets() {
    grep -q "^held [^ ]* $secrets/" "$w/desired" || return 0
    awk '$1 == "package" && $3 == "active" { print $5 }' "$w/desired" | while read -r home; do
        [ ! -f "$home/secrets/list" ] || sed -n "s|^out \\([^ ]*\\) .*|$secrets/\\1|p" "$home/secrets/list"
    done >"$w/brought" || die "cannot write to $w"
    awk -v brought="$w/brought" 'FILENAME == brought { here[$1] = 1; next } !($1 == "held" && ($3 in here))' \
        "$w/brought" "$w/desired" >"$w/desired.new" || die "cannot write to $w"
    mv "$w/desired.new" "$w/desired" || die "cannot write to $w"
}

# stage_secrets: $w/secrets/PATH for each file that is to be, $w/outs: "PATH PACKAGE OWNER", $w/effects: what follows
# from each. What is not there yet is put there at once: nobody can have read another one. A package whose secrets can't
# be made is set aside.
stage_secrets() {
    rm -rf "$w/secrets" "$w/plain"
    empty outs effects
    # Roles before hosts, whose word counts.
    awk '$1 == "package" && $3 == "active" { print $2, $5 }' "$w/desired" | sort -r -k2 >"$w/list" || die "cannot write to $w"
    while read -r pkg home; do
        [ -f "$home/secrets/list" ] || continue
        if is_aside "$pkg"; then continue; fi
        if ! secrets_in_memory; then
            say "the secrets of $pkg are decrypted when this machine starts: /run is on a disk here"
            continue
        fi
        if ! mkdir -p "$w/plain" "$w/secrets" "$secrets" || ! chmod 0711 "$w/secrets" "$secrets"; then
            die "cannot make $secrets"
        fi
        umask 077
        stage_package "$pkg" "$home/secrets" || set_aside "$pkg"
        umask 022
    done <"$w/list"
    rm -rf "$w/plain"
    while read -r out pkg owner; do
        if ! is_aside "$pkg" && ! exists "$secrets/$out"; then put_secret "$out" || die "cannot write $secrets/$out"; fi
    done <"$w/outs"
}

stage_package() { # PACKAGE DIRECTORY
    out=
    while read -r what first rest; do
        case $what in
        debrole-secrets)
            [ "$first" = 1 ] || {
                mark "$1" "format: its secrets are of a newer kind: upgrade @PREFIX@-runtime, until then nothing of it changes"
                return 1
            }
            ;;
        package) ;;
        out)
            out=$first
            if ! getent passwd "$rest" >/dev/null; then
                mark "$1" "account: there is no user $rest, who is to read $secrets/$out"
                printf '%s\n' "$1" >>"$w/accountless" || die "cannot write to $w"
                return 1
            fi
            # A host's in the place of its role's.
            {
                awk -v out="$out" '$1 != out' "$w/outs" >"$w/outs.new" && printf '%s %s %s\n' "$out" "$1" "$rest" >>"$w/outs.new" &&
                    awk -v out="$out" '$2 != out' "$w/effects" >"$w/effects.new" && mv "$w/outs.new" "$w/outs" &&
                    mv "$w/effects.new" "$w/effects" && (umask 066 && mkdir -p "$w/secrets/${out%/*}") &&
                    rm -f "$w/secrets/$out" && true >"$w/secrets/$out" && chown "$rest:root" "$w/secrets/$out" &&
                    chmod 0400 "$w/secrets/$out"
            } || die "cannot write to $w"
            ;;
        text) cat "$2/$first" >>"$w/secrets/$out" || die "cannot write to $w" ;;
        secret)
            if [ ! -e "$w/plain/$1.$first" ]; then decrypt "$1" "$2/$first.age" "$first" || return 1; fi
            cat "$w/plain/$1.$first" >>"$w/secrets/$out" || die "cannot write to $w"
            ;;
        validate | reload | restart)
            printf '%s %s %s\n' "$what" "$out" "$first${rest:+ $rest}" >>"$w/effects" || die "cannot write to $w"
            ;;
        *)
            mark "$1" "format: its secrets have \"$what\", unknown here: upgrade @PREFIX@-runtime, until then nothing of it changes"
            return 1
            ;;
        esac
    done <"$2/list"
}

decrypt() { # PACKAGE FILE NAME
    if [ ! -r "$host_key" ]; then
        mark "$1" "secret: this machine has no $host_key: nothing can be decrypted, and nothing of this package was changed"
        return 1
    fi
    if age -d -i "$host_key" "$2" </dev/null >"$w/plain/$1.$3" 2>"$w/log.age" 9>&-; then return 0; fi
    rm -f "$w/plain/$1.$3"
    mark "$1" "secret: this machine's host key does not decrypt $3: nothing of this package was changed. Let the tree's ssh_host_key be $host_key.pub, then: debrole secret rekey" "$w/log.age"
    return 1
}

put_secret() { # PATH
    (umask 066 && mkdir -p "$secrets/${1%/*}") || return 1
    # While a role waits for this machine's package, its units are told nothing: all of it when that has come. Asked for before
    # the secret is there: a run that is killed in between finds nothing to change any more.
    if [ -z "$booting" ] && ! grep -q "^held @PREFIX@-role-${1%%/*} " "$w/desired"; then
        awk -v out="$1" '$2 == out && $1 != "validate" { print $1, $3 }' "$w/effects" >>"$run/queue" || return 1
    fi
    mv -fT "$w/secrets/$1" "$secrets/$1"
}

same_secret() { # PATH OWNER
    [ "$(stat -c '%a %U %G' -- "$secrets/$1")" = "400 $2 root" ] && cmp -s "$w/secrets/$1" "$secrets/$1"
}

# install_secrets: what changed, if its validators have nothing against it; what is wanted no longer goes.
install_secrets() {
    empty changed
    while read -r out pkg owner; do
        [ -e "$w/secrets/$out" ] || continue
        if is_aside "$pkg" || same_secret "$out" "$owner"; then
            rm -f "$w/secrets/$out"
        else
            printf '%s %s\n' "$out" "$pkg" >>"$w/changed" || die "cannot write to $w"
        fi
    done <"$w/outs"
    if [ -s "$w/changed" ]; then
        judge_secrets
        while read -r out pkg; do
            [ ! -e "$w/secrets/$out" ] || put_secret "$out" || die "cannot write $secrets/$out"
        done <"$w/changed"
    fi
    rm -rf "$w/secrets"
    sweep_secrets
}

# The validators of what changed, each once, with the new secrets in the place of the old for them alone.
judge_secrets() {
    awk -v changed="$w/changed" '
        FILENAME == changed { out[$1] = 1; next }
        $1 == "validate" && ($2 in out) { sub(/^[^ ]* [^ ]* /, ""); if (!($0 in seen)) { seen[$0] = 1; print } }' \
        "$w/changed" "$w/effects" >"$w/commands" || die "cannot write to $w"
    [ -s "$w/commands" ] || return 0
    if ! unshare -m --propagation private -- /bin/sh "$self" view-secrets 9>&- 2>"$w/error"; then
        say "no private view of $secrets is to be had here ($(tail -n 1 "$w/error")): it changes without being validated"
        return 0
    fi
    while read -r n status; do
        command=$(sed -n "${n}p" "$w/commands")
        printf '%s\n' "$command" >"$w/command" || die "cannot write to $w"
        why_failed "$status"
        awk -v file="$w/command" -v changed="$w/changed" '
            FILENAME == file { command = $0; next }
            FILENAME == changed { pkg[$1] = $2; next }
            $1 == "validate" && ($2 in pkg) { out = $2; sub(/^[^ ]* [^ ]* /, ""); if ($0 == command) print out, pkg[out] }' \
            "$w/command" "$w/changed" "$w/effects" >"$w/list" || die "cannot write to $w"
        while read -r out pkg; do
            mark "$pkg" "validate: \"$command\" $why: $secrets/$out stays as it was" "$w/log.$n"
            rm -f "$w/secrets/$out"
        done <"$w/list"
    done <"$w/failed"
}

# In a mount namespace of its own.
view_secrets() {
    [ -d "$w/secrets" ] || return 0
    rm -rf "$w/secrets.view"
    mkdir "$w/secrets.view" && cp -a "$secrets/." "$w/secrets.view/" && cp -a "$w/secrets/." "$w/secrets.view/" &&
        mount --bind "$w/secrets.view" "$secrets"
}

# Of packages that are there, whatever else is with them, nothing goes.
sweep_secrets() {
    [ -d "$secrets" ] || return 0
    rm -rf "$w/secrets.view"
    wanted_secrets >"$w/list" || die "cannot write to $w"
    (cd "$secrets" && find . -type f) | sed 's|^\./||' | matching -vxF -f "$w/list" >"$w/unneeded" || die "cannot write to $w"
    while read -r out; do
        rm -f "$secrets/$out"
    done <"$w/unneeded"
    find "$secrets" -depth -type d -empty -delete
}

wanted_secrets() {
    awk '$1 == "package" && $3 != "gone" { print $5 }' "$w/desired" | while read -r home; do
        [ ! -f "$home/secrets/list" ] || sed -n 's/^out \([^ ]*\) .*/\1/p' "$home/secrets/list"
    done
}

# What of the secrets is no longer as we left it, for verify.
verify_secrets() {
    secrets_in_memory || return 0
    awk '$1 == "package" && $3 == "active" { print $2, $5 }' "$w/desired" | while read -r pkg home; do
        { [ -f "$home/secrets/list" ] && [ -e "$state/packages/$pkg" ]; } || continue
        sed -n 's/^out //p' "$home/secrets/list" | while read -r out owner; do
            if ! exists "$secrets/$out"; then
                finding missing "$secrets/$out" "$pkg"
            elif is=$(stat -c '%a %U' -- "$secrets/$out") && [ "$is" != "400 $owner" ]; then
                finding mode "$secrets/$out" "$pkg" "400 $owner" "$is"
            fi
        done
    done
}

# When the machine starts, before its services: of all packages that are unpacked, whatever state dpkg is in. What fails
# is in the journal, in a mark, and a failed unit.
decrypt_at_boot() {
    begin
    booting=yes
    empty desired
    set +f
    for list in "$share"/roles/*/secrets/list "$share"/hosts/*/secrets/list; do
        [ -f "$list" ] || continue
        home=${list%/secrets/list}
        case $home in "$share"/hosts/*)
            # Another machine's is not for this one's key.
            machine_name
            case $name in *.*) [ "${home##*/}" = "$name" ] || continue ;; esac
            ;;
        esac
        printf 'package %s active - %s\n' "$(sed -n '2s/^package //p' "$list")" "$home" >>"$w/desired" ||
            die "cannot write to $w"
    done
    set -f
    stage_secrets
    install_secrets
    failed_=
    set +f
    for new in "$w"/marks/*; do
        [ -e "$new" ] || continue
        failed_=yes
        exists "$state/marks/${new##*/}" || write_atomically "$state/marks/${new##*/}" <"$new"
    done
    set -f
    [ -z "$failed_" ]
}
