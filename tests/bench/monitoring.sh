#!/bin/sh
# What monitoring costs: 70 roles with 300 checks, 300 machines with eleven roles each. Prints how long it takes to check
# the tree, to publish it from nothing and again with one machine less, whether a second tree of the same content makes
# the same bytes, how large Nagios' files are, and what `nagios4 -v` says of them where it is installed.
#
#   tests/bench/monitoring.sh DEBROLE [MACHINES [ROLES [CHECKS]]]
set -eu

debrole=$(realpath "$1")
machines=${2:-300}
roles=${3:-70}
checks=${4:-300}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree
mkdir -p "$tree/users" "$tree/groups" "$tree/roles" "$tree/hosts"

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
[monitoring]
contacts = ["sysadmins"]
TOML
printf '[users]\n2001 = "alice"\n[groups]\n3001 = "sysadmins"\n' >"$tree/ledger.toml"
printf 'gid = 3001\ndescription = "Administrators"\nmembers = ["alice"]\n' >"$tree/groups/sysadmins.toml"
cat >"$tree/users/alice.toml" <<'TOML'
uid = 2001
name = "Alice Example"
email = "alice@example.org"
[[key]]
key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPUzq3WuJtLpo5rRa28VbMFSI3fhiXMT8vKQSa7knPRP"
TOML
cat >"$tree/roles/base.toml" <<'TOML'
summary = "Base"
[access]
login = ["sysadmins"]
sudo = [{ group = "sysadmins", commands = ["ALL"], reason = "administrators" }]
TOML
printf 'summary = "Monitor"\nincludes = ["base"]\n[nagios_server]\n[munin_server]\n' >"$tree/roles/monitor.toml"

awk -v tree="$tree" -v machines="$machines" -v roles="$roles" -v checks="$checks" 'BEGIN {
    for (r = 0; r < roles; r++) {
        file = tree "/roles/role" r ".toml"
        printf "summary = \"Role %d\"\nincludes = [\"base\"]\n", r >file
        for (c = r; c < checks; c += roles)
            printf "[[check]]\nname = \"check-%d\"\ncommand = \"/usr/lib/nagios/plugins/check_procs -c {critical}\"\ncritical = %d\n", c, c + 1 >file
        printf "[[munin]]\nplugin = \"if_\"\nname = \"if_eth%d\"\n", r >file
        close(file)
    }
    for (m = 0; m < machines; m++) {
        file = tree "/hosts/m" m ".example.org.toml"
        printf "roles = [%s", m == 0 ? "\"monitor\"" : "\"base\"" >file
        for (n = 0; n < 11; n++) printf ", \"role%d\"", (m * 3 + n * 6) % roles >file
        printf "]\nrelease = \"bookworm\"\naddresses = [\"10.%d.%d.%d\"]\n", m / 62500, m / 250 % 250, m % 250 + 1 >file
        # A key of 32 bytes, each machine another.
        printf "ssh_host_key = \"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA%042d\"\n", m + 1 >file
        if (m % 10) printf "[monitoring]\nparents = [\"m%d.example.org\"]\n", m - m % 10 >file
        if (m % 20 == 1) printf "[monitoring.thresholds.disk]\ncritical = 3\n" >file
        close(file)
    }
}'

cp -r "$tree" "$work/again"
took() { # WHAT COMMAND…
    what=$1
    shift
    start=$(date +%s%N)
    "$@" >"$work/said" 2>&1 || { cat "$work/said" >&2; exit 1; }
    printf '%-34s %6d ms\n' "$what" $((($(date +%s%N) - start) / 1000000))
}
echo "$machines machines, $roles roles, $checks checks"
"$debrole" -q -C "$tree" key init >/dev/null
took "check" "$debrole" -C "$tree" check
took "build from nothing" "$debrole" -C "$tree" build --no-gate --first-publish
files="nagios commands contacts dependencies escalations hosts services"
for of in tree again; do
    mkdir "$work/$of.objects"
    for file in $files; do
        "$debrole" -C "$work/$of" show pg-nagios-config --file "/etc/nagios4/pg/$file.cfg" >"$work/$of.objects/$file.cfg"
    done
done
if diff -r "$work/tree.objects" "$work/again.objects" >/dev/null; then echo "the same bytes again"; else echo "other bytes" >&2; exit 1; fi
printf '%-34s %6d kB\n' "files of Nagios" $(($(cat "$work"/tree.objects/*.cfg | wc -c) / 1000))
rm "$tree/hosts/m$((machines - 1)).example.org.toml"
took "build, one machine less" "$debrole" -C "$tree" build --no-gate
nagios=${NAGIOS:-$(command -v nagios4 || :)}
[ -n "$nagios" ] || { echo "nagios4 is not installed: not judged"; exit 0; }
cd "$work/tree.objects"
mkdir -p conf.d var/spool/checkresults var/rw var/archives
: >resource.cfg
sed -i -e "s#/etc/nagios4/pg/#$PWD/#; s#/etc/nagios4/#$PWD/#; s#/var/log/nagios4#$PWD/var#; s#/var/lib/nagios4#$PWD/var#" \
    -e "s#/var/run/nagios4#$PWD/var#; s/_user=nagios/_user=$(id -un)/; s/_group=nagios/_group=$(id -gn)/" nagios.cfg
took "nagios4 -v" "$nagios" -v nagios.cfg
grep -E "Checked .* (services|hosts|service dependencies)|Total" "$work/said"
