#include <sched.h>
#include <stdint.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "lock.h"
#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "A time slice of its own (sched_setattr), of one thread and not of another";
const char *test_author = "The criu team";

struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

#define SLICE_NS 2300000

static uint64_t usual_ns;
static futex_t ready;

static uint64_t slice(void)
{
	struct attr attr = { 0 };

	return syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0) ? 0 : attr.runtime;
}

static void *thread(void *arg)
{
	struct attr attr = { .size = sizeof(attr), .runtime = SLICE_NS };

	(void)arg;
	if (syscall(SYS_sched_setattr, 0, &attr, 0))
		return (void *)(long)pr_perror("sched_setattr");
	futex_set_and_wake(&ready, 1);
	test_waitsig();
	return (void *)(long)(slice() == SLICE_NS ? 0 : fail("the slice is %lu", slice()));
}

int main(int argc, char **argv)
{
	pthread_t id;
	void *bad;

	test_init(argc, argv);
	usual_ns = slice();
	if (!usual_ns) {
		skip("this kernel has no slices that can be set");
		return skipped_test();
	}
	errno = pthread_create(&id, NULL, thread, NULL);
	if (errno)
		return pr_perror("pthread_create");
	futex_wait_until(&ready, 1);

	test_daemon();
	test_waitsig();

	if (pthread_join(id, &bad) || bad)
		return 1;
	if (slice() != usual_ns)
		return fail("the leader's slice is %lu and was %lu", slice(), usual_ns);
	pass();
	return 0;
}
