#include <pthread.h>

#include "zdtmtst.h"
#include "lock.h"
#include "numa.h"
#include "taskutil.h"

const char *test_doc = "Each thread, and a child, keeps its own NUMA policy (set_mempolicy)";

static futex_t ready, go;
static const int modes[] = { MPOL_BIND, MPOL_PREFERRED | MPOL_F_STATIC_NODES, MPOL_DEFAULT };
static int verdicts[3];

static void *thread(void *arg)
{
	long i = (long)arg;

	verdicts[i] = numa_set_own(modes[i]) ? pr_perror("set_mempolicy") : 0;
	futex_inc_and_wake(&ready);
	futex_wait_until(&go, 1);
	verdicts[i] |= numa_check(NULL, modes[i]);
	return NULL;
}

static int set_child(void)
{
	return numa_set_own(MPOL_DEFAULT);
}

static int check_child(void)
{
	return numa_check(NULL, MPOL_DEFAULT);
}

int main(int argc, char **argv)
{
	pthread_t threads[3];
	pid_t child;

	test_init(argc, argv);
	if (numa_is_missing()) {
		skip("no NUMA policies");
		return skipped_test();
	}
	if (numa_set_own(MPOL_INTERLEAVE))
		return pr_perror("set_mempolicy");
	futex_init(&ready);
	futex_init(&go);
	for (long i = 0; i < 3; i++)
		if (pthread_create(&threads[i], NULL, thread, (void *)i))
			return pr_perror("pthread_create");
	futex_wait_until(&ready, 3);
	child = child_start(set_child, check_child);
	if (child < 0)
		return 1;

	test_daemon();
	test_waitsig();

	if (numa_check(NULL, MPOL_INTERLEAVE))
		return 1;
	futex_set_and_wake(&go, 1);
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
		if (verdicts[i])
			return fail("thread %d", i);
	}
	if (child_finish(child))
		return fail("the child's policy changed");
	pass();
	return 0;
}
