#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# pagegrab takes what a program has in memory: all of it, nothing else, no more
# than was asked for.
set -euo pipefail
. "$(dirname "$0")/test-lib.sh"

bench=${top_builddir:?set by make check}/tests/bench
child=

clean_up_more() {
    [ -z "$child" ] || kill -KILL "$child" 2>/dev/null || true
}

# refuse STATUS WORDS PAGEGRAB-ARGUMENT...
refuse() {
    local expected=$1 words=$2 status=0
    shift 2
    "$bench/pagegrab" "$@" >"$dir/output" 2>&1 || status=$?
    [ "$status" -eq "$expected" ] ||
        fail "'$*' exits $status, not $expected: $(cat "$dir/output")"
    grep -qF -- "$words" "$dir/output" ||
        fail "'$*' does not say '$words': $(cat "$dir/output")"
}

# A program that has 2000 pages like no others, as anonymous memory; of a shared
# mapping, of a file and of memory it never touched nothing must come along.
cat >"$dir/program.py" <<'END'
import mmap, sys, time
PAGE, NR = 4096, 2000
private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
anonymous = mmap.mmap(-1, NR * PAGE, flags=private)
for i in range(NR):
    anonymous[i * PAGE:(i + 1) * PAGE] = (b"mine %08d   " % i) * (PAGE // 16)
shared = mmap.mmap(-1, NR * PAGE)
shared.write(b"shared with others" + bytes(PAGE))
untouched = mmap.mmap(-1, 100000 * PAGE, flags=private)
with open(sys.argv[1], "rb") as file:
    mapped = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE)
    for at in range(0, len(mapped), PAGE):
        mapped[at]
print("ready", flush=True)
time.sleep(600)
END
yes "of a file that is only read" | head -c 64K >"$dir/mapped" ||
    [ -s "$dir/mapped" ]
mkfifo "$dir/ready"
python3 "$dir/program.py" "$dir/mapped" >"$dir/ready" &
child=$!
read -r line <"$dir/ready"
[ "$line" = ready ] || fail "the program says: $line"

"$bench/pagegrab" "$child" "$dir/pages" >"$dir/output"
python3 - "$dir/pages" <<'END' || fail "$(cat "$dir/output")"
import sys
data = open(sys.argv[1], "rb").read()
assert len(data) % 4096 == 0, len(data)
pages = [data[i:i + 4096] for i in range(0, len(data), 4096)]
mine = [p for p in pages if p.startswith(b"mine ")]
wanted = [(b"mine %08d   " % i) * 256 for i in range(2000)]
assert mine == wanted, "the program's pages: %d of 2000" % len(mine)
whole = set(pages)
assert not any(p.startswith(b"shared with others") for p in whole), "shared"
assert not any(p.startswith(b"of a file that is") for p in whole), "file"
assert len(pages) < 50000, "untouched memory: %d pages" % len(pages)
END
nr=$(($(stat -c %s "$dir/pages") / 4096))
grep -qF "$nr of $nr anonymous pages" "$dir/output" ||
    fail "$nr pages, but: $(cat "$dir/output")"

# A part of it: so much and no more, in runs, from all over.
"$bench/pagegrab" --max-bytes 1M "$child" "$dir/some" >"$dir/output"
[ "$(stat -c %s "$dir/some")" -eq $((1 << 20)) ] ||
    fail "not 1 MiB: $(stat -c %s "$dir/some")"
python3 - "$dir/pages" "$dir/some" <<'END' || fail "not runs of 64 pages"
import sys
whole, some = (open(name, "rb").read() for name in sys.argv[1:])
RUN = 64 * 4096
places = [whole.find(some[at:at + RUN]) for at in range(0, len(some), RUN)]
assert max(places) - min(places) > len(whole) // 3, places
END

# What it makes, nbdload and its like can use.
"$bench/codeccost" --pages "$dir/pages" --seconds 0.01 --size 1M \
    >"$dir/output" || fail "$(cat "$dir/output")"

kill -KILL "$child"
wait "$child" 2>/dev/null || true
gone=$child
child=
refuse 1 "there is no process $gone" "$gone" "$dir/none"
refuse 2 "not a process id" 0 "$dir/none"
refuse 2 "not a size" --max-bytes 100 1 "$dir/none"
refuse 2 "Usage" 1
[ ! -e "$dir/none" ] || fail "a file of nothing"
