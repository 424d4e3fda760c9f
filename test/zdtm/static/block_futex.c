#include <sys/mman.h>

#include "blocked.h"
#include "lock.h"

const char *test_doc = "A task in a futex wait without timeout is woken, and by nothing else";
const char *test_author = "The criu team";

static futex_t *f;

static long call(void)
{
	return sys_futex(&f->raw.counter, FUTEX_WAIT, 0, NULL, NULL, 0);
}

/* The value stays the same: the child must really be in the queue of the futex. */
static int wake(pid_t child)
{
	(void)child;
	if (sys_futex(&f->raw.counter, FUTEX_WAKE, 1, NULL, NULL, 0) != 1)
		return fail("nobody waits at the futex");
	return 0;
}

int main(int argc, char **argv)
{
	static const struct blocked_test test = {
		.call = call,
		.wake = wake,
	};

	f = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (f == MAP_FAILED)
		return 1;
	return blocked_main(argc, argv, &test);
}
