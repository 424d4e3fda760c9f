#include <signal.h>
#include <sys/wait.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "Background jobs that a terminal has stopped: by reading, by writing; seen by the shell or not";
const char *test_author = "The criu team";

static const struct {
	int signo;
	int seen;
} jobs[] = {
	{ SIGTTIN, 0 },
	{ SIGTTIN, 1 },
	{ SIGTTOU, 0 },
	{ SIGTTOU, 1 },
};

static pid_t *pids;

/* The leader of a session, as a shell is; a job's group is not orphaned. No terminal: the signals say all of it. */
static int set(void)
{
	int status;
	size_t i;

	if (setsid() < 0)
		return pr_perror("setsid");
	for (i = 0; i < ARRAY_SIZE(jobs); i++) {
		pids[i] = child_start(NULL, NULL);
		if (pids[i] < 0 || setpgid(pids[i], pids[i]) || kill(pids[i], jobs[i].signo) ||
		    task_wait_state(pids[i], 'T'))
			return pr_perror("job");
		if (jobs[i].seen && waitpid(pids[i], &status, WUNTRACED) != pids[i])
			return pr_perror("waitpid");
	}
	return 0;
}

static int check(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(jobs); i++) {
		siginfo_t info = { 0 };
		int want = jobs[i].seen ? 0 : jobs[i].signo;

		if (waitid(P_PID, pids[i], &info, WSTOPPED | WNOHANG) || info.si_status != want)
			return fail("job %zu: stop by %d instead of %d is reported", i, info.si_status, want);
		if (kill(pids[i], SIGCONT) || child_finish(pids[i]))
			return fail("job %zu: continue", i);
	}
	return 0;
}

int main(int argc, char **argv)
{
	size_t i;
	pid_t pid;

	test_init(argc, argv);
	pids = shared_alloc(sizeof(*pids) * ARRAY_SIZE(jobs));
	if (!pids)
		return 1;
	pid = child_start(set, check);
	if (pid < 0)
		return 1;

	test_daemon();
	test_waitsig();

	for (i = 0; i < ARRAY_SIZE(jobs); i++)
		if (task_state(pids[i]) != 'T')
			return fail("job %zu is not stopped but %c", i, task_state(pids[i]));
	if (child_finish(pid))
		return 1;
	pass();
	return 0;
}
