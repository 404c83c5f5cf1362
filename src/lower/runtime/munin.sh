# -------------------------------------------------------------------------------------------------------------- plugins
#
# Which plugins munin-node runs is said by links in $plugins. Packages bring lists of them (munin, beside the manifest):
#   debrole-munin 1
#   package NAME
#   plugin LINK TARGET        TARGET: a name in /usr/share/munin/plugins, or a path
#   only                      links to Debian's plugins that no package wants go
# Two packages may want one link. $state/munin has those that we made, "LINK TARGET" a line. Others go where a package says
# `only`: munin-node's installation links what it finds on a machine. $state/munin-detected has those, to put them back.
plugins=/etc/munin/plugins

# settle_plugins: a link for each that an active package wants, none of ours that none wants any more.
settle_plugins() {
    [ -d "$plugins" ] || { rm -f "$state/munin" "$state/munin-detected"; return 0; }
    only=
    awk '$1 == "package" && $3 != "gone" { print $2, $3, $5 }' "$w/desired" | sort >"$w/list" || die "cannot write to $w"
    while read -r pkg is home; do
        [ -f "$home/munin" ] || continue
        # In the middle of being configured, or not to be changed: what we made for it stays.
        how=want
        if [ "$is" != active ] || is_aside "$pkg"; then how=keep; fi
        ! grep -qx only "$home/munin" || only=$how
        awk -v how="$how" -v pkg="$pkg" '
            NR == 1 && $0 != "debrole-munin 1" { exit }
            $1 == "plugin" { t = $3; if (t !~ /^\//) t = "/usr/share/munin/plugins/" t; print how, $2, t, pkg }' "$home/munin"
    done <"$w/list" >"$w/plugins" || die "cannot write to $w"
    [ -s "$w/plugins" ] || [ -s "$state/munin" ] || [ -s "$state/munin-detected" ] || return 0
    empty munin
    touched=
    while read -r how link target pkg; do
        if target_in "$w/munin" "$link" >/dev/null; then continue; fi # another package wants it, too
        there=$(readlink "$plugins/$link")
        ours=
        [ ! -s "$state/munin" ] || ours=$(target_in "$state/munin" "$link")
        if [ "$how" = keep ]; then
            [ -z "$ours" ] || printf '%s %s\n' "$link" "$ours" >>"$w/munin" || die "cannot write to $w"
            continue
        fi
        if [ ! -e "$target" ]; then
            mark "$pkg" "munin: there is no plugin $target"
        elif [ "$there" = "$target" ]; then
            # The installation of munin-node may have made it; then it is not ours, and stays.
            [ -z "$ours" ] || printf '%s %s\n' "$link" "$target" >>"$w/munin" || die "cannot write to $w"
        elif exists "$plugins/$link" && { [ -z "$ours" ] || [ ! -L "$plugins/$link" ]; }; then
            mark "$pkg" "munin: $plugins/$link is somebody else's: remove it, then: @PREFIX@-runtime apply"
        else
            plugins_change
            # Whose it is, is known before it is there: a killed run's would count as munin-node's own for ever.
            { [ ! -s "$state/munin" ] || cat "$state/munin"; printf '%s %s\n' "$link" "$target"; } |
                write_atomically "$state/munin" || die "cannot write $state/munin"
            beside "$plugins/$link" 0
            rm -f "$new"
            if ln -s "$target" "$new" && mv -fT "$new" "$plugins/$link"; then
                printf '%s %s\n' "$link" "$target" >>"$w/munin" || die "cannot write to $w"
            else
                mark "$pkg" "munin: $plugins/$link can't be made"
            fi
        fi
    done <"$w/plugins"
    if [ -s "$state/munin" ]; then
        while read -r link target; do
            if target_in "$w/munin" "$link" >/dev/null; then continue; fi
            if [ "$(readlink "$plugins/$link")" = "$target" ]; then
                plugins_change
                rm -f "$plugins/$link"
            fi
        done <"$state/munin"
    fi
    if [ ! -s "$w/munin" ]; then
        rm -f "$state/munin"
    elif ! cmp -s "$w/munin" "$state/munin"; then
        write_atomically "$state/munin" <"$w/munin" || die "cannot write $state/munin"
    fi
    case $only in
    want) hide_detected ;;
    '') show_detected ;;
    esac
}

# target_in LIST LINK: what it points to there. 1: it is not there.
target_in() {
    while read -r its_link its_target; do
        if [ "$its_link" = "$2" ]; then
            printf '%s\n' "$its_target"
            return 0
        fi
    done <"$1"
    return 1
}

# Asked for before the first link changes: a run that is killed in between finds nothing to change any more.
plugins_change() {
    [ -n "$touched" ] || echo "restart munin-node.service" >>"$run/queue" || die "cannot write $run/queue"
    touched=yes
}

# Links to Debian's plugins that no package wants, whoever made them.
hide_detected() {
    # A newline would make another link's line of what follows it.
    find "$plugins" -maxdepth 1 -type l ! -name '*[[:space:]]*' ! -lname '*[[:space:]]*' -printf '%f %l\n' >"$w/links" ||
        die "cannot write to $w"
    awk -v wanted="$w/plugins" '
        FILENAME == wanted { want[$2]; next }
        NF == 2 && $2 ~ /^\/usr\/share\/munin\/plugins\/[^\/]+$/ && !($1 in want)' "$w/plugins" "$w/links" >"$w/hidden" ||
        die "cannot write to $w"
    [ -s "$w/hidden" ] || return 0
    # Written down before they go.
    empty detected
    [ ! -s "$state/munin-detected" ] || cat "$state/munin-detected" >"$w/detected" || die "cannot write to $w"
    cat "$w/hidden" >>"$w/detected" || die "cannot write to $w"
    awk '{ target[$1] = $2 } END { for (link in target) print link, target[link] }' "$w/detected" | sort |
        write_atomically "$state/munin-detected" || die "cannot write $state/munin-detected"
    plugins_change
    while read -r link target; do
        rm -f "$plugins/$link"
    done <"$w/hidden"
}

# As they were, where nothing else took their place.
show_detected() {
    [ -s "$state/munin-detected" ] || return 0
    while read -r link target; do
        if exists "$plugins/$link" || [ ! -e "$target" ]; then continue; fi
        plugins_change
        ln -s "$target" "$plugins/$link"
    done <"$state/munin-detected"
    rm -f "$state/munin-detected"
}

# What of it is no longer as we left it, for verify.
verify_plugins() {
    [ -s "$state/munin" ] || return 0
    while read -r link target; do
        if ! exists "$plugins/$link"; then
            finding missing "$plugins/$link" munin
        elif [ "$(readlink "$plugins/$link")" != "$target" ]; then
            finding changed "$plugins/$link" munin "$target" "$(printf %s "$(readlink "$plugins/$link")" | tr '\n' '?')"
        fi
    done <"$state/munin"
}
