#!/bin/bash
# How long it takes from a host's file to a machine that answers SSH, step by step, beside debvm, which makes a virtual
# machine of Debian's packages alone. Prints a Markdown table, and puts it into README.md with --readme. Needs root; all
# traffic but that to Debian's mirror is in a network namespace.
#
#   tests/bench/provision.sh DEBROLE [--readme]      ACCEL=tcg (or kvm)
set -euo pipefail
export LC_ALL=C.UTF-8

debrole=$(realpath "$1")
readme=${2:-}
top=$(cd "$(dirname "$0")/../.." && pwd)
accel=${ACCEL:-tcg}
release=bookworm
mirror=http://deb.debian.org/debian

work=$(mktemp -d "${TMPDIR:-/tmp}/debrole-provision.XXXXXX")
net=bench-$$
relay=
virtual=
finish() {
  [ ! -e "$work/state" ] || made deprovision "$host" --yes --keep >/dev/null 2>&1 || true
  for job in $relay $virtual; do kill "$job" 2>/dev/null || true; done
  ip netns pids "$net" 2>/dev/null | xargs -r kill 2>/dev/null || true
  ip netns delete "$net" 2>/dev/null || true
  GNUPGHOME=$work/gnupg gpgconf --kill all 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
cd "$work"
load=$(cut -d' ' -f1 /proc/loadavg)

### the network: a bridge, and a way to the mirror
ip netns add "$net"
ip -n "$net" link set lo up
ip -n "$net" link add br0 type bridge forward_delay 0
ip -n "$net" address add 192.0.2.1/24 dev br0
ip -n "$net" link set br0 up
# The address of a request to a proxy is one that the mirror itself takes, too.
way=${http_proxy:-http://deb.debian.org:80}
way=${way#http://}
socat "UNIX-LISTEN:$work/mirror,fork" "TCP:${way%/}" &
relay=$!
ip netns exec "$net" socat TCP-LISTEN:3128,bind=127.0.0.1,fork,reuseaddr "UNIX-CONNECT:$work/mirror" &

### the tree: a web server and its page, with as many processors as debvm-run gives
host=web1.example.org
ssh-keygen -q -t ed25519 -N '' -f key
mkdir -p tree/roles tree/hosts
cat >tree/debrole.toml <<'TOML'
schema = 1
[fleet]
prefix = "bm"
origin = "Bench"
label = "Bench"
maintainer = "Bench <bench@example.org>"
uri = "http://apt.example.org"
architectures = ["amd64"]
[release.bookworm]
[network.lan]
bridge = "br0"
prefixes = ["192.0.2.0/24"]
TOML
cat >tree/roles/web.toml <<'TOML'
summary = "A page"
depends = ["nginx"]
[[file]]
path = "/srv/page/index.html"
content = """
a page
"""
TOML
cat >"tree/hosts/$host.toml" <<TOML
roles = ["web"]
release = "$release"
addresses = ["192.0.2.10"]
[vm]
cpus = $(nproc)
memory = "1G"
accel = ["kvm", "tcg", "nspawn"]
TOML

# Not ip-netns(8), which mounts another /sys, without cgroups. A libvirt of this machine's would be taken, and it does not
# know the network of the bench.
# shellcheck disable=SC2016 # the inner shell's
hidden='[ ! -d /run/libvirt ] || mount -t tmpfs tmpfs /run/libvirt && exec "$@"'
made() {
  nsenter --net="/run/netns/$net" unshare --mount sh -c "$hidden" sh env http_proxy=http://127.0.0.1:3128 DEBROLE_STATE="$work/state" \
    DEBROLE_BASE_CACHE="$work/cache" "$debrole" -C "$work/tree" "$@"
}
made key init >/dev/null 2>&1
made build --first-publish >/dev/null 2>&1

# provision NAME ACCEL: NAME.steps has "step seconds" lines.
provision() {
  local name=$1 start end
  start=$EPOCHREALTIME
  if ! made --format json provision "$host" --here --accel "$2" --no-gate >"$name.json" 2>"$name.log"; then
    echo "bench: $name failed:" >&2
    tail -n 20 "$name.log" "$name.json" >&2
    exit 1
  fi
  end=$EPOCHREALTIME
  python3 - "$name.json" >"$name.steps" <<'PYTHON'
import json, sys
for step, seconds in json.load(open(sys.argv[1]))["machines"][0]["seconds"].items():
    print(step, seconds)
PYTHON
  # What is not told as a step of the machine: the tree is read and published.
  awk -v all="$(span "$start" "$end")" '{ sum += $2 } END { print "publish", all - sum; print "all", all }' "$name.steps" >"$name.rest"
  cat "$name.rest" >>"$name.steps"
  made deprovision "$host" --yes --keep --no-gate >/dev/null 2>&1
}
span() { awk -v a="${1/./}" -v b="${2/./}" 'BEGIN { print (b - a) / 1e6 }'; }

provision cold "$accel"
provision cached "$accel"
provision cold-container nspawn
provision container nspawn

### debvm: the same packages, then up to the first word of its SSH
start=$EPOCHREALTIME
if ! debvm-create -r "$release" -k key.pub -o debvm.ext4 -z 4G -- --include=nginx "$mirror" >debvm.log 2>&1; then
  tail -n 20 debvm.log >&2
  exit 1
fi
middle=$EPOCHREALTIME
# It takes any /dev/kvm that opens, also one by which no guest runs.
without=
# shellcheck disable=SC2016 # the inner shell's
[ "$accel" = kvm ] || without='[ ! -e /dev/kvm ] || { : >kvm; mount --bind kvm /dev/kvm; mount -o remount,bind,ro /dev/kvm; }; '
# shellcheck disable=SC2016
nsenter --net="/run/netns/$net" unshare --mount sh -c "$without"'exec debvm-run -i debvm.ext4 -s 2222' \
  </dev/null >debvm-run.log 2>&1 &
virtual=$!
until nsenter --net="/run/netns/$net" ssh -F none -i key -p 2222 -o BatchMode=yes -o StrictHostKeyChecking=no \
  -o UserKnownHostsFile=/dev/null -o ConnectTimeout=20 root@127.0.0.1 true 2>/dev/null; do
  if ! kill -0 "$virtual" 2>/dev/null || [ $((${EPOCHREALTIME/./} - ${middle/./})) -gt 900000000 ]; then
    echo "bench: debvm's machine does not answer:" >&2
    tail -n 20 debvm-run.log >&2
    exit 1
  fi
  sleep 1
done
end=$EPOCHREALTIME
{
  echo "create $(span "$start" "$middle")"
  echo "boot $(span "$middle" "$end")"
  echo "all $(span "$start" "$end")"
} >debvm.steps

### the table
# of NAME STEP…: the sum of these steps, or a dash.
of() {
  local name=$1
  shift
  awk -v steps=" $* " 'index(steps, " " $1 " ") { sum += $2; any = 1 } END { if (any) printf "%.1f", sum; else printf "–" }' \
    "$name.steps"
}
row() {
  local label=$1 name line
  shift
  line="| $label |"
  for name in cold cached cold-container container debvm; do line+=" $(of "$name" "$@") |"; done
  echo "$line"
}
{
  echo "A web server of $release, $(nproc) cores (load $load before), in seconds:"
  echo
  echo "| | $accel, nothing cached | $accel | nspawn, nothing cached | nspawn | debvm ($accel) |"
  echo "| --- | ---: | ---: | ---: | ---: | ---: |"
  row "publish: the tree, and the rest" publish
  row "base: Debian's packages" base
  row "install: the machine's own packages" install
  row "image: disks" image
  row "these together (debvm-create)" publish base install image create
  row "boot: placed and started, until SSH answers (debvm: debvm-run)" place start ready boot
  row "**all**" all
} | tee table.md

if [ "$readme" = --readme ]; then
  awk -v table=table.md '
    /<!-- provision bench -->/ { print; print ""; while ((getline line < table) > 0) print line; print ""; skip = 1; next }
    /<!-- \/provision bench -->/ { skip = 0 }
    !skip { print }' "$top/README.md" >README.md
  cat README.md >"$top/README.md"
fi
