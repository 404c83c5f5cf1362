#!/bin/bash
# How much of the runtime's script the tests reach: functions, lines on which a command begins, commands, and branches
# (tests/coverage.pl says what those are); and what they do not. A probe stands before each command of the script that
# machines run meanwhile (tests/it/machine/{tree,boot}.rs). Needs shfmt.
#
#   tests/coverage.sh [TEST-FILTER...]       runtime:: and what else reaches refreshes and secrets, without filters
set -euo pipefail
cd "$(dirname "$0")/.."
command -v shfmt >/dev/null || { echo "tests/coverage.sh: there is no shfmt: apt-get install shfmt" >&2; exit 2; }
work=$(mktemp -d "${TMPDIR:-/tmp}/debrole-coverage.XXXXXX")
trap 'rm -rf "$work"' EXIT
: >"$work/hits"
chmod 0666 "$work/hits"
chmod 0755 "$work"
line=1
parts=$(sed -n 's|^ *include_str!("\(runtime/[a-z-]*\.sh\)"),$|src/lower/\1|p' src/lower/runtime.rs)
for part in $parts; do
    [ "$line" = 1 ] || echo >>"$work/script" # parts are joined by an empty line
    echo "$line ${part##*/}" >>"$work/parts"
    cat "$part" >>"$work/script"
    line=$(($(wc -l <"$work/script") + 2))
done
sed -i 's/@PREFIX@/pg/g' "$work/script"
perl tests/coverage.pl probes "$work/script" >"$work/probed"
# In the place of the machines' /bin/sh. Lines that a test has changed in the script stay as it made them.
cat >"$work/sh" <<'END'
#!/dev/dash
case ${1-} in
*/pg-runtime)
    probed=$(mktemp /dev/probed.XXXXXX 2>/dev/null) || exec /dev/dash "$@"
    awk -v at=/dev/coverage 'FILENAME == at "/script" { is[FNR] = $0; next } FILENAME == at "/probed" { probed[FNR] = $0; next }
        { print FNR == 2 || $0 == is[FNR] ? probed[FNR] : $0 }' /dev/coverage/script /dev/coverage/probed "$1" >"$probed"
    PROBED=$probed exec /dev/dash -c '. "$PROBED"' "$@"
    ;;
esac
exec /dev/dash "$@"
END
chmod 0755 "$work/sh"
[ "$(wc -l <"$work/script")" = "$(wc -l <"$work/probed")" ]
dash -n "$work/probed"
if [ $# = 0 ]; then
    set -- runtime:: example::refresh::bookworm example::secrets::a_secret example::access::people
fi
# What is timed by the tests is slower here.
DEBROLE_COVERAGE=$work cargo test --quiet --locked --test it -- "$@" --skip nothing_to_do_takes >"$work/log" 2>&1 ||
    grep -E '^test .*FAILED|panicked at|^test result' "$work/log" || true
[ -z "${DEBROLE_COVERAGE_KEEP-}" ] || cp "$work/hits" "$work/log" "$DEBROLE_COVERAGE_KEEP"
echo "the script has $(wc -l <"$work/script") lines"
perl tests/coverage.pl report "$work/script" "$work/hits" "$work/parts"
