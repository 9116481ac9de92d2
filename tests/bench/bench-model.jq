# SPDX-License-Identifier: GPL-2.0-or-later
# What locks leave of many cores: a model on paper.
#
# Each core writes one page after another. A write is time on its own (codec,
# copies), and visits to locks, which serve one core at a time: exact mean value
# analysis of a closed network of queues (Reiser and Lavenberg, 1980), one
# customer a core, one station a lock. Not in it: cache lines that travel between
# cores, memory bandwidth.
#
# {alone_us, stations: [{name, us}]}: per write, the time outside of any lock
# and, for each lock, how often it is taken times how long it is held.

# With one core more, $state being what $cores held.
def one_more($model):
    .cores += 1
    | . as $state
    | ([$model.stations, .queues] | transpose | map(.[0].us * (1 + .[1])))
        as $stays
    | ($state.cores / ($model.alone_us + ($stays | add // 0))) as $rate
    | .rate = $rate
    | .queues = ($stays | map(. * $rate));

# [{cores, rate: writes per microsecond, queues}] for each number of cores in
# $wanted, in order.
def rates($wanted):
    . as $model
    | reduce range($wanted | max) as $i (
        {now: {cores: 0, queues: [$model.stations[] | 0]}, out: []};
        .now |= one_more($model)
        | if .now.cores as $cores | $wanted | index($cores)
          then .out += [.now] else . end)
    | .out;

# The station that cores wait at most when there are very many.
def bottleneck: .stations | max_by(.us);

# From what storescale --locks says of one thread: hold times that nobody else
# made longer. $alone_us is a write's time when nobody watches.
def from_locks($alone_us):
    .writes as $writes
    | [.locks[] | {
        name: (if .lock == "class" then "class \(.class)" else .lock end),
        us: (.hold_ns / 1000 / $writes)
      }] as $stations
    | {
        alone_us: ([$alone_us - ($stations | map(.us) | add), 0] | max),
        $stations
      };
