#include <sys/mman.h>

#include "zdtmtst.h"
#include "fileprop.h"
#include "filelocks.h"
#include "taskutil.h"

const char *test_doc = "Locks on a deleted file that is shared memory, a deleted file that is only open, and a memfd";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

enum { SHARED, GHOST, MEMFD, FILES };

static int fds[FILES];

static const struct lock_seen seen[] = {
	{ BY_POSIX, F_RDLCK, 0, 10, 1 }, { BY_POSIX, F_WRLCK, 10, 10, 0 }, { BY_OFD, F_RDLCK, 20, 10, 1 },
	{ BY_OFD, F_WRLCK, 30, 10, 0 },	 { BY_FLOCK, F_RDLCK, 0, 0, 0 },   { BY_FLOCK, F_WRLCK, 0, 0, 1 },
};

static int check(void)
{
	int bad = 0;

	for (int i = 0; i < FILES; i++)
		bad |= lock_check(fds[i], seen, ARRAY_SIZE(seen));
	return bad;
}

int main(int argc, char **argv)
{
	pid_t pid;

	test_init(argc, argv);

	for (int i = 0; i < FILES; i++) {
		fds[i] = i == MEMFD ? memfd_create("locked", 0) : file_create(filename, O_RDWR, 0644);
		if (fds[i] < 0 || (i != MEMFD && unlink(filename)) || ftruncate(fds[i], 4096))
			return pr_perror("file %d", i);
		if (lock_set(fds[i], BY_POSIX, F_WRLCK, 0, 10) || lock_set(fds[i], BY_OFD, F_WRLCK, 20, 10) ||
		    flock(fds[i], LOCK_SH))
			return pr_perror("lock file %d", i);
	}
	if (mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fds[SHARED], 0) == MAP_FAILED)
		return pr_perror("mmap");
	/* A second holder of all, so that there is something to share. */
	pid = child_start(NULL, check);
	if (pid < 0 || check())
		return 1;

	test_daemon();
	test_waitsig();

	if (check())
		return fail("the locks are not what they were");
	if (child_finish(pid))
		return fail("the child sees other locks");
	pass();
	return 0;
}
