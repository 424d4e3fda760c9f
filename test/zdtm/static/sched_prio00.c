#include <pthread.h>
#include <sys/resource.h>

#include "lock.h"
#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "Nice values from -20 to 19, of processes and of a single thread";
const char *test_author = "The criu team";

static const int values[] = { -20, -7, 0, 5, 19 };
static int index_;
static futex_t ready;

static int nice_is(int want)
{
	errno = 0;
	return getpriority(PRIO_PROCESS, 0) == want && !errno;
}

static int set(void)
{
	return setpriority(PRIO_PROCESS, 0, values[index_]) ? pr_perror("setpriority %d", values[index_]) : 0;
}

static int check(void)
{
	return nice_is(values[index_]) ? 0 : fail("nice %d was %d", getpriority(PRIO_PROCESS, 0), values[index_]);
}

static void *thread(void *arg)
{
	(void)arg;
	if (setpriority(PRIO_PROCESS, gettid(), -3))
		return (void *)(long)pr_perror("setpriority");
	futex_set_and_wake(&ready, 1);
	test_waitsig();
	return (void *)(long)(nice_is(-3) ? 0 : fail("the thread's nice is %d", getpriority(PRIO_PROCESS, 0)));
}

int main(int argc, char **argv)
{
	pid_t pids[ARRAY_SIZE(values)];
	pthread_t id;
	void *bad;

	test_init(argc, argv);
	for (index_ = 0; index_ < (int)ARRAY_SIZE(values); index_++) {
		pids[index_] = child_start(set, check);
		if (pids[index_] < 0)
			return 1;
	}
	errno = pthread_create(&id, NULL, thread, NULL);
	if (errno)
		return pr_perror("pthread_create");
	futex_wait_until(&ready, 1);

	test_daemon();
	test_waitsig();

	for (index_ = 0; index_ < (int)ARRAY_SIZE(values); index_++)
		if (child_finish(pids[index_]))
			return 1;
	if (pthread_join(id, &bad) || bad || !nice_is(0))
		return fail("a thread's nice");
	pass();
	return 0;
}
