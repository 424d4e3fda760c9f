#include <signal.h>

#include "util/threads.h"

size_t threads_start(pthread_t *threads, size_t n, void *(*function)(void *arg), void *arg, int *ret_err)
{
	size_t started = 0;
	sigset_t all, old;
	int err = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (started < n && !err) {
		err = pthread_create(&threads[started], NULL, function, arg);
		started += !err;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret_err)
		*ret_err = err;
	return started;
}

void threads_join(const pthread_t *threads, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
}
