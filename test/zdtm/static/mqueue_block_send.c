#include "blocked.h"
#include "mqprop.h"

const char *test_doc = "A task that waits for room in a full unlinked POSIX queue goes on waiting, and sends once";

static mqd_t queue;

static long call(void)
{
	return mq_send(queue, "late", 4, 9);
}

static int wake(pid_t child)
{
	(void)child;
	return mq_differs(queue, "first", 3);
}

static int check(void)
{
	return mq_differs(queue, "late", 9) || mq_differs(queue, "second", 2) || mq_attr_differs(queue, 0, 2, 0);
}

int main(int argc, char **argv)
{
	static const struct blocked_test test = { .call = call, .wake = wake, .check = check };

	queue = mq_make_unlinked("/zdtm-mqueue_block_send", 0, 2);
	if (queue >= 0 && (mq_send(queue, "first", 5, 3) || mq_send(queue, "second", 6, 2)))
		return 1;
	return blocked_main(argc, argv, &test);
}
