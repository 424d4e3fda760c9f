#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "lock.h"
#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "Dumped while processes leave orphans to a subreaper, and others end unseen: no orphan is lost";
const char *test_author = "The criu team";

#define CHAINS 4

static struct shared {
	futex_t stop, generation[CHAINS], ended;
} * shared;

/* Each generation makes the next one and ends first, so that it is adopted. */
static void chain(int n)
{
	while (!futex_get(&shared->stop)) {
		pid_t pid;

		/* One that nobody waits for: SIGCHLD is ignored here. */
		if (!fork())
			_exit(0);
		pid = fork();
		if (pid)
			_exit(pid < 0);
		futex_inc(&shared->generation[n]);
	}
	futex_inc(&shared->ended);
	_exit(0);
}

/* Wait until a counter has passed a value; 0 when it has. */
static int passes(futex_t *counter, uint32_t value)
{
	for (int i = 0; i < 1000; i++) {
		if (futex_get(counter) > value)
			return 0;
		usleep(5000);
	}
	return -1;
}

int main(int argc, char **argv)
{
	int i;

	test_init(argc, argv);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
		return pr_perror("mmap or prctl");
	signal(SIGCHLD, SIG_IGN);
	for (i = 0; i < CHAINS; i++)
		if (!fork())
			chain(i);

	test_daemon();
	test_waitsig();

	for (i = 0; i < CHAINS; i++)
		if (passes(&shared->generation[i], futex_get(&shared->generation[i])))
			return fail("chain %d has been lost", i);
	futex_set(&shared->stop, 1);
	if (passes(&shared->ended, CHAINS - 1))
		return fail("%u of %d chains have ended", futex_get(&shared->ended), CHAINS);
	pass();
	return 0;
}
