/*
 * Ownership helpers and allocation. Memory that runs out ends the process:
 * by design the death of criu leaves a dumped job running untouched and a
 * half-restored job gone, so no caller has to carry on from ENOMEM.
 */
#ifndef CRIU_UTIL_MEM_H
#define CRIU_UTIL_MEM_H

#include <stdlib.h>
#include <unistd.h>

#include "util/macros.h"

/*
 * Never NULL: without memory they print an error and end the process with
 * status 1. xalloc: zeroed; xrealloc: what is added is not.
 */
void *xalloc(size_t bytes);
void *xrealloc(void *ptr, size_t bytes);
char *xstrdup(const char *text);
char *xasprintf(const char *fmt, ...) printf_like(1, 2);

#define HUGE_BUFFER_UNIT (2 * 1024 * 1024UL)

/**
 * map_huge_buffer - private memory for direct I/O, zeroed, aligned to HUGE_BUFFER_UNIT, on huge pages if the kernel gives any.
 * @bytes: a multiple of HUGE_BUFFER_UNIT
 * What is read or written there goes to the disk in one segment for each huge page, not one for each small page: a virtual
 * disk takes a third less time. Never NULL, as xalloc(); munmap(ptr, @bytes) it.
 */
void *map_huge_buffer(size_t bytes);

static inline void free_charp(char **ptr)
{
	free(*ptr);
}

static inline void free_voidp(void *ptr)
{
	free(*(void **)ptr);
}

static inline void close_fdp(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define auto_free cleanup_with(free_voidp)
#define auto_fd	  cleanup_with(close_fdp)

/** take_fd - give a descriptor away: the variable no longer owns it. */
static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define take_ptr(ptr)                                                                                                  \
	({                                                                                                             \
		__typeof__(ptr) taken_ = (ptr);                                                                        \
		(ptr) = NULL;                                                                                          \
		taken_;                                                                                                \
	})

/*
 * Arena: everything that lives as long as a checkpoint's model. Freed at once.
 * Memory is zeroed and aligned to 16 bytes. Not for use by several threads at a time.
 */
struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *arena);
void *arena_alloc(struct arena *arena, size_t bytes);
void *arena_alloc_array(struct arena *arena, size_t elem_bytes, size_t n);
char *arena_strdup(struct arena *arena, const char *text);
char *arena_printf(struct arena *arena, const char *fmt, ...) printf_like(2, 3);
void *arena_memdup(struct arena *arena, const void *data, size_t bytes);

#define arena_new_of(arena, type)   ((type *)arena_alloc(arena, sizeof(type)))
#define arena_array(arena, type, n) ((type *)arena_alloc_array(arena, sizeof(type), n))

static inline void arena_freep(struct arena **arena)
{
	if (*arena)
		arena_free(*arena);
}

/*
 * Vectors: declare `VEC(struct foo) foos;`, zero-initialised; VEC_ADD returns
 * a pointer to a new zeroed element (valid until the next VEC_ADD).
 */
#define VEC(type)                                                                                                      \
	struct {                                                                                                       \
		type *data;                                                                                            \
		size_t n;                                                                                              \
		size_t cap;                                                                                            \
	}

#define VEC_ADD(vec)                                                                                                   \
	({                                                                                                             \
		if ((vec)->n == (vec)->cap)                                                                            \
			vec_grow((void **)&(vec)->data, &(vec)->cap, sizeof(*(vec)->data));                            \
		&(vec)->data[(vec)->n++];                                                                              \
	})

#define VEC_PUSH(vec, value) (*VEC_ADD(vec) = (value))

#define VEC_FREE(vec)                                                                                                  \
	do {                                                                                                           \
		free((vec)->data);                                                                                     \
		(vec)->data = NULL;                                                                                    \
		(vec)->n = 0;                                                                                          \
		(vec)->cap = 0;                                                                                        \
	} while (0)

/* New room is zeroed. */
void vec_grow(void **data, size_t *cap, size_t elem_bytes);

#endif
