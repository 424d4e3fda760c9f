#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commands/worker.h"
#include "util/interrupt.h"
#include "util/log.h"

/* Exits with 0 whatever its result; any other end, as when memory runs out, leaves *ret as it was. */
static void work_and_exit(int (*work)(void *arg), void *arg, pid_t watcher, int *ret)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != watcher)
		_exit(1);
	*ret = work(arg);
	log_close();
	_exit(0);
}

/* Until the worker is gone, hand on what we are asked. */
static int watch(pid_t worker, const sigset_t *signals)
{
	int status;

	for (;;) {
		int signo = sigwaitinfo(signals, NULL);

		if (signo > 0 && signo != SIGCHLD)
			kill(worker, signo);
		if (waitpid(worker, &status, WNOHANG) == worker)
			return status;
	}
}

static int outcome(int status, int result)
{
	if (WIFSIGNALED(status))
		return fail(ECHILD, "the worker was killed by signal %d (%s)", WTERMSIG(status),
			    strsignal(WTERMSIG(status)));
	if (WEXITSTATUS(status))
		return fail(ECHILD, "the worker gave up with exit status %d", WEXITSTATUS(status));
	return result;
}

int worker_run(int (*work)(void *arg), void *arg)
{
	int *result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t self = getpid(), worker;
	sigset_t signals, before;
	int status, ret;

	if (result == MAP_FAILED)
		return fail_errno("cannot map a page to share with the worker");
	*result = -ECHILD;
	interrupt_signals(&signals);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, &before);
	worker = fork();
	if (!worker)
		work_and_exit(work, arg, self, result);
	if (worker < 0) {
		ret = fail_errno("cannot fork the worker");
	} else {
		status = watch(worker, &signals);
		ret = outcome(status, *result);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	munmap(result, sizeof(*result));
	return ret;
}
