# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Shared by the lints; sourced, not run. A lint calls complain() for each thing
# it finds, looked_at() for each thing it looked at, and ends with finish(),
# which fails on any complaint, and also where nothing was looked at: a lint
# that sees no files must not pass.

# Prefix of every path that is no source but a fixture made to be found.
lint_bad=tests/lint/bad

lint_complaints=0
lint_seen=0

# The source tree; make says where, by hand it is found from here.
# shellcheck disable=SC2034 # used by those who source this
lint_tree=$(cd "${top_srcdir:-$(dirname "${BASH_SOURCE[0]}")/../..}" && pwd)

complain() {
    printf '%s\n' "$*" >&2
    lint_complaints=$((lint_complaints + 1))
}

looked_at() { # NUMBER
    lint_seen=$((lint_seen + $1))
}

finish() {
    if [ "$lint_seen" -eq 0 ]; then
        complain "${0##*/}: nothing to look at"
    fi
    printf '%s: %d looked at, %d complaints\n' \
        "${0##*/}" "$lint_seen" "$lint_complaints"
    [ "$lint_complaints" -eq 0 ]
}

# Files under FOLDERS whose names match the find(1) expression after "--",
# fixtures left out: lint_files FOLDER... -- EXPRESSION
lint_files() {
    local folders=()

    while [ "$1" != -- ]; do
        [ ! -e "$1" ] || folders+=("$1")
        shift
    done
    shift
    [ "${#folders[@]}" -gt 0 ] || return 0
    find "${folders[@]}" -path "$lint_bad" -prune -o \
        -type f \( "$@" \) -print | LC_ALL=C sort
}

# Stop where a tool is missing, and say what would bring it.
lint_require() {
    command -v "$1" >/dev/null || {
        echo "${0##*/}: needs $1: apt-get install $2" >&2
        exit 1
    }
}
