#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# zsctl train, and --dictionary: what is stored is trained on, pages written
# from then on become shorter, those written before stay readable, and the
# dictionary can be kept for another zsd.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require nbdcopy libnbd-bin
require jq jq
require zstd zstd

# 16 MiB of lines that have much in common with each other, and with those of
# another START.
make_disk() { # FILE START
    seq -f 'record %09.0f: an entry of the table, its owner and its size' \
        "$2" "$(($2 + 300000))" | head -c 16M >"$1" || true
    expect_equal "the size of $1" "$(stat -c %s "$1")" $((16 << 20))
}

expect_disk() { # FILE
    nbdcopy "$uri" - | cmp - "$1" || fail "the disk is not $1"
}

train() { # STATUS [OPTION...]
    local status=$1
    shift

    expect_status "$status" ctl --json train "$@"
}

expect_said() { # TEXT
    grep -qF -- "$1" "$dir/output" ||
        fail "'$1' is not in: $(cat "$dir/output")"
}

of_training() { # MEMBER
    jq -e -r ".result.$1" "$dir/output"
}

expect_shorter() { # WHAT ACTUAL THAN
    awk "BEGIN { exit !($2 < $3) }" || fail "$1 is $2, not below $3"
}

make_disk "$dir/old" 1000000
make_disk "$dir/new" 5000000

echo "with too little to train on it is refused"
start_zsd --size 16M --algorithm zstd --checksum
train 1
expect_said '"code":"EAGAIN"'
expect_said 'only 0 pages'
expect_equal dictionary.current "$(get_stat dictionary.current)" 0
train 1 --dictionary-bytes 145K
expect_said 'has 1024 to 147456 bytes'

echo "trained, new pages become shorter, and old ones stay as they are"
nbdcopy "$dir/old" "$uri"
without=$(get_stat mm_stat.compr_data_size)
echo "what others could read before" >"$dir/dict"
chmod 644 "$dir/dict"
train 0 --output "$dir/dict"
expect_equal "the mode of the file" "$(stat -c %a "$dir/dict")" 600
expect_equal used "$(of_training used)" true
expect_equal number "$(of_training number)" 1
expect_equal "the file" "$(stat -c %s "$dir/dict")" "$(of_training bytes)"
expect_shorter "a page with it" "$(of_training trained.bytes_per_page)" \
    "$(of_training without.bytes_per_page)"
expect_equal "pages of it" "$(get_stat 'dictionary.dictionaries[0].pages')" 0
expect_disk "$dir/old"
nbdcopy "$dir/new" "$uri"
expect_disk "$dir/new"
expect_equal "pages of it" \
    "$(get_stat 'dictionary.dictionaries[0].pages')" 4096
with=$(get_stat mm_stat.compr_data_size)
expect_shorter "what is stored with it" "$with" "$without"
verify_store

echo "trained again and again, each half of the disk has its own"
half=$((8 << 20))
for start in 7000000 9000000; do
    make_disk "$dir/mixed" $start
    dd if="$dir/mixed" of="$dir/new" bs=1M count=8 conv=notrunc status=none
    nbdcopy "$dir/new" "$uri"
    # Another size makes another dictionary; whether it is better is open.
    train_status=0
    ctl --json train --dictionary-bytes 64K >"$dir/output" || train_status=$?
    expect_at_most "its status" $train_status 1
    expect_equal "it answers" "$(jq 'has("result")' "$dir/output")" true
    expect_disk "$dir/new"
done
expect_at_least "pages written" "$(get_stat 'requests.write_bytes')" $half
ctl stats >"$dir/output"
expect_said 'number 1, secondary no, bytes'
ctl compact >/dev/null
verify_store
expect_disk "$dir/new"
stop_zsd

echo "another zsd begins with it"
start_zsd --size 16M --algorithm zstd --dictionary "$dir/dict"
expect_equal dictionary.current "$(get_stat dictionary.current)" 1
nbdcopy "$dir/old" "$uri"
expect_disk "$dir/old"
expect_shorter "what is stored" "$(get_stat mm_stat.compr_data_size)" "$without"
verify_store
stop_zsd

echo "plz has a model to begin with, and is denser with its own"
start_zsd --size 16M --algorithm plz --checksum
nbdcopy "$dir/old" "$uri"
expect_disk "$dir/old"
train 0 --output "$dir/model"
expect_equal used "$(of_training used)" true
expect_equal "the file" "$(stat -c %s "$dir/model")" "$(of_training bytes)"
expect_disk "$dir/old"
nbdcopy "$dir/new" "$uri"
expect_disk "$dir/new"
expect_shorter "what is stored with plz" \
    "$(get_stat mm_stat.compr_data_size)" "$with"
verify_store
stop_zsd

echo "another zsd begins with its model, and refuses what is none"
start_zsd --size 16M --algorithm plz:2 --dictionary "$dir/model"
nbdcopy "$dir/old" "$uri"
expect_disk "$dir/old"
verify_store
stop_zsd
expect_status 1 "$zsd" --size 16M --algorithm plz --dictionary "$dir/dict" \
    --socket "$socket"
expect_said 'not a dictionary, or a damaged one'

echo "so it does with one of zstd's"
split -b 4096 -a 4 "$dir/old" "$dir/page-"
zstd -q --train -r --maxdict=16384 "$dir"/page-a[ab]* -o "$dir/theirs"
start_zsd --size 16M --algorithm zstd --dictionary "$dir/theirs"
nbdcopy "$dir/old" "$uri"
expect_disk "$dir/old"
expect_shorter "what is stored" "$(get_stat mm_stat.compr_data_size)" "$without"
stop_zsd

echo "and zstd with ours"
head -c 4096 "$dir/new" >"$dir/page"
zstd -q -D "$dir/dict" "$dir/page" -o "$dir/page.zst"
zstd -q -D "$dir/dict" -d "$dir/page.zst" -c | cmp - "$dir/page" ||
    fail "zstd does not understand it"

echo "other files are refused, by name"
head -c 5000 "$dir/old" >"$dir/text"
head -c 5000 "$dir/dict" | tr '\1-\200' '\2-\201' >"$dir/noise"
{ head -c 8 "$dir/dict"; head -c 8000 /dev/urandom; } >"$dir/damaged"
head -c 114689 /dev/zero >"$dir/long"
: >"$dir/empty"
for name in text noise damaged long empty missing .; do
    ! try_zsd --socket "$socket" --size 16M --algorithm zstd \
        --dictionary "$dir/$name" || fail "$name is taken for a dictionary"
    # shellcheck disable=SC2154 # try_zsd sets it
    expect_equal "the exit status" "$zsd_status" 1
    grep -qF -- "--dictionary $dir/$name:" "$log" || fail "$(cat "$log")"
done

echo "lz4 has none"
start_zsd --size 16M
nbdcopy "$dir/old" "$uri"
train 1
expect_said '"code":"EOPNOTSUPP"'
expect_said '--algorithm zstd'
stop_zsd
