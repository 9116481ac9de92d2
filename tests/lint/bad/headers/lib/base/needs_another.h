/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ZSD_BASE_NEEDS_ANOTHER_H
#define ZSD_BASE_NEEDS_ANOTHER_H

uint32_t without_stdint(void);

#endif
