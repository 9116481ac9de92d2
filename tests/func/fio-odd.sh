#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Reads and writes of 512 bytes to 128 KiB that ignore the pages' borders.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require fio fio

choose_seed
start_zsd --size 128M
fio_job --rw=randrw --bsrange=512-128k --blockalign=512 --iodepth=16 \
    --size=64M --verify=crc32c --verify_fatal=1
fio_job --rw=randwrite --bsrange=512-128k --blockalign=512 --iodepth=16 \
    --size=64M --verify=crc32c --verify_fatal=1 \
    --randseed=$((seed + 1)) --buffer_compress_percentage=50 --refill_buffers
verify_store
stop_zsd
