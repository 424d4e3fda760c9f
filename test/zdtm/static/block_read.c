#include "blocked.h"

const char *test_doc = "A task in read() of an empty pipe reads what is written after restore";
const char *test_author = "The criu team";

static int p[2];
static char buf[8];

static long call(void)
{
	return read(p[0], buf, sizeof(buf));
}

static int check(void)
{
	return memcmp(buf, "hello", 5);
}

static int wake(pid_t child)
{
	(void)child;
	return write(p[1], "hello", 5) != 5;
}

int main(int argc, char **argv)
{
	static const struct blocked_test test = {
		.call = call,
		.check = check,
		.wake = wake,
		.ret = 5,
	};

	if (pipe(p))
		return 1;
	return blocked_main(argc, argv, &test);
}
