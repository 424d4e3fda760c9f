#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lock.h"
#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "A process whose first thread has ended can not be rebuilt: refused, and unharmed";
const char *test_author = "The criu team";

static futex_t *end;

static void *thread(void *arg)
{
	(void)arg;
	futex_wait_while(end, 0);
	_exit(0);
}

int main(int argc, char **argv)
{
	pthread_t id;
	pid_t pid;

	test_init(argc, argv);
	end = shared_alloc(sizeof(*end));
	if (!end)
		return 1;
	pid = test_fork();
	if (pid < 0)
		return pr_perror("fork");
	if (!pid) {
		if (pthread_create(&id, NULL, thread, NULL))
			_exit(1);
		syscall(SYS_exit, 0);
	}
	if (task_wait_state(pid, 'Z'))
		return 1;

	test_daemon();
	test_waitsig();

	if (waitpid(pid, NULL, WNOHANG))
		return fail("the process has ended");
	futex_set_and_wake(end, 1);
	if (child_reap(pid))
		return 1;
	pass();
	return 0;
}
