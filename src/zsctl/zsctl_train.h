/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zsctl_train - what `zsctl train` prints and writes
 */
#ifndef ZSD_ZSCTL_ZSCTL_TRAIN_H
#define ZSD_ZSCTL_ZSCTL_TRAIN_H

#include <jansson.h>

#include "zsctl/zsctl.h"

/* report_train() - what it gained, for people */
enum zsctl_exit report_train(json_t *result);

/* train_save() - write the dictionary that a result holds to @path; explains
 * on standard error why it cannot. */
enum zsctl_exit train_save(const json_t *result, const char *path);

#endif
