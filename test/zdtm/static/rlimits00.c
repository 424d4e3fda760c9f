#include <sys/resource.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "All resource limits, soft and hard, with unlimited ones";
const char *test_author = "The criu team";

static struct rlimit want[RLIM_NLIMITS];

/* Lowering needs no privilege; every limit gets values of its own. */
static int set(void)
{
	int i;

	for (i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit l;

		if (getrlimit(i, &l))
			return pr_perror("getrlimit %d", i);
		if (i == RLIMIT_CORE || i == RLIMIT_FSIZE || i == RLIMIT_NOFILE || i == RLIMIT_MSGQUEUE ||
		    i == RLIMIT_SIGPENDING || i == RLIMIT_STACK) {
			if (l.rlim_max == RLIM_INFINITY || l.rlim_max > (16 << 20) + 8192U * i)
				l.rlim_max = (16 << 20) + 8192U * i;
			if (i == RLIMIT_NOFILE && l.rlim_max > 700)
				l.rlim_max = 700;
			if (i == RLIMIT_STACK || l.rlim_cur > l.rlim_max)
				l.rlim_cur = l.rlim_max;
			if (i != RLIMIT_STACK && l.rlim_cur)
				l.rlim_cur = l.rlim_max - 1;
			if (l.rlim_max == 0)
				l.rlim_cur = 0;
		}
		if (i == RLIMIT_CPU)
			l.rlim_cur = 100000;
		want[i] = l;
		if (setrlimit(i, &l))
			return pr_perror("setrlimit %d", i);
	}
	return 0;
}

static int check(void)
{
	int i;

	for (i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit l;

		if (getrlimit(i, &l))
			return fail("getrlimit %d", i);
		if (l.rlim_cur != want[i].rlim_cur || l.rlim_max != want[i].rlim_max)
			return fail("limit %d is %lu %lu, was %lu %lu", i, l.rlim_cur, l.rlim_max, want[i].rlim_cur,
				    want[i].rlim_max);
	}
	return 0;
}

int main(int argc, char **argv)
{
	return child_test(argc, argv, set, check);
}
