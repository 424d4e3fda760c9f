#include <fcntl.h>
#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "attrs.h"

const char *test_doc =
	"Owner, mode, times, extended attributes and the access control list of a sealed memfd that is mapped";

#define SIZE  (3 * PG)
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static int make(const char **ret_map, bool *ret_user, bool *ret_acl)
{
	static char data[SIZE];
	int fd = memfd_create("meta", MFD_ALLOW_SEALING);

	pattern_fill(data, SIZE, 1);
	if (fd < 0 || write(fd, data, SIZE) != (ssize_t)SIZE)
		return pr_perror("memfd"), -1;
	/* A tmpfs has user attributes since 6.6. */
	*ret_user = !fsetxattr(fd, "user.zdtm", "kept", 4, 0);
	*ret_acl = !fsetxattr(fd, ACL_NAME, &acl, sizeof(acl), 0);
	if (fsetxattr(fd, "trusted.zdtm", "kept, too", 9, 0))
		return pr_perror("set the attribute"), -1;
	if (fchown(fd, 1234, 5678) || (!*ret_acl && fchmod(fd, ACL_MODE)) || fcntl(fd, F_ADD_SEALS, SEALS))
		return pr_perror("set owner, mode, seals"), -1;
	*ret_map = mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE, fd, 0);
	if (*ret_map == MAP_FAILED || futimens(fd, attr_times))
		return pr_perror("map, set the times"), -1;
	return fd;
}

int main(int argc, char **argv)
{
	bool have_user, have_acl;
	const char *map;
	struct stat st;
	int fd;

	test_init(argc, argv);

	fd = make(&map, &have_user, &have_acl);
	if (fd < 0)
		return 1;

	test_daemon();
	test_waitsig();

	if (times_changed(fd))
		return fail("times changed");
	if (fstat(fd, &st) || (st.st_mode & 07777) != ACL_MODE || st.st_uid != 1234 || st.st_gid != 5678)
		return fail("mode %#o, owner %u:%u", st.st_mode, st.st_uid, st.st_gid);
	if (!has_xattr(fd, "trusted.zdtm", "kept, too", 9) || (have_user && !has_xattr(fd, "user.zdtm", "kept", 4)))
		return fail("an extended attribute is lost");
	if (have_acl && !has_xattr(fd, ACL_NAME, &acl, sizeof(acl)))
		return fail("the ACL is another one");
	if (fcntl(fd, F_GET_SEALS) != SEALS || pattern_bad(map, SIZE, 1) >= 0)
		return fail("seals or content changed");

	pass();
	return 0;
}
