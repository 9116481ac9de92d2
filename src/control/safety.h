/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * safety - what `zsctl stats` tells of how safe it is to swap on the disk
 *
 * See residence.h for the measures and housekeeper.h for the reserve. The shape
 * of the document is that of docs/control-protocol.md, "safety".
 */
#ifndef ZSD_CONTROL_SAFETY_H
#define ZSD_CONTROL_SAFETY_H

#include "ctl/ctl.h"
#include "guard/reserve.h"
#include "guard/residence.h"
#include "zstore/zstore.h"

/* safety_document() - Return: a new object, or NULL without memory. Context: any
 * thread but those that serve. */
json_t *safety_document(struct residence *residence, struct housekeeper *keeper,
			struct zstore *store);

#endif
