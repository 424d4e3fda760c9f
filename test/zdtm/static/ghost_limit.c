#include <fcntl.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "fileprop.h"

#ifdef LIMIT_RAISED
const char *test_doc = "A deleted open file of 4 MiB is dumped with --ghost-limit 10M";
#else
const char *test_doc = "A deleted open file of 4 MiB is refused by the default ghost limit, and stays what it was";
#endif

char *filename;
TEST_OPTION(filename, string, "file name", 1);

#define SIZE (4UL << 20)

int main(int argc, char **argv)
{
	static char data[SIZE];
	struct fd_state state;
	int fd;

	test_init(argc, argv);

	pattern_fill(data, SIZE, 1);
	fd = file_create(filename, O_RDWR, 0600);
	if (fd < 0 || write(fd, data, SIZE) != (ssize_t)SIZE || unlink(filename) || fd_state_get(fd, &state))
		return pr_perror("create %s", filename);

	test_daemon();
	test_waitsig();

#ifdef LIMIT_RAISED
	if (fd_state_changed(fd, &state, FD_NEW_INODE))
#else
	if (fd_state_changed(fd, &state, FD_SAME_INODE))
#endif
		return fail("descriptor changed");
	if (pread(fd, data, SIZE, 0) != (ssize_t)SIZE || pattern_bad(data, SIZE, 1) >= 0)
		return fail("content changed");
	if (!access(filename, F_OK))
		return fail("the deleted name came back");

	pass();
	return 0;
}
