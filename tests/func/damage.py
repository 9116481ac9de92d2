# SPDX-License-Identifier: GPL-2.0-or-later
"""Flip one bit of what a running zsd stores.

usage: damage.py PID TEXT

TEXT, which must be in the store's memory exactly once, is found through the
memfd of process PID. Exit status 1 where it is not there, or not once.
"""
import glob
import os
import sys


def image_of(pid):
    for path in glob.glob(f"/proc/{pid}/fd/*"):
        if os.readlink(path).startswith("/memfd:zsd"):
            return path
    sys.exit(f"process {pid} has no image")


def pieces_of(image, size):
    """The ranges that have memory: most of an image has none."""
    at = 0
    while at < size:
        try:
            start = os.lseek(image, at, os.SEEK_DATA)
        except OSError:
            return
        at = os.lseek(image, start, os.SEEK_HOLE)
        yield start, at


def main():
    pid, text = sys.argv[1], sys.argv[2].encode()
    image = os.open(image_of(pid), os.O_RDWR)
    found = []
    for start, end in pieces_of(image, os.fstat(image).st_size):
        data = os.pread(image, end - start, start)
        at = data.find(text)
        while at >= 0:
            found.append(start + at)
            at = data.find(text, at + 1)
    if len(found) != 1:
        sys.exit(f"found {len(found)} times: {sys.argv[2]}")
    os.pwrite(image, bytes([text[0] ^ 1]), found[0])


main()
