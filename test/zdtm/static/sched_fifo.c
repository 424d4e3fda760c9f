#include <sched.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "Real-time policies and priorities";
const char *test_author = "The criu team";

static const struct {
	int policy, priority;
} values[] = { { SCHED_FIFO, 1 }, { SCHED_FIFO, 42 }, { SCHED_RR, 99 } };
static int n;

static int set(void)
{
	struct sched_param param = { values[n].priority };

	return sched_setscheduler(0, values[n].policy, &param) ? pr_perror("policy %d", values[n].policy) : 0;
}

static int check(void)
{
	int policy = sched_getscheduler(0);
	struct sched_param param;

	if (sched_getparam(0, &param) || policy != values[n].policy || param.sched_priority != values[n].priority)
		return fail("policy %d priority %d, were %d %d", policy, param.sched_priority, values[n].policy,
			    values[n].priority);
	return 0;
}

int main(int argc, char **argv)
{
	struct sched_param param = { 1 }, normal = { 0 };
	pid_t pids[ARRAY_SIZE(values)];

	test_init(argc, argv);
	/* Control groups without real-time budget refuse it even to root. */
	if (sched_setscheduler(0, SCHED_FIFO, &param)) {
		skip("SCHED_FIFO: %s", strerror(errno));
		return skipped_test();
	}
	if (sched_setscheduler(0, SCHED_OTHER, &normal))
		return pr_perror("SCHED_OTHER");
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
