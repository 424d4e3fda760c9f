#include "blocked.h"
#include "mqprop.h"

const char *test_doc = "A task that waits for a message in an unlinked POSIX queue goes on waiting, and gets it";

static mqd_t queue;

static long call(void)
{
	char text[MQ_BYTES];
	unsigned int priority = 0;
	ssize_t n = mq_receive(queue, text, sizeof(text), &priority);

	return n == 4 && !memcmp(text, "late", 4) && priority == 7 ? 4 : -1;
}

static int wake(pid_t child)
{
	(void)child;
	return mq_put(queue, "late", 7);
}

int main(int argc, char **argv)
{
	static const struct blocked_test test = { .call = call, .wake = wake, .ret = 4 };

	queue = mq_make_unlinked("/zdtm-mqueue_block_receive", 0, 2);
	return blocked_main(argc, argv, &test);
}
