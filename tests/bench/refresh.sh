#!/bin/bash
# What it costs a machine to stay as it should be: `pg-runtime refresh` and `pg-runtime verify` with nothing to do,
# beside an Ansible playbook that does the same role (its packages, files, directories, symlinks) over SSH with nothing
# to change. The machine is a bookworm of the tests' cache (`make test` makes it) in network and process namespaces of
# its own; the role is the example fleet's web. Needs root; ansible-playbook on the path (pip install ansible-core).
#
#   tests/bench/refresh.sh DEBROLE [RUNS]
set -euo pipefail
export LC_ALL=C.UTF-8

debrole=$(realpath "$1")
runs=${2:-5}
top=$(cd "$(dirname "$0")/../.." && pwd)
cache=${DEBROLE_TEST_CACHE:-/var/cache/debrole-test}
if [ -z "${BENCH_INSIDE-}" ]; then
  command -v ansible-playbook >/dev/null || { echo "refresh.sh: no ansible-playbook: pip install ansible-core" >&2; exit 2; }
  work=$(mktemp -d "$cache/run/$$-bench.XXXXXX")
  trap 'rm -rf --one-file-system "$work"' EXIT
  BENCH_INSIDE=$work unshare --net --mount --pid --fork --kill-child --propagation private "$0" "$debrole" "$runs"
  exit
fi

work=$BENCH_INSIDE
cd "$work"
mount -t proc proc /proc
ip link set lo up
base=
pool=
for tree in "$cache"/tree-bookworm-*/root; do
  if [ -d "$tree" ] && [ ! -e "$tree/usr/bin/psql" ]; then base=$tree; fi
done
# The newest has what the roles need now.
for debs in "$cache"/pool-bookworm-*/debs; do
  if compgen -G "$debs/varnish_*" >/dev/null && [[ -z $pool || $debs -nt $pool/debs ]]; then pool=${debs%/debs}; fi
done
if [ -z "$base" ] || [ -z "$pool" ]; then
  echo "refresh.sh: there are no trees in $cache: run make test first" >&2
  exit 2
fi

mkdir up ov root
mount -t overlay bench -o "lowerdir=$base,upperdir=up,workdir=ov,redirect_dir=on,index=on" root
mount -t proc proc root/proc
mount --rbind /dev root/dev
mkdir -p root/mnt/debian root/run/sshd root/root/.ssh
mount --bind "$pool" root/mnt/debian
printf '#!/bin/sh\nexit 101\n' >root/usr/sbin/policy-rc.d
chmod 755 root/usr/sbin/policy-rc.d
echo machine >root/etc/hostname
printf 'Types: deb\nURIs: file:/mnt/debian\nSuites: bookworm\nComponents: main\nSigned-By: /mnt/debian/key.asc\n' \
  >root/etc/apt/sources.list.d/debian.sources
inside() { chroot root env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive "$@"; }

# The fleet, published and served.
mkdir fleet
cp -a "$top/debrole.toml" "$top/roles" "$top/hosts" fleet
for more in users groups ledger.toml; do [ ! -e "$top/$more" ] || cp -a "$top/$more" fleet; done
# The pool has the roles' packages, not everybody's shell.
sed -i '/^shell/d' fleet/users/*.toml
sed -i 's|^uri = .*|uri = "http://127.0.0.1:8000"|' fleet/debrole.toml
"$debrole" -C fleet key init >/dev/null
"$debrole" -q -C fleet build --no-gate --first-publish >/dev/null
"$debrole" -C fleet serve >/dev/null 2>&1 &
sleep 1
cp -L fleet/repo-out/pg-archive-keyring-bookworm.deb root/tmp
{
  inside apt-get -qq update
  inside apt-get -y install /tmp/pg-archive-keyring-bookworm.deb
  inside apt-get -qq update
  inside apt-get -y install pg-role-web
} >log 2>&1 || { tail -n 20 log >&2; exit 1; }

# The same as a playbook, written from what the packages apply.
ssh-keygen -q -t ed25519 -N '' -f key
cp key.pub root/root/.ssh/authorized_keys
chmod -R go= root/root/.ssh
inside /usr/sbin/sshd -p 2222
cat >ansible.cfg <<END
[defaults]
host_key_checking = False
interpreter_python = /usr/bin/python3
[ssh_connection]
pipelining = True
END
{
  echo "- hosts: all"
  echo "  tasks:"
  # shellcheck disable=SC2016 # dpkg-query's own $
  packages=$(inside dpkg-query -W -f '${Depends}\n' 'pg-role-*' | tr ',' '\n' |
    sed 's/^ *\([^ (|:]*\).*/\1/' | grep -v '^pg-\|^$' | sort -u | sed 's/.*/"&"/' | paste -sd,)
  printf '  - ansible.builtin.apt: {name: [%s], update_cache: true}\n' "$packages"
  for manifest in root/usr/share/pg/roles/*/manifest; do
    while read -r kind path a b c _; do
      case $kind in
        file) printf '  - ansible.builtin.copy: {src: "%s", dest: "%s", mode: "%s", owner: "%s", group: "%s"}\n' \
          "$work/${manifest%/manifest}/files$path" "$path" "$a" "$b" "$c" ;;
        dir) printf '  - ansible.builtin.file: {path: "%s", state: directory, mode: "%s", owner: "%s", group: "%s"}\n' "$path" "$a" "$b" "$c" ;;
        link) printf '  - ansible.builtin.file: {path: "%s", state: link, src: "%s", force: true}\n' "$path" "$a" ;;
        absent) printf '  - ansible.builtin.file: {path: "%s", state: absent}\n' "$path" ;;
      esac
    done <"$manifest"
  done
} >playbook.yml
tasks=$(grep -c '^  - ' playbook.yml)
# shellcheck disable=SC2120 # with --check
playbook() {
  ANSIBLE_CONFIG=$work/ansible.cfg HOME=$work ansible-playbook -i '127.0.0.1:2222,' -u root --private-key key "$@" playbook.yml >log 2>&1 ||
    { tail -n 20 log >&2; exit 1; }
}

# median COMMAND…: of all runs, in seconds; bytes over the network of the last one.
median() {
  local times=() start
  for ((i = 0; i < runs; i++)); do
    bytes=$(awk '/lo:/ { print $2 }' /proc/net/dev)
    start=$EPOCHREALTIME
    "$@" >/dev/null
    times+=("$(echo "$EPOCHREALTIME - $start" | bc)")
    bytes=$(($(awk '/lo:/ { print $2 }' /proc/net/dev) - bytes))
  done
  seconds=$(printf '%s\n' "${times[@]}" | sort -n | sed -n "$(((runs + 1) / 2))p")
}

inside pg-runtime refresh >/dev/null
# shellcheck disable=SC2119
playbook
echo "| nothing to do, role web | seconds | bytes |"
echo "| --- | ---: | ---: |"
median inside pg-runtime refresh
printf '| pg-runtime refresh | %.2f | %d |\n' "$seconds" "$bytes"
median inside pg-runtime verify
printf '| pg-runtime verify | %.2f | %d |\n' "$seconds" "$bytes"
median playbook
printf '| ansible-playbook, %d tasks | %.2f | %d |\n' "$tasks" "$seconds" "$bytes"
median playbook --check --diff
printf '| ansible-playbook --check | %.2f | %d |\n' "$seconds" "$bytes"
