/* SPDX-License-Identifier: GPL-2.0-or-later */
/* utf8 - whether text is what the NBD protocol asks of names. Source: RFC 3629.
 */
#ifndef ZSD_ZSD_OPTIONS_UTF8_H
#define ZSD_ZSD_OPTIONS_UTF8_H

#include <stdbool.h>

bool utf8_is_valid(const char *text);

#endif
