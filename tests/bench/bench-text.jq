# SPDX-License-Identifier: GPL-2.0-or-later
# What bench.sh measured, as tables for people. Input everywhere: the object
# that bench-figures.jq makes. A section that was not measured is empty.

# --- cells -------------------------------------------------------------------

def lpad($n): tostring | if length < $n then " " * ($n - length) + . else . end;
def rpad($n): tostring | if length < $n then . + " " * ($n - length) else . end;

# With @digits after the point, trailing zeros kept.
def fixed($digits):
    if . < 0 then "-" + (-. | fixed($digits)) else
        pow(10; $digits) as $unit
        | (. * $unit | round | tostring) as $all
        | if $digits == 0 then $all
          else ($all | if length <= $digits
            then "0" * ($digits + 1 - length) + . else . end)
            | .[:-$digits] + "." + .[-$digits:]
          end
    end;

def optional($digits): if . == null then "-" else fixed($digits) end;
def median_of($digits): if . == null then "-" else .median | fixed($digits) end;

# Microseconds, tenths only where they say something.
def us_cell:
    if . == null then "-" else
        .median | if . < 1000 then fixed(1) else fixed(0) end
    end | lpad(9);

# A spread: median (lowest..highest).
def with_spread($digits):
    if . == null then "-" else
        "\(.median | fixed($digits)) "
        + "(\(.min | fixed($digits))..\(.max | fixed($digits)))"
    end;

def scaled($factor): if . == null then null else map_values(. * $factor) end;

# The median right-aligned, the rest left-aligned.
def spread_cell($digits; $width):
    if . == null then ("-" | lpad(8)) + " " * ($width - 8) else
        (.median | fixed($digits) | lpad(8))
        + (" (\(.min | fixed($digits))..\(.max | fixed($digits)))"
            | rpad($width - 8))
    end;

# Distinct values in the order they come.
def distinct: reduce .[] as $v ([]; if index([$v]) then . else . + [$v] end);

def trimmed_right: sub(" +$"; "");

# --- head --------------------------------------------------------------------

def head_text:
    .about
    | "zsd \(.commit), \(.date)",
      "\(.cpu), \(.cores) cores, Linux \(.kernel)",
      "\(.nbdkit), \(.qemu), \(.fio)",
      "runs of \(.seconds) s; medians of \(.rounds) rounds (lowest..highest)",
      "disk \(.disk_bytes / 1048576) MiB; pages of \(.pages); "
      + "\(.elapsed_s / 60 | fixed(1)) minutes in all",
      if .no_zram != "" then "the kernel's zram: \(.no_zram)" else empty end;

def noise_text($client):
    .noise[$client]
    | if . == null then empty else
        "other processes took \(.median | fixed(2)) cores "
        + "(\(.min | fixed(2))..\(.max | fixed(2))) meanwhile"
      end;

# --- processor time beyond the codec -----------------------------------------

def cpu_text:
    if .cpu == [] then empty else
        ("us of processor time" | rpad(25)) + ("codec alone" | rpad(24))
        + ("server's request" | rpad(25)) + "beyond the codec",
        (.cpu[] | ("write", "read") as $op
        | (("\(.server)" | rpad(12)) + $op | rpad(22))
        + (.["codec_\($op)_us"] | spread_cell(2; 25))
        + (.["\($op)_us"] | spread_cell(2; 25))
        + (.["\($op)_beyond_us"] | spread_cell(2; 25)) | trimmed_right)
    end;

# --- speed -------------------------------------------------------------------

def workload_title:
    {
        d1: "4 KiB, depth 1", d32: "4 KiB, depth 32", d128: "4 KiB, depth 128",
        s128K: "128 KiB in order", s1M: "1 MiB in order"
    } as $shapes
    | split("-") | .[0] + " " + ($shapes[.[1]] // .[1]);

def speed_row_text:
    (.server | rpad(15)) + (.iops | spread_cell(0; 29))
    + (.server_cpu_us | spread_cell(2; 27))
    + (.client_cpu_us | median_of(2) | lpad(8))
    + ([.mean_us, .p50_us, .p99_us, .p999_us, .p9999_us]
        | map(us_cell) | add);

def workload_text($client; $workload):
    .speed | map(select(.client == $client and .workload == $workload))
    | if length == 0 then empty else
        "", ($workload | workload_title | rpad(24)) + ("requests/s" | rpad(20))
        + ("server CPU us/request" | rpad(27))
        + ("client's" | lpad(8))
        + (["mean us", "p50", "p99", "p99.9", "p99.99"] | map(lpad(9)) | add),
        (.[] | speed_row_text)
      end;

def sequential_text:
    .speed | map(select(.workload | test("-s")))
    | if length == 0 then empty else
        . as $rows
        | ["write-s128K", "read-s128K", "write-s1M", "read-s1M"] as $columns
        | "", ("MiB/s, 4 under way" | rpad(18))
        + ($columns | map(workload_title | lpad(25)) | add),
        ($rows | map(.server) | distinct | .[] as $server
        | ($server | rpad(18))
        + ($columns | map(. as $column | [$rows[]
            | select(.server == $server and .workload == $column)
            | (.block_bytes / 1048576) as $mib
            | .iops | map_values(. * $mib)][0] | with_spread(0) | lpad(25))
            | add))
      end;

def ratios_text($client):
    .ratios | map(select(.client == $client
        and (.workload | test("-(d1|d32)$"))))
    | if length == 0 then empty else
        "", "ratios of medians (requests/s: more is better; others: less is)",
        (sort_by([.of, .to])[]
        | ("\(.of) / \(.to)" | rpad(30)) + (.workload | rpad(11))
        + "requests/s x" + (.iops | fixed(2) | rpad(8))
        + "mean latency x" + (.mean_us | fixed(2) | rpad(8))
        + if .server_cpu_us
          then "server CPU x" + (.server_cpu_us | fixed(2)) else "" end
        | trimmed_right)
    end;

def client_text($client):
    .about | {
        nbdload: ("nbdload: "
            + if .client_core == .server_core
            then "client and server share core \(.client_core)"
            else "client on core \(.client_core), server with one thread "
                + "on core \(.server_core)" end),
        fio: ("fio: its own pages, 40 % random bytes and 60 % zeros; client "
            + "and servers on any core, servers with their default threads")
    }[$client];

def speed_text($client):
    if .noise[$client] then
        client_text($client), noise_text($client),
        (("write", "read") as $op | ("d1", "d32", "d128") as $shape
        | workload_text($client; "\($op)-\($shape)")),
        if $client == "nbdload" then sequential_text else empty end,
        ratios_text($client)
    else empty end;

def connections_text:
    .speed | map(select(.client == "connections")) as $rows
    | if $rows == [] then empty else
        ("write", "read") as $op
        | ($rows | map(select(.workload | startswith($op)))) as $mine
        | if $op == "write" then
            "nbdload: servers with their default threads, all on any core; "
            + "depth 32 on each connection"
          else empty end,
          "", (($op + "s/s, connections") | rpad(18))
          + (["1", "2", "4", "8"] | map(lpad(27)) | add),
          ($mine | map(.server) | distinct | .[] as $server
          | ($server | rpad(18))
          + ($mine | map(select(.server == $server)
              | .iops | with_spread(0) | lpad(27)) | add))
      end;

def profile_text:
    (.profile // []) as $profile
    | if $profile == [] then .about.no_perf // "" | select(. != "") else
        "% of zsd's processor time, lz4, real pages, one thread",
        ($profile[] | "", (.workload | workload_title),
        (.rows[] | (.share | fixed(2) | lpad(7)) + "  "
        + (.symbol | rpad(44)) + .object))
    end;

# --- memory ------------------------------------------------------------------

# A row of one measure of one server, over all sets of pages.
def density_row($rows; $server; $columns; $measure; $title):
    ($rows | map(select(.server == $server))) as $mine
    | if any($mine[]; .[$measure]) then
        (($server | rpad(15)) + $title | rpad(50))
        + ($columns | map(. as $column | [$mine[]
            | select(.pages == $column) | .[$measure]][0]
            | optional(3) | lpad(9)) | add)
      else empty end;

def density_text:
    .about.large_bytes as $large
    | .density | if length == 0 then empty else
        . as $rows
        | (map(.pages) | distinct) as $columns
        | ("pages" | rpad(50))
        + ($columns | map(if . == "all"
            then "\($large / 1048576) MiB" else . end | lpad(9)) | add),
        ($rows | map(.server) | distinct | .[] as $server
        | (["written_per_used", "written / (pool + metadata)"],
            ["filled", "(pool + metadata) / compressed"],
            ["filled_grown", "process's growth / compressed"],
            ["overwritten", "used / compressed, overwritten"],
            ["compacted", "used / compressed, compacted"],
            ["written_per_resident", "written / process's growth"])
            as [$measure, $title]
        | density_row($rows; $server; $columns; $measure; $title)),
        (($rows | map(select(.server == "zsd-lz4" and .pages == "all"))[0])
        | if . then "zsd-lz4's reserve, not counted in its growth: "
            + "\(.reserve_bytes / 1048576 | fixed(1)) MiB; metadata, counted: "
            + "\(.metadata_bytes / 1048576 | fixed(1)) MiB" else empty end)
      end;

def trims_text:
    .about.large_bytes as $large
    | .trims | if length == 0 then empty else
        "bytes used for each compressed byte, metadata included; "
        + "\($large / 1048576) MiB of pages, a share of them trimmed at random",
        ("" | rpad(13)) + ("trimmed" | lpad(9))
        + (["full", "trimmed", "compacted", "pool alone", "process's growth",
            "compaction ms", "objects moved"] | map(lpad(17)) | add),
        (.[] | (.server | rpad(13)) + ("\(.percent) %" | lpad(9))
        + ([(.full, .trimmed, .compacted, .compacted_pool, .compacted_grown
                | optional(3)),
            (.compaction_us / 1000 | fixed(1)),
            (.objects_moved | optional(0))] | map(lpad(17)) | add))
      end;

# --- compaction, scaling ------------------------------------------------------

def compaction_text:
    (.compaction | if . == null then empty else
        "moving alone: \(.objects_per_second | with_spread(0)) "
        + "objects a second",
        "zsctl compact: \(.server_per_second | with_spread(0)) objects a "
        + "second; \(.objects_moved | with_spread(0)) "
        + "in \(.duration_us | scaled(0.001) | with_spread(1)) ms, "
        + "and \(.release_us | scaled(0.001) | with_spread(1)) ms "
        + "to hand memory back"
    end),
    (.delays | if length == 0 then empty else
        "", ("us" | rpad(33)) + (["p50", "p99.9", "p50 beside", "p99.9 beside"]
            | map(rpad(25)) | add | trimmed_right),
        (.[] | ({
            d1: "read, write, trim, depth 1", d32: "write, depth 32"
          }[.shape] | rpad(28))
        + ([.alone_p50_us, .alone_p999_us, .beside_p50_us, .beside_p999_us]
            | map(spread_cell(1; 25)) | add | trimmed_right)),
        (.[] | ({d1: "depth 1", d32: "depth 32"}[.shape] | rpad(10))
        + "p99.9 later by \(.later_us | with_spread(0)) us; p99.9 over the "
        + "median: \(.alone_tail | with_spread(2)) alone, "
        + "\(.beside_tail | with_spread(2)) beside "
        + "\(.compactions | median_of(0)) compactions of "
        + "\(.objects_moved | median_of(0)) objects in all")
    end);

def lock_rows($rows):
    $rows | if length == 0 then empty else
        ("locks, 2 threads" | rpad(18)) + (["taken a write", "found busy",
            "waited ns a write", "held ns each time"] | map(lpad(19)) | add),
        (.[] | ("  " + .lock | rpad(18))
        + ([(.taken_per_write | fixed(4)),
            ((.busy_share * 100 | fixed(3)) + " %"),
            (.wait_ns_per_write | fixed(1)),
            (.hold_ns | fixed(0))] | map(lpad(19)) | add))
    end;

def scaling_text:
    if .scaling == null then empty else .scaling
    | ("writes, lz4" | rpad(28)) + ("1 thread" | rpad(30)) + ("2 threads" | rpad(30))
      + "gain",
      ("in the process, writes/s" | rpad(28))
      + (.one.per_second | with_spread(0) | rpad(30))
      + (.two.per_second | with_spread(0) | rpad(30))
      + "x" + (.store_gain | with_spread(2)),
      ("  CPU us/write" | rpad(28))
      + (.one.cpu_us | with_spread(2) | rpad(30))
      + (.two.cpu_us | with_spread(2)),
      ("  waits (switches)/1000" | rpad(28))
      + (.one.switches_per_1000 | with_spread(2) | rpad(30))
      + (.two.switches_per_1000 | with_spread(2)),
      ("over sockets, CPU us/write" | rpad(28))
      + (.one.socket_cpu_us | with_spread(2) | rpad(30))
      + (.two.socket_cpu_us | with_spread(2) | rpad(30))
      + "x" + (.socket_gain | with_spread(2)),
      "", lock_rows(.two.locks)
    end;

def model_text:
    if .scaling == null then empty else .scaling.model
    | "per write: \(.alone_us | fixed(3)) us on its own, "
      + "\(.locks_us | fixed(3)) us in locks; the busiest is "
      + "\(.bottleneck.name) with \(.bottleneck.us * 1000 | fixed(0)) ns, "
      + "arena \(.arena.us // 0 | . * 1000 | fixed(1)) ns, "
      + "handles \(.handles.us // 0 | . * 1000 | fixed(1)) ns",
      (["cores", "writes/s", "x one core", "of ideal"] | map(lpad(12)) | add),
      (.cores[0].per_second as $one | .cores[]
      | ([(.cores | tostring), (.per_second | fixed(0)),
          (.per_second / $one | fixed(1)),
          ((.per_second / $one / .cores * 100 | fixed(0)) + " %")]
          | map(lpad(12)) | add))
    end;

# --- the rest ----------------------------------------------------------------

def dictionary_text:
    if .dictionary == null then empty else .dictionary
    | (.algorithm + ", us/page" | rpad(20)) + ("without" | rpad(26))
      + ("with" | rpad(26)) + "with / without",
      ("compress" | rpad(20)) + (.without_us | with_spread(2) | rpad(26))
      + (.with_us | with_spread(2) | rpad(26)) + (.share | with_spread(2)),
      ("decompress" | rpad(20)) + (.without_read_us | with_spread(2) | rpad(26))
      + (.with_read_us | with_spread(2) | rpad(26))
      + (.read_share | with_spread(2)),
      ("ratio" | rpad(20)) + (.without_ratio | fixed(3) | rpad(26))
      + (.with_ratio | fixed(3) | rpad(26))
      + (.with_ratio / .without_ratio | fixed(3))
    end;

def startup_text:
    .startup[]
    | "disk of \(.size): ready after "
      + "\(.ready_us | map_values(. / 1000) | with_spread(1)) ms, "
      + "resident \(.resident_bytes | map_values(. / 1048576)
          | with_spread(1)) MiB; \(.runs) starts";

# Requests per second prove nothing where others wanted the cores as well.
def targets_text:
    .about.quiet as $quiet | ([.noise[].median] | max // 0) as $noise
    | .targets | if length == 0 then empty else
        ("target" | rpad(74)) + ("asked" | lpad(18)) + ("measured" | lpad(13))
        + "  met?",
        (.[] | ("\(.topic): \(.what)" | rpad(74))
        + ("\(.sense) \(.asked | if . >= 100000 then fixed(0) else . end)"
            + (if .unit == "" then "" else " \(.unit)" end) | lpad(18))
        + ((.digits as $digits | .measured | fixed($digits))
            + (if .unit == "" then "" else " \(.unit)" end) | lpad(13))
        + if .met then "  yes" else "  no, by "
            + (((.measured / .asked - 1) | fabs) * 100 | fixed(0)) + " %" end),
        if $noise >= $quiet then
            "other processes took \($noise | fixed(2)) cores meanwhile: "
            + "figures of speed say little"
        else empty end
      end;

# --- all ---------------------------------------------------------------------

def titles: [
    ["cpu", "Processor time beyond the codec"],
    ["profile", "Where the time goes"],
    ["nbdload", "Speed, one thread each"],
    ["connections", "Speed, several connections"],
    ["fio", "Speed, as fio sees it"],
    ["density", "Density"],
    ["trims", "Density after trims"],
    ["compaction", "Compaction"],
    ["scaling", "Two threads"],
    ["model", "Many cores, on paper"],
    ["dictionary", "Dictionary"],
    ["startup", "Start-up"],
    ["targets", "Targets"]
];

# One section, its lines in an array.
def section($name):
    [if $name == "head" then head_text
    elif $name == "cpu" then cpu_text
    elif $name == "profile" then profile_text
    elif $name == "nbdload" then speed_text("nbdload")
    elif $name == "connections" then connections_text
    elif $name == "fio" then speed_text("fio")
    elif $name == "density" then density_text
    elif $name == "trims" then trims_text
    elif $name == "compaction" then compaction_text
    elif $name == "scaling" then scaling_text
    elif $name == "model" then model_text
    elif $name == "dictionary" then dictionary_text
    elif $name == "startup" then startup_text
    elif $name == "targets" then targets_text
    else error("no section \($name)") end];

def all:
    section("head")[],
    (titles[] as [$name, $title] | section($name)
    | if length == 0 then empty else "", "== \($title)", .[] end);
