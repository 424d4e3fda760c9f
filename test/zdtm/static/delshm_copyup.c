#include <sys/mman.h>
#include <sys/uio.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "fileprop.h"
#include "kids.h"

const char *test_doc = "Views from before the first write of files, shared and private, and those from after it, as "
		       "alike as they were";

char *dirname;
TEST_OPTION(dirname, string, "directory name; may exist, with a few files of four pages each in it", 1);

#define PAGES 4
#define SIZE  (PAGES * PG)
#define REACH (SIZE + PG) /* of the views: a page more than there is */

/*
 * What is done to each after the views were made. On overlayfs all of it copies the file up; elsewhere the
 * views follow.
 */
static struct file {
	const char *name;
	int old_fd, fd;
	char *shared, *private, *new;
	char *before[2]; /* what the old views showed: REACH bytes each */
	int there[2][PAGES + 1];
} files[] = {
	{ .name = "file" },  /* written, and deleted */
	{ .name = "short" }, /* truncated to a page, and kept */
	{ .name = "lone" },  /* its mode is changed, and there are private views only */
};

/* Only looked at in the end: [0, 2) by the parent, [1, 4) by the child. */
static char *parts;
static int parts_fd;

/* In memory that both share. */
static struct both {
	unsigned long ino[2];
	int alike; /* one file */
} * both;

enum { FILE_WRITTEN, FILE_SHORT, FILE_LONE };

static char *view(int fd, size_t bytes, int flags, off_t at)
{
	int prot = PROT_READ | (flags & MAP_PRIVATE ? PROT_WRITE : 0);
	char *map = mmap(NULL, bytes, prot, flags, fd, at);

	if (map == MAP_FAILED)
		pr_perror("map");
	return map == MAP_FAILED ? NULL : map;
}

static int open_old(const char *name)
{
	char path[4096];
	int fd;

	if (ssprintf(path, "%s/%s", dirname, name))
		return -1;
	fd = open(path, O_RDONLY | O_CREAT, 0600);
	if (fd < 0)
		pr_perror("open %s", path);
	return fd;
}

/* Without a signal where there is nothing. */
static int read_page(const char *at, char *ret)
{
	struct iovec to = { ret, PG }, from = { (void *)at, PG };

	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)PG;
}

static int open_views(struct file *file)
{
	file->old_fd = open_old(file->name);
	if (file->old_fd < 0)
		return 1;
	if (file != &files[FILE_LONE]) {
		file->shared = view(file->old_fd, REACH, MAP_SHARED, 0);
		if (!file->shared)
			return 1;
	}
	file->private = view(file->old_fd, REACH, MAP_PRIVATE, 0);
	return !file->private;
}

static const char *old_view(const struct file *file, int i)
{
	return i ? file->private : file->shared;
}

static int remember(struct file *file)
{
	for (int i = 0; i < 2; i++) {
		if (!old_view(file, i))
			continue;
		file->before[i] = malloc(REACH);
		for (int page = 0; page <= PAGES; page++)
			file->there[i][page] = read_page(old_view(file, i) + page * PG, file->before[i] + page * PG);
	}
	return 0;
}

/* The views have what they had; the pages of @but in the private one don't count. */
static int old_views_changed(const struct file *file, int but)
{
	static char now[PG];

	for (int i = 0; i < 2; i++) {
		for (int page = 0; old_view(file, i) && page <= PAGES; page++) {
			if (i && page == but)
				continue;
			if (read_page(old_view(file, i) + page * PG, now) != file->there[i][page])
				return fail("%s: page %d of view %d was %s", file->name, page, i,
					    file->there[i][page] ? "there" : "not there");
			if (file->there[i][page] && memcmp(now, file->before[i] + page * PG, PG))
				return fail("%s: page %d of view %d changed", file->name, page, i);
		}
	}
	return 0;
}

/* On overlayfs this copies the file up. */
static int change(struct file *file)
{
	char path[4096];

	if (ssprintf(path, "%s/%s", dirname, file->name))
		return 1;
	if (file == &files[FILE_LONE])
		return chmod(path, 0640) ? pr_perror("chmod %s", path) : 0;
	file->fd = open(path, O_RDWR | (file == &files[FILE_SHORT] ? O_TRUNC : 0));
	if (file->fd < 0 || ftruncate(file->fd, file == &files[FILE_SHORT] ? PG : SIZE))
		return pr_perror("open %s for writing", path);
	file->new = mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
	if (file->new == MAP_FAILED || (file == &files[FILE_WRITTEN] && unlink(path)))
		return pr_perror("map %s", path);
	pattern_fill(file->new, PG, 1);
	return 0;
}

static int change_parts(void)
{
	char path[4096], page[PG];
	int fd;

	if (ssprintf(path, "%s/parts", dirname))
		return 1;
	fd = open(path, O_RDWR);
	if (fd < 0 || ftruncate(fd, SIZE))
		return pr_perror("open %s for writing", path);
	for (int i = 0; i < PAGES; i++) {
		pattern_fill(page, PG, 10 + i);
		if (pwrite(fd, page, PG, i * PG) != (ssize_t)PG)
			return pr_perror("write %s", path);
	}
	close(fd);
	return unlink(path);
}

/* The file was there, with other content, if and only if it is on overlayfs. */
static int check_parts(int who, int first, int n)
{
	static struct map_line line;
	static char wanted[PG];

	for (int i = 0; i < n; i++) {
		for (size_t b = 0; b < PG; b++)
			wanted[b] = (char)(b % 128 + 1);
		if (both->alike)
			pattern_fill(wanted, PG, 10 + first + i);
		if (memcmp(parts + i * PG, wanted, PG))
			return fail("page %d of parts is wrong", first + i);
	}
	if (map_find(parts, &line))
		return fail("no mapping of parts");
	both->ino[who] = line.ino;
	return 0;
}

static int child_prepare(void *arg)
{
	(void)arg;
	parts = view(parts_fd, 3 * PG, MAP_SHARED, PG);
	return !parts || close(parts_fd);
}

static int child_check(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (old_views_changed(&files[i], -1))
			return 1;
	return check_parts(1, 1, 3);
}

/* A descriptor shows the file as it is now, whenever it was opened. */
static int wrong_fd(const struct file *file, unsigned int seed)
{
	char page[PG];

	return pread(file->old_fd, page, PG, 0) != (ssize_t)PG || pattern_bad(page, PG, seed) >= 0;
}

static int check_new(struct file *file)
{
	static char own[PG], page[PG];
	int kept = file == &files[FILE_SHORT], is_old;

	if (pattern_bad(file->new, PG, 1) >= 0 || wrong_fd(file, 1))
		return fail("%s: its content changed", file->name);
	pattern_fill(file->new, PG, 2);
	if (wrong_fd(file, 2))
		return fail("%s: view and descriptor have parted", file->name);
	if (kept) {
		char *again;
		int fd = open_old(file->name);

		again = view(fd, PG, MAP_SHARED, 0);
		if (!again || pattern_bad(again, PG, 2) >= 0)
			return fail("%s: the path leads to other content", file->name);
	}
	if (!read_page(file->shared, page))
		return fail("%s: the old view shows nothing", file->name);
	is_old = !memcmp(page, file->before[0], PG);
	if (is_old == both->alike)
		return fail("%s: the views show %s now", file->name, is_old ? "two files" : "one file");
	if (!both->alike && old_views_changed(file, -1))
		return 1;
	if (!mprotect(file->shared, PG, PROT_READ | PROT_WRITE) || errno != EACCES)
		return fail("%s: the old view can become writable", file->name);
	if (both->alike && kept)
		return 0;
	/* A private view is its owner's, and nobody else's. */
	pattern_fill(file->private + 2 * PG, PG, 3);
	pattern_fill(own, PG, 3);
	if (memcmp(file->private + 2 * PG, own, PG) || (!both->alike && old_views_changed(file, 2)))
		return fail("%s: the private view", file->name);
	return 0;
}

static int start(void)
{
	static char page[PG];

	if (mkdir(dirname, 0755) && errno != EEXIST)
		return pr_perror("mkdir %s", dirname);
	both = mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	parts_fd = open_old("parts");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (open_views(&files[i]))
			return 1;
	if (both == MAP_FAILED || parts_fd < 0)
		return 1;
	/* Private copies, where there is anything to copy. */
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (read_page(files[i].private, page))
			pattern_fill(files[i].private + PG, PG, 20 + i);
	return 0;
}

int main(int argc, char **argv)
{
	char path[4096];
	pid_t child;

	test_init(argc, argv);

	if (start())
		return 1;
	parts = view(parts_fd, 2 * PG, MAP_SHARED, 0);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (change(&files[i]) || remember(&files[i]))
			return 1;
	child = kid_start(child_prepare, child_check, NULL);
	if (!parts || change_parts() || close(parts_fd) || child < 0)
		return 1;
	both->alike = !memcmp(files[0].shared, files[0].new, PG);
	test_msg("the views show %s\n", both->alike ? "one file" : "two files");

	test_daemon();
	test_waitsig();

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (old_views_changed(&files[i], -1))
			return 1;
	if (check_parts(0, 0, 2))
		return 1;
	if (kid_finish(child))
		return fail("child");
	if (both->ino[0] != both->ino[1])
		return fail("parts is %lu for the one and %lu for the other", both->ino[0], both->ino[1]);
	if (check_new(&files[FILE_WRITTEN]) || check_new(&files[FILE_SHORT]))
		return 1;
	for (size_t i = 1; i < ARRAY_SIZE(files); i++)
		if (ssprintf(path, "%s/%s", dirname, files[i].name) || unlink(path))
			return fail("unlink %s", files[i].name);
	if (dir_entries(dirname, 1) || rmdir(dirname))
		return fail("something is left behind");

	pass();
	return 0;
}
