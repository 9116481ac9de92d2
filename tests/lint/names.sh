#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What comments and documents call name() is there: names.sh [ROOT]
#
# A function that was renamed stays behind in comments, which then lead nowhere.
# There is what some C file of the tree defines, declares or calls. Functions of
# the system that nothing calls are written with their section, mmap(2); those of
# the kernel that ours are likened to are named below.
set -euo pipefail
. "$(dirname "$0")/lint.sh"

cd "${1:-$lint_tree}"

kernels='printk_ratelimit zone_watermark_ok'

temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

# split PART FILE...: "FILE:LINE:text" of the comments, or of all else.
split() {
    awk -v part="$1" '
        FNR == 1 { inside = 0 }
        {
            rest = $0
            while (rest != "") {
                at = index(rest, inside ? "*/" : "/*")
                piece = at ? substr(rest, 1, at - 1) : rest
                if (inside == (part == "comments"))
                    print FILENAME ":" FNR ":" piece
                if (!at)
                    break
                rest = substr(rest, at + 2)
                inside = !inside
            }
        }' "${@:2}"
}

mapfile -t sources < <(lint_files lib src tests docs -- -name '*.[ch]')
mapfile -t looked < <(lint_files lib src -- -name '*.[ch]')
mapfile -t documents < <(lint_files docs -- -name '*.md')
looked_at $((${#looked[@]} + ${#documents[@]}))

if [ ${#sources[@]} -gt 0 ]; then
    {
        tr ' ' '\n' <<<"$kernels"
        split code "${sources[@]}" |
            grep -oE '[A-Za-z_][A-Za-z0-9_]*\(' | tr -d '('
    } | LC_ALL=C sort -u >"$temp/there"
    {
        [ ${#looked[@]} -eq 0 ] || split comments "${looked[@]}"
        [ ${#documents[@]} -eq 0 ] || grep -Hn '()' "${documents[@]}" || true
    } >"$temp/text"
    while IFS=: read -r file line text; do
        while read -r name; do
            grep -qx "$name" "$temp/there" ||
                complain "$file:$line: there is no $name()"
        done < <(grep -oE '[A-Za-z_][A-Za-z0-9_]*\(\)' <<<"$text" |
            tr -d '()')
    done < <(grep '()' "$temp/text" || true)
fi
finish
