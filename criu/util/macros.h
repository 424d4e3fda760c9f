/* Compiler attributes and small arithmetic every room uses. */
#ifndef CRIU_UTIL_MACROS_H
#define CRIU_UTIL_MACROS_H

#include <stddef.h>
#include <stdint.h>

#define must_check	       __attribute__((warn_unused_result))
#define printf_like(fmt, args) __attribute__((format(printf, fmt, args)))
#define cleanup_with(fn)       __attribute__((cleanup(fn)))

#define ARRAY_SIZE(a)			(sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define PAGE_BYTES 4096UL
#define PAGE_SHIFT 12

static inline uint64_t round_up_pages(uint64_t bytes)
{
	return (bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

#endif
