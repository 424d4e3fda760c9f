#include <pthread.h>

#include "lock.h"
#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "A thousand threads come back, each with its tid";
const char *test_author = "The criu team";

#define NR_THREADS  1000
#define STACK_BYTES (64 << 10)

static futex_t ready, go;
static pid_t tids[NR_THREADS];

static void *thread(void *arg)
{
	long n = (long)arg;

	tids[n] = gettid();
	futex_inc_and_wake(&ready);
	futex_wait_while(&go, 0);
	return gettid() == tids[n] ? NULL : (void *)1L;
}

int main(int argc, char **argv)
{
	static pthread_t threads[NR_THREADS];
	pthread_attr_t attr;
	int wrong = 0;
	void *bad;
	long i;

	test_init(argc, argv);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	for (i = 0; i < NR_THREADS; i++) {
		errno = pthread_create(&threads[i], &attr, thread, (void *)i);
		if (errno)
			return pr_perror("pthread_create number %ld", i);
	}
	futex_wait_until(&ready, NR_THREADS);

	test_daemon();
	test_waitsig();

	futex_set_and_wake(&go, 1);
	for (i = 0; i < NR_THREADS; i++) {
		if (pthread_join(threads[i], &bad))
			return fail("pthread_join number %ld", i);
		wrong += !!bad;
	}
	if (wrong)
		return fail("%d threads have another tid", wrong);
	pass();
	return 0;
}
