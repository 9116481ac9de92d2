#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# codeccost compresses what it says it does, and says what that comes to.
set -euo pipefail
. "$(dirname "$0")/test-lib.sh"

bench=${top_builddir:?set by make check}/tests/bench

cost() { # CODECCOST-OPTION...
    "$bench/codeccost" --seconds 0.01 --size 1M "$@"
}

# expect JQ-CONDITION CODECCOST-OPTION...
expect() {
    local condition=$1
    shift
    expect_json "$condition" cost "$@"
}

require jq

# Three kinds of pages, of which it must tell the size by counting alone.
head -c 64K /dev/zero >"$dir/zeros"
head -c 64K /dev/urandom >"$dir/random"
yes "a line that repeats" | head -c 64K >"$dir/lines" || [ -s "$dir/lines" ]

expect '.pages == 256 and .same_filled == 256 and .stored_bytes == 0' \
    --pages "$dir/zeros"
expect '.raw == 256 and .ratio == 1 and .stored_bytes == 1048576' \
    --pages "$dir/random"
expect '.raw == 0 and .same_filled == 0 and .ratio > 30' --pages "$dir/lines"
expect '.raw == 128 and .same_filled == 128' \
    --pages "$dir/random" --pages "$dir/zeros"

# A slower codec packs more, and takes more time for it.
lz4=$(cost --seconds 0.1)
zstd=$(cost --seconds 0.1 --algorithm zstd:9)
jq -en --argjson lz4 "$lz4" --argjson zstd "$zstd" \
    '$zstd.ratio > $lz4.ratio and $zstd.compress_us > $lz4.compress_us
        and $lz4.decompress_us > 0 and $zstd.algorithm == "zstd:9"' \
    >"$dir/holds" || fail "lz4 says $lz4, zstd $zstd"

# A dictionary of such pages makes them smaller, one of others does not break
# them: each page is compared when it is stored.
"$bench/pagegen" --size 9M "$dir/both"
head -c 8M "$dir/both" >"$dir/seen"
tail -c 1M "$dir/both" >"$dir/unseen"
without=$(cost --algorithm zstd --pages "$dir/unseen")
with=$(cost --algorithm zstd --pages "$dir/unseen" --train "$dir/seen")
other=$(cost --algorithm zstd --pages "$dir/lines" --train "$dir/seen")
jq -en --argjson without "$without" --argjson with "$with" \
    --argjson other "$other" \
    '$with.ratio > $without.ratio and $other.ratio > 1' >"$dir/holds" ||
    fail "without $without, with $with, other $other"
for wrong in --algorithm=rot13 --size=5000 --seconds=0 word; do
    status=0
    cost "$wrong" >"$dir/output" 2>&1 || status=$?
    [ "$status" -eq 2 ] || fail "'$wrong' exits $status: $(cat "$dir/output")"
done
