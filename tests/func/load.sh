#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Reads, writes and trims mixed on four connections, with pages like those of
# programs; every read is compared with what was last written there. Both
# codecs.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

choose_seed
for algorithm in lz4 zstd; do
    echo "$algorithm"
    start_zsd --size 128M --algorithm "$algorithm"
    "$top_builddir/tests/bench/nbdload" --socket "$socket" --seed "$seed" \
        --connections 4 --depth 16 --mix 45:45:10 --requests 100000 \
        --fresh --verify
    verify_store
    stop_zsd
done
