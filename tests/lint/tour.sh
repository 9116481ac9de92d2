#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# docs/allocator.md shows what zsmalloc_tour prints, to the letter.
set -euo pipefail

: "${top_srcdir:?}" "${top_builddir:?}"

# The fenced blocks that follow a "<!-- zsmalloc_tour" comment, a blank line
# between two.
shown() {
	awk '/^<!-- zsmalloc_tour/ { if (n++) print ""; wanted = 1; next }
	     /^```/ { inside = wanted && !inside; if (!inside) wanted = 0; next }
	     inside' "$1"
}

printed=$("$top_builddir/zsmalloc_tour")
document=$(shown "$top_srcdir/docs/allocator.md")
if [[ -z $document || $printed != "$document" ]]; then
	echo "docs/allocator.md shows other numbers than ./zsmalloc_tour prints:" >&2
	diff <(echo "$document") <(echo "$printed") >&2 || true
	exit 1
fi
echo "docs/allocator.md agrees with ./zsmalloc_tour"
