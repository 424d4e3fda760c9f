#include <sched.h>
#include <sys/resource.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "Scheduling policies that need no privilege, one with a nice value and one with reset-on-fork";
const char *test_author = "The criu team";

static const struct {
	int policy, nice;
} values[] = { { SCHED_OTHER, 0 }, { SCHED_BATCH, 4 }, { SCHED_IDLE, 0 }, { SCHED_BATCH | SCHED_RESET_ON_FORK, 0 } };
static int n;

static int set(void)
{
	struct sched_param param = { 0 };

	if (sched_setscheduler(0, values[n].policy, &param) || setpriority(PRIO_PROCESS, 0, values[n].nice))
		return pr_perror("policy %#x", values[n].policy);
	return 0;
}

static int check(void)
{
	int policy = sched_getscheduler(0), nice = getpriority(PRIO_PROCESS, 0);

	if (policy != values[n].policy || nice != values[n].nice)
		return fail("policy %#x nice %d, were %#x %d", policy, nice, values[n].policy, values[n].nice);
	return 0;
}

int main(int argc, char **argv)
{
	pid_t pids[ARRAY_SIZE(values)];

	test_init(argc, argv);
	for (n = 0; n < (int)ARRAY_SIZE(values); n++) {
		pids[n] = child_start(set, check);
		if (pids[n] < 0)
			return 1;
	}

	test_daemon();
	test_waitsig();

	for (n = 0; n < (int)ARRAY_SIZE(values); n++)
		if (child_finish(pids[n]))
			return 1;
	pass();
	return 0;
}
