#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel/pagemap-scan.h"
#include "kernel/proc.h"
#include "mem/page-scan.h"
#include "util/log.h"

#define N_REGIONS 512
#define N_ENTRIES 4096

/* Bits of a /proc/PID/pagemap entry */
#define PAGEMAP_PRESENT (1ULL << 63)
#define PAGEMAP_SWAP	(1ULL << 62)
#define PAGEMAP_FILE	(1ULL << 61) /* or shared anonymous */
#define PAGEMAP_GUARD	(1ULL << 58)
#define PAGEMAP_PFN	((1ULL << 55) - 1)

struct page_scan {
	pid_t pid;
	int fd;
	bool use_ioctl;
	uint64_t guard; /* PAGE_IS_GUARD, or 0 if the kernel can't tell */
	uint64_t zero_pfn;
	enum page_scan_what what;
	uint64_t at, end;	/* not asked about yet */
	size_t n, next;		/* regions, or entries, fetched and handed out */
	uint64_t entries_start; /* address of entries[0] */
	union {
		struct page_region regions[N_REGIONS];
		uint64_t entries[N_ENTRIES];
	};
};

/* Reading a page nobody wrote maps the zero page: its frame number tells the others. */
static uint64_t find_zero_pfn(void)
{
	auto_fd int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	volatile char *page;
	uint64_t entry = 0;

	page = mmap(NULL, PAGE_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return 0;
	(void)*page;
	if (fd < 0 ||
	    pread(fd, &entry, sizeof(entry), (off_t)((uintptr_t)page / PAGE_BYTES * sizeof(entry))) != sizeof(entry))
		entry = 0;
	munmap((void *)page, PAGE_BYTES);
	return entry & PAGEMAP_PRESENT ? entry & PAGEMAP_PFN : 0;
}

static bool ioctl_knows(uint64_t category)
{
	auto_fd int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	static const char somewhere[PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

	return fd >= 0 && pagemap_scan_knows(fd, somewhere, category);
}

int page_scan_open(pid_t pid, bool use_ioctl, struct page_scan **ret)
{
	struct page_scan *scan;
	int fd = proc_open(pid, "pagemap", O_RDONLY);

	if (fd < 0)
		return fail(-fd, "/proc/%d/pagemap", pid);
	scan = xalloc(sizeof(*scan));
	scan->pid = pid;
	scan->fd = fd;
	scan->use_ioctl = use_ioctl && ioctl_knows(PAGE_IS_PRESENT);
	if (!scan->use_ioctl)
		scan->zero_pfn = find_zero_pfn();
	else if (ioctl_knows(PAGE_IS_GUARD))
		scan->guard = PAGE_IS_GUARD;
	*ret = scan;
	return 0;
}

void page_scan_close(struct page_scan *scan)
{
	close(scan->fd);
	free(scan);
}

void page_scan_begin(struct page_scan *scan, enum page_scan_what what, uint64_t start, uint64_t end)
{
	scan->what = what;
	scan->at = start;
	/* Without the ioctl there are no guards either: it is older than they are. */
	scan->end = what == PAGES_GUARD && !scan->guard ? start : end;
	scan->n = scan->next = 0;
}

static int fetch_regions(struct page_scan *scan)
{
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.start = scan->at,
		.end = scan->end,
		.vec = (uintptr_t)scan->regions,
		.vec_len = N_REGIONS,
	};
	int n;

	if (scan->what == PAGES_GUARD) {
		arg.category_mask = scan->guard;
		arg.return_mask = scan->guard;
	} else if (scan->what == PAGES_THERE) {
		arg.category_inverted = scan->guard;
		arg.category_mask = scan->guard;
		arg.category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED;
	} else {
		/* None of these, and one of those. A guard counts as swapped. */
		arg.category_inverted = PAGE_IS_FILE | PAGE_IS_PFNZERO | scan->guard;
		arg.category_mask = arg.category_inverted;
		arg.category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED;
	}
	n = ioctl(scan->fd, PAGEMAP_SCAN, &arg);
	if (n < 0)
		return fail_errno("/proc/%d/pagemap: scan at %#llx", scan->pid, (unsigned long long)scan->at);
	scan->n = n;
	scan->next = 0;
	scan->at = n == N_REGIONS ? arg.walk_end : scan->end;
	return 0;
}

static int next_region(struct page_scan *scan, uint64_t *ret_start, uint64_t *ret_end)
{
	const struct page_region *region;

	while (scan->next == scan->n) {
		int err;

		if (scan->at >= scan->end)
			return 0;
		err = fetch_regions(scan);
		if (err)
			return err;
	}
	region = &scan->regions[scan->next++];
	*ret_start = region->start;
	*ret_end = region->end;
	return 1;
}

bool page_scan_own(uint64_t entry, uint64_t zero_pfn)
{
	if (!(entry & (PAGEMAP_PRESENT | PAGEMAP_SWAP)) || entry & (PAGEMAP_FILE | PAGEMAP_GUARD))
		return false;
	/* Without CAP_SYS_ADMIN all frame numbers read as 0. */
	return !(entry & PAGEMAP_PRESENT && zero_pfn && (entry & PAGEMAP_PFN) == zero_pfn);
}

static bool entry_counts(const struct page_scan *scan, uint64_t entry)
{
	if (scan->what == PAGES_THERE)
		return entry & (PAGEMAP_PRESENT | PAGEMAP_SWAP) && !(entry & PAGEMAP_GUARD);
	return page_scan_own(entry, scan->zero_pfn);
}

static int fetch_entries(struct page_scan *scan)
{
	size_t want = min_u64(N_ENTRIES, (scan->end - scan->at) / PAGE_BYTES);
	ssize_t got = pread(scan->fd, scan->entries, want * sizeof(uint64_t),
			    (off_t)(scan->at / PAGE_BYTES * sizeof(uint64_t)));

	if (got < 0)
		return fail_errno("/proc/%d/pagemap: read at %#llx", scan->pid, (unsigned long long)scan->at);
	if (got < (ssize_t)sizeof(uint64_t))
		return fail(EIO, "/proc/%d/pagemap: ends at %#llx", scan->pid, (unsigned long long)scan->at);
	scan->n = got / sizeof(uint64_t);
	scan->next = 0;
	scan->entries_start = scan->at;
	scan->at += scan->n * PAGE_BYTES;
	return 0;
}

static int next_entries(struct page_scan *scan, uint64_t *ret_start, uint64_t *ret_end)
{
	bool in_run = false;

	for (;;) {
		if (scan->next == scan->n) {
			int err;

			if (scan->at >= scan->end)
				return in_run;
			err = fetch_entries(scan);
			if (err)
				return err;
		}
		for (; scan->next < scan->n; scan->next++) {
			uint64_t addr = scan->entries_start + scan->next * PAGE_BYTES;

			if (entry_counts(scan, scan->entries[scan->next])) {
				if (!in_run)
					*ret_start = addr;
				in_run = true;
				*ret_end = addr + PAGE_BYTES;
			} else if (in_run) {
				return 1;
			}
		}
	}
}

int page_scan_next(struct page_scan *scan, uint64_t *ret_start, uint64_t *ret_end)
{
	return scan->use_ioctl ? next_region(scan, ret_start, ret_end) : next_entries(scan, ret_start, ret_end);
}
