/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the machine should do otherwise: docs/safety.md says why. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "zsctl/swap/swap.h"
#include "zsctl/system/sysctl.h"

/* Room for a value, bytes with the final NUL. */
#define VALUE_BYTES 32

struct setting {
	const char *name; /* below /proc/sys, in the notation of sysctl(8) */
	/* Whether @old is not as it should be; then @wanted receives what is. */
	bool (*is_wrong)(const char *root, long long old, long long *wanted);
};

static bool is_cluster_wrong(const char *root, long long old, long long *wanted)
{
	(void)root;
	*wanted = SYSCTL_DEFAULT_PAGE_CLUSTER;
	return old < SYSCTL_MIN_PAGE_CLUSTER;
}

static bool is_min_free_wrong(const char *root, long long old,
			      long long *wanted)
{
	return !sysctl_min_free_kib(root, wanted) && old < *wanted;
}

static const struct setting settings[] = {
	{"vm.page-cluster", is_cluster_wrong},
	{"vm.min_free_kbytes", is_min_free_wrong},
};

/* Its file below /proc/sys. Return: @path. */
static char *sysctl_path(const char *root, const char *name,
			 char path[DEVICE_PATH_BYTES])
{
	size_t start;

	(void)snprintf(path, DEVICE_PATH_BYTES, "%s/proc/sys/", root);
	start = strlen(path);
	(void)snprintf(path + start, DEVICE_PATH_BYTES - start, "%s", name);
	for (char *p = path + start; *p; p++) {
		if (*p == '.')
			*p = '/';
	}
	return path;
}

/* --- set ----------------------------------------------------------------- */

/* Return: 0 where it is as it should be now, or -errno. */
static int set_one(const char *root, const struct setting *setting,
		   json_t *note)
{
	char path[DEVICE_PATH_BYTES], value[VALUE_BYTES];
	long long old, wanted;
	int err;

	sysctl_path(root, setting->name, path);
	err = files_read_number(path, &old);
	if (err)
		return err;
	if (!setting->is_wrong(root, old, &wanted))
		return 0;
	(void)snprintf(value, sizeof(value), "%lld", wanted);
	err = files_write(path, value);
	if (!err &&
	    json_object_set_new(note, setting->name,
				json_pack("{sI sI}", "old", (json_int_t)old,
					  "new", (json_int_t)wanted))) {
		err = -ENOMEM;
		(void)snprintf(value, sizeof(value), "%lld", old);
		if (files_write(path, value))
			(void)fprintf(stderr, "zsctl: warning: %s stays %lld\n",
				      setting->name, wanted);
	}
	return err;
}

enum swap_outcome sysctls_apply(const char *root, json_t *note)
{
	int err;

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		err = set_one(root, &settings[i], note);
		if (!err)
			continue;
		device_complain("become root; in a container it is for the "
				"machine around it to do",
				"cannot set %s: %s", settings[i].name,
				strerror(-err));
		(void)sysctls_take_back(root, note);
		return SWAP_FAILED;
	}
	return json_object_size(note) ? SWAP_DONE : SWAP_WAS_SO;
}

enum swap_outcome sysctls_set(struct swap *swap, json_t *note)
{
	return sysctls_apply(swap->device.root, note);
}

/* --- put back ------------------------------------------------------------ */

static int restore_one(const char *root, const char *name, const json_t *values)
{
	const json_t *old = json_object_get(values, "old");
	const json_t *new = json_object_get(values, "new");
	char path[DEVICE_PATH_BYTES], value[VALUE_BYTES];
	long long now;
	int err;

	if (!json_is_integer(old) || !json_is_integer(new))
		return -EBADMSG;
	sysctl_path(root, name, path);
	err = files_read_number(path, &now);
	if (err)
		return err;
	if (now != json_integer_value(new)) {
		(void)fprintf(stderr,
			      "zsctl: warning: somebody else has set %s to "
			      "%lld: it stays\n",
			      name, now);
		return 0;
	}
	(void)snprintf(value, sizeof(value), "%lld",
		       (long long)json_integer_value(old));
	return files_write(path, value);
}

enum swap_outcome sysctls_take_back(const char *root, const json_t *note)
{
	const json_t *values;
	int err;

	/* Those of the table alone: the file could name any. */
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		values = json_object_get(note, settings[i].name);
		err = values ? restore_one(root, settings[i].name, values) : 0;
		if (!err)
			continue;
		device_complain("set it by hand: sysctl",
				"cannot restore %s: %s", settings[i].name,
				strerror(-err));
		return SWAP_FAILED;
	}
	return SWAP_DONE;
}

enum swap_outcome sysctls_restore(struct swap *swap, const json_t *note)
{
	return sysctls_take_back(swap->device.root, note);
}
