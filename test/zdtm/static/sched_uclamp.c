#include <pthread.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "lock.h"
#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "Utilisation clamps of one thread (sched_setattr), and none of another";
const char *test_author = "The criu team";

struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};

#define KEEP_ALL    (1ULL << 3 | 1ULL << 4)
#define UTIL_CLAMPS (3ULL << 5)

static futex_t ready;

static int is(const char *who, uint32_t min, uint32_t max)
{
	struct attr attr = { 0 };

	if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0))
		return !pr_perror("sched_getattr");
	return (attr.util_min == min && attr.util_max == max) ||
	       !fail("%s: %u to %u, not %u to %u", who, attr.util_min, attr.util_max, min, max);
}

static void *thread(void *arg)
{
	struct attr attr = { .size = sizeof(attr), .flags = KEEP_ALL | UTIL_CLAMPS, .util_min = 0, .util_max = 321 };

	(void)arg;
	if (syscall(SYS_sched_setattr, 0, &attr, 0))
		return (void *)(long)pr_perror("sched_setattr");
	futex_set_and_wake(&ready, 1);
	test_waitsig();
	return (void *)(long)!is("thread", 0, 321);
}

int main(int argc, char **argv)
{
	struct attr attr = { 0 };
	pthread_t id;
	void *bad;

	test_init(argc, argv);
	if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0) || !attr.util_max) {
		skip("this kernel has no utilisation clamps");
		return skipped_test();
	}
	errno = pthread_create(&id, NULL, thread, NULL);
	if (errno)
		return pr_perror("pthread_create");
	futex_wait_until(&ready, 1);

	test_daemon();
	test_waitsig();

	if (pthread_join(id, &bad) || bad || !is("leader", attr.util_min, attr.util_max))
		return fail("utilisation clamps");
	pass();
	return 0;
}
