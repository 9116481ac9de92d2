#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The frame that every source file has: sources.sh [ROOT]
#
# C: licence in the first line; config.h before anything else in a .c file; a
# guard named after the path in a .h file. Scripts and build fragments: licence
# in one of the first two lines. All: no more lines than can be read, and no
# folder of src/ with more files than can be seen at once.
set -euo pipefail
. "$(dirname "$0")/lint.sh"

cd "${1:-$lint_tree}"

spdx='SPDX-License-Identifier: GPL-2.0-or-later'
max_lines=620 # of lib, 450 of src, 800 of what tests them
max_files=14

check_length() {
    local lines most=$max_lines

    looked_at 1
    lines=$(wc -l <"$1")
    case $1 in
    src/*) most=450 ;;
    tests/*) most=800 ;;
    esac
    [ "$lines" -le "$most" ] ||
        complain "$1: $lines lines, at most $most are readable"
}

check_folder() { # FOLDER
    local files

    files=$(find "$1" -maxdepth 1 -type f | wc -l)
    [ "$files" -le "$max_files" ] ||
        complain "$1: $files files, at most $max_files can be overseen"
}

check_c_licence() {
    [ "$(head -n 1 "$1")" = "/* $spdx */" ] ||
        complain "$1: the first line is not the licence"
}

check_config_first() {
    local first

    first=$(grep -m 1 -E '^[[:space:]]*#[[:space:]]*include' "$1" || true)
    [ "$first" = '#include "config.h"' ] ||
        complain "$1: the first include is not config.h"
}

# lib/ and src/ are include roots, so they are no part of the name; tests/ may
# be.
check_guard() {
    local guard

    guard=$(tr 'a-z/.-' 'A-Z___' <<<"${1#*/}")
    case $1 in tests/*) guard="\(TESTS_\)\?$guard" ;; esac
    guard=ZSD_$guard
    { grep -qx "#ifndef $guard" "$1" && grep -qx "#define $guard" "$1"; } ||
        complain "$1: no include guard $guard"
}

while read -r file; do
    check_length "$file"
    check_c_licence "$file"
    case $file in
    *.c) check_config_first "$file" ;;
    *.h) check_guard "$file" ;;
    esac
done < <(lint_files lib src tests -- -name '*.[ch]')

while read -r file; do
    check_length "$file"
    head -n 2 "$file" | grep -qx "# $spdx" ||
        complain "$file: no licence in the first two lines"
done < <(lint_files .ci lib src tests scripts systemd docs m4/zsd_warn_add.m4 \
    Makefile.am configure.ac autogen.sh -- \
    -name '*.sh' -o -name '*.am' -o -name '*.ac' -o -name 'zsd*.m4' -o \
    -path '.ci/run' -o -path 'scripts/*')

while read -r folder; do
    check_folder "$folder"
done < <([ ! -d src ] || find src -type d)
finish
