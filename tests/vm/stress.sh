#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The stress program finds what is wrong, and only that.
set -euo pipefail

stress=${top_builddir:?}/tests/vm/stress
pages=2048 # 8 MiB

# What its pages are taken from, if they are not made up.
recorded=()

# expect ANSWERS COMMAND...: give it the commands, compare all it answers but how
# long a page took, which must be a number.
expect() {
    local answers=$1 heard
    shift
    heard=$(printf '%s\n' "$@" | "$stress" 8 42 "${recorded[@]}" |
        sed -E 's/ [0-9]+$//' | paste -s -d ,)
    if [[ $heard != "$answers" ]]; then
        echo "$*: heard '$heard', not '$answers'"
        exit 1
    fi
}

expect "ok $pages 0" verify
expect "ok 0 0,ok $pages 0" fill verify
expect "ok 0 0,ok 0 0,ok $pages 0" "grow 500" "grow 9999" verify
expect "ok 0 0,ok 0 0,corrupt $pages 1" "grow 500" spoil verify
expect "ok 0 0,ok 5000 0,ok $pages 0" fill "touch 5000" verify
expect "ok 0 0,ok 0 0,ok $pages 0" fill "free 50" verify
expect "ok 0 0,ok 0 0,ok 900 0,ok $pages 0" fill "free 90" "touch 900" verify
expect "ok 0 0,ok 0 0,corrupt $pages 1" fill spoil verify
expect "ok 0 0,ok $pages 0,ok $pages 0,ok $pages 0" \
    fill "pass 100" "pass 100" verify
expect "ok 0 0,ok 0 0,corrupt $pages 1" fill spoil "pass 100"
expect "ok 0 0,ok 512 0,ok $pages 0" fill "pass 25" verify
expect "ok 0 0,ok 0 0,ok 0 0,corrupt $pages 1" fill "free 100" spoil verify
expect "ok 0 0,ok 0 0,ok 0 0,corrupt $pages 2" fill spoil spoil verify

for command in "fill 5" grow touch pass "free it" erase; do
    if echo "$command" | "$stress" 8 42; then
        echo "'$command' was taken for a command"
        exit 1
    fi
done

# Any file will do for recorded pages.
taken=$(mktemp)
trap 'rm -f "$taken"' EXIT
head -c 16384 "$stress" > "$taken"
recorded=("$taken")
expect "ok 0 0,ok 512 0,ok 5000 0,ok $pages 0" \
    fill "pass 25" "touch 5000" verify
expect "ok 0 0,ok 0 0,corrupt $pages 1" fill spoil verify
for bytes in 0 5000; do
    truncate -s "$bytes" "$taken"
    if "$stress" 8 42 "$taken" < /dev/null; then
        echo "$bytes bytes were taken for whole pages"
        exit 1
    fi
done
