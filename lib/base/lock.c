/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "base/check.h"
#include "base/lock.h"

void lock_init(pthread_mutex_t *lock, bool inherit_priority)
{
	pthread_mutexattr_t attr;

	BUG_ON(pthread_mutexattr_init(&attr));
	if (inherit_priority)
		BUG_ON(pthread_mutexattr_setprotocol(&attr,
						     PTHREAD_PRIO_INHERIT));
	else
		BUG_ON(pthread_mutexattr_settype(&attr,
						 PTHREAD_MUTEX_ADAPTIVE_NP));
	BUG_ON(pthread_mutex_init(lock, &attr));
	pthread_mutexattr_destroy(&attr);
}
