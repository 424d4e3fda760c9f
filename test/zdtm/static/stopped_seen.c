#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "A stopped task with threads whose stop the parent has already waited for";
const char *test_author = "The criu team";

static void *thread(void *arg)
{
	test_waitsig();
	return arg;
}

static int set(void)
{
	pthread_t id;
	int i;

	for (i = 0; i < 3; i++) {
		errno = pthread_create(&id, NULL, thread, NULL);
		if (errno)
			return pr_perror("pthread_create");
	}
	return 0;
}

int main(int argc, char **argv)
{
	siginfo_t info = { 0 };
	int status;
	pid_t pid;

	test_init(argc, argv);
	pid = child_start(set, NULL);
	if (pid < 0 || kill(pid, SIGSTOP) || waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
		return pr_perror("stop");

	test_daemon();
	test_waitsig();

	if (task_state(pid) != 'T')
		return fail("the child is not stopped but %c", task_state(pid));
	if (waitid(P_PID, pid, &info, WSTOPPED | WCONTINUED | WEXITED | WNOHANG) || info.si_pid)
		return fail("an event is reported that the parent has seen before: code %d", info.si_code);
	if (kill(pid, SIGCONT) || waitpid(pid, &status, WCONTINUED) != pid || !WIFCONTINUED(status))
		return fail("continue");
	if (child_finish(pid))
		return 1;
	pass();
	return 0;
}
