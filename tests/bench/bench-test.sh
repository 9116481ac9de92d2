#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# bench.sh measures what it is told to; bench-docs.sh replaces the tables that it
# has, and nothing else.
set -euo pipefail
. "$(dirname "$0")/test-lib.sh"

bench=${top_srcdir:?set by make check}/tests/bench
build=${top_builddir:?set by make check}

require jq

# --- bench-docs.sh ---
# A run of nothing but start-ups, which has no chart, so that gnuplot is not
# needed.
for round in 1 2 3; do
    jq -nc --argjson round "$round" '{part: "startup", size: "64G", $round,
        ready_us: ($round * 1000), resident_bytes: 1048576}'
done | jq -s -L "$bench" 'import "bench-figures" as f;
    f::summary({servers: "", quiet: 0.1})' >"$dir/run.json"

write_document() { # TEXT-OF-STARTUP TEXT-OF-CPU
    printf '%s\n' "# Title" "" '<!-- bench: startup -->' "$1" \
        '<!-- bench end -->' "between" '<!-- bench: cpu -->' "$2" \
        '<!-- bench end -->' "end"
}

table='```
disk of 64G: ready after 2.0 (1.0..3.0) ms, resident 1.0 (1.0..1.0) MiB; 3 starts
```'
write_document "old" "older" >"$dir/page.md"
write_document "$table" "older" >"$dir/expected.md"
for again in once twice; do
    "$bench/bench-docs.sh" "$dir/run.json" "$dir/page.md" >"$dir/output" 2>&1 ||
        fail "$again: $(cat "$dir/output")"
    diff "$dir/expected.md" "$dir/page.md" >"$dir/output" ||
        fail "$again: $(cat "$dir/output")"
done
[ "$(ls "$dir/page")" = results.json ] || fail "it made: $(ls "$dir/page")"
jq -e '.startup[0].runs == 3' "$dir/page/results.json" >"$dir/output" ||
    fail "not the run: $(cat "$dir/page/results.json")"

# What has no end is left as it is.
printf '%s\n' '<!-- bench: startup -->' 'all the rest' >"$dir/page.md"
cp "$dir/page.md" "$dir/expected.md"
if "$bench/bench-docs.sh" "$dir/run.json" "$dir/page.md" 2>"$dir/output"; then
    fail "a table without an end"
fi
grep -qF "no end of 'startup'" "$dir/output" || fail "$(cat "$dir/output")"
cmp "$dir/expected.md" "$dir/page.md"

# --- bench.sh ---
"$build/tests/bench/pagegen" --size 1M "$dir/pages"
"$bench/bench.sh" --build "$build" --quick --rounds 1 --seconds 0.1 \
    --parts startup --servers zsd-lz4 --pages "$dir/pages" --json "$dir/run.json" \
    >"$dir/output" 2>&1 || fail "$(cat "$dir/output")"
grep -qF "disk of 64G: ready after" "$dir/output" || fail "$(cat "$dir/output")"
jq -e '(.startup | map(.size)) == ["1G", "64G"] and .startup[0].runs == 5
    and (.targets | length) == 2 and .cpu == []' "$dir/run.json" \
    >"$dir/output" || fail "$(cat "$dir/run.json")"

# It says no before it does anything.
for arguments in "" "--build $dir --parts speeed" "--build $dir --rounds" word; do
    status=0
    # shellcheck disable=SC2086 # words
    "$bench/bench.sh" $arguments >"$dir/output" 2>&1 || status=$?
    [ "$status" -eq 2 ] || fail "'$arguments' exits $status"
done
