#include <fcntl.h>
#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "fileprop.h"

const char *test_doc =
	"Regular files: every combination of access mode and flags, position, close-on-exec, two opens of one file";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

static const int flags[] = {
	O_RDONLY,
	O_WRONLY,
	O_RDWR,
	O_RDWR | O_APPEND,
	O_WRONLY | O_APPEND | O_NONBLOCK,
	O_RDONLY | O_NONBLOCK,
	O_RDWR | O_SYNC,
	O_WRONLY | O_DSYNC,
	O_RDWR | O_NOATIME,
	O_RDONLY | O_CLOEXEC,
	O_RDWR | O_APPEND | O_CLOEXEC | O_NONBLOCK,
	/* Without effect any more once it is open. */
	O_RDWR | O_NOFOLLOW,
};
#define NR ARRAY_SIZE(flags)

#define SIZE (3 * PG + 11)

int main(int argc, char **argv)
{
	struct fd_state state[NR];
	char data[SIZE];
	int fds[NR];
	unsigned int i, k;

	test_init(argc, argv);

	fds[0] = file_create(filename, O_WRONLY, 0664);
	pattern_fill(data, SIZE, 1);
	if (fds[0] < 0 || write(fds[0], data, SIZE) != SIZE || close(fds[0]))
		return pr_perror("create %s", filename);
	for (i = 0; i < NR; i++) {
		fds[i] = open(filename, flags[i]);
		/* Some of the positions lie behind the end. */
		if (fds[i] < 0 || lseek(fds[i], i * 1500, SEEK_SET) != (off_t)i * 1500 ||
		    fd_state_get(fds[i], &state[i]))
			return pr_perror("open with %#x", flags[i]);
	}

	test_daemon();
	test_waitsig();

	for (i = 0; i < NR; i++)
		if (fd_state_changed(fds[i], &state[i], FD_SAME_INODE))
			return fail("file with flags %#x changed", flags[i]);
	for (i = 0; i < NR; i++)
		for (k = i + 1; k < NR; k++)
			if (fd_same_offset(fds[i], fds[k]))
				return fail("files with flags %#x and %#x share their position", flags[i], flags[k]);
	if (pread(fds[0], data, SIZE, 0) != SIZE || pattern_bad(data, SIZE, 1) >= 0)
		return fail("content changed");
	for (i = 0; i < NR; i++) {
		int mode = flags[i] & O_ACCMODE;

		if ((pread(fds[i], data, 1, 0) == 1) != (mode != O_WRONLY))
			return fail("file with flags %#x: wrong result of a read", flags[i]);
		if ((pwrite(fds[i], data, 1, 0) == 1) != (mode != O_RDONLY))
			return fail("file with flags %#x: wrong result of a write", flags[i]);
	}

	pass();
	return 0;
}
