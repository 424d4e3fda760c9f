#include <sys/xattr.h>

#include "zdtmtst.h"
#include "delshm.h"

const char *test_doc = "Mode, owner, group, modification time and extended attributes of a deleted shared file";

#define SIZE  (3 * PG)
#define XATTR "user.zdtm"

int main(int argc, char **argv)
{
	/* 2001-09-09 01:46:40, with nanoseconds that every filesystem here can keep. */
	const struct timespec times[2] = { { 1000000000, 123456789 }, { 1000000000, 987654321 } };
	struct fd_state state;
	int fd, have_xattr;
	char value[16], *map;
	struct stat st;

	test_init(argc, argv);

	map = delshm_start("meta", SIZE, &fd);
	if (!map)
		return 1;
	pattern_fill(map, SIZE, 1);
	/* Tmpfs has them since 6.6, and a filesystem may be mounted without. */
	have_xattr = !fsetxattr(fd, XATTR, "kept", 4, 0);
	if (delshm_unlink("meta"))
		return 1;
	if (msync(map, SIZE, MS_SYNC) || fchown(fd, 1234, 5678) || fchmod(fd, 02641) || futimens(fd, times))
		return pr_perror("set attributes");
	if (fd_state_get(fd, &state) || state.st.st_mtim.tv_nsec != times[1].tv_nsec)
		return pr_err("attributes are not as set\n");

	test_daemon();
	test_waitsig();

	if (fstat(fd, &st))
		return fail("fstat");
	if (st.st_mtim.tv_sec != times[1].tv_sec || st.st_mtim.tv_nsec != times[1].tv_nsec)
		return fail("modified at %ld.%09ld", st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	if (fd_state_changed(fd, &state, FD_NEW_INODE))
		return fail("attributes changed");
	if (map_is_fd(map, fd) != 1 || pattern_bad(map, SIZE, 1) >= 0)
		return fail("content changed");
	if (have_xattr && (fgetxattr(fd, XATTR, value, sizeof(value)) != 4 || memcmp(value, "kept", 4)))
		return fail("extended attribute is lost");
	if (delshm_fini())
		return fail("something is left behind");

	pass();
	return 0;
}
