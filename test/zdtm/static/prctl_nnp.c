#include <pthread.h>
#include <sys/prctl.h>

#include "lock.h"
#include "zdtmtst.h"

const char *test_doc = "no_new_privs belongs to a thread: one has it, the others don't";
const char *test_author = "The criu team";

static futex_t ready;

static int nnp(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
}

static void *thread(void *arg)
{
	if (arg && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return (void *)(long)pr_perror("PR_SET_NO_NEW_PRIVS");
	futex_inc_and_wake(&ready);
	test_waitsig();
	if (nnp() != !!arg)
		return (void *)(long)fail("no_new_privs is %d in the thread that set it to %d", nnp(), !!arg);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t ids[2];
	void *bad, *any = NULL;
	long i;

	test_init(argc, argv);
	for (i = 0; i < 2; i++) {
		errno = pthread_create(&ids[i], NULL, thread, (void *)i);
		if (errno)
			return pr_perror("pthread_create");
	}
	futex_wait_until(&ready, 2);

	test_daemon();
	test_waitsig();

	for (i = 0; i < 2; i++) {
		if (pthread_join(ids[i], &bad))
			return fail("pthread_join");
		any = bad ?: any;
	}
	if (any || nnp())
		return fail("no_new_privs, leader has %d", nnp());
	pass();
	return 0;
}
