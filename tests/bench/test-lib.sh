# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the measuring tools' tests share; sourced. Makes $dir, which is removed at
# the end; before that, clean_up_more is called, which a test may define anew.
: "${top_builddir:?set by make check}"

dir=$(mktemp -d "${TMPDIR:-/tmp}/$(basename "$0" .sh)-XXXXXXXX")

clean_up_more() { :; }

clean_up() {
    clean_up_more
    rm -rf "$dir"
}
trap clean_up EXIT

fail() {
    echo "FAIL: $*" >&2
    exit 1
}

require() { # TOOL...: each comes in a package of its name
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null ||
            fail "needs $tool: apt-get install $tool"
    done
}

# expect_json JQ-CONDITION COMMAND...: it holds for what the command prints
expect_json() {
    local condition=$1
    shift
    "$@" >"$dir/output"
    jq -e "$condition" "$dir/output" >"$dir/holds" ||
        fail "'$*': not $condition: $(cat "$dir/output")"
}
