#include <sys/syscall.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "I/O priorities: class and level, of processes";
const char *test_author = "The criu team";

#define IOPRIO(class, level) ((class) << 13 | (level))
#define IOPRIO_WHO_PROCESS   1

/* Best effort 0, best effort 7, idle; the class real time would need a privilege. */
static const int values[] = { IOPRIO(2, 0), IOPRIO(2, 7), IOPRIO(3, 0) };
static int n;

static int set(void)
{
	return syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, values[n]) ? pr_perror("ioprio_set") : 0;
}

static int check(void)
{
	int now = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0);

	return now != values[n] ? fail("I/O priority %#x, was %#x", now, values[n]) : 0;
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
