# SPDX-License-Identifier: GPL-2.0-or-later
"""Random changes of a disk, and what its map must say afterwards.

Usage: map.py SEED DISK_BYTES OPERATIONS COMMANDS MAP

Writes OPERATIONS lines of qemu-io commands to the file COMMANDS, and to MAP the
extents that are there when they are done: offset, length and the flags of
base:allocation, as `nbdinfo --map` prints them.
"""

import random
import sys

PAGE = 4096
MAX_BYTES = 40 * PAGE

HOLE = 1
ZERO = 2


class Disk:
    """The disk's bytes, and which of its pages are stored."""

    def __init__(self, size):
        self.bytes = bytearray(size)
        self.stored = [False] * (size // PAGE)

    def write(self, start, end, byte):
        self.bytes[start:end] = bytes([byte]) * (end - start)
        for page in range(start // PAGE, (end + PAGE - 1) // PAGE):
            self.stored[page] = True

    def discard(self, start, end):
        """Pages that are covered in part stay what they are."""
        for page in range((start + PAGE - 1) // PAGE, end // PAGE):
            self.bytes[page * PAGE:(page + 1) * PAGE] = bytes(PAGE)
            self.stored[page] = False

    def zero(self, start, end):
        self.bytes[start:end] = bytes(end - start)
        self.discard(start, end)

    def state(self, page):
        if not self.stored[page]:
            return HOLE | ZERO
        if any(self.bytes[page * PAGE:(page + 1) * PAGE]):
            return 0
        return ZERO

    def extents(self):
        first = 0
        pages = len(self.stored)
        for page in range(1, pages + 1):
            if page == pages or self.state(page) != self.state(first):
                yield first * PAGE, (page - first) * PAGE, self.state(first)
                first = page


def draw_range(rng, size):
    start = rng.randrange(size)
    end = min(size, start + rng.randint(1, MAX_BYTES))
    if rng.random() < 0.6:
        start -= start % PAGE
        end = max(start + PAGE, end - end % PAGE)
    return start, end


def change(rng, disk, start, end):
    """One random change of the range; returns the command for it."""
    byte = rng.randint(1, 255)
    where = f"{start} {end - start}"
    kind = rng.choice(["data", "data", "zeros", "keep", "unmap", "discard"])
    if kind == "data":
        disk.write(start, end, byte)
        return f"write -P {byte} {where}"
    if kind == "zeros":
        disk.write(start, end, 0)
        return f"write -P 0 {where}"
    if kind == "keep":
        disk.write(start, end, 0)
        return f"write -z {where}"
    if kind == "unmap":
        disk.zero(start, end)
        return f"write -z -u {where}"
    disk.discard(start, end)
    return f"discard {where}"


def main():
    seed, size, operations = (int(arg) for arg in sys.argv[1:4])
    rng = random.Random(seed)
    disk = Disk(size)
    with open(sys.argv[4], "w", encoding="ascii") as commands:
        for _ in range(operations):
            start, end = draw_range(rng, size)
            print(change(rng, disk, start, end), file=commands)
    with open(sys.argv[5], "w", encoding="ascii") as extents:
        for offset, length, state in disk.extents():
            print(offset, length, state, file=extents)


main()
