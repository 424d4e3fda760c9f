#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

#include "zdtmtst.h"
#include "kids.h"
#include "semthread.h"

const char *test_doc =
	"A task of another pid namespace is asked nothing, as its numbers mean others there; its parent is";

static struct sem_thread holder;

int main(int argc, char **argv)
{
	pid_t child;

	test_init(argc, argv);

	if (sem_thread_start(&holder, 1))
		return 1;
	child = (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
	if (child < 0)
		return pr_perror("clone");
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		test_waitsig();
		_exit(0);
	}

	test_daemon();
	test_waitsig();

	if (sem_thread_finish(&holder) || kid_finish(child))
		return fail("changed");
	pass();
	return 0;
}
