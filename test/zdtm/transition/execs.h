#ifndef ZDTM_EXECS_H
#define ZDTM_EXECS_H

/*
 * A child that executes its own program again and again. SIGTERM is blocked from one
 * program to the next, so it can't fall in between. Include zdtmtst.h and taskutil.h first.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The life of the test; @mark tells the child's program, @child(argv) is its main(), with argv program, mark, pid, counter. */
static inline int execs_main(int argc, char **argv, const char *mark, int (*child)(char **argv))
{
	char self[32];
	sigset_t set;
	pid_t pid;

	if (argc == 4 && !strcmp(argv[1], mark))
		return child(argv);

	test_init(argc, argv);
	pid = test_fork();
	if (pid < 0)
		return pr_perror("fork");
	if (!pid) {
		sigemptyset(&set);
		sigaddset(&set, SIGTERM);
		sigprocmask(SIG_BLOCK, &set, NULL);
		snprintf(self, sizeof(self), "%d", getpid());
		execl(argv[0], argv[0], mark, self, "0", NULL);
		_exit(5);
	}

	test_daemon();
	test_waitsig();

	if (waitpid(pid, NULL, WNOHANG))
		return fail("the child has ended");
	usleep(50000);
	if (child_finish(pid))
		return 1;
	pass();
	return 0;
}

#endif
