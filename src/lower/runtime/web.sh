# --------------------------------------------------------------------------------------------------- logins of web pages
#
# Who is an administrator of a monitoring server (login and all of sudo, by a group of theirs) has a login for its web
# pages. The passwords are made here and are nowhere else: $web/passwords/NAME, root's alone, for `web-login` to tell
# again; $web/logins is what Apache compares with (digest, RFC 7616). Both go with the person.
web=$state/web
realm="@PREFIX@ monitoring"

# web_logins: $web made what the accounts of this machine say.
web_logins() {
    if [ ! -e "$share/nagios-config/manifest" ] && [ ! -e "$share/munin-config/manifest" ]; then
        rm -rf "$web"
        return 0
    fi
    getent group www-data >/dev/null || return 0
    old_umask=$(umask)
    umask 077
    if ! mkdir -p "$web/passwords" || ! chmod 0755 "$web"; then warn "cannot make $web"; umask "$old_umask"; return 1; fi
    # Two runs at once would give two passwords; the second waits.
    if ! true >>"$web/passwords/.lock"; then warn "cannot write to $web"; umask "$old_umask"; return 1; fi
    exec 6>"$web/passwords/.lock"
    flock 6
    # Whoever is not in half a list would lose a password.
    if ! web_administrators >"$web/passwords/.names"; then
        warn "cannot write to $web"
        exec 6>&-
        umask "$old_umask"
        return 1
    fi
    set +f
    for file in "$web"/passwords/*; do
        if [ -e "$file" ] && ! grep -qxF -e "${file##*/}" "$web/passwords/.names"; then rm -f "$file"; fi
    done
    set -f
    while read -r person; do
        if [ ! -s "$web/passwords/$person" ]; then
            head -c 15 /dev/urandom | base32 | tr '[:upper:]' '[:lower:]' >"$web/passwords/.new" || continue
            mv -fT "$web/passwords/.new" "$web/passwords/$person" || continue
        fi
        printf '%s:%s:%s\n' "$person" "$realm" "$(printf '%s:%s:%s' "$person" "$realm" "$(cat "$web/passwords/$person")" | md5sum | sed 's/ .*//')"
    done <"$web/passwords/.names" >"$web/passwords/.logins"
    if ! cmp -s "$web/passwords/.logins" "$web/logins"; then
        chgrp www-data "$web/passwords/.logins"
        if ! chmod 0640 "$web/passwords/.logins" || ! mv -fT "$web/passwords/.logins" "$web/logins"; then
            warn "cannot write $web/logins"
        fi
    fi
    rm -f "$web/passwords/.logins" "$web/passwords/.names" "$web/passwords/.new"
    exec 6>&-
    umask "$old_umask"
}

# By what is in force here: members of the groups that installed roles and hosts make administrators, whose accounts are
# not closed. (The reconciler takes who leaves out of all groups and has the account expire.)
web_administrators() {
    set +f
    cat "$share"/roles/*/grants "$share"/hosts/*/grants 2>/dev/null | awk '
        $1 == "login" { login[$2] = 1 } $1 == "admin" { admin[$2] = 1 }
        END { for (g in admin) if (g in login) print g }' | sort | while read -r group; do
        getent group "$group" | cut -d: -f4 | tr ',' '\n'
    done | sort -u | while read -r person; do
        [ -n "$person" ] || continue
        expires=$(getent shadow "$person" | cut -d: -f8)
        [ -z "$expires" ] || [ "$expires" -gt $(($(date +%s) / 86400)) ] || continue
        echo "$person" || exit 1
    done
    web_status=$?
    set -f
    return "$web_status"
}

web_login() { # [--new] [NAME]
    [ "$(id -u)" = 0 ] || { warn "this needs root: sudo @PREFIX@-runtime web-login"; exit 2; }
    fresh=
    if [ "${1-}" = --new ]; then fresh=yes; shift; fi
    [ $# -le 1 ] || usage
    whose=${1-${SUDO_USER-}}
    case $whose in
    '') warn "whose? web-login NAME"; exit 2 ;;
    .* | */*) warn "\"$whose\" is no name"; exit 2 ;;
    esac
    if [ ! -e "$share/nagios-config/manifest" ] && [ ! -e "$share/munin-config/manifest" ]; then
        warn "this is no monitoring server: it has no web pages of ours"
        exit 1
    fi
    [ -z "$fresh" ] || rm -f "$web/passwords/$whose"
    web_logins
    if [ ! -s "$web/passwords/$whose" ]; then
        warn "$whose is no administrator of this machine: there is no login"
        exit 1
    fi
    machine_name
    [ ! -e "$share/nagios-config/manifest" ] || echo "http://$name/nagios4/"
    [ ! -e "$share/munin-config/manifest" ] || echo "http://$name/munin/"
    printf 'user      %s\npassword  %s\n' "$whose" "$(cat "$web/passwords/$whose")"
}
