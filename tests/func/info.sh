#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the server says of its export, as libnbd's tools see it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

require nbdinfo libnbd-bin
require qemu-io qemu-utils
require jq jq

# nbdinfo exits 2 where the answer is no.
expect_can() { # yes|no FLAG
    local status=0

    [ "$1" = yes ] || status=2
    expect_status "$status" nbdinfo --can "$2" "$uri"
}

expect_is() { # yes|no FLAG
    local status=0

    [ "$1" = yes ] || status=2
    expect_status "$status" nbdinfo --is "$2" "$uri"
}

# fact FILTER : of the first export in $dir/json.
fact() {
    jq -r ".exports[0].$1" "$dir/json"
}

start_zsd --size 512M

expect_equal "the size" "$(nbdinfo --size "$uri")" 536870912
nbdinfo "$uri" >"$dir/text"
grep -q 'protocol: newstyle-fixed' "$dir/text" || fail "not fixed newstyle"
nbdinfo --list "$uri" >"$dir/text"
grep -q 'export-size: 536870912' "$dir/text" || fail "the list lacks the size"

for flag in connect read write trim zero fast-zero flush fua multi-conn cache \
    df structured-reply; do
    expect_can yes "$flag"
done
expect_is no read-only
expect_is no rotational
expect_is no tls

nbdinfo --json "$uri" >"$dir/json"
expect_equal "the protocol" "$(jq -r .protocol "$dir/json")" newstyle-fixed
expect_equal "the export name" "$(fact '"export-name"')" ""
expect_equal "export-size" "$(fact '"export-size"')" 536870912
expect_equal "block_minimum" "$(fact block_size_minimum)" 1
expect_equal "block_preferred" "$(fact block_size_preferred)" 4096
expect_equal "block_maximum" "$(fact block_size_maximum)" 33554432
expect_equal "is_read_only" "$(fact is_read_only)" false
expect_equal "contexts" "$(jq -c '.exports[0].contexts' "$dir/json")" \
    '["base:allocation"]'
expect_equal "the description" "$(fact description)" "compressed memory"

nbdinfo --list --json "$uri" >"$dir/json"
expect_equal "the number of exports" "$(jq '.exports | length' "$dir/json")" 1
expect_equal "the listed size" "$(fact '"export-size"')" 536870912
stop_zsd

# One that may not be changed, and has a name and a text of its own.
start_zsd --size 512M --read-only --export-name frozen \
    --description 'a disk of zeros'
for flag in read flush fua multi-conn cache df structured-reply; do
    expect_can yes "$flag"
done
for flag in write trim zero fast-zero; do
    expect_can no "$flag"
done
expect_is yes read-only
nbdinfo --list --json "$uri" >"$dir/json"
expect_equal "the listed name" "$(fact '"export-name"')" frozen
expect_equal "the listed text" "$(fact description)" 'a disk of zeros'
expect_status 0 qemu-io -r -f raw -c 'read -P 0 1M 1M' "$uri"
stop_zsd
