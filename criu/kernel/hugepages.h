/* Huge pages: their sizes, as flags of system calls have them, and how many of each the kernel has. */
#ifndef CRIU_KERNEL_HUGEPAGES_H
#define CRIU_KERNEL_HUGEPAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "util/macros.h"

/* MAP_HUGETLB, MFD_HUGETLB and SHM_HUGETLB have the logarithm of the page size in these bits; 0 is the default size. */
#define HUGE_SIZE_SHIFT 26
#define HUGE_SIZE_MASK	(63U << HUGE_SIZE_SHIFT)

#ifndef SHM_HUGETLB
#define SHM_HUGETLB 04000
#endif

/** huge_size_flag - the bits for pages of @page_bytes. */
uint32_t huge_size_flag(uint64_t page_bytes);

/** huge_flag_bytes - the page size that @flags ask for; 0 if no page can be that large or there is no default size. */
uint64_t huge_flag_bytes(uint64_t flags);

/** huge_flag_is_valid - is @flags nothing but @kind (MAP_HUGETLB or its like) and a size that a page can have? */
bool huge_flag_is_valid(uint32_t flags, uint32_t kind);

/** huge_fd_bytes - the page size of the hugetlbfs that @fd is on; 0 if it is on none. */
uint64_t huge_fd_bytes(int fd);

/* The pages of one size. */
struct huge_pool {
	uint64_t page_bytes;
	uint64_t total, free;
	uint64_t reserved;	      /* of those that are free: promised to mappings */
	uint64_t surplus, overcommit; /* made beyond the pool, and how many may be */
	char knob[96];		      /* the file that sets the size of the pool */
};

/** huge_pool_read - *ret for pages of @page_bytes; logged -EINVAL if the kernel has none of that size. */
int must_check huge_pool_read(uint64_t page_bytes, struct huge_pool *ret);

/** huge_pool_available - pages that nobody has or was promised. */
uint64_t huge_pool_available(const struct huge_pool *pool);

/** huge_pool_fail - log that @what needs @needed pages and there are not enough, with the remedy; -ENOMEM. */
int huge_pool_fail(const struct huge_pool *pool, const char *what, uint64_t needed);

#endif
