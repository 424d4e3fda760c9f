#include <fcntl.h>
#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "fileprop.h"
#include "attrs.h"

const char *test_doc =
	"Times, extended attributes and the access control list of a deleted file that nobody maps shared";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

#define SIZE (5 * PG)

static bool have_user, have_acl;
static struct fd_state state;
static char *map;

static int set_attributes(int fd)
{
	have_user = !fsetxattr(fd, "user.zdtm", "kept", 4, 0);
	if (!have_user && errno != EOPNOTSUPP)
		return pr_perror("set the attribute");
	have_acl = !fsetxattr(fd, ACL_NAME, &acl, sizeof(acl), 0);
	if (!have_acl && errno != EOPNOTSUPP)
		return pr_perror("set the ACL");
	/* A mapping made later would move the access time. */
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED || futimens(fd, attr_times))
		return pr_perror("map, set the times");
	return 0;
}

int main(int argc, char **argv)
{
	static char data[SIZE], path[4096];
	int fd;

	test_init(argc, argv);

	if (mkdir(dirname, 0755) || ssprintf(path, "%s/file", dirname))
		return pr_perror("mkdir %s", dirname);
	fd = file_create(path, O_RDWR, 0640);
	pattern_fill(data, SIZE, 1);
	if (fd < 0 || write(fd, data, SIZE) != (ssize_t)SIZE)
		return pr_perror("write %s", path);
	if (set_attributes(fd))
		return 1;
	if (unlink(path) || fd_state_get(fd, &state))
		return pr_perror("unlink %s", path);

	test_daemon();
	test_waitsig();

	if (times_changed(fd))
		return fail("times changed");
	if (fd_state_changed(fd, &state, FD_NEW_INODE))
		return fail("descriptor changed");
	if (have_user && !has_xattr(fd, "user.zdtm", "kept", 4))
		return fail("the extended attribute is lost");
	if (have_acl && !has_xattr(fd, ACL_NAME, &acl, sizeof(acl)))
		return fail("the ACL is another one");
	if (pread(fd, data, SIZE, 0) != (ssize_t)SIZE || pattern_bad(data, SIZE, 1) >= 0 ||
	    pattern_bad(map, SIZE, 1) >= 0)
		return fail("content changed");
	if (dir_entries(dirname, 1) || rmdir(dirname))
		return fail("something is left behind");

	pass();
	return 0;
}
