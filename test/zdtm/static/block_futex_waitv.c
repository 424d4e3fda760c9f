#include <sys/mman.h>

#include "blocked.h"
#include "lock.h"

const char *test_doc =
	"A task that waits for one of several futexes without timeout is woken by one, and by nothing else";
const char *test_author = "The criu team";

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

/* struct futex_waitv of the kernel */
struct waiter {
	uint64_t value, addr;
	uint32_t flags, reserved;
};

#define FUTEX_OF_32_BITS 2

static futex_t *f;

static long call(void)
{
	const struct waiter waiters[2] = {
		{ .addr = (uintptr_t)&f[0].raw.counter, .flags = FUTEX_OF_32_BITS },
		{ .addr = (uintptr_t)&f[1].raw.counter, .flags = FUTEX_OF_32_BITS },
	};

	return syscall(SYS_futex_waitv, waiters, 2, 0, NULL, 0);
}

static int wake(pid_t child)
{
	(void)child;
	if (sys_futex(&f[1].raw.counter, FUTEX_WAKE, 1, NULL, NULL, 0) != 1)
		return fail("nobody waits at the futex");
	return 0;
}

int main(int argc, char **argv)
{
	static const struct blocked_test test = {
		.call = call,
		.wake = wake,
		.ret = 1,
	};

	f = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (f == MAP_FAILED)
		return 1;
	return blocked_main(argc, argv, &test);
}
