#include <fcntl.h>
#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "fileprop.h"

const char *test_doc =
	"One memfd behind several descriptors: dup shares the position, a second open has its own, also read-only";

int main(int argc, char **argv)
{
	struct fd_state state[4];
	char link[64], data[PG];
	struct stat st[4];
	int fd[4], i;

	test_init(argc, argv);

	pattern_fill(data, sizeof(data), 1);
	fd[0] = memfd_create("shared", 0);
	if (fd[0] < 0 || write(fd[0], data, sizeof(data)) != (ssize_t)sizeof(data))
		return pr_perror("memfd");
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd[0]);
	fd[1] = dup(fd[0]);
	fd[2] = open(link, O_RDWR | O_NONBLOCK);
	fd[3] = open(link, O_RDONLY);
	if (fd[1] < 0 || fd[2] < 0 || fd[3] < 0)
		return pr_perror("open %s", link);
	lseek(fd[0], 10, SEEK_SET);
	lseek(fd[2], 20, SEEK_SET);
	lseek(fd[3], 30, SEEK_SET);
	for (i = 0; i < 4; i++)
		if (fd_state_get(fd[i], &state[i]))
			return 1;

	test_daemon();
	test_waitsig();

	for (i = 0; i < 4; i++)
		if (fd_state_changed(fd[i], &state[i], FD_NEW_INODE) || fstat(fd[i], &st[i]))
			return fail("descriptor %d changed", i);
	for (i = 1; i < 4; i++)
		if (st[0].st_ino != st[i].st_ino || st[0].st_dev != st[i].st_dev)
			return fail("descriptor %d is another memfd", i);
	if (fd_same_offset(fd[0], fd[1]) != 1)
		return fail("the copies do not share their position any more");
	if (fd_same_offset(fd[0], fd[2]) || fd_same_offset(fd[0], fd[3]) || fd_same_offset(fd[2], fd[3]))
		return fail("separate opens share their position");
	if (write(fd[3], "x", 1) >= 0 || errno != EBADF)
		return fail("the read-only descriptor can write");
	if (pwrite(fd[2], "new", 3, 0) != 3 || pread(fd[3], data, 3, 0) != 3 || memcmp(data, "new", 3))
		return fail("a write is not seen through the other descriptor");

	pass();
	return 0;
}
