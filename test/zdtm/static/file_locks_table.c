#include <sched.h>
#include <signal.h>

#include "zdtmtst.h"
#include "fileprop.h"
#include "filelocks.h"
#include "taskutil.h"

const char *test_doc = "A POSIX lock taken by one of two processes that share their descriptors belongs to both";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

static int fd;

/* Whom a stranger is told of. */
static int held_by(pid_t pid, off_t start)
{
	int status;
	pid_t stranger = test_fork();

	if (!stranger)
		_exit(lock_holder(fd, F_WRLCK, start, 5) != pid);
	return stranger > 0 && waitpid(stranger, &status, 0) == stranger && !status;
}

static int other(void *arg)
{
	(void)arg;
	if (lock_set(fd, BY_POSIX, F_WRLCK, 5, 5))
		_exit(pr_perror("lock"));
	test_waitsig();
	/* The lock on what the first one took is its, too, to give back. */
	_exit(lock_set(fd, BY_POSIX, F_UNLCK, 0, 5) ? pr_perror("unlock") : 0);
}

int main(int argc, char **argv)
{
	static char stack[65536] __stack_aligned__;
	pid_t pid;

	test_init(argc, argv);

	fd = file_create(filename, O_RDWR, 0644);
	if (fd < 0 || lock_set(fd, BY_POSIX, F_RDLCK, 0, 5))
		return pr_perror("lock %s", filename);
	pid = clone(other, stack + sizeof(stack), CLONE_FILES | SIGCHLD, NULL);
	if (pid < 0 || task_wait_state(pid, 'S') || lock_excludes(fd, BY_POSIX, F_RDLCK, 5, 5) != 1)
		return pr_perror("clone");

	test_daemon();
	test_waitsig();

	if (lock_excludes(fd, BY_POSIX, F_WRLCK, 0, 5) != 1 || lock_excludes(fd, BY_POSIX, F_RDLCK, 5, 5) != 1)
		return fail("a lock is lost");
	if (!held_by(getpid(), 0) || !held_by(pid, 5))
		return fail("a lock is not that of the process that took it");
	if (lock_holder(fd, F_WRLCK, 0, TO_EOF) != 0)
		return fail("a lock is somebody else's");
	if (child_finish(pid) || lock_excludes(fd, BY_POSIX, F_WRLCK, 0, 5) != 0)
		return fail("the other process does not share the locks");
	pass();
	return 0;
}
