/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <lz4.h>
#include <made_up.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>
#include <uv.h>

#include "bare.h"
#include "base/bits.h"
#include "io/log.h"
#include "zsmalloc/zs_internal.h"
#include "zsmalloc/zsmalloc.h"
