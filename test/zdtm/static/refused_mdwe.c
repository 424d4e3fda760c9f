#include <sys/prctl.h>

#include "zdtmtst.h"
#include "kids.h"
#include "semthread.h"
#include "taskutil.h"

const char *test_doc =
	"A task that can't be asked anything (PR_SET_MDWE): what another one has to tell is told with it";

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_GET_MDWE 66
#endif

static struct sem_thread holder;

static int prepare(void *)
{
	return sem_thread_start(&holder, 1);
}

static int check(void *)
{
	return sem_thread_finish(&holder) ? fail("the child's semaphore") : 0;
}

int main(int argc, char **argv)
{
	pid_t child;

	test_init(argc, argv);

	child = kid_start(prepare, check, NULL);
	if (child < 0)
		return 1;
	if (prctl(PR_SET_MDWE, 1, 0, 0, 0)) {
		skip("the kernel has no PR_SET_MDWE");
		return skipped_test();
	}

	test_daemon();
	test_waitsig();

	if (prctl(PR_GET_MDWE, 0, 0, 0, 0) != 1 || kid_finish(child))
		return fail("changed");
	pass();
	return 0;
}
