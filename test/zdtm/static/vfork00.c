#include <signal.h>
#include <sys/wait.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "A task that waits for its vfork() child can not be stopped: refused, and unharmed";
const char *test_author = "The criu team";

static volatile pid_t *inner;

static int middle(void)
{
	volatile int mark = 1;
	pid_t pid = vfork();

	if (pid < 0)
		return 1;
	if (!pid) {
		*inner = getpid();
		test_waitsig();
		mark = 2;
		_exit(7);
	}
	if (mark != 2)
		return fail("the child's memory is not its parent's");
	if (waitpid(pid, (int *)&mark, 0) != pid || mark != 7 << 8)
		return fail("wait status %#x", mark);
	return 0;
}

int main(int argc, char **argv)
{
	pid_t pid;

	test_init(argc, argv);
	inner = shared_alloc(sizeof(*inner));
	if (!inner)
		return 1;
	pid = test_fork();
	if (pid < 0)
		return pr_perror("fork");
	if (!pid)
		exit(middle());
	while (!*inner)
		usleep(1000);
	if (task_wait_state(pid, 'D') || task_wait_state(*inner, 'S'))
		return 1;

	test_daemon();
	test_waitsig();

	if (kill(*inner, SIGTERM) || child_reap(pid))
		return fail("the child of vfork()");
	pass();
	return 0;
}
