#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "zdtmtst.h"
#include "semprop.h"

const char *test_doc = "Two processes with one list of adjustments (CLONE_SYSVSEM): refused, and the last end carries "
		       "them out";

int main(int argc, char **argv)
{
	int set;
	pid_t child;

	test_init(argc, argv);

	set = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
	if (set < 0 || semctl(set, 0, SETVAL, 2))
		return pr_perror("semget");
	child = (pid_t)syscall(SYS_clone, CLONE_SYSVSEM | SIGCHLD, NULL, NULL, NULL, NULL);
	if (child < 0)
		return pr_perror("clone");
	if (!child) {
		/* What the child has taken, the end of it alone does not give back. */
		_exit(sem_op1(set, 0, -1, SEM_UNDO) ? 1 : (pause(), 0));
	}
	if (sem_await(set, 0, 1))
		return pr_perror("the child takes nothing");

	test_daemon();
	test_waitsig();

	if (sem_differs(set, 0, 1))
		return fail("changed");
	if (kill(child, SIGKILL) || waitpid(child, NULL, 0) != child || sem_differs(set, 0, 1))
		return fail("the end of one process was enough");
	/* The last one gives its list up. */
	if (unshare(CLONE_SYSVSEM) || sem_await(set, 0, 2))
		return fail("the end of both changed nothing");
	if (semctl(set, 0, IPC_RMID))
		return fail("remove");

	pass();
	return 0;
}
