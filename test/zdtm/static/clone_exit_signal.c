#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "Children whose end is announced by another signal than SIGCHLD, or by none";
const char *test_author = "The criu team";

static const int signals[] = { SIGUSR1, 0, 39, SIGCHLD };
static volatile int count[65];

static void handler(int sig)
{
	count[sig]++;
}

int main(int argc, char **argv)
{
	pid_t pids[ARRAY_SIZE(signals)];
	size_t i;

	test_init(argc, argv);
	for (i = 0; i < ARRAY_SIZE(signals); i++) {
		pids[i] = sys_clone_unified(signals[i], NULL, NULL, NULL, 0);
		if (pids[i] < 0)
			return pr_perror("clone");
		if (!pids[i]) {
			test_waitsig();
			_exit(0);
		}
	}
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		if (signals[i] && signal(signals[i], handler) == SIG_ERR)
			return pr_perror("signal");

	test_daemon();
	test_waitsig();

	for (i = 0; i < ARRAY_SIZE(signals); i++)
		count[signals[i]] = 0;
	for (i = 0; i < ARRAY_SIZE(signals); i++) {
		int status;

		if (kill(pids[i], SIGTERM))
			return fail("kill %d", pids[i]);
		/* __WCLONE waits for all but those with SIGCHLD. */
		if (TEMP_FAILURE_RETRY(waitpid(pids[i], &status, signals[i] == SIGCHLD ? 0 : __WCLONE)) != pids[i] ||
		    status)
			return fail("wait for child %zu", i);
		if (signals[i] && count[signals[i]] != 1)
			return fail("signal %d came %d times", signals[i], count[signals[i]]);
	}
	pass();
	return 0;
}
