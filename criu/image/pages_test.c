#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "image/pages.h"
#include "image/test-dir.h"

/* What page @n of object @id holds. */
static void fill_page(uint8_t *page, uint32_t id, uint64_t n)
{
	uint64_t *words = (uint64_t *)page;

	for (size_t i = 0; i < PAGE_BYTES / sizeof(*words); i++)
		words[i] = (n + 1) * 0x9e3779b97f4a7c15ULL + i + id;
}

/* Pages @first to @first + @n at their addresses. */
static bool write_pages(struct page_writer *writer, uint32_t id, uint64_t first, uint64_t n)
{
	while (n) {
		uint64_t part;
		size_t bytes;
		void *room;

		if (page_writer_room(writer, &room, &bytes) || !bytes || bytes % PAGE_BYTES)
			return false;
		part = min_u64(n, bytes / PAGE_BYTES);
		for (uint64_t i = 0; i < part; i++)
			fill_page((uint8_t *)room + i * PAGE_BYTES, id, first + i);
		if (page_writer_add(writer, first * PAGE_BYTES, part))
			return false;
		first += part;
		n -= part;
	}
	return true;
}

static bool check_range(const struct pagemap *map, const struct page_range *range, uint32_t id)
{
	uint8_t want[PAGE_BYTES], got[PAGE_BYTES];

	for (uint64_t i = 0; i < range->nr_pages; i++) {
		fill_page(want, id, range->vaddr / PAGE_BYTES + i);
		if (pread(map->pages_fd, got, PAGE_BYTES, (off_t)(range->file_offset + i * PAGE_BYTES)) != PAGE_BYTES ||
		    memcmp(want, got, PAGE_BYTES))
			return false;
	}
	return true;
}

static bool check_map(struct image_dir *dir, enum image_kind kind, uint32_t id, const uint64_t (*runs)[2], size_t n)
{
	struct arena *arena cleanup_with(arena_freep) = arena_new();
	struct pagemap map;
	bool good;

	if (pagemap_read(dir, kind, id, arena, &map))
		return false;
	good = map.n_ranges == n;
	for (size_t i = 0; good && i < n; i++)
		good = map.ranges[i].vaddr == runs[i][0] * PAGE_BYTES && map.ranges[i].nr_pages == runs[i][1] &&
		       check_range(&map, &map.ranges[i], id);
	pagemap_close(&map);
	return good;
}

static void test_round_trip(struct image_dir *dir)
{
	/* Large enough for many buffers, a partial last one, and direct writes. */
	static const uint64_t runs[][2] = { { 16, 1 }, { 20, 3000 }, { 4000, 2 }, { 0x7fff00000, 1 } };
	static const uint64_t small[][2] = { { 1, 1 } };
	struct page_pipeline *pipeline;
	struct page_writer *writer;
	uint64_t pages;
	bool good = true;

	CHECK(!page_pipeline_start(dir, &pipeline));
	CHECK(!page_writer_open(pipeline, IMAGE_PAGEMAP, 7, &writer));
	for (size_t i = 0; i < ARRAY_SIZE(runs); i++)
		CHECK(write_pages(writer, 7, runs[i][0], runs[i][1]));
	CHECK(!page_writer_close(writer, &pages));
	CHECK_EQ(pages, 3004);
	/* Small files share buffers. */
	for (uint32_t id = 100; id < 700; id++)
		good = good && !page_writer_open(pipeline, IMAGE_PAGEMAP_SHMEM, id, &writer) &&
		       write_pages(writer, id, 1, 1) && !page_writer_close(writer, NULL);
	CHECK(good);
	CHECK(!page_writer_open(pipeline, IMAGE_PAGEMAP, 8, &writer));
	CHECK(!page_writer_close(writer, &pages));
	CHECK_EQ(pages, 0);
	CHECK(!page_pipeline_finish(pipeline));
	CHECK(!image_sync(dir));

	CHECK(check_map(dir, IMAGE_PAGEMAP, 7, runs, ARRAY_SIZE(runs)));
	for (uint32_t id = 100; id < 700; id++)
		good = good && check_map(dir, IMAGE_PAGEMAP_SHMEM, id, small, 1);
	CHECK(good);
	CHECK(check_map(dir, IMAGE_PAGEMAP, 8, NULL, 0));
	CHECK(check_map(dir, IMAGE_PAGEMAP, 9, NULL, 0));
}

static void test_order(struct image_dir *dir)
{
	struct page_pipeline *pipeline;
	struct page_writer *writer;

	CHECK(!page_pipeline_start(dir, &pipeline));
	CHECK(!page_writer_open(pipeline, IMAGE_PAGEMAP, 7, &writer));
	CHECK(write_pages(writer, 7, 5, 2));
	CHECK(write_pages(writer, 7, 7, 1));
	CHECK_EQ(page_writer_add(writer, 6 * PAGE_BYTES, 1), -EINVAL);
	page_writer_abort(writer);
	CHECK(!page_pipeline_finish(pipeline));
}

static void test_disk_full(struct image_dir *dir)
{
	struct rlimit old, limit;
	struct page_pipeline *pipeline;
	struct page_writer *writer;

	/* A file size limit is the nearest to a full disk that needs no root. */
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	limit = (struct rlimit){ 512 * 1024, old.rlim_max };
	setrlimit(RLIMIT_FSIZE, &limit);
	CHECK(!page_pipeline_start(dir, &pipeline));
	CHECK(!page_writer_open(pipeline, IMAGE_PAGEMAP, 7, &writer));
	(void)!write_pages(writer, 7, 0, 20000);
	page_writer_abort(writer);
	CHECK_EQ(page_pipeline_finish(pipeline), -EFBIG);
	setrlimit(RLIMIT_FSIZE, &old);
}

struct entry_case {
	PagemapEntry entry[2];
	size_t n;
	off_t pages; /* in the pages file */
	int ret;
	uint64_t first_nr_pages;
};

#define ENTRY(addr, ...)                                                                                               \
	{                                                                                                              \
		PROTOBUF_C_MESSAGE_INIT(&pagemap_entry__descriptor), .vaddr = (addr), __VA_ARGS__                      \
	}

static void test_entries(struct image_dir *dir)
{
	static const struct entry_case cases[] = {
		{ { ENTRY(0x1000, .compat_nr_pages = 3) }, 1, 3, 0, 3 },
		{ { ENTRY(0x1000, .compat_nr_pages = 0, .has_nr_pages = 1, .nr_pages = 3) }, 1, 3, 0, 3 },
		{ { ENTRY(0x1000, .compat_nr_pages = 3, .has_flags = 1, .flags = 6) }, 1, 3, 0, 3 },
		{ { ENTRY(0x1000, .compat_nr_pages = 3, .has_flags = 1, .flags = 1) }, 1, 0, -ENOTSUP, 0 },
		{ { ENTRY(0x1000, .compat_nr_pages = 3, .has_in_parent = 1, .in_parent = 1) }, 1, 0, -ENOTSUP, 0 },
		{ { ENTRY(0x1000, .compat_nr_pages = 3, .has_flags = 1, .flags = 2) }, 1, 3, -ENOTSUP, 0 },
		{ { ENTRY(0x1000, .compat_nr_pages = 3) }, 1, 2, -EINVAL, 0 },
		{ { ENTRY(0x1001, .compat_nr_pages = 1) }, 1, 1, -EINVAL, 0 },
		{ { ENTRY(0x1000, .compat_nr_pages = 0) }, 1, 0, -EINVAL, 0 },
		{ { ENTRY(0x1000, .has_nr_pages = 1, .nr_pages = 1ULL << 60) }, 1, 0, -EINVAL, 0 },
		{ { ENTRY(1ULL << 63, .compat_nr_pages = 1) }, 1, 1, -EINVAL, 0 },
		{ { ENTRY(0x1000, .compat_nr_pages = 2), ENTRY(0x2000, .compat_nr_pages = 1) }, 2, 3, -EINVAL, 0 },
		{ { ENTRY(0x3000, .compat_nr_pages = 1), ENTRY(0x1000, .compat_nr_pages = 1) }, 2, 2, -EINVAL, 0 },
		{ { ENTRY(0x1000, .compat_nr_pages = 2), ENTRY(0x3000, .compat_nr_pages = 1) }, 2, 3, 0, 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct arena *arena cleanup_with(arena_freep) = arena_new();
		PagemapHead head = PAGEMAP_HEAD__INIT;
		struct image_writer *writer;
		struct pagemap map;

		head.pages_id = 77;
		CHECK(!image_create(dir, IMAGE_PAGEMAP, 7, &writer));
		CHECK(!image_write_entry(writer, &head.base));
		for (size_t j = 0; j < cases[i].n; j++)
			CHECK(!image_write_entry(writer, &cases[i].entry[j].base));
		CHECK(!image_finish(writer));
		test_dir_store(dir, "pages-77.img", "", 0);
		test_dir_resize(dir, "pages-77.img", cases[i].pages * (off_t)PAGE_BYTES);
		if (!CHECK_EQ(pagemap_read(dir, IMAGE_PAGEMAP, 7, arena, &map), cases[i].ret))
			printf("\tcase %zu\n", i);
		if (!cases[i].ret) {
			CHECK_EQ(map.ranges[0].nr_pages, cases[i].first_nr_pages);
			pagemap_close(&map);
		}
	}
}

/* A run of over 4 GiB, in the pages file a hole, and what comes behind it. */
static void test_large(struct image_dir *dir)
{
	const uint64_t run = (5ULL << 30) / PAGE_BYTES;
	PagemapEntry entries[] = { ENTRY(0x1000, .compat_nr_pages = (uint32_t)run),
				   ENTRY(6ULL << 30, .compat_nr_pages = 1) };
	struct arena *arena cleanup_with(arena_freep) = arena_new();
	PagemapHead head = PAGEMAP_HEAD__INIT;
	struct image_writer *writer;
	struct pagemap map;
	char text[7];
	int fd;

	head.pages_id = 77;
	CHECK(!image_create(dir, IMAGE_PAGEMAP, 7, &writer));
	CHECK(!image_write_entry(writer, &head.base));
	CHECK(!image_write_entry(writer, &entries[0].base));
	CHECK(!image_write_entry(writer, &entries[1].base));
	CHECK(!image_finish(writer));
	test_dir_store(dir, "pages-77.img", "", 0);
	test_dir_resize(dir, "pages-77.img", (off_t)((run + 1) * PAGE_BYTES));
	fd = openat(dir->fd, "pages-77.img", O_WRONLY | O_CLOEXEC);
	CHECK_EQ(pwrite(fd, "behind", 7, (off_t)(run * PAGE_BYTES)), 7);
	close(fd);
	if (!CHECK_EQ(pagemap_read(dir, IMAGE_PAGEMAP, 7, arena, &map), 0))
		return;
	CHECK_EQ(map.nr_pages, run + 1);
	CHECK_EQ(map.ranges[0].nr_pages, run);
	CHECK_EQ(map.ranges[1].file_offset, 5ULL << 30);
	CHECK_EQ(pages_read_bytes(map.pages_fd, text, sizeof(text), map.ranges[1].file_offset), 0);
	CHECK(!memcmp(text, "behind", 7));
	pagemap_close(&map);
}

static void test_damaged(struct image_dir *dir)
{
	auto_free uint8_t *data = NULL;
	ssize_t bytes;

	data = test_dir_load(dir, "pagemap-7.img", &bytes);
	for (ssize_t i = 0; i < bytes; i++) {
		for (int bit = -1; bit < 8; bit++) {
			struct arena *arena cleanup_with(arena_freep) = arena_new();
			auto_free uint8_t *bad = xalloc(bytes);
			struct pagemap map;

			memcpy(bad, data, bytes);
			if (bit >= 0)
				bad[i] ^= 1 << bit;
			test_dir_store(dir, "pagemap-7.img", bad, bit < 0 ? i : bytes);
			if (!pagemap_read(dir, IMAGE_PAGEMAP, 7, arena, &map))
				pagemap_close(&map);
		}
	}
	CHECK(bytes > 0);
}

/* Ranges from the second page on, in an object whose last page is partial. */
static void test_range_bytes(void)
{
	const uint64_t size = 3 * PAGE_BYTES + 100;
	struct page_range range = { .vaddr = PAGE_BYTES, .nr_pages = 1 };
	uint64_t bytes = 0;

	CHECK_EQ(page_range_bytes(&range, size, "object", &bytes), 0);
	CHECK_EQ(bytes, PAGE_BYTES);
	range.nr_pages = 3;
	CHECK_EQ(page_range_bytes(&range, size, "object", &bytes), 0);
	CHECK_EQ(bytes, 2 * PAGE_BYTES + 100);
	range.nr_pages = 4;
	CHECK_EQ(page_range_bytes(&range, size, "object", &bytes), -EINVAL);
	range = (struct page_range){ .vaddr = 4 * PAGE_BYTES, .nr_pages = 1 };
	CHECK_EQ(page_range_bytes(&range, size, "object", &bytes), -EINVAL);
	CHECK_EQ(page_range_bytes(&range, 0, "object", &bytes), -EINVAL);
}

int main(void)
{
	struct image_dir dir = test_dir_open();

	test_round_trip(&dir);
	test_order(&dir);
	test_disk_full(&dir);
	test_entries(&dir);
	test_large(&dir);
	test_damaged(&dir);
	test_range_bytes();
	test_dir_remove(&dir);
	return test_end();
}
