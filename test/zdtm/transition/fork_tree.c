#include <sched.h>
#include <sys/wait.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "Dumped while a tree grows and withers: each process checks its parent and its children";
const char *test_author = "The criu team";

#define DEPTH 4

/* Every process makes two children until @depth is used up; the number of leaves comes back as exit status. */
static int grow(int depth)
{
	pid_t parent = getpid(), pids[2];
	int i, status, leaves = 0;

	if (!depth)
		return 1;
	for (i = 0; i < 2; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			return -1;
		if (!pids[i])
			_exit(getppid() == parent ? grow(depth - 1) : 255);
		sched_yield();
	}
	for (i = 0; i < 2; i++) {
		if (TEMP_FAILURE_RETRY(waitpid(pids[i], &status, 0)) != pids[i] || !WIFEXITED(status))
			return -1;
		leaves += WEXITSTATUS(status);
	}
	return leaves;
}

int main(int argc, char **argv)
{
	int leaves;

	test_init(argc, argv);
	test_daemon();
	while (test_go()) {
		leaves = grow(DEPTH);
		if (leaves != 1 << DEPTH)
			return fail("%d leaves instead of %d", leaves, 1 << DEPTH);
	}
	pass();
	return 0;
}
