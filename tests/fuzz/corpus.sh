#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs every fuzzer on its corpus: each file is an input that reaches code which
# no other one does, or that once showed a bug.
set -euo pipefail

: "${top_srcdir:?set by make check}" "${top_builddir:?set by make check}"
corpus=$top_srcdir/tests/fuzz/corpus

status=0
shopt -s nullglob
for folder in "$corpus"/*/; do
    name=$(basename "$folder")
    inputs=("$folder"*)
    if ((${#inputs[@]} == 0)); then
        echo "FAIL: $name has no corpus" >&2
        status=1
    elif ! output=$("$top_builddir/fuzz_$name" "${inputs[@]}" 2>&1); then
        echo "FAIL: fuzz_$name: $(tail -n 30 <<<"$output")" >&2
        status=1
    else
        echo "fuzz_$name: ${#inputs[@]} inputs"
    fi
done

# One folder for each fuzzer.
for program in "$top_builddir"/fuzz_*; do
    name=${program##*/fuzz_}
    [[ $name == *.* || -d $corpus/$name ]] || {
        echo "FAIL: fuzz_$name has no corpus" >&2
        status=1
    }
done
exit "$status"
