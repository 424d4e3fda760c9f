#include "zdtmtst.h"
#include "fileprop.h"
#include "filelocks.h"
#include "taskutil.h"

const char *test_doc = "An flock taken by a child that is gone is still held by whoever inherited the file";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

static int fd;

static int unlock(void)
{
	return flock(fd, LOCK_UN) ? pr_perror("unlock") : 0;
}

int main(int argc, char **argv)
{
	pid_t taker, heir;

	test_init(argc, argv);

	fd = file_create(filename, O_RDWR, 0644);
	if (fd < 0)
		return 1;
	taker = test_fork();
	if (!taker)
		_exit(flock(fd, LOCK_EX) != 0);
	if (taker < 0 || child_reap(taker))
		return pr_err("the child could not lock\n");
	heir = child_start(NULL, unlock);
	if (heir < 0)
		return 1;
	if (lock_excludes(fd, BY_FLOCK, F_RDLCK, 0, 0) != 1)
		return pr_err("the lock is not seen\n");

	test_daemon();
	test_waitsig();

	if (lock_excludes(fd, BY_FLOCK, F_RDLCK, 0, 0) != 1)
		return fail("the lock is lost");
	/* It is one lock of one open file. */
	if (child_finish(heir) || lock_excludes(fd, BY_FLOCK, F_WRLCK, 0, 0) != 0)
		return fail("the lock that a child gave back is still held");
	pass();
	return 0;
}
