#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# docs/plz.md is enough to read a page by: a decoder that was written after it
# reads what lib/plz makes.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require python3 python3

"$top_builddir/tests/func/plz_digest" "$dir" >/dev/null
PYTHONDONTWRITEBYTECODE=1 "$top_srcdir/tests/func/plz.py" "$dir"
