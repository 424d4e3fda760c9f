#include "zdtmtst.h"
#include "fileprop.h"
#include "filelocks.h"
#include "taskutil.h"

const char *test_doc = "Open file description locks on ranges, shared with a child";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

static const struct lock_seen seen[] = {
	{ BY_OFD, F_WRLCK, 0, 5, 0 },	{ BY_OFD, F_RDLCK, 5, 1, 1 },	 { BY_OFD, F_RDLCK, 14, 1, 1 },
	{ BY_OFD, F_WRLCK, 15, 5, 0 },	{ BY_OFD, F_RDLCK, 20, 100, 0 }, { BY_OFD, F_WRLCK, 99999, TO_EOF, 1 },
	{ BY_POSIX, F_RDLCK, 5, 1, 1 },
};

static int fd;

static int use(void)
{
	/* The lock is the child's as well: not in its way, and free when it says so. */
	return lock_set(fd, BY_OFD, F_WRLCK, 20, TO_EOF) || lock_set(fd, BY_OFD, F_UNLCK, 0, TO_EOF) ? pr_perror("lock")
												     : 0;
}

int main(int argc, char **argv)
{
	pid_t pid;

	test_init(argc, argv);

	fd = file_create(filename, O_RDWR, 0644);
	if (fd < 0 || lock_set(fd, BY_OFD, F_WRLCK, 5, 10) || lock_set(fd, BY_OFD, F_RDLCK, 20, TO_EOF))
		return pr_perror("lock %s", filename);
	pid = child_start(NULL, use);
	if (pid < 0 || lock_check(fd, seen, ARRAY_SIZE(seen)))
		return 1;

	test_daemon();
	test_waitsig();

	if (lock_check(fd, seen, ARRAY_SIZE(seen)) || lock_holder(fd, F_WRLCK, 5, 10) != -1)
		return fail("the locks are not what they were");
	if (child_finish(pid) || lock_excludes(fd, BY_OFD, F_WRLCK, 0, TO_EOF) != 0)
		return fail("the child does not share the locks");
	pass();
	return 0;
}
