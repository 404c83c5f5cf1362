# ------------------------------------------------------------------------------------------------------------ the queue

# The queue: each unit once, a restart instead of a reload where both were asked for. It outlives a killed run; not a
# reboot, after which everything has read its files anyway.
run_queue() {
    [ -z "$reload_needed" ] || daemon_reload
    [ -s "$run/queue" ] || return 0
    empty again
    if systemd_runs; then
        ! grep -q '^daemon-reload' "$run/queue" || daemon_reload
        awk -v started="$w/started" '
            FILENAME == started { done[$1] = 1; next }
            $1 == "restart" || $1 == "reload" { if (!($2 in todo) || $1 == "restart") todo[$2] = $1 }
            END { for (u in todo) if (!(u in done)) print todo[u], u }' "$w/started" "$run/queue" | sort >"$w/todo" ||
            die "cannot write to $w"
        # Twice: one may have failed because another one, later in the list, still held what it wants (a port).
        tell_units again
        cp "$w/again" "$w/todo" || die "cannot write to $w"
        empty again
        tell_units
    fi
    cat "$w/again" >"$run/queue" || die "cannot write $run/queue"
}

tell_units() { # [again]
    while read -r action unit; do
        case $(systemctl is-active -- "$unit" </dev/null 2>/dev/null) in
        active | reloading)
            if [ "$action" = reload ] && [ "$(systemctl show -p CanReload --value -- "$unit" </dev/null)" = no ]; then
                action=restart
            fi
            ;;
        failed) action=restart ;; # it may have failed for want of just this change
        *) continue ;;            # it does not run: it will read its files when it starts
        esac
        invoke "$action" "$unit" "${1-}" || printf '%s %s\n' "$action" "$unit" >>"$w/again" ||
            die "cannot write to $w"
    done <"$w/todo"
}
