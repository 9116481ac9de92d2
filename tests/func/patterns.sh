#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Writes, discards and zeroes at odd offsets and lengths, by hand: each line of
# commands says what must be there afterwards.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require qemu-io qemu-utils

# One qemu-io for all commands given on standard input.
run() {
    qemu-io -f raw -d unmap "$uri" >"$dir/output" 2>&1 ||
        fail "$(cat "$dir/output")"
    ! grep -iE 'failed|error|invalid|not found' "$dir/output" ||
        fail "see above"
}

start_zsd --size 512M

echo "never written: zeros"
run <<'END'
read -P 0 0 64k
read -P 0 511M 1M
END

echo "parts of pages"
run <<'END'
write -P 0x11 0 16k
write -P 0x22 1 1
write -P 0x33 4095 2
write -P 0x44 8193 4095
read -P 0x11 0 1
read -P 0x22 1 1
read -P 0x11 2 4093
read -P 0x33 4095 2
read -P 0x11 4097 4096
read -P 0x44 8193 4095
read -P 0x11 12288 4096
END

echo "the last byte of the disk"
run <<'END'
write -P 0x55 536870911 1
read -P 0x55 536870911 1
read -P 0 536866816 4095
END

echo "zeroes cut exactly, whole pages and edges"
run <<'END'
write -P 0x66 1M 64k
write -z 1048577 40000
read -P 0x66 1M 1
read -P 0 1048577 40000
read -P 0x66 1088577 25535
END

echo "zeroes that may unmap, fast ones, and forced unit access"
run <<'END'
write -P 0x77 2M 64k
write -z -u 2M 8k
write -z -n 2105344 4k
write -f -P 0x78 2109440 513
read -P 0 2M 12k
read -P 0x78 2109440 513
read -P 0x77 2109953 3583
END

echo "discards free whole pages and leave the parts at the edges"
run <<'END'
write -P 0x88 4M 64k
discard 4194305 20479
read -P 0x88 4M 4096
read -P 0 4198400 16384
read -P 0x88 4214784 45056
discard 4214784 1
read -P 0x88 4214784 4096
END

echo "large requests"
run <<'END'
write -P 0x99 16777217 33554432
read -P 0x99 16777217 33554432
read -P 0 16777216 1
read -P 0 50331649 4096
discard 16M 128M
read -P 0 16M 33M
flush
END

verify_store
stop_zsd
