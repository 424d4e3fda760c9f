#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "util/log.h"
#include "util/mem.h"

#define ARENA_ALIGN 16UL
#define CHUNK_BYTES (64UL << 10)
/* What is larger gets a chunk of its own, so that no more than this is wasted. */
#define LARGE_BYTES (CHUNK_BYTES / 8)

/* _exit: handlers that run at exit may need memory too. */
static void __attribute__((noreturn)) out_of_memory(size_t bytes)
{
	pr_err("out of memory: %zu bytes more are needed", bytes);
	log_close();
	_exit(1);
}

void *xalloc(size_t bytes)
{
	void *ptr = calloc(1, bytes ? bytes : 1);

	if (!ptr)
		out_of_memory(bytes);
	return ptr;
}

void *xrealloc(void *ptr, size_t bytes)
{
	ptr = realloc(ptr, bytes ? bytes : 1);
	if (!ptr)
		out_of_memory(bytes);
	return ptr;
}

void *map_huge_buffer(size_t bytes)
{
	size_t slack = HUGE_BUFFER_UNIT, before;
	char *start = mmap(NULL, bytes + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (start == MAP_FAILED)
		out_of_memory(bytes + slack);
	before = -(uintptr_t)start & (HUGE_BUFFER_UNIT - 1);
	if (before)
		munmap(start, before);
	start += before;
	munmap(start + bytes, slack - before);
	/* A kernel without huge pages says so, and has small ones. */
	(void)!madvise(start, bytes, MADV_HUGEPAGE);
	return start;
}

char *xstrdup(const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		out_of_memory(strlen(text) + 1);
	return copy;
}

char *xasprintf(const char *fmt, ...)
{
	va_list args;
	char *text;
	int n;

	va_start(args, fmt);
	n = vasprintf(&text, fmt, args);
	va_end(args);
	if (n < 0)
		out_of_memory(strlen(fmt));
	return text;
}

struct chunk {
	struct chunk *next;
} __attribute__((aligned(ARENA_ALIGN)));

struct arena {
	struct chunk *chunks;
	char *free; /* in the chunk that is being filled */
	size_t free_bytes;
};

struct arena *arena_new(void)
{
	return xalloc(sizeof(struct arena));
}

void arena_free(struct arena *arena)
{
	struct chunk *chunk = arena->chunks;

	while (chunk) {
		struct chunk *next = chunk->next;

		free(chunk);
		chunk = next;
	}
	free(arena);
}

static void *arena_new_chunk(struct arena *arena, size_t bytes)
{
	struct chunk *chunk = xalloc(sizeof(*chunk) + bytes);

	chunk->next = arena->chunks;
	arena->chunks = chunk;
	return chunk + 1;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
	void *ptr;

	if (bytes > SIZE_MAX / 2)
		out_of_memory(bytes);
	bytes = (bytes + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
	if (!bytes)
		bytes = ARENA_ALIGN;
	if (bytes > LARGE_BYTES)
		return arena_new_chunk(arena, bytes);
	if (bytes > arena->free_bytes) {
		arena->free_bytes = CHUNK_BYTES - sizeof(struct chunk);
		arena->free = arena_new_chunk(arena, arena->free_bytes);
	}
	ptr = arena->free;
	arena->free += bytes;
	arena->free_bytes -= bytes;
	return ptr;
}

void *arena_alloc_array(struct arena *arena, size_t elem_bytes, size_t n)
{
	size_t bytes;

	if (__builtin_mul_overflow(elem_bytes, n, &bytes))
		out_of_memory(SIZE_MAX);
	return arena_alloc(arena, bytes);
}

void *arena_memdup(struct arena *arena, const void *data, size_t bytes)
{
	void *copy = arena_alloc(arena, bytes);

	if (bytes)
		memcpy(copy, data, bytes);
	return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
	return arena_memdup(arena, text, strlen(text) + 1);
}

char *arena_printf(struct arena *arena, const char *fmt, ...)
{
	va_list args;
	char *text;
	int n;

	va_start(args, fmt);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n < 0)
		out_of_memory(strlen(fmt));
	text = arena_alloc(arena, (size_t)n + 1);
	va_start(args, fmt);
	vsnprintf(text, (size_t)n + 1, fmt, args);
	va_end(args);
	return text;
}

void vec_grow(void **data, size_t *cap, size_t elem_bytes)
{
	size_t new_cap = *cap ? *cap * 2 : 8;
	size_t bytes;

	if (__builtin_mul_overflow(new_cap, elem_bytes, &bytes))
		out_of_memory(SIZE_MAX);
	*data = xrealloc(*data, bytes);
	memset((char *)*data + *cap * elem_bytes, 0, (new_cap - *cap) * elem_bytes);
	*cap = new_cap;
}
