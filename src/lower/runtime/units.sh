# ---------------------------------------------------------------------------------------------------------------- units

helper() { # deb-systemd-helper(1) wants to be called by a maintainer script
    DPKG_MAINTSCRIPT_PACKAGE=@PREFIX@-runtime DPKG_MAINTSCRIPT_NAME=postinst deb-systemd-helper "$@" >/dev/null 9>&-
}

# invoke ACTION UNIT [again]: through deb-systemd-invoke(1), which asks policy-rc.d. Nothing where systemd does not run.
# What will be tried again leaves no mark when it fails.
invoke() {
    systemd_runs || return 0
    [ -z "$reload_needed" ] || daemon_reload
    if timeout 300 deb-systemd-invoke "$1" "$2" </dev/null >"$w/log.unit" 2>&1 9>&-; then
        if [ -s "$w/log.unit" ]; then sed 's/^/    /' "$w/log.unit"; else say "$1 $2"; fi
        return 0
    fi
    [ -n "${3-}" ] || mark "@PREFIX@-runtime" "unit: $1 of $2 failed: see systemctl status $2" "$w/log.unit"
    return 1
}

daemon_reload() {
    reload_needed=
    [ ! -e "$run/queue" ] || sed -i '/^daemon-reload/d' "$run/queue" || die "cannot write $run/queue"
    systemd_runs || return 0
    timeout 120 systemctl --system daemon-reload </dev/null >"$w/log.unit" 2>&1 9>&- ||
        mark "@PREFIX@-runtime" "unit: systemctl daemon-reload failed" "$w/log.unit"
}

active() { systemd_runs && systemctl --quiet is-active -- "$1" </dev/null 2>/dev/null; }

# enabled, disabled, static, masked, … or not-found; also where there is no systemd, from the links alone.
unit_state() {
    if [ -x /usr/bin/systemctl ] || [ -x /bin/systemctl ]; then
        unit_is=$(systemctl is-enabled -- "$1" 2>/dev/null)
        unit_is=${unit_is:-not-found}
    elif [ -L "/etc/systemd/system/$1" ] && [ "$(readlink "/etc/systemd/system/$1")" = /dev/null ]; then
        unit_is=masked
    elif [ -f "/etc/systemd/system/$1" ] || [ -f "/usr/lib/systemd/system/$1" ] || [ -f "/lib/systemd/system/$1" ]; then
        if helper --quiet is-enabled "$1"; then unit_is=enabled; else unit_is=disabled; fi
    else
        unit_is=not-found
    fi
}

# deb-systemd-helper first, so that its state fits and the unit's own package keeps to it when it is upgraded
# ("enable" alone would not enable again what was once disabled); then systemctl for what that does not know:
# instances of templates, units made from /etc/init.d, links that somebody made by hand.
enable_unit() {
    _DEB_SYSTEMD_HELPER_PURGE=1 helper --quiet reenable "$1" 2>/dev/null || :
    unit_state "$1"
    [ "$unit_is" != disabled ] || systemctl --quiet --no-reload enable -- "$1" </dev/null 2>/dev/null 9>&- || :
    reload_needed=yes
}

disable_unit() {
    helper --quiet disable "$1" 2>/dev/null || :
    unit_state "$1"
    case $unit_is in
    enabled*) systemctl --quiet --no-reload disable -- "$1" </dev/null 2>/dev/null 9>&- || : ;;
    esac
    reload_needed=yes
}

start_unit() {
    active "$1" && return 0
    printf '%s\n' "$1" >>"$w/started" # what starts now has read its files: no reload on top
    invoke start "$1" || :
}

stop_unit() { if active "$1"; then invoke stop "$1" || :; fi; }

# $state/units: units that we changed, a line each, written before the change:
#   unit UNIT PACKAGE STATE BEFORE ACTIVE        BEFORE: what unit_state said; ACTIVE: active, inactive, or - (unknown)
#   own-unit UNIT PACKAGE STATE SHA256
keep_unit() { # UNIT [LINE]: without LINE it is forgotten
    {
        [ ! -e "$state/units" ] || awk -v unit="$1" '$2 != unit' "$state/units"
        [ -z "${2-}" ] || printf '%s\n' "$2"
    } | write_atomically "$state/units" || die "cannot write $state/units"
}

settle_units() {
    [ -e "$state/units" ] || true >"$state/units" || die "cannot write $state/units"
    awk -v aside="$w/aside" -v held="$w/held" -v desired="$w/desired" -v withdrawn="$w/withdrawn" '
        FILENAME == aside { out[$1] = 1; next }
        FILENAME == held { out[$2] = 1; next }
        FILENAME == withdrawn { only[$1] = 1; some = 1; next }
        FILENAME == desired {
            if ($1 == "package" && $3 != "active" && $3 != "gone") out[$2] = 1
            if ($1 == "unit" || $1 == "own-unit") { owner[$2] = $3; want[$2] = $0 }
            next
        }
        { had[$2] = $0; haver[$2] = $3 }
        END {
            for (u in had) if (!(u in want) && !(haver[u] in out) && (!some || (haver[u] in only))) print "undo " had[u]
            for (u in want) if (!(owner[u] in out) && !some) print "want " want[u] " was " (u in had ? had[u] : "- - - - -")
        }' "$w/aside" "$w/held" "$w/withdrawn" "$w/desired" "$state/units" | sort >"$w/units" || die "cannot write to $w"
    [ -s "$w/units" ] || return 0
    # Whatever starts now is to start with its new drop-ins.
    if grep -q '^daemon-reload' "$run/queue" 2>/dev/null; then reload_needed=yes; fi
    # "undo" sorts before "want".
    while read -r what kind unit pkg wanted f1 f2 f3 f4 f5 f6 f7 f8; do
        case $what.$kind in
        undo.unit) undo_unit "$unit" "$wanted" "$f1" "$f2" ;;
        undo.own-unit)
            stop_unit "$unit"
            helper --quiet purge "$unit" 2>/dev/null || :
            reload_needed=yes
            keep_unit "$unit"
            ;;
        want.unit) # was KIND UNIT PACKAGE STATE BEFORE ACTIVE
            want_unit "$unit" "$pkg" "$wanted" "$f2" "$f5" "$f6" "$f7"
            ;;
        want.own-unit) # SHA256 was KIND UNIT PACKAGE STATE SHA256
            want_own_unit "$unit" "$pkg" "$wanted" "$f1" "$f3" "$f6" "$f7"
            ;;
        esac
        : "$f4" "$f8"
    done <"$w/units"
}

undo_unit() { # UNIT STATE BEFORE ACTIVE
    unit_state "$1"
    case $3.$unit_is in
    disabled.enabled*)
        disable_unit "$1"
        # What deb-systemd-helper remembers goes too, unless the unit's own package looks after that.
        grep -qsF -e "$1" /var/lib/dpkg/info/*.postrm || helper --quiet purge "$1" 2>/dev/null || :
        ;;
    enabled*.disabled) enable_unit "$1" ;;
    esac
    unit_state "$1"
    case $2.$unit_is.$4 in
    *.not-found.* | *.masked.*) ;;
    # What was enabled is to run: it may be that its package had not come to start it yet (some do in a trigger).
    enabled.enabled*.inactive) ;;
    enabled.*.inactive | enabled.disabled.-) stop_unit "$1" ;;
    disabled.*.active | disabled.enabled*.- | masked.*.active | masked.enabled*.-) start_unit "$1" ;;
    esac
    keep_unit "$1"
}

want_unit() { # UNIT PACKAGE STATE KIND STATE-BEFORE BEFORE ACTIVE (the last four from our record, or "-")
    before=$6
    was_active=$7
    unit_state "$1"
    if [ "$4" != unit ]; then
        if [ "$unit_is" = not-found ]; then
            # A masked unit need not exist: its link is there, and that is all there is to it.
            [ "$3" = masked ] || mark "$2" "unit: $1 is not on this machine: is its package installed?"
            return 0
        fi
        before=$unit_is
        [ "$3" != masked ] || before=- # its link is there already, and hides what it was
        was_active=-
        if systemd_runs; then if active "$1"; then was_active=active; else was_active=inactive; fi; fi
        keep_unit "$1" "unit $1 $2 $3 $before $was_active"
    elif [ "$5" != "$3" ]; then
        keep_unit "$1" "unit $1 $2 $3 $before $was_active"
    fi
    changed=
    [ "$5" = "$3" ] || changed=yes
    case $3.$unit_is in
    enabled.disabled)
        enable_unit "$1"
        say "enabled $1 ($2)"
        changed=yes
        ;;
    enabled.masked* | enabled.not-found)
        mark "$2" "unit: $1 is $unit_is on this machine: it can not be enabled"
        return 0
        ;;
    disabled.enabled*)
        disable_unit "$1"
        say "disabled $1 ($2)"
        changed=yes
        ;;
    esac
    [ -n "$changed" ] || return 0
    case $3 in
    enabled) start_unit "$1" ;;
    *) stop_unit "$1" ;;
    esac
}

want_own_unit() { # UNIT PACKAGE STATE SHA256 KIND STATE-BEFORE SHA256-BEFORE
    if [ "$5" = own-unit ] && [ "$6" = "$3" ] && [ "$7" = "$4" ]; then
        [ "$3" = enabled ] || return 0
        unit_state "$1"
        [ "$unit_is" = disabled ] || return 0
    fi
    # Asked for before it is written down as done.
    if [ "$5" = own-unit ] && [ "$7" != "$4" ] && { [ "$3" != enabled ] || [ "$6" = enabled ]; }; then
        printf 'restart %s\n' "$1" >>"$run/queue" || die "cannot write $run/queue"
    fi
    reload_needed=yes
    keep_unit "$1" "own-unit $1 $2 $3 $4"
    if [ "$3" = enabled ]; then
        enable_unit "$1"
        # First seen, or disabled until now: it starts. Else only a change of its text counts, below.
        if [ "$5" != own-unit ] || [ "$6" != enabled ] || [ "$7" = "$4" ]; then
            start_unit "$1"
            return 0
        fi
    elif [ "$6" = enabled ]; then
        disable_unit "$1"
    fi
}
