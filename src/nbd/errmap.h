/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * errmap - from our errors to those of the protocol: the one place
 */
#ifndef ZSD_NBD_ERRMAP_H
#define ZSD_NBD_ERRMAP_H

#include <stdint.h>

/**
 * nbd_error_from_errno() - the NBD error for 0 or a -errno
 *
 * A store that is full, whether by its limit (-ENOSPC) or because the system
 * has no memory (-ENOMEM), is NBD_ENOSPC: the specification discourages
 * NBD_ENOMEM. What the protocol has no word for is NBD_EINVAL, as the
 * specification says.
 * Source: NBD doc/proto.md, "Error values".
 */
uint32_t nbd_error_from_errno(int err);

#endif
