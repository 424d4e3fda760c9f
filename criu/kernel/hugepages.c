/* Source: Documentation/admin-guide/mm/hugetlbpage.rst, mmap(2), memfd_create(2). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include "kernel/hugepages.h"
#include "kernel/meminfo.h"
#include "util/log.h"
#include "util/mem.h"

#define MAGIC_HUGETLBFS 0x958458f6
#define SHIFT_MIN	12
#define SHIFT_MAX	40

uint32_t huge_size_flag(uint64_t page_bytes)
{
	return (uint32_t)__builtin_ctzll(page_bytes) << HUGE_SIZE_SHIFT;
}

uint64_t huge_flag_bytes(uint64_t flags)
{
	unsigned int shift = (flags & HUGE_SIZE_MASK) >> HUGE_SIZE_SHIFT;

	/* The default size can be told by the directory of its pool only on a machine with one size. */
	if (!shift)
		return meminfo_bytes("Hugepagesize");
	return shift > SHIFT_MIN && shift <= SHIFT_MAX ? 1ULL << shift : 0;
}

bool huge_flag_is_valid(uint32_t flags, uint32_t kind)
{
	return (flags & ~HUGE_SIZE_MASK) == kind && huge_flag_bytes(flags);
}

uint64_t huge_fd_bytes(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && (uint32_t)fs.f_type == MAGIC_HUGETLBFS ? (uint64_t)fs.f_bsize : 0;
}

static bool read_count(uint64_t page_bytes, const char *name, uint64_t *ret)
{
	char path[128], text[32] = "";
	auto_fd int fd = -1;

	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%llukB/%s",
		 (unsigned long long)page_bytes / 1024, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return false;
	*ret = strtoull(text, NULL, 10);
	return true;
}

int huge_pool_read(uint64_t page_bytes, struct huge_pool *ret)
{
	struct huge_pool pool = { .page_bytes = page_bytes };

	if (!read_count(page_bytes, "nr_hugepages", &pool.total) ||
	    !read_count(page_bytes, "free_hugepages", &pool.free) ||
	    !read_count(page_bytes, "resv_hugepages", &pool.reserved) ||
	    !read_count(page_bytes, "surplus_hugepages", &pool.surplus) ||
	    !read_count(page_bytes, "nr_overcommit_hugepages", &pool.overcommit))
		return fail(EINVAL, "this kernel has no huge pages of %llu kB", (unsigned long long)page_bytes / 1024);
	if (page_bytes == meminfo_bytes("Hugepagesize"))
		snprintf(pool.knob, sizeof(pool.knob), "/proc/sys/vm/nr_hugepages");
	else
		snprintf(pool.knob, sizeof(pool.knob), "/sys/kernel/mm/hugepages/hugepages-%llukB/nr_hugepages",
			 (unsigned long long)page_bytes / 1024);
	*ret = pool;
	return 0;
}

uint64_t huge_pool_available(const struct huge_pool *pool)
{
	uint64_t free = pool->free > pool->reserved ? pool->free - pool->reserved : 0;

	return free + (pool->overcommit > pool->surplus ? pool->overcommit - pool->surplus : 0);
}

int huge_pool_fail(const struct huge_pool *pool, const char *what, uint64_t needed)
{
	uint64_t available = huge_pool_available(pool);

	return fail(ENOMEM, "%s: %llu huge pages of %llu kB are needed and %llu are free: raise %s from %llu to %llu",
		    what, (unsigned long long)needed, (unsigned long long)pool->page_bytes / 1024,
		    (unsigned long long)available, pool->knob, (unsigned long long)pool->total,
		    (unsigned long long)(pool->total + (needed > available ? needed - available : 1)));
}
