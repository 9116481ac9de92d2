#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Four clients at once, each on its own part of the disk. The parts meet in the
# middle of a page, so that neighbours patch the same pages.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require fio fio
require jq jq

choose_seed
start_zsd --size 128M
fio_job --rw=randwrite --bs=4k --iodepth=16 --numjobs=4 --size=16M \
    --offset_increment=16M --verify=crc32c --verify_fatal=1
fio_job --rw=randrw --bsrange=512-64k --blockalign=512 --iodepth=16 \
    --numjobs=4 --offset=512 --size=16776704 --offset_increment=16776704 \
    --verify=crc32c --verify_fatal=1
verify_store

# A connection each, all of them gone by now.
[ "$(get_stat connections.accepted)" -ge 8 ] || fail "fewer than 8 connections"
no_connection() { [ "$(get_stat connections.open)" -eq 0 ]; }
eventually no_connection
stop_zsd
