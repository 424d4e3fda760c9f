/* Which pages of a real process end up in its image, by either way of looking at them. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "image/test-dir.h"
#include "kernel/pagemap-scan.h"
#include "mem/page-scan.h"
#include "mem/page-walk.h"
#include "mem/pages.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define N_PAGES 64

static VmaEntry entries[8];
static vma_list vmas;

static uint8_t *map_area(int prot, int fd, uint32_t status, size_t nr_pages)
{
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_PRIVATE;
	uint8_t *at = mmap(NULL, nr_pages * PAGE_BYTES, PROT_READ | PROT_WRITE, flags, fd, 0);
	VmaEntry *entry = &entries[vmas.n];

	if (at == MAP_FAILED)
		return NULL;
	vma_entry__init(entry);
	entry->start = (uintptr_t)at;
	entry->end = entry->start + nr_pages * PAGE_BYTES;
	entry->prot = prot;
	entry->flags = flags;
	entry->status = VMA_AREA_REGULAR | status;
	VEC_PUSH(&vmas, ((struct vma){ .entry = entry }));
	return at;
}

static int by_start(const void *a, const void *b)
{
	const struct vma *x = a, *y = b;

	return x->entry->start < y->entry->start ? -1 : 1;
}

static int32_t page_in(const struct pagemap *map, const uint8_t *addr)
{
	struct page_cursor cursor = { .map = map };
	struct page_run run;
	uint8_t byte;

	if (!page_cursor_at(&cursor, (uintptr_t)addr, (uintptr_t)addr + PAGE_BYTES, &run))
		return -1;
	return pread(map->pages_fd, &byte, 1, (off_t)run.file_offset) == 1 ? byte : -2;
}

/* What the child has: addresses are ours, as it is a fork. */
static struct {
	uint8_t *plain, *file, *none, *write_only, *sparse, *guard;
	bool has_guard;
} area;

static bool make_areas(int file_fd)
{
	area.plain = map_area(PROT_READ | PROT_WRITE, -1, VMA_ANON_PRIVATE, N_PAGES);
	area.file = map_area(PROT_READ | PROT_WRITE, file_fd, VMA_FILE_PRIVATE, 4);
	area.none = map_area(PROT_NONE, -1, VMA_ANON_PRIVATE, 4);
	area.write_only = map_area(PROT_WRITE, -1, VMA_ANON_PRIVATE, 4);
	area.sparse = map_area(PROT_READ | PROT_WRITE, -1, VMA_ANON_PRIVATE, 4096);
	area.guard = map_area(PROT_READ | PROT_WRITE, -1, VMA_ANON_PRIVATE, 4);
	return area.plain && area.file && area.none && area.write_only && area.sparse && area.guard;
}

static void touch_areas(void)
{
	volatile uint8_t *p;

	area.plain[0] = 1;
	area.plain[PAGE_BYTES - 1 + 5 * PAGE_BYTES] = 2; /* only its last byte */
	area.plain[10 * PAGE_BYTES] = 3;
	area.plain[10 * PAGE_BYTES] = 0; /* written, but zero */
	p = area.plain + 12 * PAGE_BYTES;
	(void)*p; /* the zero page */
	area.plain[(N_PAGES - 1) * PAGE_BYTES] = 4;

	p = area.file;
	(void)*p; /* clean */
	area.file[PAGE_BYTES] = 5;
	memset(area.file + 2 * PAGE_BYTES, 0, PAGE_BYTES); /* zero, and the file is not */

	area.none[PAGE_BYTES] = 6;
	mprotect(area.none, 4 * PAGE_BYTES, PROT_NONE);
	area.write_only[0] = 7;
	mprotect(area.write_only, 4 * PAGE_BYTES, PROT_WRITE);
	for (int i = 0; i < 4096; i += 2)
		area.sparse[i * PAGE_BYTES] = 1 + i / 2 % 255;
	area.guard[0] = 8;
	area.has_guard = !madvise(area.guard + PAGE_BYTES, PAGE_BYTES, MADV_GUARD_INSTALL);
}

static void check_pages(const struct pagemap *map, const struct pages_stats *stats)
{
	bool good = true;

	CHECK_EQ(page_in(map, area.plain), 1);
	CHECK_EQ(page_in(map, area.plain + PAGE_BYTES), -1);
	CHECK_EQ(page_in(map, area.plain + 5 * PAGE_BYTES), 0);
	CHECK_EQ(page_in(map, area.plain + 10 * PAGE_BYTES), -1);
	CHECK_EQ(page_in(map, area.plain + 12 * PAGE_BYTES), -1);
	CHECK_EQ(page_in(map, area.plain + (N_PAGES - 1) * PAGE_BYTES), 4);
	CHECK_EQ(page_in(map, area.file), -1);
	CHECK_EQ(page_in(map, area.file + PAGE_BYTES), 5);
	CHECK_EQ(page_in(map, area.file + 2 * PAGE_BYTES), 0);
	CHECK_EQ(page_in(map, area.none), -1);
	CHECK_EQ(page_in(map, area.none + PAGE_BYTES), 6);
	CHECK_EQ(page_in(map, area.write_only), 7);
	CHECK_EQ(page_in(map, area.guard), 8);
	CHECK_EQ(page_in(map, area.guard + PAGE_BYTES), -1);
	for (int i = 0; i < 4096; i++)
		good = good && page_in(map, area.sparse + i * PAGE_BYTES) == (i % 2 ? -1 : 1 + i / 2 % 255);
	CHECK(good);
	CHECK_EQ(stats->written, map->nr_pages);
	CHECK_EQ(map->nr_pages, 3 + 2 + 1 + 1 + 2048 + 1);
}

static void test_dump(struct image_dir *dir, pid_t pid, bool use_ioctl)
{
	struct kernel_features features = { .pagemap_scan = use_ioctl };
	struct arena *arena cleanup_with(arena_freep) = arena_new();
	struct remote_process process = { .pid = pid, .mem_fd = -1 };
	struct page_pipeline *pipeline;
	struct pages_stats stats = { 0 };
	struct pagemap map;

	CHECK(!page_pipeline_start(dir, &pipeline));
	CHECK_EQ(pages_dump(&process, &vmas, 7, &features, pipeline, &stats), 0);
	CHECK(!page_pipeline_finish(pipeline));
	if (CHECK(!pagemap_read(dir, IMAGE_PAGEMAP, 7, arena, &map))) {
		check_pages(&map, &stats);
		pagemap_close(&map);
	}
	close_fdp(&process.mem_fd);
}

static void test_guard(pid_t pid)
{
	cleanup_with(page_scan_closep) struct page_scan *scan = NULL;
	uint64_t start, end;

	if (!area.has_guard) {
		TEST_SKIP("this kernel has no guard regions");
		return;
	}
	CHECK(!page_scan_open(pid, true, &scan));
	page_scan_begin(scan, PAGES_GUARD, (uintptr_t)area.guard, (uintptr_t)area.guard + 4 * PAGE_BYTES);
	CHECK_EQ(page_scan_next(scan, &start, &end), 1);
	CHECK_EQ(start, (uintptr_t)area.guard + PAGE_BYTES);
	CHECK_EQ(end, (uintptr_t)area.guard + 2 * PAGE_BYTES);
	CHECK_EQ(page_scan_next(scan, &start, &end), 0);
}

static void test_entry_bits(void)
{
	const uint64_t present = 1ULL << 63, swap = 1ULL << 62, file = 1ULL << 61, guard = 1ULL << 58;

	CHECK(!page_scan_own(0, 5));
	CHECK(page_scan_own(present | 6, 5));
	CHECK(!page_scan_own(present | 5, 5));
	CHECK(page_scan_own(present, 0));
	CHECK(page_scan_own(swap | 5, 5));
	CHECK(!page_scan_own(present | file | 6, 5));
	CHECK(!page_scan_own(swap | file, 5));
	CHECK(!page_scan_own(guard, 5));
	CHECK(!page_scan_own(swap | guard, 5));
}

static bool have_scan(void)
{
	auto_fd int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	static const char page[PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

	return fd >= 0 && pagemap_scan_knows(fd, page, PAGE_IS_FILE | PAGE_IS_PFNZERO);
}

static void test_child(struct image_dir *dir)
{
	int ready[2];
	pid_t pid;
	char byte;

	CHECK(!pipe(ready));
	pid = fork();
	if (pid == 0) {
		touch_areas();
		(void)!write(ready[1], &area.has_guard, 1);
		pause();
		_exit(0);
	}
	CHECK(read(ready[0], &byte, 1) == 1);
	area.has_guard = byte;
	test_dump(dir, pid, false);
	if (have_scan())
		test_dump(dir, pid, true);
	else
		TEST_SKIP("this kernel has no PAGEMAP_SCAN");
	test_guard(pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
}

int main(void)
{
	struct image_dir dir = test_dir_open();
	uint8_t content[4 * PAGE_BYTES];

	test_entry_bits();
	memset(content, 0x55, sizeof(content));
	test_dir_store(&dir, "file", content, sizeof(content));
	{
		auto_fd int fd = openat(dir.fd, "file", O_RDWR | O_CLOEXEC);

		if (CHECK(make_areas(fd))) {
			qsort(vmas.data, vmas.n, sizeof(*vmas.data), by_start);
			test_child(&dir);
		}
	}
	VEC_FREE(&vmas);
	test_dir_remove(&dir);
	return test_end();
}
