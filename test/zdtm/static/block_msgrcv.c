#include "blocked.h"
#include "msgprop.h"

const char *test_doc = "A task that waits for a message of one type goes on waiting, and gets that one";

#define KEY 0x5a4d0003

static int queue;
static struct msg got;

static int make(void)
{
	queue = msgget(KEY, IPC_CREAT | IPC_EXCL | 0600);
	return queue < 0;
}

static long call(void)
{
	return msgrcv(queue, &got, sizeof(got.text), 2, 0);
}

static int wake(pid_t child)
{
	queue = msgget(KEY, 0);
	if (queue < 0 || msg_send(queue, 1, "wrong", 5) || task_wait_state(child, 'S'))
		return fail("a message of another type");
	return msg_send(queue, 2, "right one", 9);
}

static int check(void)
{
	return got.type != 2 || memcmp(got.text, "right one", 9) || msg_differs(queue, 1, "wrong", 5) ||
	       msgctl(queue, IPC_RMID, NULL);
}

int main(int argc, char **argv)
{
	static const struct blocked_test test = {
		.set = make,
		.call = call,
		.wake = wake,
		.check = check,
		.ret = 9,
	};

	return blocked_main(argc, argv, &test);
}
