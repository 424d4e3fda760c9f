#include "zdtmtst.h"
#include "taskutil.h"
#include "delshm.h"
#include "attrs.h"

const char *test_doc = "The access control list of a deleted shared file";

#define SIZE (2 * PG)

int main(int argc, char **argv)
{
	struct stat st;
	char *map;
	int fd;

	test_init(argc, argv);

	map = delshm_start("acl", SIZE, &fd);
	if (!map)
		return 1;
	pattern_fill(map, SIZE, 1);
	if (fsetxattr(fd, ACL_NAME, &acl, sizeof(acl), 0)) {
		if (errno != EOPNOTSUPP)
			return pr_perror("set the ACL");
		delshm_unlink("acl");
		skip("the file system has no ACLs");
		return skipped_test();
	}
	if (delshm_unlink("acl") || fstat(fd, &st) || (st.st_mode & 07777) != ACL_MODE)
		return pr_err("mode %#o\n", st.st_mode);

	test_daemon();
	test_waitsig();

	if (fstat(fd, &st) || (st.st_mode & 07777) != ACL_MODE)
		return fail("mode %#o", st.st_mode);
	if (!has_xattr(fd, ACL_NAME, &acl, sizeof(acl)))
		return fail("the ACL is another one");
	if (map_is_fd(map, fd) != 1 || pattern_bad(map, SIZE, 1) >= 0)
		return fail("content changed");
	if (delshm_fini())
		return fail("something is left behind");

	pass();
	return 0;
}
