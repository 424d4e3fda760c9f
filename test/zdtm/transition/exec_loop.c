#include <signal.h>
#include <sys/wait.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "Dumped while a child replaces its program again and again, keeping its pid and a counter";
const char *test_author = "The criu team";

#define MARK "exec-loop-child"

static volatile sig_atomic_t stop;

static void on_term(int sig)
{
	(void)sig;
	stop = 1;
}

/* argv: program, mark, pid, counter. SIGTERM is blocked from one program to the next, so it can't fall in between. */
static int child(char **argv)
{
	struct sigaction sa = { .sa_handler = on_term };
	char *program = argv[0], counter[32];
	sigset_t set;

	if (atoi(argv[2]) != getpid())
		return 2;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaction(SIGTERM, &sa, NULL);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (stop)
		return atoi(argv[3]) > 1 ? 0 : 3;
	snprintf(counter, sizeof(counter), "%d", atoi(argv[3]) + 1);
	execl(program, program, MARK, argv[2], counter, NULL);
	return 4;
}

int main(int argc, char **argv)
{
	char self[32];
	sigset_t set;
	pid_t pid;

	if (argc == 4 && !strcmp(argv[1], MARK))
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
		execl(argv[0], argv[0], MARK, self, "0", NULL);
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
