#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "fileprop.h"

const char *test_doc =
	"A view from before the first write of a deleted file and one from after it, as alike as they were";

char *dirname;
TEST_OPTION(dirname, string, "directory name; may exist, with a file of four pages in it", 1);

#define SIZE (4 * PG)

int main(int argc, char **argv)
{
	char path[4096], *old, *new, *old_copy;
	int fd, old_fd, alike;

	test_init(argc, argv);

	if (ssprintf(path, "%s/file", dirname) || (mkdir(dirname, 0755) && errno != EEXIST))
		return pr_perror("mkdir %s", dirname);
	old_fd = open(path, O_RDONLY | O_CREAT, 0600);
	if (old_fd < 0)
		return pr_perror("open %s", path);
	old = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, old_fd, 0);
	close(old_fd);
	/* On overlayfs this copies the file up. */
	fd = open(path, O_RDWR);
	if (old == MAP_FAILED || fd < 0 || ftruncate(fd, SIZE))
		return pr_perror("open %s for writing", path);
	new = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (new == MAP_FAILED || unlink(path))
		return pr_perror("map and unlink %s", path);
	pattern_fill(new, SIZE, 1);
	alike = !memcmp(old, new, SIZE);
	old_copy = malloc(SIZE);
	memcpy(old_copy, old, SIZE);
	test_msg("the views show %s\n", alike ? "one file" : "two files");

	test_daemon();
	test_waitsig();

	if (memcmp(old, old_copy, SIZE) || pattern_bad(new, SIZE, 1) >= 0)
		return fail("content changed");
	pattern_fill(new, SIZE, 2);
	if ((memcmp(old, new, SIZE) == 0) != alike || (!alike && memcmp(old, old_copy, SIZE)))
		return fail("the views show %s now", alike ? "two files" : "one file");
	if (dir_entries(dirname, 1) || rmdir(dirname))
		return fail("something is left behind");

	pass();
	return 0;
}
