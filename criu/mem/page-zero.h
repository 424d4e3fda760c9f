/* Pages that hold nothing. */
#ifndef CRIU_MEM_PAGE_ZERO_H
#define CRIU_MEM_PAGE_ZERO_H

#include <stdbool.h>
#include <string.h>

#include "util/macros.h"

/** page_is_zero - is the page-aligned @page all zero? */
static inline bool page_is_zero(const void *page)
{
	const uint64_t *words = page;

	/* Most pages give themselves away at once. */
	if (words[0] | words[PAGE_BYTES / sizeof(*words) / 2])
		return false;
	return !memcmp(words, words + 1, PAGE_BYTES - sizeof(*words));
}

#endif
