/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

/* clang-format off */
#  include <sys/socket.h>
/* clang-format on */
#include HEADER_IN_A_MACRO

#include "zstore/zstore.h"
