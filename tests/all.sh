#!/bin/bash
# Every test, three at a time; what failed then is run once more, alone, and only what fails alone too is red. Tests boot
# machines and wait for daemons: that one needs the processors for itself is worth a line at the end, not a night's work
# undone. More than a few at once are no accident and are not tried again.
#
#   tests/all.sh [NAME…]       names as for cargo test: part of a test's path
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
most=6
log=$(mktemp)
trap 'rm -f "$log"' EXIT

${CARGO:-cargo} test --locked --no-fail-fast -- --test-threads "${TEST_THREADS:-3}" "$@" 2>&1 | tee "$log"
status=${PIPESTATUS[0]}
[ "$status" = 0 ] && exit 0

mapfile -t failed < <(sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' "$log" | sort -u)
# A program that broke off has run not all of its tests.
if [ ${#failed[@]} = 0 ] || [ ${#failed[@]} -gt "$most" ] ||
    [ "$(grep -c '^running [0-9]* tests\?$' "$log")" != "$(grep -c '^test result: ' "$log")" ]; then
    exit "$status"
fi
echo
echo "Once more, each alone: ${failed[*]}"
unsteady=() red=()
for name in "${failed[@]}"; do
    # A name that matches nothing would pass without having run. (Its own line says no more than that it began: what its
    # programs print comes between.)
    if ${CARGO:-cargo} test --locked -- --test-threads 1 --exact "$name" 2>&1 | tee "$log" && grep -q '^test result: ok\. 1 passed' "$log"; then
        unsteady+=("$name")
    else
        red+=("$name")
    fi
done
echo
for name in "${unsteady[@]}"; do echo "UNSTEADY: $name failed beside other tests and passed alone"; done
for name in "${red[@]}"; do echo "FAILED: $name"; done
echo "$((${#unsteady[@]})) passed, ${#red[@]} failed"
[ ${#red[@]} = 0 ]
