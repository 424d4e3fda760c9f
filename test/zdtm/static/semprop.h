#ifndef ZDTM_SEMPROP_H
#define ZDTM_SEMPROP_H

/* System V semaphores. Include zdtmtst.h first. */

#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <stdlib.h>

union semun {
	int val;
	struct semid_ds *ds;
	unsigned short *array;
};

static inline int sem_op1(int id, int num, int op, int flags)
{
	struct sembuf sop = { (unsigned short)num, (short)op, (short)flags };

	return semop(id, &sop, 1);
}

/* 1, with a message, unless the semaphore has that value. */
static inline int sem_differs(int id, int num, int value)
{
	int now = semctl(id, num, GETVAL);

	return now == value ? 0 : pr_err("semaphore %d of set %d is %d instead of %d\n", num, id, now, value);
}

/* 1, with a message, unless the semaphore gets that value soon. */
static inline int sem_await(int id, int num, int value)
{
	for (int i = 0; i < 10000 && semctl(id, num, GETVAL) != value; i++)
		usleep(1000);
	return sem_differs(id, num, value);
}

/* 1, with a message, unless the set is as it was but for its times. */
static inline int set_changed(int id, const struct semid_ds *before)
{
	const struct ipc_perm *a = &before->sem_perm, *b;
	struct semid_ds now;

	if (semctl(id, 0, IPC_STAT, (union semun){ .ds = &now }))
		return pr_perror("set %d is gone", id);
	b = &now.sem_perm;
	if (a->__key != b->__key || a->mode != b->mode || before->sem_nsems != now.sem_nsems)
		return pr_err("set %d: key %x mode %o of %lu, was %x %o of %lu\n", id, b->__key, b->mode, now.sem_nsems,
			      a->__key, a->mode, before->sem_nsems);
	if (a->uid != b->uid || a->gid != b->gid || a->cuid != b->cuid || a->cgid != b->cgid)
		return pr_err("set %d: owner %u:%u made by %u:%u, was %u:%u %u:%u\n", id, b->uid, b->gid, b->cuid,
			      b->cgid, a->uid, a->gid, a->cuid, a->cgid);
	return 0;
}

/* Where something is made before test_init(): asked for help, the program ends here. */
static inline void help_only(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--help"))
			test_init(argc, argv);
}

/* Starts a process outside the tree, which nothing ties to the test: to be called before test_init(). */
static inline int start_outsider(void (*run)(void *), void *arg)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		setsid();
		pid = fork();
		if (!pid) {
			syscall(SYS_close_range, 0, ~0U, 0);
			run(arg);
			_exit(0);
		}
		_exit(pid < 0);
	}
	return pid < 0 || waitpid(pid, &status, 0) != pid || status ? pr_perror("fork") : 0;
}

#endif
