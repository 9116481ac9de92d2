#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
A service manager with a store of descriptors, as far as zsd has to do with one:

    manager.py FOLDER NAME=PATH... -- COMMAND...

Listens on a Unix socket at each PATH, and runs COMMAND with them in LISTEN_FDS
and with NOTIFY_SOCKET. Keeps the descriptors that come with FDSTORE=1 until
FDSTOREREMOVE=1. When COMMAND dies, kills what is left of it and runs it again,
with what is kept besides; ends when COMMAND ends with status 0. Writes the names
of what it keeps into FOLDER/kept, and its process into FOLDER/main.
"""
import array
import os
import select
import signal
import socket
import sys


def run(command, passed, notify_path):
    """Start COMMAND in a session of its own, with descriptors from 3 on."""
    # By way of high numbers, which are in nobody's way.
    fds = [os.dup2(fd, 1000 + i) for i, (_, fd) in enumerate(passed)]
    process = os.fork()
    if process == 0:
        os.setsid()
        for i, fd in enumerate(fds):
            os.dup2(fd, 3 + i)
        os.closerange(3 + len(fds), 3000)
        os.environ.update(
            LISTEN_PID=str(os.getpid()),
            LISTEN_FDS=str(len(passed)),
            LISTEN_FDNAMES=":".join(name for name, _ in passed),
            NOTIFY_SOCKET=notify_path,
        )
        os.execvp(command[0], command)
    for fd in fds:
        os.close(fd)
    return process


def hear(notify, kept):
    """Take one message."""
    room = socket.CMSG_SPACE(array.array("i").itemsize)
    message, beside, _, _ = notify.recvmsg(4096, room)
    fds = array.array("i")
    for _, _, data in beside:
        fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    words = dict(
        line.split("=", 1) for line in message.decode().splitlines() if line
    )
    name = words.get("FDNAME")
    if words.get("FDSTORE") == "1" and len(fds) == 1:
        kept[name] = fds[0]
    elif words.get("FDSTOREREMOVE") == "1" and name in kept:
        os.close(kept.pop(name))


def write(path, text):
    """All of a file at once."""
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(text)
    os.rename(path + ".new", path)


def listen(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    return listener


def main():
    folder = sys.argv[1]
    split = sys.argv.index("--")
    named = [text.split("=", 1) for text in sys.argv[2:split]]
    listeners = [listen(path) for _, path in named]
    sockets = [(n, s.fileno()) for (n, _), s in zip(named, listeners)]
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(folder + "/notify")
    kept = {}
    status = None
    while status != 0:
        passed = sockets + sorted(kept.items())
        process = run(sys.argv[split + 1 :], passed, notify.getsockname())
        write(folder + "/main", f"{process}\n")
        ended = os.pidfd_open(process)
        while True:
            ready, _, _ = select.select([notify, ended], [], [])
            if notify in ready:
                hear(notify, kept)
                write(folder + "/kept", "".join(f"{n}\n" for n in sorted(kept)))
            elif ready:
                break
        os.close(ended)
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        try:
            os.killpg(process, signal.SIGKILL)
        except ProcessLookupError:
            pass


main()
