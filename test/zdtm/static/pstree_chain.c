#include <signal.h>
#include <sys/wait.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "A chain of processes keeps its pids and parents";
const char *test_author = "The criu team";

#define DEPTH 12

static int depth;
static pid_t pid, parent, child;

static int check(void);

static int set(void)
{
	pid = getpid();
	parent = getppid();
	if (++depth == DEPTH)
		return 0;
	child = child_start(set, check);
	return child < 0;
}

static int check(void)
{
	int level = depth;

	if (getpid() != pid)
		return fail("level %d: pid %d was %d", level, getpid(), pid);
	if (getppid() != parent)
		return fail("level %d: parent %d was %d", level, getppid(), parent);
	if (child && kill(child, 0))
		return fail("level %d: child %d is gone", level, child);
	return child ? child_finish(child) : 0;
}

int main(int argc, char **argv)
{
	return child_test(argc, argv, set, check);
}
