#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "taskutil.h"
#include "zdtmtst.h"
#include "execs.h"

const char *test_doc = "Dumped while threads other than the main one execute the program again and again";
const char *test_author = "The criu team";

#define MARK "exec-thread-child"

static char **args;

static void *next(void *arg)
{
	char counter[32];

	(void)arg;
	snprintf(counter, sizeof(counter), "%d", atoi(args[3]) + 1);
	execl(args[0], args[0], MARK, args[2], counter, NULL);
	_exit(4);
}

/* argv: program, mark, pid, counter. The exec kills the main thread, which only waits. */
static int child(char **argv)
{
	pthread_t thread;
	sigset_t set;

	if (atoi(argv[2]) != getpid())
		return 2;
	args = argv;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	if (sigpending(&set))
		return 3;
	if (sigismember(&set, SIGTERM))
		return atoi(argv[3]) > 1 ? 0 : 3;
	if (pthread_create(&thread, NULL, next, NULL))
		return 5;
	pthread_join(thread, NULL);
	return 6;
}

int main(int argc, char **argv)
{
	return execs_main(argc, argv, MARK, child);
}
