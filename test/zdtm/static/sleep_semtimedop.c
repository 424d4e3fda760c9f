#include "blocked.h"
#include "semprop.h"

const char *test_doc = "A wait for a semaphore with a time limit ends by that, and not before";

static int set;

static int make(void)
{
	set = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
	return set < 0;
}

static long call(void)
{
	struct timespec limit = BLOCKED_TIMESPEC;
	struct sembuf op = { 0, -1, 0 };

	return semtimedop(set, &op, 1, &limit);
}

static int check(void)
{
	return semctl(set, 0, IPC_RMID);
}

int main(int argc, char **argv)
{
	static const struct blocked_test test = {
		.set = make,
		.call = call,
		.check = check,
		.ret = -1,
		.err = EAGAIN,
		.timeout_ms = BLOCKED_TIMEOUT_MS,
	};

	return blocked_main(argc, argv, &test);
}
