#ifndef ZDTM_SEMTHREAD_H
#define ZDTM_SEMTHREAD_H

/* A thread with an adjustment (SEM_UNDO) that its process does not share. Include zdtmtst.h first. */

#include <pthread.h>
#include <sched.h>

#include "semprop.h"

struct sem_thread {
	pthread_t thread;
	int set, taken, ready;
	volatile int leave;
};

static inline void *sem_thread_run(void *arg)
{
	struct sem_thread *self = arg;
	int failed = unshare(CLONE_SYSVSEM) || sem_op1(self->set, 0, -self->taken, SEM_UNDO);

	__atomic_store_n(&self->ready, failed ? -1 : 1, __ATOMIC_SEQ_CST);
	while (!self->leave)
		usleep(1000);
	return NULL;
}

/* Makes a set with one semaphore, from which the thread takes all that it has. */
static inline int sem_thread_start(struct sem_thread *self, int value)
{
	self->taken = value;
	self->set = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
	if (self->set < 0 || semctl(self->set, 0, SETVAL, value) ||
	    pthread_create(&self->thread, NULL, sem_thread_run, self))
		return pr_perror("semget");
	while (!__atomic_load_n(&self->ready, __ATOMIC_SEQ_CST))
		usleep(1000);
	return self->ready < 0 ? pr_perror("semop") : 0;
}

/* 1, with a message, unless the thread still had what it took, and gives it back as it ends. */
static inline int sem_thread_finish(struct sem_thread *self)
{
	if (sem_differs(self->set, 0, 0))
		return 1;
	self->leave = 1;
	pthread_join(self->thread, NULL);
	return sem_await(self->set, 0, self->taken) || semctl(self->set, 0, IPC_RMID);
}

#endif
