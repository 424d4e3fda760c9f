#include <fcntl.h>
#include <semaphore.h>
#include <sys/wait.h>

#include "zdtmtst.h"
#include "kids.h"
#include "taskutil.h"

#ifdef POSIX_SEM_NAMED
const char *test_doc =
	"A named semaphore, sem_open(3), of which one mapping has a deleted name: one object, also by its name";
#else
const char *test_doc =
	"An unlinked semaphore, sem_open(3), with a value, that parent and child share, and one somebody waits for";
#endif

#define VALUE 5

static char name[64], wait_name[64];
static sem_t *sem, *wanted;

/* A mapping of its own, by the name. */
static int prepare(void *arg)
{
	(void)arg;
#ifdef POSIX_SEM_NAMED
	sem = sem_open(name, 0);
#endif
	return sem == SEM_FAILED ? pr_perror("sem_open") : 0;
}

static int check(void *arg)
{
	(void)arg;
	return sem_trywait(sem) || sem_trywait(sem) ? pr_perror("child: sem_trywait") : 0;
}

int main(int argc, char **argv)
{
	int value = -1, status;
	pid_t child, waiter;

	test_init(argc, argv);

	snprintf(name, sizeof(name), "/zdtm-posix_sem-%d", getpid());
	snprintf(wait_name, sizeof(wait_name), "/zdtm-posix_sem-wait-%d", getpid());
	sem = sem_open(name, O_CREAT | O_EXCL, 0600, VALUE);
	wanted = sem_open(wait_name, O_CREAT | O_EXCL, 0600, 0);
	if (sem == SEM_FAILED || wanted == SEM_FAILED || sem_unlink(wait_name))
		return pr_perror("sem_open");
	child = kid_start(prepare, check, NULL);
	waiter = test_fork();
	if (!waiter) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(sem_wait(wanted) != 0);
	}
	if (child < 0 || waiter < 0 || task_wait_state(waiter, 'S'))
		return pr_perror("fork");
#ifndef POSIX_SEM_NAMED
	if (sem_unlink(name))
		return pr_perror("sem_unlink");
#endif

	test_daemon();
	test_waitsig();

	if (sem_getvalue(sem, &value) || value != VALUE)
		return fail("the value was %d, is %d", VALUE, value);
	if (kid_finish(child) || sem_getvalue(sem, &value) || value != VALUE - 2)
		return fail("the child has another semaphore: %d", value);
	if (waitpid(waiter, NULL, WNOHANG) || sem_post(wanted) || waitpid(waiter, &status, 0) != waiter || status)
		return fail("who waits does not get it");
#ifdef POSIX_SEM_NAMED
	sem = sem_open(name, 0);
	if (sem == SEM_FAILED || sem_getvalue(sem, &value) || value != VALUE - 2 || sem_unlink(name))
		return fail("the name leads to another semaphore: %d", value);
#else
	if (sem_open(name, 0) != SEM_FAILED || errno != ENOENT)
		return fail("the name is back");
#endif
	pass();
	return 0;
}
