#include <pthread.h>
#include <sched.h>

#include "lock.h"
#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "CPU affinity: a thread's is another than its leader's";
const char *test_author = "The criu team";

static futex_t ready;
static cpu_set_t first, last;

static int same(const char *who, cpu_set_t *want)
{
	cpu_set_t now;

	if (sched_getaffinity(0, sizeof(now), &now) || !CPU_EQUAL(&now, want))
		return !fail("%s: %d CPUs, were %d", who, CPU_COUNT(&now), CPU_COUNT(want));
	return 1;
}

static void *thread(void *arg)
{
	(void)arg;
	if (sched_setaffinity(0, sizeof(last), &last))
		return (void *)(long)pr_perror("sched_setaffinity");
	futex_set_and_wake(&ready, 1);
	test_waitsig();
	return (void *)(long)!same("thread", &last);
}

int main(int argc, char **argv)
{
	cpu_set_t all;
	pthread_t id;
	void *bad;
	int i;

	test_init(argc, argv);
	if (sched_getaffinity(0, sizeof(all), &all))
		return pr_perror("sched_getaffinity");
	if (CPU_COUNT(&all) < 2) {
		skip("needs two CPUs");
		return skipped_test();
	}
	for (i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, &all))
			continue;
		if (!CPU_COUNT(&first))
			CPU_SET(i, &first);
		CPU_ZERO(&last);
		CPU_SET(i, &last);
	}
	errno = pthread_create(&id, NULL, thread, NULL);
	if (errno)
		return pr_perror("pthread_create");
	futex_wait_until(&ready, 1);
	if (sched_setaffinity(0, sizeof(first), &first))
		return pr_perror("sched_setaffinity");

	test_daemon();
	test_waitsig();

	if (!same("leader", &first) || pthread_join(id, &bad) || bad)
		return fail("affinity");
	pass();
	return 0;
}
