#include "mem/page-walk.h"

static uint64_t range_end(const struct page_range *range)
{
	return range->vaddr + range->nr_pages * PAGE_BYTES;
}

bool page_cursor_at(struct page_cursor *cursor, uint64_t at, uint64_t end, struct page_run *ret)
{
	const struct pagemap *map = cursor->map;
	const struct page_range *range;

	while (cursor->i < map->n_ranges && range_end(&map->ranges[cursor->i]) <= at)
		cursor->i++;
	range = cursor->i < map->n_ranges ? &map->ranges[cursor->i] : NULL;
	if (!range || range->vaddr > at) {
		*ret = (struct page_run){ at, range ? min_u64(range->vaddr, end) : end, 0 };
		return false;
	}
	*ret = (struct page_run){ at, min_u64(range_end(range), end), range->file_offset + (at - range->vaddr) };
	return true;
}
