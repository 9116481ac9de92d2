#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""plz.py FOLDER - decode pages as docs/plz.md says, and by nothing else

The folder holds a model, and pages as N.page and as N.plz, from plz_digest.
Checksums are left out: all that they are made of is compared.
"""
import bisect
import glob
import struct
import sys

# Rows of each group, in the order of the document's table.
GROUPS = [("kind", 32), ("length", 32), ("length12", 4), ("length13", 2),
          ("length14", 3), ("bits", 32), ("far", 12), ("mid", 96), ("near", 48),
          ("place1", 1), ("place2", 16), ("place3", 256), ("place4", 8),
          ("high_a", 128), ("high_b", 128), ("high_c", 128), ("high_d", 256),
          ("high_match", 256), ("low_a", 272), ("low_b", 272), ("low_c", 272),
          ("low_match", 272), ("low_d", 128)]
FIRST, total = {}, 0
for name, count in GROUPS:
    FIRST[name] = total
    total += count

GOALS = [[24 * i if i <= s else 32768 - 24 * (16 - i) for i in range(16)]
         for s in range(16)]


class Model:
    def __init__(self, data):
        assert data[:8] == b"plzmodel"
        version, rows, dict_bytes, zero = struct.unpack_from("<4I", data, 8)
        assert (version, rows, zero) == (1, total, 0)
        self.rows = [[0, *struct.unpack_from("<15H", data, 32 + 30 * r)]
                     for r in range(rows)]
        self.dict = data[32 + 30 * rows:]
        assert len(self.dict) == dict_bytes


class Decoder:
    def __init__(self, model, data):
        self.rows = [list(row) for row in model.rows]
        self.dict = model.dict
        self.states = list(struct.unpack_from("<2I", data))
        self.words = list(struct.unpack_from(f"<{len(data) // 2 - 4}H", data, 8))
        self.words.reverse()
        self.turn = 0
        self.page = bytearray()
        self.distances = [8, 16, 24, 4]
        self.before = 0

    def symbol(self, row, rows):
        x = self.states[self.turn]
        slot = x % 32768
        s = bisect.bisect_right(row, slot) - 1
        end = row[s + 1] if s < 15 else 32768
        x = (end - row[s]) * (x // 32768) + slot - row[s]
        if x < 65536 and self.words:
            x = x * 65536 + self.words.pop()
        self.states[self.turn] = x
        self.turn = 1 - self.turn
        for one in rows:
            for i in range(1, 16):
                one[i] += (GOALS[s][i] - one[i]) // 16
        return s

    def plain(self, group, index=0):
        row = self.rows[FIRST[group] + index]
        return self.symbol(row, [row])

    def mixed(self, *indices):
        rows = [self.rows[i] for i in indices]
        mean = [((a + b + 1) // 2 + (c + d + 1) // 2 + 1) // 2
                for a, b, c, d in zip(*rows)]
        return self.symbol(mean, rows)

    def byte_at(self, distance):
        at = len(self.page) - distance
        if at >= 0:
            return self.page[at]
        return self.dict[at] if -at <= len(self.dict) else 0

    def literal(self):
        at = len(self.page)
        lane = at % 8
        b1 = self.page[-1] if at >= 1 else 0
        b8 = self.page[-8] if at >= 8 else 0
        repeat = self.byte_at(self.distances[0])
        is_after = self.before >= 2
        high = self.mixed(
            FIRST["high_a"] + lane * 16 + b1 // 16,
            FIRST["high_b"] + lane * 16 + b8 // 16,
            FIRST["high_c"] + lane * 16 + repeat // 16,
            FIRST["high_match"] + repeat if is_after
            else FIRST["high_d"] + b1)

        def low_of(byte):
            return high * 17 + (byte % 16 if byte // 16 == high else 16)

        low = self.mixed(
            FIRST["low_a"] + low_of(b1), FIRST["low_b"] + low_of(b8),
            FIRST["low_c"] + low_of(repeat),
            FIRST["low_match"] + low_of(repeat) if is_after
            else FIRST["low_d"] + lane * 16 + high)
        self.page.append(high * 16 + low)
        self.before = 1 if is_after else 0

    def length(self, kind, lane):
        of_kind = min(kind - 1, 3)
        least = {1: 2, 2: 3, 3: 1}.get(kind, 2)
        n = self.plain("length", of_kind * 8 + lane)
        if n < 12:
            return least + n
        if n == 15:
            return 4096 - len(self.page)
        if n == 12:
            return least + 12 + self.plain("length12", of_kind)
        rest = 0
        for i in range(n - 11):
            rest = rest * 16 + self.plain(f"length{n}", i)
        return least + (28 if n == 13 else 284) + rest

    def distance(self, length, lane):
        group = 0 if length <= 2 else min(length - 2, 3)
        bits = self.plain("bits", group * 8 + lane)
        assert bits < 12
        rest = self.plain("far", bits) % 8 if bits > 8 else 0
        if bits > 4:
            rest = rest * 16 + self.plain("mid", bits * 8 + rest)
        if bits > 0:
            rest = rest * 16 + self.plain("near", bits * 4 + group)
        return 2**bits + rest

    def place(self, at):
        place = self.plain("place1")
        place = place * 16 + self.plain("place2", place)
        place = place * 16 + self.plain("place3", place)
        return place * 16 + (self.plain("place4", at % 8) + at) % 16

    def match(self, kind):
        at = len(self.page)
        length = self.length(kind, at % 8)
        if kind == 1:
            distance = self.distance(length, at % 8)
            self.distances.pop()
        elif kind == 2:
            distance = at + len(self.dict) - self.place(at)
            self.distances.pop()
        else:
            distance = self.distances.pop(kind - 3)
        self.distances.insert(0, distance)
        assert distance <= at or length <= distance - at <= len(self.dict)
        for _ in range(length):
            self.page.append(self.byte_at(distance))
        self.before = 2 if kind <= 2 else 3

    def decode(self):
        while len(self.page) < 4096:
            kind = self.plain("kind", self.before * 8 + len(self.page) % 8)
            if kind:
                self.match(kind)
            else:
                self.literal()
        assert not self.words and all(x >> 16 == 1 for x in self.states)
        return bytes(self.page)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def main(folder):
    model = Model(read(folder + "/model"))
    names = sorted(glob.glob(folder + "/*.plz"))
    for name in names:
        page = Decoder(model, read(name)).decode()
        assert page == read(name[:-3] + "page"), name
    print(f"{len(names)} pages read as docs/plz.md says")
    return not names


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
