#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Whole pages at random, many under way at once, read back and checked.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require fio fio

choose_seed
start_zsd --size 128M
fio_job --rw=randwrite --bs=4k --iodepth=32 --size=64M \
    --buffer_compress_percentage=60 --refill_buffers \
    --verify=crc32c --verify_fatal=1
# Over what is stored, in another order, flushing now and then.
fio_job --rw=randwrite --bs=4k --iodepth=8 --fsync=16 --size=64M \
    --randseed=$((seed + 1)) --verify=crc32c --verify_fatal=1
verify_store
stop_zsd
