# SPDX-License-Identifier: GPL-2.0-or-later
# Tables for bench-charts.gp: tab-separated, the first line names the columns.
# Input everywhere: the object that bench-figures.jq makes.
import "bench-text" as text;

def row: map(if . == null then "-" else tostring end) | join("\t");

# Figures of one client: a line for each server, a column for each workload.
def by_server($client; $workloads; figure):
    [.speed[] | select(.client == $client)] as $rows
    | (["server", $workloads[]] | row),
      ($rows | map(.server) | text::distinct | .[] as $server
      | [$workloads[] as $workload | [$rows[]
          | select(.server == $server and .workload == $workload)
          | figure][0]] as $cells
      | select(any($cells[]; .))
      | [$server, $cells[]] | row);

# The other way round: a line for each of $workloads, named by $names.
def by_workload($client; $workloads; $names; figure):
    [.speed[] | select(.client == $client)] as $rows
    | ($rows | map(.server) | text::distinct) as $servers
    | (["x", $servers[]] | row),
      (range($workloads | length) as $i
      | [$servers[] as $server | [$rows[]
          | select(.server == $server and .workload == $workloads[$i])
          | figure][0]] as $cells
      | select(any($cells[]; .))
      | [$names[$i], $cells[]] | row);

def thousands: .iops.median / 1000;

# What is left of a full disk after trims and compaction takes so much a byte.
def trim_rows:
    (.trims | map(.server) | text::distinct) as $servers
    | (["x", ($servers[] | ., . + ", pool alone")] | row),
      ((.trims | map(.percent) | unique)[] as $percent
      | [$percent, ($servers[] as $server | .trims[]
          | select(.server == $server and .percent == $percent)
          | .compacted, .compacted_pool)] | row);

def latency_rows:
    [.speed[] | select(.client == "nbdload" and .workload == "read-d1")] as $rows
    | (["x", $rows[].server] | row),
      ((["p50", "p50_us"], ["p99", "p99_us"], ["p99.9", "p999_us"],
        ["p99.99", "p9999_us"]) as [$name, $field]
      | [$name, ($rows[] | .[$field].median)] | row);

def table($chart):
    if $chart == "cpu" then
        (["request", "codec", "all else"] | row),
        (.cpu[] | ("write", "read") as $op
        | ["\(.server) \($op)", .["codec_\($op)_us"].median,
            .["\($op)_beyond_us"].median] | row)
    elif $chart == "speed" then
        by_server("nbdload"; ["write-d32", "read-d32"]; thousands)
    elif $chart == "fio" then
        by_server("fio"; ["write-d32", "read-d32"]; thousands)
    elif $chart == "latency" then latency_rows
    elif $chart == "depth" then
        by_workload("nbdload"; ["read-d1", "read-d32", "read-d128"];
            ["1", "32", "128"]; thousands)
    elif $chart == "connections" then
        by_workload("connections";
            ["write-c1", "write-c2", "write-c4", "write-c8"];
            ["1", "2", "4", "8"]; thousands)
    elif $chart == "density" then
        (["server", "written / growth"] | row),
        (.density[] | select(.pages == "all")
        | [.server, (.written_per_resident // .written_per_used)] | row)
    elif $chart == "trims" then trim_rows
    elif $chart == "cores" then
        (["x", "locks", "ideal"] | row),
        (.scaling.model.cores | .[0].per_second as $one | .[]
        | [.cores, .per_second / $one, .cores] | row)
    else error("no chart \($chart)") end;

# Whether there is anything to draw.
def has_data($chart):
    [table($chart)] | length > 1 and (.[0] | contains("\t"));
