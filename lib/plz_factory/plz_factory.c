/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "plz_factory/plz_factory.h"

static const unsigned char model[] = {
#include "plz_factory/model.inc"
};

const void *plz_factory_model(size_t *bytes)
{
	*bytes = sizeof(model);
	return model;
}
