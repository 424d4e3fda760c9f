#include <sys/xattr.h>

#include "zdtmtst.h"
#include "taskutil.h"
#include "delshm.h"

const char *test_doc = "The access control list of a deleted shared file";

#define SIZE	 (2 * PG)
#define ACL_NAME "system.posix_acl_access"

/* As the kernel takes it: POSIX ACLs, version 2. */
static const struct {
	uint32_t version;
	struct {
		uint16_t tag, perm;
		uint32_t id;
	} entries[6];
} acl = { 2,
	  {
		  { 0x01, 06, ~0u },  /* owner */
		  { 0x02, 07, 1234 }, /* user 1234 */
		  { 0x04, 00, ~0u },  /* group */
		  { 0x08, 04, 5678 }, /* group 5678 */
		  { 0x10, 05, ~0u },  /* mask, which the mode shows as the group's */
		  { 0x20, 01, ~0u },  /* others */
	  } };

int main(int argc, char **argv)
{
	char value[256];
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
	if (delshm_unlink("acl") || fstat(fd, &st) || (st.st_mode & 07777) != 0651)
		return pr_err("mode %#o\n", st.st_mode);

	test_daemon();
	test_waitsig();

	if (fstat(fd, &st) || (st.st_mode & 07777) != 0651)
		return fail("mode %#o", st.st_mode);
	if (fgetxattr(fd, ACL_NAME, value, sizeof(value)) != sizeof(acl) || memcmp(value, &acl, sizeof(acl)))
		return fail("the ACL is another one");
	if (map_is_fd(map, fd) != 1 || pattern_bad(map, SIZE, 1) >= 0)
		return fail("content changed");
	if (delshm_fini())
		return fail("something is left behind");

	pass();
	return 0;
}
