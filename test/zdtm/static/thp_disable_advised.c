#include <sys/prctl.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "Huge pages forbidden except where they were asked for; a child has forbidden all, another none";
const char *test_author = "The criu team";

#ifndef PR_THP_DISABLE_EXCEPT_ADVISED
#define PR_THP_DISABLE_EXCEPT_ADVISED (1 << 1)
#endif

static int forbidden(void)
{
	return prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0);
}

static int set_all(void)
{
	return prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

static int check_all(void)
{
	return forbidden() == 1 ? 0 : fail("it is %d, not 1", forbidden());
}

static int set_none(void)
{
	return prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
}

static int check_none(void)
{
	return forbidden() ? fail("it is %d, not 0", forbidden()) : 0;
}

int main(int argc, char **argv)
{
	pid_t all, none;

	test_init(argc, argv);
	if (prctl(PR_SET_THP_DISABLE, 1, PR_THP_DISABLE_EXCEPT_ADVISED, 0, 0)) {
		skip("PR_THP_DISABLE_EXCEPT_ADVISED: %s", strerror(errno));
		return skipped_test();
	}
	all = child_start(set_all, check_all);
	none = child_start(set_none, check_none);
	if (all < 0 || none < 0)
		return 1;

	test_daemon();
	test_waitsig();

	if (forbidden() != (1 | PR_THP_DISABLE_EXCEPT_ADVISED))
		return fail("it is %d, not %d", forbidden(), 1 | PR_THP_DISABLE_EXCEPT_ADVISED);
	if (child_finish(all) || child_finish(none))
		return 1;
	pass();
	return 0;
}
