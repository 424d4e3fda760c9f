#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "The parent-death signal is kept, not sent by dump or restore, and sent when the parent dies";
const char *test_author = "The criu team";

struct shared {
	volatile int got;
	volatile pid_t grandchild;
};

static struct shared *shared;

static void handler(int sig)
{
	shared->got = sig;
}

static int set_grandchild(void)
{
	if (signal(SIGUSR2, handler) == SIG_ERR || prctl(PR_SET_PDEATHSIG, SIGUSR2))
		return pr_perror("PR_SET_PDEATHSIG");
	shared->grandchild = getpid();
	return 0;
}

static int check_grandchild(void)
{
	int sig = 0, i;

	if (prctl(PR_GET_PDEATHSIG, &sig) || sig != SIGUSR2)
		return fail("the signal is %d", sig);
	for (i = 0; i < 2000 && !shared->got; i++)
		usleep(5000);
	return shared->got != SIGUSR2 ? fail("the parent is dead and no signal came") : 0;
}

static int check_child(void)
{
	int sig = -1;

	return prctl(PR_GET_PDEATHSIG, &sig) || sig ? fail("the middle process has the signal %d", sig) : 0;
}

static int set_child(void)
{
	return child_start(set_grandchild, check_grandchild) < 0;
}

int main(int argc, char **argv)
{
	pid_t child;

	test_init(argc, argv);
	shared = shared_alloc(sizeof(*shared));
	if (!shared || prctl(PR_SET_CHILD_SUBREAPER, 1))
		return 1;
	child = child_start(set_child, check_child);
	if (child < 0)
		return 1;

	test_daemon();
	test_waitsig();

	if (shared->got)
		return fail("a signal came though the parent lives");
	if (child_finish(child))
		return 1;
	/* Only now the middle one is dead. */
	if (child_finish(shared->grandchild))
		return 1;
	pass();
	return 0;
}
