#include <signal.h>
#include <sys/wait.h>

#include "taskutil.h"
#include "zdtmtst.h"
#include "execs.h"

const char *test_doc = "Dumped while a child replaces its program again and again, keeping its pid and a counter";
const char *test_author = "The criu team";

#define MARK "exec-loop-child"

static volatile sig_atomic_t stop;

static void on_term(int sig)
{
	(void)sig;
	stop = 1;
}

/* argv: program, mark, pid, counter. */
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
	return execs_main(argc, argv, MARK, child);
}
