/* Walking a page map in step with the mappings it belongs to. */
#ifndef CRIU_MEM_PAGE_WALK_H
#define CRIU_MEM_PAGE_WALK_H

#include <stdbool.h>

#include "image/pages.h"

/* Addresses [start, end), and where their content begins in the pages file. */
struct page_run {
	uint64_t start, end;
	uint64_t file_offset;
};

struct page_cursor {
	const struct pagemap *map;
	size_t i; /* no range before this one matters any more */
};

/**
 * page_cursor_at - does the page at @at have content in the map?
 * @at:  not below that of an earlier call
 * @end: look no further than here
 * Return: whether it has; *ret is the run of pages, from @at on, of which the same is true.
 */
bool page_cursor_at(struct page_cursor *cursor, uint64_t at, uint64_t end, struct page_run *ret);

#endif
