#include "zdtmtst.h"
#include "fileprop.h"
#include "filelocks.h"
#include "taskutil.h"

const char *test_doc = "Who waits for a POSIX lock, an flock or an OFD lock goes on waiting and gets it";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

#define KINDS 3

static int fd;

static pid_t wait_for_lock(enum lock_how how)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	pid_t pid = test_fork();
	int own, ret;

	if (pid)
		return pid;
	own = lock_open(fd, O_RDWR);
	/* Each kind in the ranges of its own, and flock beside both. */
	lock.l_start = how * 10;
	lock.l_len = 10;
	if (how == BY_FLOCK)
		ret = flock(own, LOCK_EX);
	else
		ret = fcntl(own, how == BY_OFD ? F_OFD_SETLKW : F_SETLKW, &lock);
	_exit(own < 0 || ret ? pr_perror("wait for lock %d", how) : 0);
}

int main(int argc, char **argv)
{
	pid_t pids[KINDS];

	test_init(argc, argv);

	fd = file_create(filename, O_RDWR, 0644);
	for (int how = 0; how < KINDS; how++)
		if (fd < 0 || lock_set(fd, how, F_WRLCK, how * 10, 10))
			return pr_perror("lock %s", filename);
	for (int how = 0; how < KINDS; how++) {
		pids[how] = wait_for_lock(how);
		if (pids[how] < 0 || task_wait_state(pids[how], 'S'))
			return pr_err("no waiter\n");
	}

	test_daemon();
	test_waitsig();

	for (int how = 0; how < KINDS; how++)
		if (waitpid(pids[how], NULL, WNOHANG) || task_wait_state(pids[how], 'S'))
			return fail("waiter %d did not wait", how);
	for (int how = 0; how < KINDS; how++) {
		if (lock_set(fd, how, F_UNLCK, how * 10, 10))
			return fail("unlock %d", how);
		if (child_reap(pids[how]))
			return fail("waiter %d did not get the lock", how);
	}
	pass();
	return 0;
}
