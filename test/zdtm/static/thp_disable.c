#include <sys/prctl.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "Transparent huge pages disabled for a process, not for its parent";
const char *test_author = "The criu team";

static int set(void)
{
	return prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) ? pr_perror("PR_SET_THP_DISABLE") : 0;
}

static int check(void)
{
	int now = prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0);

	return now != 1 ? fail("the flag is %d", now) : 0;
}

int main(int argc, char **argv)
{
	pid_t pid;

	test_init(argc, argv);
	if (prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) < 0) {
		skip("the kernel has no PR_GET_THP_DISABLE");
		return skipped_test();
	}
	pid = child_start(set, check);
	if (pid < 0)
		return 1;

	test_daemon();
	test_waitsig();

	if (prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0))
		return fail("the parent has the flag");
	if (child_finish(pid))
		return 1;
	pass();
	return 0;
}
