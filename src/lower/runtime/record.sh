# ----------------------------------------------------------------------------------------------------------- the record

# $state/applied: what we put on this machine, a line a fact, replaced as a whole by rename(2).
#   debrole-applied 1 TRANSACTION                          "lost": there was a record, and it is to be made anew
#   file PATH PACKAGE ORIGINAL MODE OWNER GROUP SHA256     ORIGINAL: "kept" if $state/originals has what was there
#   link PATH PACKAGE ORIGINAL TARGET                      before us, else "-"
#   dir PATH PACKAGE ORIGINAL MODE OWNER GROUP
#   absent PATH PACKAGE ORIGINAL
#   initial PATH PACKAGE ORIGINAL MODE OWNER GROUP SHA256  as it was when we put it there; the machine's own since.
#                                                          ORIGINAL "there": it was there before us
#                                                          "diverted": what dpkg installed has another name
#   made PATH                                              a directory made because something had to be in it
#   reload|restart PATH UNIT                               what to do when PATH changes or goes
#   lost PACKAGE                                           was set aside when the record was made anew: its lines are
#                                                          still to come
#
# $state/journal exists while files are being exchanged: the actions, and the units to tell afterwards. Its
# transaction number is in the record: all is done, and only cleaning up is left. It is not: all is undone.

write_atomically() { # FILE: from stdin
    cat >"$1.new" && sync "$1.new" && mv -fT "$1.new" "$1" && sync "${1%/*}"
}

# Beside a path, while it is being exchanged. The names begin with a dot and end in a tilde: whatever reads a whole
# directory (run-parts, cron, sudo, munin, systemd …) passes over one or the other.
beside() { # PATH NUMBER
    new=${1%/*}/.@PREFIX@-new.$2~
    old=${1%/*}/.@PREFIX@-old.$2~
}

# inside DIRECTORY COMMAND…: in the directory itself. Whoever owns the one above can put a symlink under its name at any
# moment; where we are, we stay. (/lib is /usr/lib, as for check_parents.)
inside() (
    cd -P "$1" || exit 1
    case $(pwd -P) in
    "$1" | "/usr$1") ;;
    *) echo "cd: $1 has become a symlink" >&2 && exit 1 ;;
    esac
    shift
    "$@"
)

# Whether there must have been a record and is none, or one that can't be read.
record_is_lost() {
    case $(head -c 200 "$state/applied" 2>/dev/null | tr -d '\0' | sed -n 1p) in
    "debrole-applied 1 lost") return 0 ;;
    "debrole-applied 1 "*) return 1 ;;
    esac
    exists "$state/applied" || [ -n "$(find "$state/packages" "$state/originals" -type f 2>/dev/null | head -n 1)" ]
}

recover() {
    rm -f "$state/applied.new" "$state/journal.new" "$state/units.new"
    if record_is_lost; then
        warn "the record of what was applied, $state/applied, is lost: what is as the packages want it is taken for ours, and $backups gets a copy of what is not"
        echo "debrole-applied 1 lost" | write_atomically "$state/applied" || die "cannot write $state/applied"
    fi
    [ -e "$state/journal" ] || return 0
    done_=$(sed -n '1s/^debrole-applied 1 //p' "$state/applied" 2>/dev/null)
    begun=$(sed -n '1s/^transaction //p' "$state/journal")
    if [ -n "$begun" ] && [ "$done_" = "$begun" ]; then
        say "cleaning up after an interrupted run"
        finish
    else
        say "undoing an interrupted run"
        undo || die "cannot undo the interrupted run: mend what the lines above say and run @PREFIX@-runtime apply"
    fi
}

# The arguments of an action by name: file MODE OWNER GROUP SHA256 SOURCE, dir MODE OWNER GROUP NOW NOW.
set_arguments() {
    # shellcheck disable=SC2086
    set -- $args
    a=${1-} b=${2-} c=${3-} d=${4-} e=${5-}
}

# Backwards through the journal, whatever point it was left at. Each step may have been undone already.
undo() {
    tac "$state/journal" >"$w/undo" || return 1
    undone=yes
    while read -r what number op _ path kind flags args; do
        [ "$what" = act ] || continue
        beside "$path" "$number"
        set_arguments
        if exists "$old"; then
            # mv -T puts a file over a file, but neither over a directory nor a directory over a file.
            if [ -d "$path" ] && [ ! -L "$path" ]; then
                rmdir "$path" || undone=
            elif [ -d "$old" ] && [ ! -L "$old" ]; then
                rm -f "$path" || undone=
            fi
            # Still two names of one file: mv would refuse a symlink, or do nothing.
            if [ "$(stat -c %d:%i -- "$old")" = "$(stat -c %d:%i -- "$path" 2>/dev/null)" ]; then
                rm -f "$old" || undone=
            else
                mv -fT "$old" "$path" || undone=
            fi
        else
            case $op.$kind.$flags in
            put.dir.*E*) inside "$path" chown "$e" . && inside "$path" chmod "$d" . || undone= ;;
            drop.dir.*) inside "$path" chown "$e" . && inside "$path" chmod "$d" . || undone= ;;
            *E*) ;; # not reached
            put.file.*) # only what we put there ourselves
                if [ -f "$path" ] && [ "$(sha256sum <"$path")" = "$d  -" ]; then rm -f "$path" || undone=; fi
                ;;
            put.link.*)
                if [ -L "$path" ] && [ "$(readlink "$path")" = "$args" ]; then rm -f "$path" || undone=; fi
                ;;
            put.dir.* | put.made.*) rmdir "$path" 2>/dev/null || : ;;
            drop.*.*D*) # what was diverted, put back where nothing was
                diverted_to "$path"
                if ! exists "$new" && exists "$there"; then rm -f "$path" || undone=; fi
                ;;
            drop.*) # an original that was put back where nothing was
                if [ ! -e "$new" ] && [ ! -L "$new" ] && same_as_original "$path"; then rm -rf "$path" || undone=; fi
                ;;
            esac
        fi
        case $op.$flags in
        put.*V* | put.*W*)
            undivert "$path" || undone=
            diverted_to "$path"
            case $flags in *V*) rm -f "$there" || undone= ;; esac
            ;;
        esac
        if exists "$new"; then rm -rf "$new" || undone=; fi
    done <"$w/undo"
    [ -n "$undone" ] && rm -f "$state/journal"
}

# Only asked when a restored original is to be taken away again: what was put back at PATH is still in originals/.
same_as_original() {
    exists "$1" && exists "$state/originals$1~"
}

# After the commit: what is to be told goes into the queue, what was kept for undo goes.
finish() {
    sed -n 's/^tell //p' "$state/journal" >>"$run/queue" || return 1
    matching -E '^act [0-9]+ drop [^ ]+ [^ ]+ [a-z]+ [A-Z]*D' "$state/journal" >"$w/undivert" || return 1
    while read -r _ _ _ _ path _; do
        diverted_to "$path"
        { undivert "$path" && rm -f "$there"; } || return 1
    done <"$w/undivert"
    awk -v originals="$state/originals" -v prefix="@PREFIX@" '
        $1 == "act" {
            directory = $5; sub(/\/[^\/]*$/, "", directory)
            print directory "/." prefix "-new." $2 "~"
            print directory "/." prefix "-old." $2 "~"
            if ($3 == "drop") print originals $5 "~"
        }' "$state/journal" | xargs -r rm -rf || return 1
    rm -f "$state/journal"
}
