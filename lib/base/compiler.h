/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * compiler - attributes and small macros that C lacks
 */
#ifndef ZSD_BASE_COMPILER_H
#define ZSD_BASE_COMPILER_H

#include <stddef.h>
#include <stdint.h>

#define ZSD_MUST_CHECK	  __attribute__((warn_unused_result))
#define ZSD_PRINTF(f, a)  __attribute__((format(printf, f, a)))
#define ZSD_NORETURN	  __attribute__((noreturn))
#define ZSD_COLD	  __attribute__((cold))
#define ZSD_CACHE_ALIGNED __attribute__((aligned(64)))

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* From a pointer to @member to the @type it stands in. */
#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Bring the cache line at @p near. It may be any address. */
static inline void prefetch(const volatile void *p)
{
	__builtin_prefetch((const void *)(uintptr_t)p);
}

/* Tells the core that this is a spin: saves power, frees its twin. */
static inline void cpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

#endif
