# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured: zsd, what one would use instead, and the kernel's zram.

Names: zsd-ALGORITHM[:LEVEL][-poll][@THREADS], zsd-...@base of the build to
compare with, nbdkit-ALLOCATOR, qemu-nbd (a file in /dev/shm), and zram, which
is no server but stands beside them.

A server runs in one of three set-ups:
  pinned   one thread on a core of its own, the client on another
  single   one thread, wherever the kernel puts it
  default  as it comes: zsd with one worker a core, nbdkit with 16 threads,
           qemu-nbd with its pool, wherever the kernel puts them
"""
import itertools
import mmap
import os
import resource
import subprocess
import time

from figures import Run, parse


def die(text):
    raise SystemExit(f"bench: {text}")


def run(*command, **options):
    """What a command prints."""
    return subprocess.run([str(word) for word in command], check=True,
                          text=True, stdout=subprocess.PIPE, **options).stdout


def cpu_now(pid):
    """Seconds: of a server, all its threads; of clients that ended; of all."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open("/proc/stat") as stat:
        ticks = [int(word) for word in stat.readline().split()[1:9]]
    return (time.clock_gettime((~pid << 3) | 2) if pid else 0,
            usage.ru_utime + usage.ru_stime,
            (sum(ticks) - sum(ticks[3:5])) / os.sysconf("SC_CLK_TCK"))


def spent(pid, *command):
    """What a client prints, and what was spent meanwhile: by the server, in
    seconds, and by others, in cores."""
    before, start_s = cpu_now(pid), time.monotonic()
    output = run(*command)
    elapsed_s = time.monotonic() - start_s
    server, client, machine = (b - a for a, b in zip(before, cpu_now(pid)))
    # The machine is counted in coarse ticks: never less than is known.
    return output, server, max(0, machine - server - client) / elapsed_s


class Server:
    def __init__(self, bench, name, setup, size):
        self.bench, self.name, self.size = bench, name, size
        self.socket = f"{bench.work}/{name}.sock"
        self.fio_target = ["--ioengine=nbd", f"--size={size}",
                           f"--uri=nbd+unix:///?socket={self.socket}"]
        if os.path.exists(self.socket):  # of one that ran before
            os.remove(self.socket)
        with open(f"{bench.work}/{name}.log", "w") as log:
            self.process = subprocess.Popen(self.command(setup), stderr=log)
        self.pid = self.process.pid
        for _ in range(100):  # ready when it shakes hands; ten seconds
            if os.path.exists(self.socket) and not subprocess.run(
                    self.nbdload("--requests=0"),
                    stderr=subprocess.DEVNULL).returncode:
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        with open(log.name) as log:
            die(f"{name} did not start: {log.read()}")

    def command(self, setup):
        bench, size, socket = self.bench, str(self.size), self.socket
        # One that polls wants a core for its client, and may take it: it goes
        # where the client is not.
        core = ["taskset", "-c", bench.server_core] * (
            setup == "pinned" and not self.name.endswith("-poll"))
        threads = [] if setup == "default" else ["-t", "1"]
        kind, _, algorithm = self.name.partition("-")
        if kind == "zsd":
            algorithm, _, at = algorithm.partition("@")
            if at.isdigit():
                threads = ["-t", at]
            algorithm, _, rest = algorithm.partition("+")
            # By hand, when the disk is full: the policy has hours.
            rest = [f"--recompress={rest}"] if rest else []
            poll = ["--poll"] * algorithm.endswith("-poll")
            build = bench.build2 if at == "base" else bench.build
            return [*core, f"{build}/zsd", "-s", size, "-u", socket, "-a",
                    algorithm.removesuffix("-poll"), *rest, *poll, *threads]
        if kind == "nbdkit":
            return [*core, "nbdkit", "-f", "-U", socket, "memory", size,
                    f"allocator={algorithm}", *threads]
        if self.name != "qemu-nbd":
            die(f"no such server: {self.name}")
        self.file = f"/dev/shm/{os.path.basename(bench.work)}.img"
        run("truncate", "-s", size, self.file)
        return [*core, "qemu-nbd", "--format=raw", "--socket=" + socket,
                "--shared=16", "--persistent", "--discard=unmap", self.file]

    def stop(self):
        self.process.terminate()
        self.process.wait()
        if self.name == "qemu-nbd":
            os.remove(self.file)

    def nbdload(self, *options):
        return [f"{self.bench.build}/tests/bench/nbdload", "--socket",
                self.socket, *options]

    def load(self, *options, pinned=True):
        """What nbdload says of a load, and what the server spent on it."""
        core = ["taskset", "-c", self.bench.client_core] * pinned
        output, own_s, other = spent(self.pid, *core, *self.nbdload(*options))
        load = parse(output or "{}")
        if load:
            load.update(server_cpu_us=own_s * 1e6 / load.requests,
                        other_cpu_share=other)
        return load

    def zsctl_command(self, command):
        return [f"{self.bench.build}/zsctl", "--control", self.socket + ".ctl",
                "--json", "--timeout=0", command]

    def zsctl(self, command):
        return parse(run(*self.zsctl_command(command))).result

    def store(self, pages):
        """Write pages over all of the disk, in order."""
        self.load(*pages, "--prefill", "--requests=0", "--block-bytes=64K",
                  "--depth=4")

    def trim(self, percent, seed=1):
        self.load(f"--trim-share={percent}", "--requests=0", f"--seed={seed}")

    def compact(self):
        return self.zsctl("compact")

    def sizes(self):
        """Its memory: resident, and what it tells of itself."""
        with open(f"/proc/{self.pid}/status") as status:
            lines = dict(line.split(":", 1) for line in status)
        sizes = Run(resident=int(lines["VmRSS"].split()[0]) * 1024)
        if self.name == "qemu-nbd":  # its data is not its own memory
            sizes.resident += os.stat(self.file).st_blocks * 512
        if self.name.startswith("zsd"):
            stats = self.zsctl("stats").exports[0]
            told = {**stats.mm_stat, **stats.memory}
            sizes.update({k: told[k] for k in (
                "compr_data_size", "mem_used_total", "metadata_bytes",
                "reserve_bytes")})
        return sizes


class Zram:
    """A device of our own, added for the purpose and removed afterwards; the
    others are left alone."""
    CONTROL = "/sys/class/zram-control"

    def __init__(self, bench, name, setup, size):
        self.name, self.size, self.pid = name, size, 0
        with open(f"{self.CONTROL}/hot_add") as hot_add:
            self.id = int(hot_add.read())
        self.write("comp_algorithm", "lz4")
        self.write("disksize", size)
        self.fio_target = ["--ioengine=io_uring", "--direct=1",
                           f"--filename=/dev/zram{self.id}"]

    @classmethod
    def why_not(cls):
        return "not on this machine" * (not os.path.exists(cls.CONTROL)) or \
            "only root may have it" * (os.geteuid() != 0)

    def write(self, name, value):
        with open(f"/sys/block/zram{self.id}/{name}", "w") as file:
            file.write(str(value))

    def stop(self):
        self.write("reset", 1)
        with open(f"{self.CONTROL}/hot_remove", "w") as hot_remove:
            hot_remove.write(str(self.id))

    def store(self, pages):
        device = os.open(f"/dev/zram{self.id}", os.O_WRONLY | os.O_DIRECT)
        buffer, left = memoryview(mmap.mmap(-1, 1 << 20)), self.size
        for page in itertools.cycle(pages):
            with open(page.removeprefix("--pages="), "rb", 0) as file:
                while left and (nr := file.readinto(buffer)):
                    left -= os.write(device, buffer[:min(nr, left)])
            if not left:
                break
        os.close(device)

    def trim(self, percent):
        """Exactly so many pages, each once, at random."""
        run("fio", "--name=trim", *self.fio_target[1:], "--ioengine=sync",
            "--rw=randtrim", "--bs=4k",
            f"--number_ios={self.size * percent // 100 // 4096}")

    def compact(self):
        """It says nothing of itself, and is timed, which includes handing the
        memory back."""
        start_ns = time.monotonic_ns()
        self.write("compact", 1)
        return Run(duration_us=(time.monotonic_ns() - start_ns) / 1000)

    def sizes(self):
        """What mm_stat leaves out is 16 B for each slot of the disk and 8 B for
        each object, same-filled pages having none."""
        with open(f"/sys/block/zram{self.id}/mm_stat") as mm_stat:
            n = [int(word) for word in mm_stat.read().split()]
        return Run(resident=0, compr_data_size=n[1], mem_used_total=n[2],
                   metadata_bytes=self.size // 4096 * 16 +
                   (n[0] // 4096 - n[5]) * 8)
