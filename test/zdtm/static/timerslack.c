#include <pthread.h>
#include <sys/prctl.h>

#include "lock.h"
#include "zdtmtst.h"

const char *test_doc = "Timer slack of a thread and of its leader";
const char *test_author = "The criu team";

static futex_t ready;

static void *thread(void *arg)
{
	(void)arg;
	if (prctl(PR_SET_TIMERSLACK, 7654321))
		return (void *)(long)pr_perror("PR_SET_TIMERSLACK");
	futex_set_and_wake(&ready, 1);
	test_waitsig();
	if (prctl(PR_GET_TIMERSLACK) != 7654321)
		return (void *)(long)fail("the thread's slack is %d", prctl(PR_GET_TIMERSLACK));
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t id;
	void *bad;

	test_init(argc, argv);
	if (prctl(PR_SET_TIMERSLACK, 1))
		return pr_perror("PR_SET_TIMERSLACK");
	errno = pthread_create(&id, NULL, thread, NULL);
	if (errno)
		return pr_perror("pthread_create");
	futex_wait_until(&ready, 1);

	test_daemon();
	test_waitsig();

	if (pthread_join(id, &bad) || bad)
		return fail("timer slack");
	if (prctl(PR_GET_TIMERSLACK) != 1)
		return fail("the leader's slack is %d", prctl(PR_GET_TIMERSLACK));
	pass();
	return 0;
}
