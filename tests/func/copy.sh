#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A file copied in and out over four connections is the same file.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require nbdcopy libnbd-bin

# 64 MiB of all kinds: real programs, noise, one repeated byte, holes.
make_file() {
    local programs=("$zsd" "$zsctl" "$(command -v bash)" "$(command -v nbdcopy)")

    {
        for _ in 1 2 3 4; do
            cat "${programs[@]}"
        done | head -c 32M || true # it may be full before they are
        head -c 8M /dev/urandom
        head -c 8M /dev/zero | tr '\0' 'z'
    } >"$dir/in"
    truncate -s 64M "$dir/in"
}

start_zsd --size 64M
make_file

nbdcopy --connections=4 --requests=64 --request-size=4096 "$dir/in" "$uri"
nbdcopy --connections=4 "$uri" "$dir/out"
cmp "$dir/in" "$dir/out"

# Large requests too, on top of what is there, with a flush at the end.
tac "$dir/in" | head -c 64M >"$dir/other"
truncate -s 64M "$dir/other"
nbdcopy --connections=4 --request-size=33554432 --flush "$dir/other" "$uri"
nbdcopy --connections=2 --request-size=33554432 "$uri" "$dir/out"
cmp "$dir/other" "$dir/out"

verify_store
stop_zsd
