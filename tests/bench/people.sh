#!/bin/sh
# What people cost: 2,000 users, 200 groups, 500 roles that let them in, 500 machines. Prints how long it takes to check
# the tree, to publish it from nothing, again with nothing changed, after one person left, and to list who may do what.
#
#   tests/bench/people.sh DEBROLE [USERS [GROUPS [ROLES [MACHINES]]]]
set -eu

debrole=$(realpath "$1")
users=${2:-2000}
groups=${3:-200}
roles=${4:-500}
machines=${5:-$roles}
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir "$tree/users" "$tree/groups" "$tree/roles" "$tree/hosts"

cat >"$tree/debrole.toml" <<'TOML'
schema = 1
[fleet]
prefix = "pg"
origin = "Bench"
label = "Bench"
maintainer = "Bench <bench@example.org>"
uri = "http://apt.example.org"
architectures = ["amd64"]
[release.bookworm]
[release.trixie]
TOML

awk -v tree="$tree" -v users="$users" -v groups="$groups" -v roles="$roles" -v machines="$machines" 'BEGIN {
    ledger = tree "/ledger.toml"
    print "[users]" >ledger
    for (i = 1; i <= users; i++) {
        file = tree "/users/user" i ".toml"
        printf "uid = %d\nname = \"User %d\"\n\n[[key]]\n", 2000 + i, i >file
        # A key of 32 bytes, each user another.
        printf "key = \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA%042d user%d@desk\"\n", i, i >file
        close(file)
        printf "%d = \"user%d\"\n", 2000 + i, i >ledger
    }
    print "[groups]" >ledger
    for (i = 1; i <= groups; i++) {
        file = tree "/groups/group" i ".toml"
        printf "gid = %d\ndescription = \"Group %d\"\nmembers = [", 20000 + i, i >file
        # Everybody is in two groups.
        for (j = i; j <= users; j += groups) printf "\"user%d\", ", j >file
        for (j = i % groups + 1; j <= users; j += groups) printf "\"user%d\", ", j >file
        print "]" >file
        close(file)
        printf "%d = \"group%d\"\n", 20000 + i, i >ledger
    }
    file = tree "/roles/base.toml"
    print "summary = \"Base\"\n[access]\nlogin = [\"group1\"]" >file
    print "sudo = [{ group = \"group1\", commands = [\"ALL\"], reason = \"administrators\" }]" >file
    for (i = 1; i <= roles; i++) {
        file = tree "/roles/role" i ".toml"
        printf "summary = \"Role %d\"\nincludes = [\"base\"]\n[access]\nlogin = [\"group%d\", \"group%d\"]\n", i, i % groups + 1, i * 7 % groups + 1 >file
        printf "[[access.sudo]]\ngroup = \"group%d\"\ncommands = [\"/usr/bin/systemctl restart role%d.service\"]\n", i % groups + 1, i >file
        close(file)
    }
    for (i = 1; i <= machines; i++) {
        file = tree "/hosts/host" i ".example.org.toml"
        printf "roles = [\"role%d\"]\nrelease = \"%s\"\n", (i - 1) % roles + 1, i % 2 ? "bookworm" : "trixie" >file
        close(file)
    }
}'

# timed WHAT COMMAND…: seconds and the largest resident set, in MB.
timed() {
    what=$1
    shift
    /usr/bin/time -f '%e %M' -o "$tree/time" "$@" >"$tree/said" 2>&1 || {
        cat "$tree/said"
        exit 1
    }
    awk -v what="$what" '{ printf "%-44s %6.2f s  %5.0f MB\n", what, $1, $2 / 1024 }' "$tree/time"
}

printf '%s users, %s groups, %s roles, %s machines\n' "$users" "$groups" "$roles" "$machines"
"$debrole" -q -C "$tree" key init >/dev/null
timed "check" "$debrole" -C "$tree" check
timed "build from nothing" "$debrole" -C "$tree" build --no-gate --first-publish
timed "build, nothing changed" "$debrole" -C "$tree" build --no-gate
timed "user retire (edits, checks)" "$debrole" -C "$tree" user retire user7
timed "build, one person left" "$debrole" -C "$tree" build --no-gate
grep '  access - user7: ' "$tree/said" | cut -c 1-100 | head -n 3
timed "access (the matrix)" "$debrole" -C "$tree" access --output csv
printf '%s rights\n' "$(($(wc -l <"$tree/said") - 1))"
