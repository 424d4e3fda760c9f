/*
 * hugetlbfs has no write(2), and takes a file for one piece of data from its start to its end. Which pages are there
 * shows with a userfaultfd: UFFDIO_CONTINUE maps the page that the file has at an offset, or says that it has none,
 * and never makes one (Linux 5.13). The mapping is ours, private and read-only, so that it reserves nothing.
 *
 * To fill: fallocate(2) takes a page from the pool or says that there is none, where touching a mapping would
 * be answered by SIGBUS. What is copied through the mapping afterwards finds its pages there.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kernel/hugepages.h"
#include "mem/huge.h"
#include "util/log.h"

/* Newer than some headers. */
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

struct huge_scan {
	int uffd;
	char *at;
	uint64_t page_bytes, size;
};

static bool watch(struct huge_scan *scan)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_MINOR_HUGETLBFS };
	struct uffdio_register range = {
		.range = { (uintptr_t)scan->at, scan->size },
		.mode = UFFDIO_REGISTER_MODE_MINOR,
	};

	scan->uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	return scan->uffd >= 0 && !ioctl(scan->uffd, UFFDIO_API, &api) && !ioctl(scan->uffd, UFFDIO_REGISTER, &range);
}

struct huge_scan *huge_scan_open(int fd, uint64_t page_bytes, uint64_t size)
{
	struct huge_scan *scan;
	void *at;

	at = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
	if (at == MAP_FAILED)
		return NULL;
	scan = xalloc(sizeof(*scan));
	*scan = (struct huge_scan){ .uffd = -1, .at = at, .page_bytes = page_bytes, .size = size };
	if (watch(scan))
		return scan;
	huge_scan_close(scan);
	return NULL;
}

void huge_scan_close(struct huge_scan *scan)
{
	if (!scan)
		return;
	munmap(scan->at, scan->size);
	close_fdp(&scan->uffd);
	free(scan);
}

int huge_scan_has(const struct huge_scan *scan, uint64_t offset)
{
	struct uffdio_continue page = {
		.range = { (uintptr_t)scan->at + offset, scan->page_bytes },
		.mode = UFFDIO_CONTINUE_MODE_DONTWAKE,
	};

	while (ioctl(scan->uffd, UFFDIO_CONTINUE, &page)) {
		if (errno == EFAULT)
			return 0;
		if (errno == EEXIST)
			return 1;
		if (errno != EAGAIN && errno != EINTR)
			return fail_errno("ask for the huge page at %#llx", (unsigned long long)offset);
	}
	return 1;
}

/* --- restore --------------------------------------------------------------- */

static int take_pages(int fd, const struct shmem_content *content, uint64_t page_bytes, uint64_t start, uint64_t end)
{
	struct huge_pool pool;
	int err;

	while (fallocate(fd, 0, (off_t)start, (off_t)(end - start))) {
		if (errno == EINTR)
			continue;
		err = errno;
		if ((err == ENOSPC || err == ENOMEM) && !huge_pool_read(page_bytes, &pool) &&
		    huge_pool_available(&pool) < (end - start) / page_bytes)
			return huge_pool_fail(&pool, content->name, (end - start) / page_bytes);
		return fail(err, "%s: take %llu huge pages of %llu kB (a limit of its hugetlbfs or cgroup?)",
			    content->name, (unsigned long long)((end - start) / page_bytes),
			    (unsigned long long)page_bytes / 1024);
	}
	return 0;
}

static int fill_range(int fd, char *at, uint64_t page_bytes, const struct shmem_content *content,
		      const struct page_range *range, uint64_t *taken_to)
{
	uint64_t bytes, start, end;
	int err = page_range_bytes(range, content->size, content->name, &bytes);

	if (err)
		return err;
	start = max_u64(*taken_to, range->vaddr & ~(page_bytes - 1));
	end = (range->vaddr + bytes + page_bytes - 1) & ~(page_bytes - 1);
	if (start < end)
		err = take_pages(fd, content, page_bytes, start, end);
	*taken_to = end;
	return err ?: pages_read_bytes(content->pagemap.pages_fd, at + range->vaddr, bytes, range->file_offset);
}

int huge_fill(int fd, uint64_t page_bytes, const struct shmem_content *content)
{
	uint64_t taken_to = 0;
	char *at;
	int err = 0;

	if (content->size % page_bytes)
		return fail(EINVAL, "%s: %llu bytes are no whole pages of %llu kB", content->name,
			    (unsigned long long)content->size, (unsigned long long)page_bytes / 1024);
	if (!content->pagemap.n_ranges)
		return 0;
	at = mmap(NULL, content->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (at == MAP_FAILED)
		return fail_errno("%s: map %llu bytes to fill them", content->name, (unsigned long long)content->size);
	for (size_t i = 0; i < content->pagemap.n_ranges && !err; i++)
		err = fill_range(fd, at, page_bytes, content, &content->pagemap.ranges[i], &taken_to);
	munmap(at, content->size);
	return err;
}
