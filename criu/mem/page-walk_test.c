#include "mem/page-walk.h"
#include "util/test.h"

static struct page_range ranges[] = {
	{ .vaddr = 0x2000, .nr_pages = 2, .file_offset = 0 },
	{ .vaddr = 0x4000, .nr_pages = 1, .file_offset = 0x2000 },
	{ .vaddr = 0x9000, .nr_pages = 4, .file_offset = 0x3000 },
};

static const struct pagemap map = { .ranges = ranges, .n_ranges = ARRAY_SIZE(ranges), .nr_pages = 7, .pages_fd = -1 };

static void expect(struct page_cursor *cursor, uint64_t at, uint64_t end, bool has, uint64_t stop, uint64_t offset)
{
	struct page_run run;

	CHECK_EQ(page_cursor_at(cursor, at, end, &run), has);
	CHECK_EQ(run.start, at);
	CHECK_EQ(run.end, stop);
	if (has)
		CHECK_EQ(run.file_offset, offset);
}

int main(void)
{
	struct page_cursor cursor = { .map = &map };
	static const struct pagemap empty = { .pages_fd = -1 };
	struct page_cursor nothing = { .map = &empty };

	expect(&cursor, 0x1000, 0x8000, false, 0x2000, 0);
	expect(&cursor, 0x2000, 0x8000, true, 0x4000, 0);
	expect(&cursor, 0x3000, 0x8000, true, 0x4000, 0x1000);
	expect(&cursor, 0x4000, 0x8000, true, 0x5000, 0x2000);
	expect(&cursor, 0x5000, 0x8000, false, 0x8000, 0);
	/* The next mapping begins inside a range. */
	expect(&cursor, 0xa000, 0xc000, true, 0xc000, 0x4000);
	expect(&cursor, 0xc000, 0xf000, true, 0xd000, 0x6000);
	expect(&cursor, 0xd000, 0xf000, false, 0xf000, 0);
	expect(&nothing, 0, 0x1000, false, 0x1000, 0);
	return test_end();
}
