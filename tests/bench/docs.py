# SPDX-License-Identifier: GPL-2.0-or-later
"""make bench-docs - runs into tables and charts of a document.

Every part of it between a line "<!-- bench: NAME -->" and the line
"<!-- bench end -->" becomes the table of that name. Beside it, in a folder of
its name, results.json becomes the runs, and gnuplot draws the charts. What was
not run keeps its old text, and its old chart.
"""
import os
import re
import shutil
import subprocess

from figures import Runs, parse, per_byte
from tables import TABLES, model_rows

# Told apart by those who do not tell red from green, too.
COLOURS = ["0072b2", "e69f00", "009e73", "cc79a7", "56b4e9", "d55e00", "000000",
           "999999", "882255", "b0a000"]

STYLE = """
set terminal svg size 820,400 font "sans-serif,13" background "#ffffff"
set datafile separator "\\t"
set datafile missing "None"
set key outside right top
set grid ytics linecolor rgb "#dddddd"
set border 3
set tics nomirror
set yrange [0:*]
set style fill solid 0.9 border -1
""" + "".join(f'set linetype {i} linecolor rgb "#{colour}" linewidth 2\n'
              for i, colour in enumerate(COLOURS, 1))

KINDS = {
    "bars": "set style data histograms\nset style histogram clustered gap 1\n"
            "set xtics rotate by -25 scale 0",
    "stacked": "set style data histograms\nset style histogram rowstacked\n"
               "set boxwidth 0.5\nset xtics rotate by -25 scale 0",
    "lines": "set style data linespoints",
}


def draw(path, kind, heading, label, across, more, names, series):
    """@series: a value for each of @names."""
    rows = ["\t".join(map(str, row)) for row in zip(names, *series.values())]
    across_to = "0:" if kind == "lines" else ""
    plots = [f'$data using {across_to}{i}:xtic(1) title "{name}" linetype '
             f'{i - 1}' for i, name in enumerate(series, 2)]
    subprocess.run(["gnuplot"], check=True, text=True, input="\n".join([
        STYLE, KINDS[kind], more, f'set output "{path}"',
        f'set title "{heading}"', f'set ylabel "{label}"',
        f'set xlabel "{across}"', "$data << END", *rows, "END",
        "plot " + ", ".join(plots), ""]))


def by_load(runs, client, workloads):
    """Of each server, thousands a second; without servers that have none."""
    return {server: values for server, g in
            runs.where(part="speed", client=client).by("server")
            if any(values := [g.where(workload=w).median("iops / 1000")
                              for w in workloads])}


def turned(series, names):
    """Servers become rows, and workloads the series."""
    return list(series), dict(zip(names, zip(*series.values())))


def charts(runs):
    """The arguments of draw(), by the name of the file."""
    cpu = {f"{server} {op}": [g.median(f"codec.{codec}"), g.median(
        f"{op}.server_cpu_us - codec.{codec}")]
        for server, g in runs.where(part="cpu").by("server") for op, codec in
        [("write", "compress_us"), ("read", "decompress_us")]}
    loads, rate = ["write-d32", "read-d32"], "thousand requests/s"
    latency = {server: [g.median(f"latency.{name}_us") for name in
                        ("p50", "p99", "p999", "p9999")]
               for server, g in runs.where(part="speed", client="nbdload",
                                           workload="read-d1").by("server")}
    full = runs.where(part="density", pages="all")
    trims = runs.where(part="trim")
    cores = model_rows(runs)
    log = "set yrange [*:*]\nset logscale y"
    yield ("cpu", "stacked", "Processor time of a 4 KiB request, depth 32",
           "us", "", "", *turned(cpu, ["codec", "all else"]))
    yield ("speed", "bars", "Real pages, one thread each, depth 32", rate, "",
           "", *turned(by_load(runs, "nbdload", loads), loads))
    yield ("depth", "lines", "Reads of real pages, one thread each", rate,
           "requests under way", "", [1, 32, 128],
           by_load(runs, "nbdload", ["read-d1", "read-d32", "read-d128"]))
    yield ("latency", "lines", "Reads at depth 1: latency", "us", "percentile",
           log, ["p50", "p99", "p99.9", "p99.99"], latency)
    yield ("connections", "lines", "Writes of real pages, default threads",
           rate, "connections, depth 32 on each", "", [1, 2, 4, 8],
           by_load(runs, "connections", [f"write-c{n}" for n in (1, 2, 4, 8)]))
    yield ("fio", "bars", "fio, its own pages, depth 32", rate, "", "",
           *turned(by_load(runs, "fio", loads), loads))
    yield ("density", "bars", "Density: pages of programs",
           "bytes written over bytes of memory", "", "",
           [r.server for r in full], {"written / growth": [
               r.bytes / (r.sizes[1].resident - r.sizes[0].resident or
                          r.sizes[1].mem_used_total +
                          r.sizes[1].metadata_bytes) for r in full]})
    rest = runs.where(part="rest")
    yield ("rest", "bars", "Density of a whole store, all that it holds",
           "bytes written for a byte held", "", "",
           [label for label, _ in rest.by("pages")],
           {method: [g.where(pages=label).median(
               "(store.compacted or store.filled).density")
               for label, _ in rest.by("pages")]
            for method, g in rest.by("method")})
    yield ("trims", "lines", "Bytes used for each compressed byte, compacted",
           "", "% of all pages trimmed at random", "set yrange [*:*]",
           [percent for percent, _ in trims.by("percent")],
           {server + pool: [per_byte(r.sizes[3], not pool) for r in g]
            for server, g in trims.by("server")
            for pool in ("", ", pool alone")})
    yield ("cores", "lines", "Model: speed-up with cores that lock",
           "times one core", "cores", log, [n for n, *_ in cores],
           {"locks": [times for *_, times in cores],
            "ideal": [n for n, *_ in cores]})


def fill_in(path, document):
    with open(path) as file:
        results = parse(file.read())
    runs, folder = Runs(results.runs), document.removesuffix(".md")

    def new_table(match):
        lines = TABLES[match[1]][1](runs, results.about)
        inside = "\n".join(["```", *lines, "```", ""]) if lines else match[2]
        return f"<!-- bench: {match[1]} -->\n{inside}<!-- bench end -->"

    with open(document) as file:
        old = file.read()
    if old.count("<!-- bench: ") != old.count("<!-- bench end -->"):
        raise SystemExit(f"bench: {document}: a table without an end")
    new = re.sub(r"<!-- bench: (\w+) -->\n(.*?)<!-- bench end -->", new_table,
                 old, flags=re.S)
    os.makedirs(folder, exist_ok=True)
    for name, *chart in charts(runs):
        if chart[-2] and chart[-1]:
            draw(f"{folder}/{name}.svg", *chart)
    with open(document, "w") as file:
        file.write(new)
    if os.path.abspath(path) != os.path.abspath(f"{folder}/results.json"):
        shutil.copy(path, f"{folder}/results.json")
