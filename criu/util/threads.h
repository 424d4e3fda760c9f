/* Threads of criu's own, beside the one that does the work. */
#ifndef CRIU_UTIL_THREADS_H
#define CRIU_UTIL_THREADS_H

#include <pthread.h>
#include <stddef.h>

/**
 * threads_start - up to @n threads that run @function; they leave every signal to the caller's
 * @ret_err: why there are no more, or 0; may be NULL
 * Return: how many there are, for threads_join(). Not logged.
 */
size_t threads_start(pthread_t *threads, size_t n, void *(*function)(void *arg), void *arg, int *ret_err);

void threads_join(const pthread_t *threads, size_t n);

#endif
