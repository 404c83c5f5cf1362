# ---------------------------------------------------------------------------------------------------------------- files

# What was there before us goes to originals/, what somebody changed to /var/backups. Beside the transaction: an
# original without a line in the record means nothing.
keep_originals() {
    matching -E '^act [0-9]+ [a-z]+ [^ ]+ [^ ]+ [a-z]+ [A-Z]*[NL]' "$w/plan" >"$w/list" || die "cannot write to $w"
    [ -s "$w/list" ] || return 0
    while read -r _ _ _ pkg path kind flags _; do
        empty error
        case $flags in
        *N*)
            original=$state/originals$path~
            # What was to be away has come again, and is what will be put back: what was there first goes to the copies.
            case $flags in
            *O*) copy_aside "$original" "$path" || { trouble "$pkg" "$path" "what was there first can not be saved in $backups"; return 1; } ;;
            esac
            {
                rm -rf "$original" "$original.new" && mkdir -p "${original%/*}" &&
                    if [ "$kind" = dir ]; then # its mode and owner are all that we change
                        mkdir "$original.new" && chown --reference="$path" "$original.new" &&
                            chmod --reference="$path" "$original.new"
                    else
                        cp -a "$path" "$original.new"
                    fi && mv -T "$original.new" "$original"
            } 2>"$w/error" || { trouble "$pkg" "$path" "what is there now can not be saved in $state"; return 1; }
            ;;
        esac
        case $flags in
        *L*)
            copy_aside "$path" "$path" || { trouble "$pkg" "$path" "what is there now can not be saved in $backups"; return 1; }
            say "$path was changed by somebody: a copy is in $copy"
            ;;
        esac
    done <"$w/list"
    find "$state/originals" -cnewer "$w/dpkg" -type f -exec sync {} + 2>/dev/null || :
}

# copy_aside FROM PATH: to $backups/PATH.TIME. The directory is for root alone: what is copied may have been for few eyes.
copy_aside() {
    exists "$1" || return 0
    copy=$backups$2.$(date +%Y%m%dT%H%M%S)
    { mkdir -p "$backups" && chmod 0700 "$backups" && mkdir -p "${copy%/*}" && rm -rf "$copy" && cp -a "$1" "$copy"; } 2>"$w/error" ||
        return 1
    copied=yes
}

# Of each path the newest copies stay, and none that is too old.
prune_copies() {
    [ -d "$backups" ] || return 0
    find "$backups" -mindepth 1 -name '*.[0-9]*T[0-9]*' -prune | sort -r | awk -v most="$(setting copies 10)" \
        -v oldest="$(date -d "$(setting copy-days 180) days ago" +%Y%m%dT%H%M%S)" '
        {
            path = substr($0, 1, length($0) - 16); time = substr($0, length($0) - 14)
            if (substr($0, length($0) - 15) ~ /^\.[0-9]+T[0-9]+$/ && (++copies[path] > most || time < oldest)) print
        }' | xargs -r -d "$newline" rm -rf -- || warn "cannot clean up in $backups"
    find "$backups" -mindepth 1 -type d -empty -delete
}

remove_and_make_directories() {
    while read -r _ number op pkg path kind flags args; do
        set_arguments
        beside "$path" "$number"
        case $op.$kind.$flags in
        drop.*.*[OD]*) ;;
        drop.*)
            mv -T "$path" "$old" 2>"$w/error" || { trouble "$pkg" "$path" "can not be removed"; return 1; }
            ;;
        put.made.*)
            [ -d "$path" ] || mkdir "$path" 2>"$w/error" || { trouble "$pkg" "$path" "can not be made"; return 1; }
            ;;
        put.dir.*)
            {
                { [ -d "$path" ] && [ ! -L "$path" ]; } || {
                    { ! exists "$path" || mv -T "$path" "$old"; } && mkdir -m 0700 "$path"
                } && inside "$path" chown "$b:$c" . && inside "$path" chmod "$a" .
            } 2>"$w/error" || { trouble "$pkg" "$path" "can not be made"; return 1; }
            ;;
        esac
    done <"$w/journal.acts"
}

# Everything that needs room is written before the first file is exchanged.
make_new_files() {
    empty new sums
    while read -r _ number op pkg path kind flags args; do
        set_arguments
        beside "$path" "$number"
        case $op.$kind.$flags in
        put.file.*)
            # install(1) sets the owner before the mode: a setuid file is never the wrong user's.
            # Whoever owns the directory may have put something under that name; through a symlink to a directory we
            # would write where it leads.
            { rm -rf "$new" && install -T -m "$a" -o "$b" -g "$c" -- "$e" "$new"; } 2>"$w/error" ||
                { trouble "$pkg" "$path" "can not be written"; return 1; }
            { printf '%s\n' "$new" >>"$w/new" && printf '%s  %s\n' "$d" "$new" >>"$w/sums"; } || die "cannot write to $w"
            ;;
        put.link.*)
            { rm -rf "$new" && ln -sT -- "$args" "$new"; } 2>"$w/error" ||
                { trouble "$pkg" "$path" "can not be made"; return 1; }
            ;;
        drop.dir.*) ;;
        drop.*.*P*) ;;
        drop.*.*D*)
            diverted_to "$path"
            ! exists "$there" || { rm -rf "$new" && cp -aT "$there" "$new"; } 2>"$w/error" ||
                { trouble "$pkg" "$path" "what was diverted can not be put back"; return 1; }
            ;;
        drop.*.*O*)
            { rm -rf "$new" && cp -aT "$state/originals$path~" "$new"; } 2>"$w/error" ||
                { trouble "$pkg" "$path" "what was there before can not be put back"; return 1; }
            ;;
        esac
    done <"$w/journal.acts"
    [ -s "$w/new" ] || return 0
    xargs -d "$newline" sync -- <"$w/new" 2>"$w/error" || { trouble_any "can not be written to the disk"; return 1; }
    # A damaged payload would be put here again by every run.
    sha256sum -c --quiet "$w/sums" >"$w/sums.bad" 2>/dev/null && return 0
    damaged=$(sed -n '1s/.*-new\.\([0-9]*\)~: .*/\1/p' "$w/sums.bad")
    while read -r _ number _ pkg path _; do
        [ "$number" = "$damaged" ] || continue
        refuse "$pkg" "$path" "its payload below $share is damaged: apt-get install --reinstall $pkg"
    done <"$w/journal.acts"
    return 1
}

trouble_any() { # of nobody in particular: the first package stands for all, the next attempt is without it
    read -r _ _ _ pkg path _ <"$w/journal.acts"
    trouble "$pkg" "$path" "$1"
}

exchange() {
    while read -r _ number op pkg path kind flags _; do
        beside "$path" "$number"
        case $op.$kind.$flags in
        put.dir.* | put.made.*) ;;
        put.absent.*)
            mv -T "$path" "$old" 2>"$w/error" || { trouble "$pkg" "$path" "can not be moved away"; return 1; }
            ;;
        drop.dir.*)
            { inside "$path" chown --reference="$state/originals$path~" . && inside "$path" chmod --reference="$state/originals$path~" .; } \
                2>"$w/error" || { trouble "$pkg" "$path" "its owner and mode can not be put back"; return 1; }
            ;;
        put.* | drop.*.*[OD]*)
            case $flags in
            *V*) divert "$path" 2>"$w/error" || { trouble "$pkg" "$path" "can not be diverted"; return 1; } ;;
            *W*) divert "$path" kept 2>"$w/error" || { trouble "$pkg" "$path" "can not be diverted"; return 1; } ;;
            *D*) # the package may have been purged since, and its file with it
                if [ "$op" = drop ] && ! exists "$new"; then
                    ! exists "$path" || mv -T "$path" "$old" 2>"$w/error" ||
                        { trouble "$pkg" "$path" "can not be removed"; return 1; }
                    continue
                fi
                ;;
            esac
            # A second name for what is there, so that undo is one rename; and there is no moment without the file.
            {
                if [ -d "$path" ] && [ ! -L "$path" ]; then
                    # One of ours. Directories in it may be left of what was removed from there; files are not.
                    { [ -z "$(find "$path" ! -type d ! -name '.@PREFIX@-old.*~')" ] || { echo "mv: the directory is not empty" >&2; false; }; } &&
                        mv -T "$path" "$old"
                elif [ -d "$new" ] && [ ! -L "$new" ] && exists "$path"; then
                    mv -T "$path" "$old"
                elif exists "$path"; then
                    rm -f "$old" && ln -P -- "$path" "$old"
                fi && mv -fT "$new" "$path"
            } 2>"$w/error" || { trouble "$pkg" "$path" "can not be replaced"; return 1; }
            ;;
        esac
    done <"$w/journal.acts"
}

sync_directories() {
    awk '{ d = $5; sub(/\/[^\/]*$/, "", d); print d == "" ? "/" : d }' "$w/journal.acts" | sort -u |
        while read -r directory; do [ -d "$directory" ] && printf '%s\n' "$directory"; done |
        xargs -r -d "$newline" sync -- 2>/dev/null || :
}
