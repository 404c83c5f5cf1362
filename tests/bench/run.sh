#!/bin/bash
# debrole beside the pipelines it replaces, in one run on one machine: the same packages, three situations (from
# nothing, one role changed, nothing changed). Prints a Markdown table and, with --readme, puts it into README.md.
#
#   tests/bench/run.sh DEBROLE [--readme]      ROLES=2000 RUNS=5
#
# The peers are given ready package directories (unpacked from debrole's own output), so that they are charged for
# packing, indexing and signing alone, while debrole is charged for reading and compiling the tree too.
set -euo pipefail
export LC_ALL=C.UTF-8

debrole=$(realpath "$1")
readme=${2:-}
top=$(cd "$(dirname "$0")/../.." && pwd)
roles=${ROLES:-2000}
runs=${RUNS:-5}
equivs_sample=${EQUIVS:-4}

work=$(mktemp -d "${TMPDIR:-/tmp}/debrole-bench.XXXXXX")
trap 'GNUPGHOME=$work/gnupg gpgconf --kill all 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"

# measure NAME COMMAND…: appends "seconds kibibytes" to NAME.runs. Peak memory is that of the largest process.
measure() {
  local name=$1 start end
  shift
  start=$EPOCHREALTIME
  if ! /usr/bin/time -o "$work/mem" -f %M "$@" >"$work/last.log" 2>&1; then
    echo "bench: $name failed:" >&2
    tail -n 20 "$work/last.log" >&2
    exit 1
  fi
  end=$EPOCHREALTIME
  echo "$((${end/./} - ${start/./})) $(tail -n 1 "$work/mem")" >>"$name.runs"
}
# settle: what the run before has written is on the disk. Nothing that a run has written is removed before the end: for
# minutes ext4 passes over inodes that were freed, one by one, and who publishes then, whoever it is, pays for that. Where
# much was removed shortly before the bench, TMPDIR names a fresh directory, which has other groups of inodes.
settle() {
  sync
  sleep 2
}
# median NAME COLUMN: of its runs (1: microseconds, 2: KiB).
median() { sort -n -k"$2" "$1.runs" | awk -v c="$2" '{ v[NR] = $c } END { print v[int((NR + 1) / 2)] }'; }
seconds() { awk -v us="$1" 'BEGIN { printf (us < 1e6 ? "%.3f" : "%.2f"), us / 1e6 }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { r = a / b; printf (r < 10 ? "%.1f" : "%.0f"), r }'; }

### the tree: $roles roles in chains of ten, each with relations, two files, a service and a check
mkdir -p tree/roles
cat >tree/debrole.toml <<'TOML'
schema = 1
[fleet]
prefix = "zz"
origin = "Bench"
label = "Bench"
maintainer = "Bench <bench@example.org>"
uri = "http://apt.example.org"
architectures = ["amd64"]
[release.bookworm]
[release.trixie]
TOML
for ((i = 0; i < roles; i++)); do
  includes=""
  if ((i % 10)); then includes="includes = [\"r$((i - 1))\"]"; fi
  cat >"tree/roles/r$i.toml" <<TOML
summary = "Generated role number $i"
$includes
depends = ["cron", "nginx (>= 1.18)", "curl | wget"]

[[file]]
path = "/etc/bench/r$i.conf"
content = """
# number $i
listen = 127.0.0.1:$((10000 + i))
workers = $((i % 7 + 1))
log = /var/log/bench/r$i.log
"""
reload = ["nginx.service"]

[[file]]
path = "/usr/local/bin/bench-r$i"
mode = "0755"
content = """
#!/bin/sh
exec echo $i
"""

[[service]]
unit = "nginx.service"
enable = true
TOML
done
"$debrole" -C tree key init >/dev/null

build() { "$debrole" -C tree --out "$1" build --no-gate --first-publish; }
export -f build
export debrole

for ((n = 0; n < runs; n++)); do
  settle
  measure debrole-nothing "$debrole" -C tree --out "out$n" build --no-gate --first-publish
done
for ((n = 0; n < runs; n++)); do
  sed -i "s/^workers = .*/workers = $((100 + n))/" tree/roles/r1999.toml 2>/dev/null || sed -i "s/^workers = .*/workers = $((100 + n))/" tree/roles/r0.toml
  sleep 1.1 # two publishes in one second wait for each other: nothing is dated in the future
  measure debrole-one "$debrole" -C tree --out out0 build --no-gate
done
for ((n = 0; n < runs; n++)); do
  measure debrole-same "$debrole" -C tree --out out0 build --no-gate
done
if "$debrole" -C tree --out gated build --first-publish >gate.log 2>&1; then
  settle
  measure debrole-gate "$debrole" -C tree --out gated2 build --first-publish
  gate=$(seconds $(($(median debrole-gate 1) - $(median debrole-nothing 1))))
else
  gate="not run: $(tail -n 1 gate.log)"
fi

### what the peers start from
"$debrole" -C tree --out ready build --no-gate --first-publish >/dev/null
mkdir dirs debs
find ready/pool -name '*.deb' | sort >list
while read -r deb; do dpkg-deb -R "$deb" "dirs/$(basename "$deb" .deb)"; done <list
packages=$(wc -l <list)
install -d -m 700 gnupg
export GNUPGHOME=$work/gnupg
gpg --batch --quiet --passphrase '' --quick-gen-key 'Bench <bench@example.org>' ed25519 sign never 2>/dev/null
key=$(gpg --batch --quiet --list-keys --with-colons 2>/dev/null | awk -F: '/^fpr/ { print $10; exit }')

cat >lean.sh <<'SH'
# dpkg-deb on two processes + apt-ftparchive + gpg; two suites, as all of them publish
set -e
mkdir -p lean/pool lean/dists/bookworm/main/binary-amd64
ls dirs | xargs -P 2 -I{} dpkg-deb --root-owner-group -Zgzip -z6 -b dirs/{} lean/pool/{}.deb >/dev/null
cd lean
apt-ftparchive packages pool >dists/bookworm/main/binary-amd64/Packages
gzip -9nk dists/bookworm/main/binary-amd64/Packages
xz -6k dists/bookworm/main/binary-amd64/Packages
rm -rf dists/trixie && cp -a dists/bookworm dists/trixie
for suite in bookworm trixie; do
  apt-ftparchive -o APT::FTPArchive::Release::Codename=$suite release dists/$suite >Release.tmp
  mv Release.tmp dists/$suite/Release
  gpg --batch --yes --clearsign -o dists/$suite/InRelease dists/$suite/Release
  gpg --batch --yes -abs -o dists/$suite/Release.gpg dists/$suite/Release
done
SH
cat >lean-one.sh <<'SH'
# one package again, the whole index from apt-ftparchive's cache
set -e
d=$(ls dirs | tail -n 1)
dpkg-deb --root-owner-group -Zgzip -z6 -b dirs/$d lean/pool/$d.deb >/dev/null
cd lean
rm -f dists/bookworm/main/binary-amd64/Packages.*
apt-ftparchive --db ../cache.db packages pool >dists/bookworm/main/binary-amd64/Packages
gzip -9nk dists/bookworm/main/binary-amd64/Packages
xz -6k dists/bookworm/main/binary-amd64/Packages
rm -rf dists/trixie && cp -a dists/bookworm dists/trixie
for suite in bookworm trixie; do
  apt-ftparchive -o APT::FTPArchive::Release::Codename=$suite release dists/$suite >Release.tmp
  mv Release.tmp dists/$suite/Release
  gpg --batch --yes --clearsign -o dists/$suite/InRelease dists/$suite/Release
  gpg --batch --yes -abs -o dists/$suite/Release.gpg dists/$suite/Release
done
SH
for ((n = 0; n < (runs + 1) / 2; n++)); do
  settle
  mv lean "lean$n" 2>/dev/null || true
  measure lean-nothing bash lean.sh
done
bash lean-one.sh
for ((n = 0; n < runs; n++)); do measure lean-one bash lean-one.sh; done

# bump DIR: the same package with one more in its version
bump() { sed -i "s/^Version: \(.*\)/Version: \1+$1/" "dirs/$2/DEBIAN/control"; }
one=$(find dirs -mindepth 1 -maxdepth 1 | sort | tail -n 1 | xargs basename)

mkdir -p reprepro/conf
# The same outputs as debrole's: two suites, plain, gz and xz, InRelease and Release.gpg.
for suite in bookworm trixie; do
  cat <<CONF
Origin: Bench
Codename: $suite
Architectures: amd64
Components: main
DebIndices: Packages Release . .gz .xz
SignWith: $key

CONF
done >reprepro/conf/distributions
cp lean/pool/*.deb debs/
reprepro_nothing() { for s in bookworm trixie; do reprepro -s -b reprepro includedeb $s debs/*.deb; done; }
reprepro_one() { for s in bookworm trixie; do reprepro -s -b reprepro includedeb $s next/*.deb; done; }
aptly_nothing() {
  printf '{ "rootDir": "%s/aptly", "gpgProvider": "gpg" }\n' "$work" >aptly.conf
  aptly -config=aptly.conf repo create -distribution=bookworm -component=main bench
  aptly -config=aptly.conf repo add bench debs
  aptly -config=aptly.conf publish repo -batch -architectures=amd64,all -gpg-key="$key" bench
}
aptly_one() {
  aptly -config=aptly.conf repo add bench next
  aptly -config=aptly.conf publish update -batch -gpg-key="$key" bookworm
}
export -f reprepro_nothing reprepro_one aptly_nothing aptly_one
export work key

for ((n = 0; n < (runs + 1) / 2; n++)); do
  settle
  mkdir -p "old$n"
  mv reprepro/db reprepro/dists reprepro/pool aptly aptly.conf "old$n" 2>/dev/null || true
  measure reprepro-nothing bash -ec reprepro_nothing
  settle
  measure aptly-nothing bash -ec aptly_nothing
done
for ((n = 0; n < runs; n++)); do
  bump "$n" "$one"
  rm -rf next && mkdir next
  dpkg-deb --root-owner-group -Zgzip -b "dirs/$one" "next/one_$n.deb" >/dev/null
  measure reprepro-one bash -ec reprepro_one
  measure aptly-one bash -ec aptly_one
done

mkdir equivs
for ((n = 0; n < equivs_sample; n++)); do
  cat >equivs/control <<CONTROL
Section: admin
Priority: optional
Standards-Version: 4.6.2
Package: zz-role-e$n
Version: 1
Maintainer: Bench <bench@example.org>
Depends: cron, nginx, curl | wget
Architecture: all
Description: Generated role
 A role.
CONTROL
  measure equivs bash -ec 'cd equivs && equivs-build control'
done

dn=$(median debrole-nothing 1) do1=$(median debrole-one 1) ds=$(median debrole-same 1)
ln=$(median lean-nothing 1) lo=$(median lean-one 1)
rn=$(median reprepro-nothing 1) ro=$(median reprepro-one 1)
an=$(median aptly-nothing 1) ao=$(median aptly-one 1)
eq=$(median equivs 1)
mib() { awk -v k="$1" 'BEGIN { printf "%.0f", k / 1024 }'; }
row() { printf '| %s | %s | %s | %s | %s | %s | %s |\n' "$@"; }
{
  echo "$packages packages ($roles roles, two releases), $(nproc) cores, medians in seconds; × is how many times debrole's time that is."
  echo
  row "" "from nothing" "×" "one role changed" "×" "nothing changed" "peak MiB"
  row "---" "---:" "---:" "---:" "---:" "---:" "---:"
  row "**debrole build** (tree → signed repository)" "$(seconds "$dn")" 1 "$(seconds "$do1")" 1 "$(seconds "$ds")" "$(mib "$(median debrole-nothing 2)")"
  row "dpkg-deb -Zgzip ×2 + apt-ftparchive + gpg" "$(seconds "$ln")" "$(ratio "$ln" "$dn")" "$(seconds "$lo")" "$(ratio "$lo" "$do1")" "–" "$(mib "$(median lean-nothing 2)")"
  row "reprepro includedeb (ready .debs)" "$(seconds "$rn")" "$(ratio "$rn" "$dn")" "$(seconds "$ro")" "$(ratio "$ro" "$do1")" "–" "$(mib "$(median reprepro-nothing 2)")"
  row "aptly add + publish (ready .debs)" "$(seconds "$an")" "$(ratio "$an" "$dn")" "$(seconds "$ao")" "$(ratio "$ao" "$do1")" "–" "$(mib "$(median aptly-nothing 2)")"
  row "equivs-build ($equivs_sample packages, scaled)" "$(seconds $((eq * packages)))" "$(ratio $((eq * packages)) "$dn")" "$(seconds "$eq")" "$(ratio "$eq" "$do1")" "–" "–"
  echo
  echo "The gate (a real apt-get update and simulated installs of every role on both releases) takes $gate s more, once a publish."
} | tee "$work/table.md"

if [ "$readme" = --readme ]; then
  awk -v table="$work/table.md" '
    /<!-- bench -->/ { print; print ""; while ((getline line < table) > 0) if (line !~ /^gpg: /) print line; print ""; skip = 1; next }
    /<!-- \/bench -->/ { skip = 0 }
    !skip { print }' "$top/README.md" >"$work/README.md"
  cat "$work/README.md" >"$top/README.md"
fi
