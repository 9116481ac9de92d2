/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What storing takes besides a model, made when somebody is to store. */
#include "config.h"

#include <errno.h>

#include "base/bits.h"
#include "base/mapping.h"
#include "plz/plz_internal.h"

size_t plz_tables_memory(size_t dict_bytes)
{
	return align_up(sizeof(struct plz_tables) +
				dict_bytes * sizeof(uint16_t),
			ZSD_PAGE_BYTES);
}

struct plz_tables *plz_tables_new(size_t dict_bytes)
{
	return memory_take(plz_tables_memory(dict_bytes));
}

void plz_tables_finish(struct plz_tables *tables, const struct plz_model *model)
{
	plz_make_prices(tables);
	plz_index_dict(tables, model->dict, model->dict_bytes);
}

static bool are_sound(const struct plz_row *rows)
{
	for (unsigned r = 0; r < PLZ_NR_ROWS; r++) {
		if (!plz_row_is_sound(&rows[r]))
			return false;
	}
	return true;
}

int plz_model_ready(struct plz_model *model)
{
	struct plz_tables *tables;

	if (model->tables)
		return 0;
	tables = plz_tables_new(model->dict_bytes);
	if (!tables)
		return -ENOMEM;
	model->tables = tables;
	plz_model_rows(model, tables->rows);
	if (!are_sound(tables->rows)) {
		plz_model_rest(model);
		return -EBADMSG;
	}
	plz_tables_finish(tables, model);
	return 0;
}

void plz_model_rest(struct plz_model *model)
{
	memory_give_back(model->tables, plz_tables_memory(model->dict_bytes));
	model->tables = NULL;
}
