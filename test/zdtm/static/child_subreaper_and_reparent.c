#include <signal.h>
#include <sys/prctl.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "The root of the tree is a subreaper, with an orphan it got before and one it gets after";
const char *test_author = "The criu team";

static pid_t *orphans;
static int number;
static pid_t reaper;

static int check_orphan(void)
{
	return getppid() != reaper ? fail("my parent is %d, not the subreaper %d", getppid(), reaper) : 0;
}

static int set_parent(void)
{
	orphans[number] = child_start(NULL, check_orphan);
	return orphans[number] < 0;
}

static int has_subreaper(void)
{
	int on = 0;

	return prctl(PR_GET_CHILD_SUBREAPER, &on) ? 0 : on;
}

static int check_parent(void)
{
	return has_subreaper() ? fail("a child of the subreaper has become one") : 0;
}

int main(int argc, char **argv)
{
	pid_t parents[2];

	test_init(argc, argv);
	reaper = getpid();
	orphans = shared_alloc(2 * sizeof(*orphans));
	if (!orphans)
		return 1;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1))
		return pr_perror("PR_SET_CHILD_SUBREAPER");
	for (number = 0; number < 2; number++) {
		parents[number] = child_start(set_parent, check_parent);
		if (parents[number] < 0)
			return 1;
	}
	if (child_finish(parents[0]))
		return 1;

	test_daemon();
	test_waitsig();

	if (!has_subreaper())
		return fail("no longer a subreaper");
	if (child_finish(parents[1]))
		return 1;
	if (child_finish(orphans[0]) || child_finish(orphans[1]))
		return fail("an orphan");
	pass();
	return 0;
}
