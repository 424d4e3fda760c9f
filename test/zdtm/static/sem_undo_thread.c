#include "zdtmtst.h"
#include "semthread.h"

const char *test_doc = "A thread with an adjustment (SEM_UNDO) that its process does not share: refused, and it still "
		       "has it";

static struct sem_thread holder;

int main(int argc, char **argv)
{
	test_init(argc, argv);

	if (sem_thread_start(&holder, 1))
		return 1;

	test_daemon();
	test_waitsig();

	if (sem_thread_finish(&holder))
		return fail("changed");

	pass();
	return 0;
}
