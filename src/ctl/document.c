/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <math.h>

#include "ctl/document.h"

/* value_COUNT(), … one for each unit: the JSON of a figure. */

static json_t *value_COUNT(uint64_t value)
{
	return value == CTL_UNKNOWN ? json_null()
				    : json_integer((json_int_t)value);
}

#define value_BYTES	   value_COUNT
#define value_LIMIT	   value_COUNT
#define value_SECONDS	   value_COUNT
#define value_MICROSECONDS value_COUNT

static json_t *value_SIGNED(int64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *value_REAL(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static json_t *value_FLAG(bool value)
{
	return json_boolean(value);
}

static json_t *value_TEXT(const char *value)
{
	return value ? json_string(value) : json_null();
}

#define SET_FIGURE(name, unit, ...) \
	failed |= json_object_set_new(object, #name, value_##unit(from->name));
#define DEFINE_DOCUMENT(name, FIGURES, place)                        \
	json_t *ctl_##name##_document(const struct ctl_##name *from) \
	{                                                            \
		json_t *object = json_object();                      \
		int failed = !object;                                \
                                                                     \
		FIGURES(SET_FIGURE)                                  \
		if (!failed)                                         \
			return object;                               \
		json_decref(object);                                 \
		return NULL;                                         \
	}
CTL_GROUPS(DEFINE_DOCUMENT)
