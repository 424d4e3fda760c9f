#include "blocked.h"
#include "msgprop.h"

const char *test_doc = "A task that waits for room in a message queue goes on waiting, and sends once";

#define KEY 0x5a4d0004

static int queue;

static int make(void)
{
	struct msqid_ds ds;

	queue = msgget(KEY, IPC_CREAT | IPC_EXCL | 0600);
	if (queue < 0 || msgctl(queue, IPC_STAT, &ds))
		return 1;
	ds.msg_qbytes = 10;
	return msgctl(queue, IPC_SET, &ds) || msg_send(queue, 1, "0123456789", 10);
}

static long call(void)
{
	return msg_send(queue, 2, "late", 4);
}

static int wake(pid_t child)
{
	(void)child;
	queue = msgget(KEY, 0);
	return queue < 0 || msg_differs(queue, 1, "0123456789", 10);
}

static int check(void)
{
	struct msqid_ds ds;

	return msg_differs(queue, 2, "late", 4) || msgctl(queue, IPC_STAT, &ds) || ds.msg_qnum ||
	       msgctl(queue, IPC_RMID, NULL);
}

int main(int argc, char **argv)
{
	static const struct blocked_test test = {
		.set = make,
		.call = call,
		.wake = wake,
		.check = check,
	};

	return blocked_main(argc, argv, &test);
}
