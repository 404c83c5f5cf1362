#!/bin/bash
# How much of the runtime's script its tests reach: functions and lines (a command over several lines is one), and
# which they do not. The tests run the script with bash instead of dash for this, and so does what they judge.
#
#   tests/coverage.sh [TEST-FILTER...]       runtime:: without filters
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d "${TMPDIR:-/tmp}/debrole-coverage.XXXXXX")
trap 'rm -rf "$work"' EXIT
: >"$work/lines"
chmod 0666 "$work/lines"
[ $# -gt 0 ] || set -- runtime::
# What is timed by the tests is slower here.
DEBROLE_COVERAGE=$work/lines cargo test --quiet --test it -- "$@" --skip nothing_to_do_takes >"$work/log" 2>&1 ||
    grep -E '^test .*FAILED|^test result' "$work/log" || true
sort -n "$work/lines" | uniq -c >"$work/hits"
parts=$(sed -n 's|^ *include_str!("\(runtime/[a-z-]*\.sh\)"),$|src/lower/\1|p' src/lower/runtime.rs)
first=yes
for part in $parts; do
    [ -n "$first" ] || echo "- "
    first=
    sed "s|^|$(basename "$part") |" "$part"
done >"$work/script" # "PART line"; parts are joined by an empty line
awk -v hits="$work/hits" '
    BEGIN { while ((getline line <hits) > 0) { split(line, f, " "); hit[f[2]] = f[1] } }
    # Which quotes are open at the end of a line: what follows belongs to the same command.
    function scan(text,  i, c) {
        for (i = 1; i <= length(text); i++) {
            c = substr(text, i, 1)
            if (quote == "s") { if (c == "\047") quote = "" }
            else if (c == "\\") i++
            else if (quote == "d") { if (c == "\"") quote = "" }
            else if (c == "\047") quote = "s"
            else if (c == "\"") quote = "d"
            else if (c == "#" && (i == 1 || substr(text, i - 1, 1) ~ /[ ;]/)) break
        }
    }
    {
        part = $1; text = $0; sub(/^[^ ]+ ?/, "", text); bare = text; gsub(/^ +| +$/, "", bare)
        if (here) { if (bare == "END") here = 0; next }
        if (open_) { last = NR; reached = reached || (NR in hit) }
        else {
            if (bare == "" || bare ~ /^#/) next
            start = NR; command = bare; reached = NR in hit
        }
        scan(text)
        if (text ~ /<<END/) here = 1
        open_ = quote != "" || text ~ /(\\|[|]|&&|[|][|])$/
        if (open_) next
        if (command ~ /^[a-z_]+\(\)/) {
            name = command; sub(/\(.*/, "", name); functions++; function_at[name] = part; current = name
            if (command !~ /\}$/) next
        }
        if (command ~ /^(fi|done|esac|then|else|do|\}|\)|;;|\{|case .* in|[^ ]*\)|if|.*\) ;;|fi .*|done .*|\} .*|\) .*)( *#.*)?$/ && command !~ /^(if|while|until) /) {
            if (command !~ /\) [^;]/) next
        }
        lines++
        if (reached) { covered++; seen[current] = 1 }
        else missed[++misses] = part ":" current ": " substr(command, 1, 100)
    }
    END {
        for (name in function_at) if (name in seen) functions_seen++; else print "function not reached: " name
        for (i = 1; i <= misses; i++) print "not reached: " missed[i]
        printf "functions %d of %d, lines %d of %d (%.1f %%)\n", functions_seen, functions, covered, lines, 100 * covered / lines
    }' "$work/script"
