#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "fileprop.h"

const char *test_doc = "A read-only view of a file that existed before and was deleted: of a lower layer on overlayfs";

char *dirname;
TEST_OPTION(dirname, string, "directory name; may exist, with a file of four pages in it", 1);

#define SIZE (4 * PG)

static int prepare(const char *path)
{
	char *page;
	int fd;

	if (mkdir(dirname, 0755))
		return errno == EEXIST ? 0 : pr_perror("mkdir %s", dirname);
	fd = file_create(path, O_RDWR, 0600);
	if (fd < 0)
		return 1;
	page = malloc(SIZE);
	pattern_fill(page, SIZE, 1);
	if (write(fd, page, SIZE) != (ssize_t)SIZE)
		return pr_perror("write %s", path);
	free(page);
	return close(fd);
}

int main(int argc, char **argv)
{
	static char before[4096];
	char path[4096], *map, *copy;
	struct stat st;
	int fd;

	test_init(argc, argv);

	if (ssprintf(path, "%s/file", dirname) || prepare(path))
		return 1;
	fd = open(path, O_RDONLY);
	map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	copy = malloc(SIZE);
	if (fd < 0 || map == MAP_FAILED || unlink(path))
		return pr_perror("map and unlink %s", path);
	memcpy(copy, map, SIZE);
	if (nonzero_at(copy, SIZE) < 0 || map_text(map, SIZE, MAP_TEXT_PATHS, before, sizeof(before)))
		return pr_err("the file is empty\n");

	test_daemon();
	test_waitsig();

	if (memcmp(map, copy, SIZE))
		return fail("content changed");
	if (map_text_changed(map, SIZE, MAP_TEXT_PATHS, before) || map_is_fd(map, fd) != 1)
		return fail("mapping changed");
	if (fstat(fd, &st) || st.st_size != (off_t)SIZE)
		return fail("size %ld", st.st_size);
	if (!mprotect(map, SIZE, PROT_READ | PROT_WRITE) || errno != EACCES)
		return fail("the view can become writable");
	if (dir_entries(dirname, 1) || rmdir(dirname))
		return fail("something is left behind");

	pass();
	return 0;
}
