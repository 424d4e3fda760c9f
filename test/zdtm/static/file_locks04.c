#include "zdtmtst.h"
#include "fileprop.h"
#include "filelocks.h"
#include "taskutil.h"

const char *test_doc = "Two open files of one process have an flock each, and closing one drops the POSIX locks only";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

int main(int argc, char **argv)
{
	int one, two;

	test_init(argc, argv);

	one = file_create(filename, O_RDWR, 0644);
	two = open(filename, O_RDWR);
	if (one < 0 || two < 0 || flock(one, LOCK_SH) || flock(two, LOCK_SH) ||
	    lock_set(one, BY_POSIX, F_WRLCK, 0, 10) || lock_set(two, BY_POSIX, F_WRLCK, 20, 10))
		return pr_perror("lock %s", filename);

	test_daemon();
	test_waitsig();

	/* Neither can become exclusive while the other is there. */
	if (!flock(one, LOCK_EX | LOCK_NB) || errno != EWOULDBLOCK || flock(one, LOCK_SH))
		return fail("the second lock is lost");
	if (lock_excludes(one, BY_POSIX, F_RDLCK, 0, 10) != 1 || lock_excludes(one, BY_POSIX, F_RDLCK, 20, 10) != 1)
		return fail("a POSIX lock is lost");
	close(one);
	if (lock_excludes(two, BY_POSIX, F_WRLCK, 0, TO_EOF) != 0)
		return fail("POSIX locks are held by nobody");
	if (lock_excludes(two, BY_FLOCK, F_WRLCK, 0, 0) != 1 || flock(two, LOCK_EX | LOCK_NB))
		return fail("the lock of the other open file");
	pass();
	return 0;
}
