#include <signal.h>
#include <sys/wait.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "Stopped tasks stay stopped, by which signal too; one whose stop the parent has not yet seen";
const char *test_author = "The criu team";

static int reported_once(pid_t pid, int sig)
{
	siginfo_t info = { 0 };

	if (waitid(P_PID, pid, &info, WSTOPPED | WNOHANG) || info.si_code != CLD_STOPPED || info.si_status != sig)
		return !fail("%d: stop by %d was not reported: code %d status %d", pid, sig, info.si_code,
			     info.si_status);
	info.si_pid = 0;
	if (waitid(P_PID, pid, &info, WSTOPPED | WNOHANG) || info.si_pid)
		return !fail("%d: the stop was reported twice", pid);
	return 1;
}

int main(int argc, char **argv)
{
	static const int stops[] = { SIGSTOP, SIGTSTP };
	pid_t pids[ARRAY_SIZE(stops)];
	size_t i;
	int status;

	test_init(argc, argv);
	for (i = 0; i < ARRAY_SIZE(stops); i++) {
		pids[i] = child_start(NULL, NULL);
		/* The group of the session leader is orphaned: SIGTSTP stops only in another one. */
		if (pids[i] < 0 || setpgid(pids[i], pids[i]) || kill(pids[i], stops[i]) ||
		    task_wait_state(pids[i], 'T'))
			return pr_perror("stop the child");
	}

	test_daemon();
	test_waitsig();

	for (i = 0; i < ARRAY_SIZE(stops); i++) {
		if (task_state(pids[i]) != 'T')
			return fail("%d is not stopped but %c", pids[i], task_state(pids[i]));
		if (!reported_once(pids[i], stops[i]))
			return 1;
		/* Fatal only once it goes on. */
		if (kill(pids[i], SIGTERM) || task_wait_state(pids[i], 'T') || kill(pids[i], SIGCONT))
			return fail("signals to %d", pids[i]);
		if (waitpid(pids[i], &status, WCONTINUED) != pids[i])
			return fail("waitpid");
		if (WIFCONTINUED(status) && waitpid(pids[i], &status, 0) != pids[i])
			return fail("waitpid");
		if (status)
			return fail("wait status %#x", status);
	}
	pass();
	return 0;
}
