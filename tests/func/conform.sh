#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every malformed or out-of-range option and request that the specification
# names gets the answer that it asks for: conform_*.c have the tables.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require jq jq

conform=$top_builddir/tests/func/conform

# As many rows as there are, so that none gets lost: run_table TABLE ROWS
run_table() {
    local cases

    "$conform" "$socket" "$1" >"$dir/output"
    cat "$dir/output"
    cases=$(tr -dc 0-9 <"$dir/output")
    expect_at_least "rows of $1" "$cases" "$2"
}

start_zsd --size 256M --export-name swap
run_table options 112
run_table requests 89
run_table many 10
expect_at_least requests.errors "$(get_stat requests.errors)" 40
# No error of theirs is one of ours.
expect_equal io_stat.failed_reads "$(get_stat io_stat.failed_reads)" 0
expect_equal io_stat.failed_writes "$(get_stat io_stat.failed_writes)" 0
verify_store
stop_zsd

start_zsd --size 256M --read-only
run_table read-only 9
expect_equal mm_stat.orig_data_size "$(get_stat mm_stat.orig_data_size)" 0
stop_zsd
