#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The page of the control protocol has the figures that zsd tells:
# figures.sh [PROGRAM PAGE]
#
# With --write the page gets them: figures.sh --write PROGRAM PAGE.
set -euo pipefail
. "$(dirname "$0")/lint.sh"

write=no
if [ "${1:-}" = --write ]; then
    write=yes
    shift
fi
program=${1:-${top_builddir:-.}/tests/lint/figures}
page=${2:-$lint_tree/docs/control-protocol.md}
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

# The page with each table behind a line "<!-- figures PLACE -->" made anew.
"$program" >"$temp/tables"
awk -v tables="$temp/tables" '
    BEGIN {
        while ((getline line < tables) > 0) {
            if (line ~ /^<!-- figures /) { place = line; continue }
            if (line ~ /^\|/) table[place] = table[place] line "\n"
        }
    }
    /^<!-- figures / {
        print
        print ""
        printf "%s", table[$0]
        if (!($0 in table)) print "no such group"
        is_old = 1
        next
    }
    is_old && (/^\|/ || (/^$/ && !seen)) { if (/^\|/) seen = 1; next }
    { is_old = seen = 0; print }' "$page" >"$temp/page"

if [ "$write" = yes ]; then
    cp "$temp/page" "$page"
fi
while read -r place; do
    looked_at 1
    [ "$(grep -cxF "$place" "$page")" -eq 1 ] ||
        complain "${page##*/}: must have one line $place"
done < <(grep '^<!-- figures ' "$temp/tables")
cmp -s "$temp/page" "$page" ||
    complain "${page##*/}: its tables are not those of src/ctl/schema.h:" \
        "${0##*/} --write $program ${page##*/}"
finish
