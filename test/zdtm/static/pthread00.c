#include <pthread.h>

#include "lock.h"
#include "zdtmtst.h"

const char *test_doc = "Threads keep their thread-local variables, and go on to work together by mutex and condition";
const char *test_author = "The criu team";

#define N_THREADS 8
#define N_TURNS	  100

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int turn = -1; /* nobody's before the dump */
static futex_t n_ready;
static __thread int own = 7;

static void *take_turns(void *arg)
{
	const int number = (int)(long)arg;
	bool good;

	own += number;
	futex_inc_and_wake(&n_ready);
	pthread_mutex_lock(&mutex);
	for (int i = 0; i < N_TURNS; i++) {
		while (turn % N_THREADS != number)
			pthread_cond_wait(&changed, &mutex);
		turn++;
		pthread_cond_broadcast(&changed);
	}
	good = own == 7 + number;
	pthread_mutex_unlock(&mutex);
	return (void *)(long)good;
}

int main(int argc, char **argv)
{
	pthread_t threads[N_THREADS];

	test_init(argc, argv);
	for (long i = 0; i < N_THREADS; i++) {
		errno = pthread_create(&threads[i], NULL, take_turns, (void *)i);
		if (errno)
			return pr_perror("pthread_create");
	}
	futex_wait_until(&n_ready, N_THREADS);

	test_daemon();
	test_waitsig();

	pthread_mutex_lock(&mutex);
	turn = 0;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
	for (int i = 0; i < N_THREADS; i++) {
		void *good;

		errno = pthread_join(threads[i], &good);
		if (errno || !good)
			return fail("thread %d has another thread's variable", i);
	}
	if (turn != N_THREADS * N_TURNS || own != 7)
		return fail("%d turns, own %d", turn, own);
	pass();
	return 0;
}
