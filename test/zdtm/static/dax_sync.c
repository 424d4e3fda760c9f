#include <sys/mman.h>

#include "zdtmtst.h"
#include "fileprop.h"
#include "memprop.h"

#ifdef DAX_DELETED
const char *test_doc = "A deleted file in persistent memory, mapped shared, is refused";
#else
const char *test_doc =
	"A file in persistent memory, mapped so that writing is enough to keep what is written (MAP_SYNC)";
#endif

char *dirname;
TEST_OPTION(dirname, string, "directory on a file system in persistent memory", 1);

#define SIZE (16 * PG)

int main(int argc, char **argv)
{
	struct fd_state state;
	char path[4096];
	char *map;
	int fd;

	test_init(argc, argv);

	if (mkdir(dirname, 0755) || ssprintf(path, "%s/file", dirname))
		return 1;
	fd = file_create(path, O_RDWR, 0600);
	if (fd < 0 || ftruncate(fd, SIZE))
		return pr_perror("make %s", path);
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);
	if (map == MAP_FAILED)
		return pr_perror("mmap");
	pattern_fill(map, PG, 1);
#ifdef DAX_DELETED
	if (unlink(path))
		return pr_perror("unlink");
#endif
	if (fd_state_get(fd, &state) || map_has_flag(map, "sf") != 1)
		return 1;

	test_daemon();
	test_waitsig();

	if (fd_state_changed(fd, &state, FD_SAME_INODE) || map_is_fd(map, fd) != 1)
		return fail("the file changed");
	if (map_has_flag(map, "sf") != 1)
		return fail("the mapping has lost MAP_SYNC");
	if (pattern_bad(map, PG, 1) >= 0)
		return fail("content changed");
#ifndef DAX_DELETED
	if (unlink(path))
		return fail("unlink: %m");
#endif
	if (rmdir(dirname))
		return fail("rmdir: %m");

	pass();
	return 0;
}
