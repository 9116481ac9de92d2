#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Makes ./configure from configure.ac; the only step before ./configure.
set -eu
cd "$(dirname "$0")"
mkdir -p m4 build-aux
exec autoreconf -fi -Wall
