#include <errno.h>
#include <string.h>

#include "image/test-dir.h"
#include "images/pagemap.pb-c.h"

/* pagemap-5.img by hand: magics, a head with pages_id 1, an entry for 2 pages at 0x1000. */
static const uint8_t golden[] = {
	0x19, 0x43, 0x56, 0x54, 0x25, 0x40, 0x08, 0x56, 2,    0, 0,    0, 0x08,
	1,    7,    0,	  0,	0,    0x08, 0x80, 0x20, 0x10, 2, 0x20, 4,
};

static void test_layout(struct image_dir *dir)
{
	PagemapHead head = PAGEMAP_HEAD__INIT;
	PagemapEntry entry = PAGEMAP_ENTRY__INIT;
	struct image_writer *writer;
	auto_free uint8_t *data = NULL;
	struct stat st;
	ssize_t bytes;

	head.pages_id = 1;
	entry.vaddr = 0x1000;
	entry.compat_nr_pages = 2;
	entry.has_flags = true;
	entry.flags = 4;
	CHECK(!image_create(dir, IMAGE_PAGEMAP, 5, &writer));
	CHECK(!image_write_entry(writer, &head.base));
	CHECK(!image_write_entry(writer, &entry.base));
	CHECK(!image_finish(writer));
	data = test_dir_load(dir, "pagemap-5.img", &bytes);
	CHECK_EQ(bytes, sizeof(golden));
	CHECK(bytes == sizeof(golden) && !memcmp(data, golden, sizeof(golden)));
	CHECK(!fstatat(dir->fd, "pagemap-5.img", &st, 0) && (st.st_mode & 07777) == 0600);
}

static void test_names(struct image_dir *dir)
{
	static const struct {
		enum image_kind kind;
		uint64_t id;
		const char *name;
		uint32_t first;
	} table[] = {
		{ IMAGE_GHOST_FILE, 0x1f, "ghost-file-1f.img", 0x54564319 },
		{ IMAGE_CORE, 4000000, "core-4000000.img", 0x54564319 },
		{ IMAGE_INVENTORY, 0, "inventory.img", 0x58313116 },
		{ IMAGE_STATS, 0, "stats-dump", 0x55105940 },
		{ IMAGE_STATS, 1, "stats-restore", 0x55105940 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		auto_free uint8_t *data = NULL;
		struct image_writer *writer;
		ssize_t bytes;

		CHECK(!image_create(dir, table[i].kind, table[i].id, &writer));
		CHECK(!image_finish(writer));
		data = test_dir_load(dir, table[i].name, &bytes);
		CHECK(bytes >= 4 && !memcmp(data, &table[i].first, 4));
	}
}

/* A new file each time: what an old one's other names show stays. */
static void test_replaces(struct image_dir *dir)
{
	auto_free uint8_t *data = NULL;
	struct image_writer *writer;
	ssize_t bytes;

	test_dir_store(dir, "victim", "precious", 8);
	CHECK(!linkat(dir->fd, "victim", dir->fd, "fs-1.img", 0));
	CHECK(!symlinkat("victim", dir->fd, "fs-2.img"));
	for (int id = 1; id <= 2; id++) {
		CHECK(!image_create(dir, IMAGE_FS, id, &writer));
		CHECK(!image_finish(writer));
	}
	data = test_dir_load(dir, "victim", &bytes);
	CHECK(bytes == 8 && !memcmp(data, "precious", 8));
}

static void test_refuses(struct image_dir *dir)
{
	static const uint8_t wrong_magic[] = { 0x19, 0x43, 0x56, 0x54, 1, 2, 3, 4 };
	struct image_reader *reader;

	CHECK_EQ(image_open(dir, IMAGE_MM, 999, &reader), -ENOENT);
	test_dir_store(dir, "mm-1.img", wrong_magic, sizeof(wrong_magic));
	CHECK_EQ(image_open(dir, IMAGE_MM, 1, &reader), -EINVAL);
	CHECK(!symlinkat("mm-1.img", dir->fd, "mm-2.img"));
	CHECK_EQ(image_open(dir, IMAGE_MM, 2, &reader), -ELOOP);
	CHECK(!mkfifoat(dir->fd, "mm-3.img", 0600));
	CHECK_EQ(image_open(dir, IMAGE_MM, 3, &reader), -EINVAL);
}

/* Number of entries, or the error. */
static int read_all(struct image_dir *dir, enum image_kind kind, uint64_t id, const ProtobufCMessageDescriptor *first,
		    const ProtobufCMessageDescriptor *others)
{
	struct arena *arena cleanup_with(arena_freep) = arena_new();
	const ProtobufCMessageDescriptor *type = first;
	struct image_reader *reader;
	int err, n = 0;
	void *entry;

	err = image_open(dir, kind, id, &reader);
	if (err)
		return err;
	while ((err = image_read_entry(reader, type, arena, &entry)) > 0) {
		type = others;
		n++;
	}
	image_close(reader);
	return err ? err : n;
}

static int read_golden(struct image_dir *dir)
{
	return read_all(dir, IMAGE_PAGEMAP, 5, &pagemap_head__descriptor, &pagemap_entry__descriptor);
}

static void test_truncated(struct image_dir *dir)
{
	CHECK_EQ(read_golden(dir), 2);
	for (size_t n = 0; n < sizeof(golden); n++) {
		int ret;

		test_dir_store(dir, "pagemap-5.img", golden, n);
		ret = read_golden(dir);
		/* Whole only where an entry ends. */
		CHECK(n == 8 ? ret == 0 : n == 14 ? ret == 1 : ret < 0);
	}
}

static void test_flipped(struct image_dir *dir)
{
	for (size_t i = 0; i < sizeof(golden); i++) {
		for (int bit = 0; bit < 8; bit++) {
			uint8_t bad[sizeof(golden)];
			int ret;

			memcpy(bad, golden, sizeof(bad));
			bad[i] ^= 1 << bit;
			test_dir_store(dir, "pagemap-5.img", bad, sizeof(bad));
			ret = read_golden(dir);
			CHECK(ret <= 2);
			if (i < 8)
				CHECK_EQ(ret, -EINVAL);
		}
	}
}

static void test_length_limit(struct image_dir *dir)
{
	static const uint8_t huge[] = { 0x19, 0x43, 0x56, 0x54, 0x25, 0x40, 0x08, 0x56, 0xff, 0xff, 0xff, 0xff };

	test_dir_store(dir, "pagemap-5.img", huge, sizeof(huge));
	CHECK_EQ(read_golden(dir), -EINVAL);
}

/* Raw bytes larger than any buffer, between and after entries. */
static void test_raw(struct image_dir *dir)
{
	const size_t big = 3 * 1024 * 1024 + 17;
	auto_free uint8_t *out = xalloc(big), *in = xalloc(big);
	struct arena *arena cleanup_with(arena_freep) = arena_new();
	PipeDataEntry entry = PIPE_DATA_ENTRY__INIT;
	struct image_reader *reader;
	struct image_writer *writer;
	uint64_t offset, bytes;
	void *got;
	int fd;

	for (size_t i = 0; i < big; i++)
		out[i] = i * 31 + (i >> 12);
	CHECK(!image_create(dir, IMAGE_PIPES_DATA, 0, &writer));
	for (uint32_t id = 1; id <= 2; id++) {
		entry.pipe_id = id;
		entry.bytes = big;
		CHECK(!image_write_entry(writer, &entry.base));
		CHECK(!image_write_raw(writer, out, big));
	}
	CHECK(!image_finish(writer));
	CHECK(!image_sync(dir));
	CHECK_EQ(dir->unsynced.n, 0);

	CHECK(!image_open(dir, IMAGE_PIPES_DATA, 0, &reader));
	CHECK_EQ(image_read_entry(reader, &pipe_data_entry__descriptor, arena, &got), 1);
	CHECK(!image_read_raw(reader, in, big));
	CHECK(!memcmp(in, out, big));
	CHECK_EQ(image_read_entry(reader, &pipe_data_entry__descriptor, arena, &got), 1);
	CHECK_EQ(((PipeDataEntry *)got)->pipe_id, 2);
	CHECK(!image_rest(reader, &fd, &offset, &bytes));
	CHECK_EQ(bytes, big);
	CHECK(pread(fd, in, 100, (off_t)offset) == 100 && !memcmp(in, out, 100));
	CHECK_EQ(image_read_raw(reader, in, big), 0);
	CHECK_EQ(image_read_raw(reader, in, 1), -EINVAL);
	image_close(reader);
}

/* More files than descriptors are kept for. */
static void test_many(struct image_dir *dir)
{
	struct image_writer *writer;
	bool good = true;

	for (int i = 0; i < 600; i++)
		good = good && !image_create(dir, IMAGE_IDS, i, &writer) && !image_finish(writer);
	CHECK(good);
	CHECK(dir->unsynced.n < 600);
	CHECK(!image_sync(dir));
	CHECK_EQ(dir->unsynced.n, 0);
}

int main(void)
{
	struct image_dir dir = test_dir_open();

	test_layout(&dir);
	test_truncated(&dir);
	test_flipped(&dir);
	test_length_limit(&dir);
	test_names(&dir);
	test_replaces(&dir);
	test_refuses(&dir);
	test_raw(&dir);
	test_many(&dir);
	test_dir_remove(&dir);
	return test_end();
}
