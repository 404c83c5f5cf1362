#!/bin/sh
# backup-serve FQDN: all that a machine may do on a backup server. sshd runs it in the place of whatever the machine asks
# for, as @PREFIX@-backup, and names the machine by its host key (/usr/share/@PREFIX@/backup-server/keys).
#   state          which key is here, and whether there is a repository
#   key ID         takes the repository's password from standard input, encrypted by age(1). Once.
#   restic …       restic(1)'s way to the repository: what is there is neither changed nor removed, but for locks
#   restic-read …  the same, and nothing can be written at all
# Whatever else is asked for, and whoever tries to change what is there, is written down in FQDN/refused: an alarm, until
# somebody has looked (@PREFIX@-backup-server clear FQDN).
set -u
umask 077
LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH

die() {
    printf '%s\n' "$1" >&2
    exit "${2-1}"
}

refused() { # TEXT
    text=$(printf '%s' "$1" | tr -cd 'A-Za-z0-9 ._/:=,+@-' | cut -c1-200)
    # Whoever tries for hours fills no disk.
    [ "$(stat -c %s "$home/refused" 2>/dev/null || echo 0)" -gt 65536 ] ||
        printf '%s %s\n' "$(date +%s)" "$text" >>"$home/refused"
    logger -p auth.warning -t @PREFIX@-backup "$client: refused: $text" 2>/dev/null || :
}

# Whether a file of the repository is as it was sent: its name is its content's hash. What a full disk left of an upload is
# none, and nobody's backup.
whole() { [ "$(sha256sum <"$1" | cut -d ' ' -f 1)" = "${1##*/}" ]; }

# Of rclone's log on standard input what is an attempt. A client removes its own locks; after a failed upload it tries to
# remove what may be left of it, and to send it again.
attempts() {
    unfinished=
    grep --line-buffered -aE ': DELETE |refusing to overwrite' | while IFS= read -r line; do
        case $line in
        *"refusing to overwrite"*)
            line=${line%: Post request*}
            what=overwrite object=/${line##* }
            ;;
        *) what=removal object=${line#*": DELETE "} ;;
        esac
        name=${object##*/}
        case $object in
        *..* | *[!A-Za-z0-9/]*) name= ;;
        /locks/"$name") case $name in *[!0-9a-f]*) ;; *) continue ;; esac ;;
        /data/"$name") object=/data/${name%"${name#??}"}/$name ;;
        esac
        if [ -n "$name" ]; then
            case " $unfinished " in *" $name "*) continue ;; esac
            [ -e "$home/repo$object" ] || continue
            case $object in
            /data/* | /index/* | /keys/* | /snapshots/*)
                if [ -f "$home/repo$object" ] && ! whole "$home/repo$object"; then
                    rm -f "$home/repo$object"
                    unfinished="$unfinished $name"
                    continue
                fi
                ;;
            esac
        fi
        refused "$what of $object"
    done
}

# What a full disk left of an index would keep restic from reading all others. While no session is open, nothing of it is
# still on its way.
tidy() {
    [ -d "$home/repo/index" ] || return 0
    flock -n 9 || return 0
    newer=
    [ ! -e "$home/tidy" ] || newer="-newer $home/tidy"
    true >"$home/tidy.new" || return 0
    # shellcheck disable=SC2086 # two words, or none
    find "$home/repo/index" "$home/repo/snapshots" "$home/repo/keys" -type f $newer -exec sh -c '
        for file; do
            [ "$(sha256sum <"$file" | cut -d " " -f 1)" = "${file##*/}" ] || rm -f "$file"
        done' sh {} +
    mv "$home/tidy.new" "$home/tidy"
}

restic() { # [LIMIT]
    [ -e "$home/key.age" ] || die "there is no key of $client here: @PREFIX@-backup run JOB on $client sends it"
    exec 9>>"$home/lock"
    tidy
    # While old backups are removed, nothing comes in: nobody but this lock could say so to a client that lies.
    flock -s -w 3600 9 || die "old backups are being removed for an hour now: try again later"
    [ -d "$home/repo" ] || mkdir "$home/repo" || die "can't make $home/repo"
    cd "$home/repo" || exit 1
    [ -z "${1-}" ] || ulimit -f 0
    {
        RCLONE_CONFIG=/dev/null HOME=$home rclone serve restic --stdio --append-only --cache-objects=false -vv "$home/repo" \
            2>&1 >&3 3>&- | attempts
    } 3>&1
}

client=${1-}
case $client in "" | -* | .* | */* | *[!a-z0-9.-]*) die "backup-serve is called by sshd" ;; esac
directory=$(cat /usr/share/@PREFIX@/roles/*/backup-server /usr/share/@PREFIX@/hosts/*/backup-server 2>/dev/null |
    sed -n 's/^directory //p' | head -n 1)
[ -d "${directory:-/nonexistent}" ] || die "this machine keeps no backups: it has no role with [backup_server]"
home=$directory/$client
[ -d "$home" ] || mkdir "$home" || die "can't make $home"

case ${SSH_ORIGINAL_COMMAND-} in
state)
    key=-
    # Its id is written first: without the key itself it says nothing.
    [ ! -e "$home/key.age" ] || key=$(cat "$home/key.id")
    repository=no
    [ ! -e "$home/repo/config" ] || repository=yes
    printf 'key %s\nrepository %s\n' "$key" "$repository"
    ;;
"key "*)
    id=${SSH_ORIGINAL_COMMAND#key }
    case $id in *[!0-9a-f]*) id= ;; esac
    [ "${#id}" = 32 ] || die "a key's id has 32 hexadecimal digits"
    exec 9>>"$home/lock"
    flock -w 60 9 || die "$client is busy here: try again later"
    if [ -e "$home/key.age" ]; then
        [ "$(cat "$home/key.id")" = "$id" ] || {
            refused "another key in the place of the one that is here"
            die "there is another key of $client here" 3
        }
        # A connection that is cut ends what comes, as its end does: only who has heard that it is here makes a
        # repository. Until then it comes again, and takes the place of what may be a part.
        [ ! -e "$home/repo/config" ] || exit 0
    fi
    head -c 65536 >"$home/key.new" || die "can't write $home/key.new"
    [ "$(head -n 1 "$home/key.new" | tr -d '\0')" = age-encryption.org/v1 ] || die "this is no key that age(1) encrypted"
    { printf '%s\n' "$id" >"$home/key.id.new" && mv "$home/key.id.new" "$home/key.id" && sync "$home/key.new" "$home/key.id" && mv "$home/key.new" "$home/key.age"; } ||
        die "can't write $home/key.age"
    ;;
"restic "*)
    used=$(df --output=pcent "$directory" | tail -n 1 | tr -dc 0-9)
    # What is left is for removing old backups, which needs room, too.
    [ "${used:-0}" -lt 95 ] || die "the disk of the backup server is full: $used % of it are used"
    restic
    ;;
"restic-read "*) restic read ;;
*)
    refused "the command ${SSH_ORIGINAL_COMMAND:-(none)}"
    die "there is nothing here but backups"
    ;;
esac
