#include <fcntl.h>
#include <sys/xattr.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "fileprop.h"

const char *test_doc =
	"A deleted file with an extended attribute that is only open: the attribute is lost, nothing else";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

#define SIZE (5 * PG)

int main(int argc, char **argv)
{
	static char data[SIZE], path[4096];
	struct fd_state state;
	int fd;

	test_init(argc, argv);

	if (mkdir(dirname, 0755) || ssprintf(path, "%s/file", dirname))
		return pr_perror("mkdir %s", dirname);
	fd = file_create(path, O_RDWR, 0640);
	pattern_fill(data, SIZE, 1);
	if (fd < 0 || write(fd, data, SIZE) != (ssize_t)SIZE)
		return pr_perror("write %s", path);
	if (fsetxattr(fd, "user.zdtm", "lost", 4, 0) && errno != EOPNOTSUPP)
		return pr_perror("set the attribute");
	if (unlink(path) || fd_state_get(fd, &state))
		return pr_perror("unlink %s", path);

	test_daemon();
	test_waitsig();

	if (fd_state_changed(fd, &state, FD_NEW_INODE))
		return fail("descriptor changed");
	if (pread(fd, data, SIZE, 0) != (ssize_t)SIZE || pattern_bad(data, SIZE, 1) >= 0)
		return fail("content changed");
	if (dir_entries(dirname, 1) || rmdir(dirname))
		return fail("something is left behind");

	pass();
	return 0;
}
