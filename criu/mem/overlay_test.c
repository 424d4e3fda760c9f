/* Without an overlayfs: a file that is said to be on one, and mappings of another, which stand for those of the lower file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "mem/overlay.h"
#include "util/test.h"

static char dir[] = "/dev/shm/overlay-test.XXXXXX";

static int make_file(const char *name, size_t pages, char first)
{
	auto_free char *path = xasprintf("%s/%s", dir, name);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	CHECK_EQ(ftruncate(fd, (off_t)(pages * PAGE_BYTES)), 0);
	for (size_t i = 0; i < pages; i++) {
		char byte = (char)(first + i);

		CHECK_EQ(pwrite(fd, &byte, 1, (off_t)(i * PAGE_BYTES)), 1);
	}
	unlink(path);
	return fd;
}

static struct inode *intern_as_upper(struct inodes *inodes, int fd)
{
	struct inode *inode;
	struct stat st;

	CHECK_EQ(fstat(fd, &st), 0);
	inode = inode_intern(inodes, fd, &st, "/a/file");
	inode->fs_magic = FS_MAGIC_OVERLAY;
	return inode;
}

static char *map(int fd, size_t pages, int flags, size_t page)
{
	int prot = PROT_READ | (flags & MAP_PRIVATE ? PROT_WRITE : 0);
	char *start = mmap(NULL, pages * PAGE_BYTES, prot, flags, fd, (off_t)(page * PAGE_BYTES));

	CHECK(start != MAP_FAILED);
	return start;
}

static int shows(const struct inode *inode, const char *start, size_t pages, size_t page, bool may_write, bool passive)
{
	struct overlay_mapping mapping = {
		.pid = getpid(),
		.start = (uintptr_t)start,
		.end = (uintptr_t)start + pages * PAGE_BYTES,
		.offset = page * PAGE_BYTES,
		.may_write = may_write,
	};

	return overlay_shows_mapping(inode, &mapping, passive);
}

static void test_elsewhere(void)
{
	struct inodes inodes = { 0 };
	auto_fd int fd = make_file("plain", 1, 'a'), other = make_file("other", 1, 'b');
	struct inode *inode = intern_as_upper(&inodes, fd);
	char *start = map(other, 1, MAP_SHARED, 0);

	inode->fs_magic = FS_MAGIC_TMPFS;
	CHECK_EQ(shows(inode, start, 1, 0, false, false), 1);
	munmap(start, PAGE_BYTES);
	inodes_free(&inodes);
}

/* Another file's page must be told apart although it is equal; if the task runs, only once it was read. */
static void test_equal(const struct inode *inode, int same)
{
	char *start;

	if (geteuid()) {
		TEST_SKIP("page frames can't be seen");
		return;
	}
	start = map(same, 2, MAP_SHARED, 0);
	CHECK_EQ(shows(inode, start, 2, 0, false, true), -ENODATA);
	CHECK_EQ(start[PAGE_BYTES], 'b');
	CHECK(overlay_fd_maps_lower(inode, same) && !overlay_fd_maps_lower(inode, inode->fd));
	CHECK_EQ(shows(inode, start, 2, 0, false, true), 0);
	CHECK_EQ(shows(inode, start, 2, 0, false, false), 0);
	CHECK_EQ(shows(inode, start, 2, 0, true, false), 0);
	munmap(start, 2 * PAGE_BYTES);
	start = map(same, 2, MAP_SHARED, 0);
	CHECK_EQ(shows(inode, start, 2, 0, false, false), 0);
	munmap(start, 2 * PAGE_BYTES);
	start = map(same, 2, MAP_SHARED, 0);
	CHECK_EQ(mprotect(start, 2 * PAGE_BYTES, PROT_NONE), 0);
	CHECK_EQ(shows(inode, start, 2, 0, false, false), 0);
	munmap(start, 2 * PAGE_BYTES);
}

static void test_inside(void)
{
	struct inodes inodes = { 0 };
	auto_fd int fd = make_file("upper", 2, 'a'), same = make_file("same", 2, 'a');
	struct inode *inode = intern_as_upper(&inodes, fd);
	char *start;

	start = map(fd, 2, MAP_SHARED, 0);
	CHECK_EQ(shows(inode, start, 2, 0, false, false), 1);
	CHECK_EQ(shows(inode, start, 2, 0, true, false), 1);
	munmap(start, 2 * PAGE_BYTES);

	/* What the task has written privately says nothing about the file. */
	start = map(same, 2, MAP_PRIVATE, 0);
	start[0] = start[PAGE_BYTES] = 'x';
	CHECK_EQ(shows(inode, start, 2, 0, false, false), -ENODATA);
	munmap(start, 2 * PAGE_BYTES);
	test_equal(inode, same);
	inodes_free(&inodes);
}

/* The file has become shorter when it was copied up. */
static void test_behind(void)
{
	struct inodes inodes = { 0 };
	auto_fd int fd = make_file("short", 1, 'a'), lower = make_file("long", 4, 'a');
	struct inode *inode = intern_as_upper(&inodes, fd);
	char *start;

	/* Its own mapping reaches further than the file, too. */
	start = map(fd, 4, MAP_SHARED, 1);
	CHECK_EQ(shows(inode, start, 4, 1, false, false), -ENODATA);
	CHECK_EQ(shows(inode, start, 4, 1, true, false), 1);
	munmap(start, 4 * PAGE_BYTES);

	start = map(lower, 2, MAP_SHARED, 2);
	CHECK_EQ(shows(inode, start, 2, 2, false, true), -ENODATA);
	CHECK_EQ(shows(inode, start, 2, 2, false, false), 0);
	CHECK_EQ(shows(inode, start, 2, 2, false, true), 0);
	munmap(start, 2 * PAGE_BYTES);

	/* A private copy proves that there was something to be copied. */
	start = map(lower, 4, MAP_PRIVATE, 0);
	start[0] = start[3 * PAGE_BYTES] = 'x';
	CHECK_EQ(shows(inode, start, 4, 0, false, true), 0);
	munmap(start, 4 * PAGE_BYTES);
	inodes_free(&inodes);
}

static void test_find_inode(void)
{
	struct inodes inodes = { 0 };
	struct refusals refusals = { 0 };
	auto_fd int fd = make_file("one", 1, 'a'), other = make_file("two", 1, 'b');
	struct inode *upper = intern_as_upper(&inodes, fd), *found = upper;
	char *shared = map(other, 1, MAP_SHARED, 0), *private = map(other, 1, MAP_PRIVATE, 0);
	struct overlay_mapping mapping = {
		.pid = getpid(),
		.start = (uintptr_t)shared,
		.end = (uintptr_t)shared + PAGE_BYTES,
		.may_write = true,
	};

	/* Pages that could be written, but are not the file's. */
	CHECK_EQ(overlay_find_inode(&inodes, &mapping, &found, &refusals), 0);
	CHECK_EQ(refusals.n, 1);
	CHECK(found == upper && !upper->lower);
	mapping.may_write = false;
	CHECK_EQ(overlay_find_inode(&inodes, &mapping, &found, &refusals), 0);
	CHECK(found != upper && found == upper->lower);

	/* Where nothing tells, the mapping before it does. */
	private[0] = 'x';
	mapping.start = (uintptr_t) private;
	mapping.end = mapping.start + PAGE_BYTES;
	found = upper;
	CHECK_EQ(overlay_find_inode(&inodes, &mapping, &found, &refusals), 0);
	CHECK(found == upper);
	mapping.before = upper->lower;
	CHECK_EQ(overlay_find_inode(&inodes, &mapping, &found, &refusals), 0);
	CHECK(found == upper->lower);
	CHECK_EQ(refusals.n, 1);
	refusals_free(&refusals);
	munmap(private, PAGE_BYTES);
	munmap(shared, PAGE_BYTES);
	inodes_free(&inodes);
}

static void add_holder(struct inode *lower, const char *start, size_t pages, size_t page, char sharing)
{
	struct inode_holder holder = {
		.pid = getpid(),
		.start = (uintptr_t)start,
		.end = (uintptr_t)start + pages * PAGE_BYTES,
		.offset = page * PAGE_BYTES,
		.fd = -1,
		.access = { 'r', '-', '-', sharing },
	};

	inode_add_holder(lower, &holder);
}

static void check_range(const struct overlay_views *views, size_t from, size_t start, size_t end)
{
	char *buf = xalloc(16 * PAGE_BYTES);
	uint64_t begin = 0, stop = 0;

	CHECK_EQ(overlay_views_next(views, from * PAGE_BYTES, &begin, &stop), 1);
	CHECK_EQ(begin / PAGE_BYTES, start);
	CHECK_EQ(stop / PAGE_BYTES, end);
	CHECK_EQ(overlay_views_read(views, buf, stop - begin, begin), 0);
	for (size_t i = start; i < end; i++)
		CHECK_EQ(buf[(i - start) * PAGE_BYTES], (char)('a' + i));
	free(buf);
}

/* A file of ten pages, seen through mappings that overlap, leave gaps, have private copies and reach too far. */
static void test_views(void)
{
	struct inodes inodes = { 0 };
	auto_fd int fd = make_file("file", 10, 'A'), before = make_file("before", 10, 'a');
	struct inode *inode = intern_as_upper(&inodes, fd), *lower = inode_lower(&inodes, inode);
	char *private = map(before, 3, MAP_PRIVATE, 0), *shared = map(before, 2, MAP_SHARED, 1);
	char *far = map(before, 100, MAP_SHARED, 8);
	struct overlay_views *views;
	uint64_t start, end;

	CHECK(lower && lower != inode && inode_lower(&inodes, inode) == lower);
	CHECK(lower->is_lower && lower->unlinked && lower->id != inode->id);
	CHECK_STR(lower->name, inode->name);
	CHECK(inode_get(&inodes, fd, &inode->st) == inode);

	private[PAGE_BYTES] = private[2 * PAGE_BYTES] = 'x';
	CHECK_EQ(mprotect(shared, PAGE_BYTES, PROT_NONE), 0);
	add_holder(lower, far, 100, 8, 's');
	add_holder(lower, private, 3, 0, 'p');
	add_holder(lower, shared, 2, 1, 's');
	CHECK_EQ(overlay_find_size(lower), 0);
	CHECK_EQ(lower->st.st_size, 10 * PAGE_BYTES);
	CHECK_EQ(overlay_views_open(lower, &views), 0);
	check_range(views, 0, 0, 1);
	check_range(views, 1, 1, 3);
	check_range(views, 2, 2, 3);
	CHECK_EQ(overlay_views_next(views, 3 * PAGE_BYTES, &start, &end), 1);
	CHECK_EQ(start / PAGE_BYTES, 8);
	CHECK_EQ(end / PAGE_BYTES, 108);
	CHECK_EQ(overlay_views_next(views, end, &start, &end), 0);
	overlay_views_close(views);
	munmap(private, 3 * PAGE_BYTES);
	munmap(shared, 2 * PAGE_BYTES);
	munmap(far, 100 * PAGE_BYTES);
	inodes_free(&inodes);
}

/* Nothing but private copies can be seen: the file reaches that far, and is a hole. */
static void test_only_copies(void)
{
	struct inodes inodes = { 0 };
	auto_fd int fd = make_file("new", 1, 'A'), before = make_file("old", 4, 'a');
	struct inode *lower = inode_lower(&inodes, intern_as_upper(&inodes, fd));
	char *private = map(before, 8, MAP_PRIVATE, 0);
	struct overlay_views *views;
	uint64_t start, end;

	for (size_t i = 0; i < 3; i++)
	private[i * PAGE_BYTES] = 'x';
	add_holder(lower, private, 3, 0, 'p');
	CHECK_EQ(overlay_find_size(lower), 0);
	CHECK_EQ(lower->st.st_size, 3 * PAGE_BYTES);
	CHECK_EQ(overlay_views_open(lower, &views), 0);
	CHECK_EQ(overlay_views_next(views, 0, &start, &end), 0);
	overlay_views_close(views);
	munmap(private, 8 * PAGE_BYTES);
	inodes_free(&inodes);
}

int main(void)
{
	if (!mkdtemp(dir)) {
		TEST_SKIP("no directory in /dev/shm");
		return test_end();
	}
	test_elsewhere();
	test_inside();
	test_behind();
	test_find_inode();
	test_views();
	test_only_copies();
	CHECK_EQ(rmdir(dir), 0);
	return test_end();
}
