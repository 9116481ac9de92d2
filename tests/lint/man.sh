#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Manual pages and --help name the same: man.sh [PROGRAM PAGE]...
#
# Every option, with the name of its argument, and every command of a program
# stands in its page, in the same order, and nothing else does. The pages are
# also formatted, with all of groff's warnings.
set -euo pipefail
. "$(dirname "$0")/lint.sh"

lint_require groff groff-base

# The first column of --help, which is 28 wide, in those lines that match ENTRY, from a line that
# matches START to the first empty line after them: help_names START ENTRY
help_names() {
    awk -v start="$1" -v entry="$2" '
        in_block && /^$/ && seen { exit }
        in_block && $0 ~ entry {
            seen = 1
            if (substr($0, 29, 1) == " ")
                $0 = substr($0, 1, 28)
            sub(/^ +/, "")
            sub(/  .*/, "")
            gsub(/ /, "")
            print
        }
        $0 ~ start { in_block = 1 }'
}

# The tags of the .TP paragraphs of a section: page_names SECTION
page_names() {
    awk -v section="$1" '
        /^\.SH / { in_section = $2 == section; next }
        is_tag {
            sub(/^\.[BIR]+ /, "")
            gsub(/\\f[BIRP]|[" ]/, "")
            gsub(/\\-/, "-")
            print
        }
        { is_tag = in_section && $1 == ".TP" }'
}

# compare PAGE SECTION : of $names/help and $names/page
compare() {
    local side name

    looked_at "$(wc -l <"$names/help")"
    while read -r side name; do
        case $side in
        '<') complain "$1: $2 lacks $name there" ;;
        '>') complain "$1: $2 has $name there, --help has not" ;;
        esac
    done < <(diff "$names/help" "$names/page" || true)
}

check_page() { # PROGRAM PAGE
    local program=$1 page=$2 warning

    [ -x "$program" ] || {
        complain "$program: not built"
        return
    }
    "$program" --help >"$names/text"
    help_names '^Usage:' '^  (    )?-' <"$names/text" >"$names/help"
    page_names OPTIONS <"$page" >"$names/page"
    [ -s "$names/help" ] || complain "$program: no options in --help"
    compare "$page" OPTIONS
    help_names '^Commands:' '^  [a-z]' <"$names/text" >"$names/help"
    page_names COMMANDS <"$page" >"$names/page"
    compare "$page" COMMANDS
    while read -r warning; do
        complain "$warning"
    done < <(groff -man -Tutf8 -ww -z "$page" 2>&1)
}

names=$(mktemp -d)
trap 'rm -rf "$names"' EXIT

if [ "$#" -eq 0 ]; then
    build=${top_builddir:-.}
    set -- "$build/zsd" "$lint_tree/docs/man/zsd.8" \
        "$build/zsctl" "$lint_tree/docs/man/zsctl.1"
fi
while [ "$#" -ge 2 ]; do
    check_page "$1" "$2"
    shift 2
done
finish
