#ifndef ZDTM_KIDS_H
#define ZDTM_KIDS_H

/*
 * Relatives that wait through the dump and check their half of a property
 * afterwards. The only things they need from restore are SIGTERM and their
 * own memory. Include zdtmtst.h first.
 */

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Forks a child that runs prepare(arg) (may be NULL), then waits for SIGTERM,
 * then runs check(arg) and exits with its value; both return 0 when all is
 * well. Returns once the child is ready: its pid, or -1.
 */
static inline pid_t kid_start(int (*prepare)(void *), int (*check)(void *), void *arg)
{
	char ready = 0;
	int sync[2];
	pid_t pid;

	if (pipe(sync)) {
		pr_perror("pipe");
		return -1;
	}
	pid = test_fork();
	if (pid < 0) {
		pr_perror("fork");
		close(sync[0]);
		close(sync[1]);
		return -1;
	}
	if (!pid) {
		/* A test that gives up halfway must not leave children behind. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(sync[0]);
		if (prepare && prepare(arg))
			_exit(1);
		if (write(sync[1], "", 1) != 1)
			_exit(1);
		close(sync[1]);
		test_waitsig();
		_exit(check(arg) ? 1 : 0);
	}
	close(sync[1]);
	if (read(sync[0], &ready, 1) != 1) {
		pr_err("child %d did not get ready\n", pid);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		pid = -1;
	}
	close(sync[0]);
	return pid;
}

/* Waits for a child that ends by itself: 0 when it exited with 0. */
static inline int kid_wait(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid) {
		pr_perror("wait for %d", pid);
		return 1;
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		pr_err("child %d ended with status %#x\n", pid, status);
		return 1;
	}
	return 0;
}

/* Lets the child check and collects the verdict: 0 when it was content. */
static inline int kid_finish(pid_t pid)
{
	if (kill(pid, SIGTERM)) {
		pr_perror("signal %d", pid);
		return 1;
	}
	return kid_wait(pid);
}

#endif
