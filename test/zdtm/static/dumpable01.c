#include <sys/prctl.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "The dumpable flag: on in the parent, off in the child";
const char *test_author = "The criu team";

static int set(void)
{
	return prctl(PR_SET_DUMPABLE, 0) ? pr_perror("PR_SET_DUMPABLE") : 0;
}

static int check(void)
{
	int now = prctl(PR_GET_DUMPABLE);

	return now ? fail("the child's flag is %d", now) : 0;
}

int main(int argc, char **argv)
{
	pid_t pid;

	test_init(argc, argv);
	pid = child_start(set, check);
	if (pid < 0 || prctl(PR_SET_DUMPABLE, 1))
		return 1;

	test_daemon();
	test_waitsig();

	if (prctl(PR_GET_DUMPABLE) != 1)
		return fail("the flag is %d", prctl(PR_GET_DUMPABLE));
	if (child_finish(pid))
		return 1;
	pass();
	return 0;
}
