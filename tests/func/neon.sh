#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Another processor makes the same of a page, bit for bit: lib/plz is built for
# AArch64 and run under qemu, on made-up pages and on recorded ones, and what it
# comes to is compared with this machine's.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
require qemu-aarch64 qemu-user
require zstd zstd

# Operations of model_plz: emulated, each takes some fifty times as long.
ops=${ZSD_NEON_OPS:-20000}

# xxhash.h is the same for all machines, and comes after their own headers. No
# sanitizer: qemu has no room for its memory.
build_for_aarch64() { # SOURCE...
    local xxhash
    xxhash=$(pkg-config --variable=includedir libxxhash)
    aarch64-linux-gnu-gcc -std=gnu11 -O2 -static -Wall -Wextra -Werror \
        -I"$top_builddir" -I"$top_srcdir/lib" -I"$top_srcdir/tests" \
        -idirafter "${xxhash:-/usr/include}" \
        -DFACTORY_PAGES="\"$top_srcdir/data/factory.pages.zst\"" \
        -o "$dir/$(basename "$1" .c)" "$@" "$top_srcdir"/lib/plz/*.c \
        "$top_srcdir/lib/base/check.c" "$top_srcdir/lib/base/mapping.c" \
        "$top_srcdir/tests/model/model.c"
}

# Both print the names of coders, and a checksum.
compare() { # SUM-HERE SUM-THERE CODERS-THERE
    echo "here $1; AArch64 $2 ($3)"
    [ "$3" = "neon portable" ] || fail "no NEON there: $3"
    [ "$1" = "$2" ] || fail "the two differ"
}

build_for_aarch64 "$top_srcdir/tests/func/plz_digest.c"
here=$("$top_builddir/tests/func/plz_digest")
there=$(qemu-aarch64 "$dir/plz_digest")
compare "${here%% *}" "${there%% *}" "${there#* }"

choose_seed
export ZSD_MODEL_SEED=$seed ZSD_MODEL_OPS=$ops
build_for_aarch64 "$top_srcdir/tests/model/model_plz.c"
"$top_builddir/model_plz" | tee "$dir/here"
qemu-aarch64 "$dir/model_plz" | tee "$dir/there"
coders=$(sed -n 's/^model_plz: \(.*\): [0-9a-f]*$/\1/p' "$dir/there")
compare "$(sed -n '$ s/.*: //p' "$dir/here")" \
    "$(sed -n '$ s/.*: //p' "$dir/there")" "${coders//,/}"
