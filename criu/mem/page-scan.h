/* Which pages of a process are its own: PAGEMAP_SCAN where the kernel has it, /proc/PID/pagemap else. */
#ifndef CRIU_MEM_PAGE_SCAN_H
#define CRIU_MEM_PAGE_SCAN_H

#include <stdbool.h>
#include <sys/types.h>

#include "util/mem.h"

enum page_scan_what {
	PAGES_OWN,   /* anonymous and present or swapped: not the file's, not the zero page */
	PAGES_GUARD, /* MADV_GUARD_INSTALL; none are found without PAGEMAP_SCAN */
	PAGES_THERE, /* present or swapped, whoever's; no guards */
};

struct page_scan;

/**
 * page_scan_open - get ready to look at the pages of @pid
 * @use_ioctl: use PAGEMAP_SCAN where the kernel has it
 * Return: 0 or logged -errno; freed with page_scan_close().
 */
int must_check page_scan_open(pid_t pid, bool use_ioctl, struct page_scan **ret);
void page_scan_close(struct page_scan *scan);

static inline void page_scan_closep(struct page_scan **scan)
{
	if (*scan)
		page_scan_close(*scan);
}

/** page_scan_begin - look at [@start, @end) next. */
void page_scan_begin(struct page_scan *scan, enum page_scan_what what, uint64_t start, uint64_t end);

/** page_scan_next - the next run of such pages, in ascending order: 1 and the run, 0 at the end, logged -errno. */
int must_check page_scan_next(struct page_scan *scan, uint64_t *ret_start, uint64_t *ret_end);

/**
 * page_scan_own - is a page with this /proc/PID/pagemap @entry one to save?
 * @zero_pfn: frame of the kernel's zero page; 0 if unknown
 * Source: Documentation/admin-guide/mm/pagemap.rst
 */
bool page_scan_own(uint64_t entry, uint64_t zero_pfn);

#endif
