#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# zsctl save: what it writes, whom it refuses, and that it leaves nothing behind
# where it does not come to its end.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require nbdcopy libnbd-bin
require jq jq
require qemu-io qemu-utils
require python3 python3

pagegen=$top_builddir/tests/bench/pagegen
file=$dir/files/disk.zsd
mkdir "$dir/files"

expect_files() { # NAME...
    expect_equal "what is in the folder" \
        "$(find "$dir/files" -mindepth 1 -printf '%f\n' | sort | xargs)" "$*"
}

expect_said() { # TEXT
    grep -qF -- "$1" "$dir/output" ||
        fail "'$1' is not in: $(cat "$dir/output")"
}

"$pagegen" --size 24M "$dir/pages"

echo "a disk is saved, to its owner alone, and all of it is told"
start_zsd --size 32M --stop-timeout 5
nbdcopy "$dir/pages" "$uri"
umask 022
expect_status 0 ctl --json save "$file"
expect_files disk.zsd
expect_equal "the mode of the file" "$(stat -c %a "$file")" 600
expect_equal "its size" "$(stat -c %s "$file")" \
    "$(jq .result.bytes "$dir/output")"
expect_equal "its pages" "$(jq .result.pages "$dir/output")" \
    "$(($(get_stat mm_stat.orig_data_size) / 4096))"
expect_equal "the disk" "$(jq .result.size_bytes "$dir/output")" $((32 << 20))
expect_equal "live" "$(jq .result.live "$dir/output")" false
# As it is stored, with 8 B a page, and 8 B for what is same-filled.
expect_at_most "its size" "$(stat -c %s "$file")" \
    $(($(get_stat mm_stat.compr_data_size) + 6144 * 17 + 4096))

echo "twice the same is the same but for the time"
expect_status 0 ctl save "$dir/files/second"
expect_equal "bytes that differ, at most" "$(cmp -l "$file" \
    "$dir/files/second" | wc -l | awk '{ print ($1 <= 16) }')" 1
rm "$dir/files/second"

echo "a file from before is replaced as a whole"
echo before >"$file"
chmod 644 "$file"
expect_status 0 ctl save "$file"
expect_equal "the mode of the file" "$(stat -c %a "$file")" 600
expect_at_least "its size" "$(stat -c %s "$file")" 1000000
rm "$file"

echo "where it cannot be written that is said, and nothing is left"
for name in "$dir/missing/disk" "$dir/files" /dev/null "$dir"/files/; do
    expect_status 1 ctl save "$name"
    expect_said "$name"
done
ln -s /dev/null "$dir/files/link"
expect_status 1 ctl save "$dir/files/link"
rm "$dir/files/link"
expect_status 2 ctl save
expect_status 2 ctl save "$file" another
expect_status 2 ctl stats --live
if [ -e /dev/full ]; then
    # What is larger than it may be, as on a file system that is full.
    expect_status 1 bash -c "trap '' XFSZ; ulimit -f 100
        exec '$zsctl' --control '$control' save '$file'"
    expect_said "cannot write $file: File too large"
fi
expect_files

echo "with a client it is refused, but live"
coproc client { qemu-io -f raw "$uri" 2>&1; }
# Bash forgets its number as soon as it has ended.
# shellcheck disable=SC2154 # coproc sets it
client_pid=$client_PID
has_client() {
    [ "$(get_stat disk.clients)" = 1 ]
}
eventually has_client
expect_status 1 ctl save "$file"
expect_said 'has 1 client'
expect_said '--live'
expect_files
expect_status 1 ctl --json save "$file"
expect_equal "the code" \
    "$(grep '^{' "$dir/output" | jq -r .error.code)" EBUSY
expect_status 0 ctl --json save --live "$file"
expect_equal "live" "$(jq .result.live "$dir/output")" true
expect_files disk.zsd
rm "$file"
echo quit >&"${client[1]}"
wait "$client_pid" 2>/dev/null || true

# A server that sends the beginning of a file, and then nothing: hold FILE BYTES
hold() {
    rm -f "$dir/hold.sock"
    python3 - "$dir/hold.sock" "$1" "$2" <<'END' &
import signal, socket, sys
path, name, nr_bytes = sys.argv[1:]
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen()
client = server.accept()[0]
client.recv(1000)
client.sendall(b'{"id":1,"result":{"format":1,"size_bytes":4096,"pages":1}}\n')
client.sendall(open(name, 'rb').read()[:int(nr_bytes)])
signal.pause()
END
    holder=$!
    eventually test -S "$dir/hold.sock"
}

has_temp() {
    compgen -G "$file.*.tmp" >/dev/null
}

# Begin a save that does not come to its end.
begin_save() {
    "$zsctl" --control "$dir/hold.sock" "$@" save "$file" \
        >"$dir/output" 2>&1 &
    saving=$!
    eventually has_temp
}

end_save() { # STATUS
    local status=0

    wait "$saving" || status=$?
    expect_equal "its status" "$status" "$1"
    kill "$holder"
    wait "$holder" 2>/dev/null || true
}

echo "told to end in the middle, it leaves nothing"
expect_status 0 ctl save "$dir/whole"
for signal in TERM HUP; do
    hold "$dir/whole" 500000
    begin_save --timeout 0
    kill -"$signal" "$saving"
    end_save $((128 + $(kill -l "$signal")))
    expect_files
done

echo "a zsd that is silent in the middle is given up"
hold "$dir/whole" 500000
begin_save --timeout 1
end_save 3
expect_said 'zsd does not answer any more'
expect_files

echo "one that does not read delays nobody, and is let go of in the end"
python3 - "$control" <<'END' &
import signal, socket, sys
zsd = socket.socket(socket.AF_UNIX)
zsd.connect(sys.argv[1])
zsd.sendall(b'{"id":1,"command":"save"}\n')
signal.pause()
END
slow=$!
for _ in $(seq 20); do
    expect_equal "what is served" "$(get_stat disk.clients)" 0
done
expect_status 0 ctl save "$file"
kill "$slow" 2>/dev/null || true
wait "$slow" 2>/dev/null || true

echo "while it goes on, others read and write"
nbdcopy "$dir/pages" "$uri" &
copy=$!
expect_status 0 ctl save --live "$file"
wait "$copy"
nbdcopy "$uri" "$dir/copy"
cmp -n $((24 << 20)) "$dir/copy" "$dir/pages"
verify_store
stop_zsd
expect_status 3 ctl save "$file"
expect_files disk.zsd

echo "what another program sends is not kept"
rm "$file"
answer='{"id":1,"result":{"format":1,"size_bytes":4096,"pages":1,"live":false}}'
expect_of_answer 3 save "$file" <<<"$answer"
expect_said 'hung up in the middle'
expect_files
printf '%s\n%64s' "$answer" x | expect_of_answer 3 save "$file"
expect_said 'that is no saved disk'
expect_files
