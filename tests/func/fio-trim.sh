#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Trimmed pages read as zeros and cost nothing; the others keep their content.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require fio fio
require qemu-io qemu-utils
require jq jq

write_options=(--rw=randwrite --bs=4k --iodepth=16 --size=32M --verify=crc32c)

choose_seed
start_zsd --size 128M
fio_job "${write_options[@]}" --do_verify=0
fio_job "${write_options[@]}" --do_verify=0 --offset=32M
expect_equal "what is stored" "$(get_stat mm_stat.orig_data_size)" $((64 << 20))

fio_job --rw=randtrim --bs=4k --iodepth=16 --size=32M --offset=32M
expect_equal "what is stored" "$(get_stat mm_stat.orig_data_size)" $((32 << 20))
expect_equal "pages freed by trims" "$(get_stat io_stat.notify_free)" 8192
expect_status 0 qemu-io -f raw -c 'read -P 0 32M 96M' "$uri"
fio_job "${write_options[@]}" --verify_only --verify_fatal=1

# Trims that no page border stops, up to nearly the largest that there can be.
fio_job --rw=randtrim --bsrange=512-1m --blockalign=512 --iodepth=16 \
    --size=64M --offset=64M
fio_job "${write_options[@]}" --verify_only --verify_fatal=1
expect_status 0 qemu-io -f raw -d unmap -c 'discard 0 128M' \
    -c 'read -P 0 0 128M' "$uri"
expect_equal "what is stored" "$(get_stat mm_stat.orig_data_size)" 0
expect_equal "pages in use" "$(get_stat mm_stat.mem_used_total)" 0
verify_store
stop_zsd
