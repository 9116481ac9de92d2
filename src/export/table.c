/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "export/export.h"

int export_table_add(struct export_table *table, struct export *export)
{
	for (size_t i = 0; i < table->nr; i++) {
		if (strcmp(table->told[i]->name, export->nbd.name) == 0)
			return -EEXIST;
	}
	if (table->nr == EXPORT_MAX)
		return -ENOSPC;
	export->index = table->nr;
	table->all[table->nr] = export;
	table->told[table->nr++] = &export->nbd;
	table->offered =
		(struct nbd_exports){.all = table->told, .nr = table->nr};
	return 0;
}

struct export *export_of(const struct export_table *table,
			 const struct nbd_export *nbd)
{
	size_t i = 0;

	while (table->told[i] != nbd)
		i++;
	CHECK(i < table->nr);
	return table->all[i];
}

struct export *export_table_find(const struct export_table *table,
				 const char *name)
{
	const struct nbd_export *found = NULL;

	if (!name)
		name = "";
	if (table->nr)
		found = nbd_exports_find(&table->offered,
					 (const unsigned char *)name,
					 strlen(name));
	return found ? export_of(table, found) : NULL;
}
