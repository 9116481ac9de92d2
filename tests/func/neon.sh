#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Another processor makes the same of a page, bit for bit: lib/plz is built for
# AArch64, run under qemu, and what it prints is compared with this machine's.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
require qemu-aarch64 qemu-user

here=$("$top_builddir/tests/func/plz_digest")
echo "here:    $here"

# xxhash.h is the same for all machines, and comes after their own headers. No
# sanitizer: qemu has no room for its memory.
xxhash=$(pkg-config --variable=includedir libxxhash)
aarch64-linux-gnu-gcc -std=gnu11 -O2 -static -Wall -Wextra -Werror \
    -I"$top_builddir" -I"$top_srcdir/lib" -I"$top_srcdir/tests" \
    -idirafter "${xxhash:-/usr/include}" -o "$dir/plz_digest" \
    "$top_srcdir"/lib/plz/*.c "$top_srcdir/lib/base/check.c" \
    "$top_srcdir/tests/model/model.c" "$top_srcdir/tests/func/plz_digest.c"
there=$(qemu-aarch64 "$dir/plz_digest")
echo "AArch64: $there"

[[ $there == *" neon portable" ]] || fail "no NEON there: $there"
[[ ${here%% *} == "${there%% *}" ]] || fail "the two differ"
