#!/bin/sh
# @PREFIX@-backup: the backups of this machine. @PREFIX@-backup(8) tells how it is used.
set -u
umask 077
LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
share=/usr/share/@PREFIX@
state=/var/lib/@PREFIX@-backup
key=/etc/ssh/ssh_host_ed25519_key
export RESTIC_PASSWORD_FILE="$state/password" RESTIC_CACHE_DIR=/var/cache/@PREFIX@-backup

say() { printf '@PREFIX@-backup: %s\n' "$1"; }
warn() { printf '@PREFIX@-backup: %s\n' "$1" >&2; }
die() {
    warn "$1"
    exit 1
}

usage() {
    cat >&2 <<'TEXT'
usage: @PREFIX@-backup jobs
       @PREFIX@-backup run JOB
       @PREFIX@-backup list [SERVER]
       @PREFIX@-backup restore JOB --to DIRECTORY [--snapshot ID] [--path PATH]... [--from SERVER]
TEXT
    exit 2
}

# ------------------------------------------------------------------------------------------------------------- servers

name=$(hostname --fqdn 2>/dev/null || hostname)

# Those that keep our backups: all but ourselves.
servers() { grep -vxF -e "$name" "$share/backup/servers"; }

# This machine is known by its host key, the server by its own.
set_ssh() { # SERVER
    ssh="ssh -F none -T -o BatchMode=yes -o IdentitiesOnly=yes -i $key -o StrictHostKeyChecking=yes"
    ssh="$ssh -o UserKnownHostsFile=none -o GlobalKnownHostsFile=$share/known_hosts -o ConnectTimeout=30"
    ssh="$ssh -o ServerAliveInterval=60 -o LogLevel=ERROR @PREFIX@-backup@$1"
}

to_server() { # SERVER WAY ARGUMENT…: restic there; WAY is restic or restic-read
    set_ssh "$1"
    way=$2
    shift 2
    restic -o "rclone.program=$ssh" -o "rclone.args=$way" -r rclone:there "$@"
}

# The password of our repositories: made here, once. Nobody types it. A server keeps it encrypted.
make_password() {
    [ ! -s "$state/password" ] || return 0
    head -c 32 /dev/urandom | base64 -w 0 >"$state/password.new" && sync "$state/password.new" &&
        mv "$state/password.new" "$state/password"
}

# prepare SERVER: it has our key and a repository for us.
prepare() {
    set_ssh "$1"
    # shellcheck disable=SC2086 # options without blanks in them
    there=$($ssh state </dev/null) || {
        warn "$1 does not let this machine in, or can't be reached: it knows $name by the ssh_host_key of the tree, here $key.pub"
        return 1
    }
    make_password || {
        warn "can't write $state/password"
        return 1
    }
    id=$(printf 'debrole backup key %s' "$(cat "$state/password")" | sha256sum | cut -c1-32)
    held=$(printf '%s\n' "$there" | sed -n 's/^key //p')
    repository=
    case $there in *"repository yes"*) repository=yes ;; esac
    case $held.$repository in
    "$id.yes") return 0 ;;
    "$id." | -.*)
        # What a cut connection left of it there has its id, too: it is sent until a repository is made.
        # shellcheck disable=SC2086
        { age -R "$share/backup/recipients" <"$state/password" >"$state/key.age" && $ssh "key $id" <"$state/key.age"; } || {
            warn "the key did not get to $1"
            return 1
        }
        rm -f "$state/key.age"
        say "$1 has the key of this machine's backups, encrypted"
        ;;
    *)
        warn "$1 has backups of this machine under another key, as of one that was installed anew. On $1: @PREFIX@-backup-server renew $name"
        return 1
        ;;
    esac
    [ -z "$repository" ] || return 0
    to_server "$1" restic init --quiet >/dev/null || {
        warn "no repository could be made on $1"
        return 1
    }
    say "made a repository on $1"
}

# ---------------------------------------------------------------------------------------------------------------- jobs

# The file that describes a job, in the package that brings it:
#   debrole-backup-job 1
#   path PATH
#   exclude PATTERN
#   dump FILE USER COMMAND
# and beside it JOB.before and JOB.after, scripts. What this machine leaves out of a role's job in the place of what the
# role does is in the machine's own package.
job_file() { # JOB
    case $1 in
    machine_*)
        file=$share/hosts/$name/backup/${1#machine_}
        # A role may be called machine, too.
        [ -f "$file" ] || file=$share/roles/machine/backup/${1#machine_}
        ;;
    *_*) file=$share/roles/${1%%_*}/backup/${1#*_} ;;
    *) file= ;;
    esac
    case $1 in *[!a-z0-9_-]*) file= ;; esac
    [ -f "$file" ] || die "there is no job $1 on this machine: @PREFIX@-backup jobs lists them"
    excludes=$share/hosts/$name/backup-jobs/$1
    [ -f "$excludes" ] || excludes=$file
    for part in "$file" "$excludes"; do
        case $(head -n 1 "$part") in
        "debrole-backup-job 1") ;;
        *) die "the job $1 is of a newer kind: upgrade @PREFIX@-backup" ;;
        esac
    done
}

jobs() {
    for file in "$share"/roles/*/backup/* "$share/hosts/$name"/backup/*; do
        case $file in *.before | *.after) continue ;; esac
        [ -f "$file" ] || continue
        owner=${file%/backup/*}
        owner=${owner##*/}
        [ "$owner" != "$name" ] || owner=machine
        printf '%s_%s\n' "$owner" "${file##*/}"
    done
}

# dump JOB: what commands write. A file is replaced when its command has succeeded.
dump() {
    # What a job wrote that is none of its dumps any more.
    if [ -d "$state/$1" ]; then
        for old in "$state/$1"/*; do
            [ ! -f "$old" ] || grep -qF -e "dump ${old##*/} " "$file" || rm -f "$old"
        done
    fi
    grep '^dump ' "$file" >"$state/dumps.$1" || return 0
    mkdir -p "$state/$1" || return 1
    while read -r _ out user command; do
        (cd / && exec runuser -u "$user" -- /bin/sh -c "$command") </dev/null >"$state/$1/$out.new" || {
            warn "the dump $out of $1 failed (status $?): $command"
            rm -f "$state/$1/$out.new"
            return 1
        }
        sync "$state/$1/$out.new" && mv "$state/$1/$out.new" "$state/$1/$out" || return 1
    done <"$state/dumps.$1"
}

send() { # SERVER JOB
    set -- "$1" "$2" restic backup --quiet --host "$name" --tag "$2" --exclude-caches
    while read -r what value; do
        case $what in
        exclude) set -- "$@" "--exclude=$value" ;;
        esac
    done <"$excludes"
    set -- "$@" --
    while read -r what value; do
        case $what in
        path) set -- "$@" "$value" ;;
        esac
    done <"$file"
    if [ -s "$state/dumps.$2" ]; then set -- "$@" "$state/$2"; fi
    server=$1 job=$2
    shift 2
    to_server "$server" "$@" 2>"$state/errors.$job"
    status=$?
    # The lock of a run that was killed: restic removes those whose process is gone, and no others.
    if [ "$status" != 0 ] && grep -q 'already locked' "$state/errors.$job"; then
        to_server "$server" restic unlock --quiet </dev/null >/dev/null
        to_server "$server" "$@" 2>"$state/errors.$job"
        status=$?
    fi
    sed 's/^/    /' "$state/errors.$job" >&2
    # 3: something could not be read. What was removed meanwhile need not be.
    if [ "$status" = 3 ] && ! grep -i '^error' "$state/errors.$job" | grep -qvi 'no such file or directory'; then
        say "$job: files went while they were read"
        status=0
    fi
    rm -f "$state/errors.$job"
    return "$status"
}

work() { # JOB
    if [ -f "$file.before" ] && ! "$file.before" </dev/null; then
        warn "what is to be run before $1 failed"
        return 1
    fi
    dump "$1" || return 1
    while read -r what value; do
        if [ "$what" = path ] && [ ! -e "$value" ] && [ ! -L "$value" ]; then
            warn "$value is not there: nothing of $1 is sent"
            return 1
        fi
    done <"$file"
    servers >"$state/servers.$1"
    [ -s "$state/servers.$1" ] || {
        warn "no other machine of the fleet keeps backups"
        return 1
    }
    result=0
    while read -r server <&4; do
        if (flock -w 600 8 && prepare "$server") 8>>"$state/lock.prepare" && send "$server" "$1"; then
            say "$1 is backed up on $server"
        else
            warn "$1 is not backed up on $server"
            result=1
        fi
    done 4<"$state/servers.$1"
    return "$result"
}

run() { # JOB
    job_file "$1"
    mkdir -p "$state" "$RESTIC_CACHE_DIR" || die "can't make $state"
    exec 9>>"$state/lock.$1"
    flock -n 9 || die "$1 is running already"
    work "$1"
    result=$?
    if [ -f "$file.after" ] && ! "$file.after" </dev/null; then
        warn "what is to be run after $1 failed"
        result=1
    fi
    rm -f "$state/dumps.$1" "$state/servers.$1"
    return "$result"
}

restore() {
    [ $# -gt 0 ] || usage
    job=$1
    shift
    to='' from='' snapshot=latest
    true >"$state/paths.$$" || die "can't write to $state"
    while [ $# -gt 1 ]; do
        case $1 in
        --to) to=$2 ;;
        --from) from=$2 ;;
        --snapshot) snapshot=$2 ;;
        --path) printf '%s\n' "$2" >>"$state/paths.$$" ;;
        *) usage ;;
        esac
        shift 2
    done
    if [ $# -gt 0 ] || [ -z "$to" ]; then usage; fi
    [ -n "$from" ] || from=$(servers | head -n 1)
    [ -n "$from" ] || die "no other machine of the fleet keeps backups"
    set -- "$from" restic-read restore "$snapshot" --no-lock --target "$to"
    if [ "$snapshot" = latest ]; then set -- "$@" --tag "$job" --host "$name"; fi
    while read -r path; do
        set -- "$@" --include "$path"
    done <"$state/paths.$$"
    rm -f "$state/paths.$$"
    to_server "$@"
}

[ "$(id -u)" = 0 ] || die "it is root's to call"
case ${1-}.$# in
jobs.1) jobs ;;
run.2) run "$2" ;;
list.1 | list.2)
    [ -s "$state/password" ] || die "this machine has never been backed up"
    if [ $# = 2 ]; then printf '%s\n' "$2"; else servers; fi | while read -r server; do
        printf '%s:\n' "$server"
        to_server "$server" restic-read snapshots --no-lock --host "$name" </dev/null || exit 1
    done
    ;;
restore.*)
    [ -s "$state/password" ] || die "this machine has no key to its backups: restore on a server, by @PREFIX@-backup-server or debrole backup"
    shift
    restore "$@"
    ;;
*) usage ;;
esac
