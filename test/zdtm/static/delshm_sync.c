#include <pthread.h>
#include <semaphore.h>
#include <sys/wait.h>

#include "zdtmtst.h"
#include "delshm.h"
#include "kids.h"
#include "taskutil.h"

const char *test_doc =
	"A process-shared rwlock, a barrier and a semaphore in a deleted file, each with a process that waits";

enum { WRITER, ARRIVED, TAKER, NR };

static struct table {
	pthread_rwlock_t lock;
	pthread_barrier_t barrier;
	sem_t sem;
	volatile int through[NR];
} * table;

static void wait_and_end(int who)
{
	int err = 0;

	if (who == WRITER)
		err = pthread_rwlock_wrlock(&table->lock);
	else if (who == ARRIVED)
		err = pthread_barrier_wait(&table->barrier) == PTHREAD_BARRIER_SERIAL_THREAD;
	else
		err = sem_wait(&table->sem);
	table->through[who] = 1;
	_exit(err != 0);
}

static int init(void)
{
	pthread_barrierattr_t barrier;
	pthread_rwlockattr_t lock;

	pthread_rwlockattr_init(&lock);
	pthread_barrierattr_init(&barrier);
	return pthread_rwlockattr_setpshared(&lock, PTHREAD_PROCESS_SHARED) ||
	       pthread_barrierattr_setpshared(&barrier, PTHREAD_PROCESS_SHARED) ||
	       pthread_rwlock_init(&table->lock, &lock) || pthread_barrier_init(&table->barrier, &barrier, 2) ||
	       sem_init(&table->sem, 1, 0) || pthread_rwlock_rdlock(&table->lock);
}

int main(int argc, char **argv)
{
	pid_t kids[NR];
	int fd;

	test_init(argc, argv);

	if (delshm_init())
		return 1;
	fd = delshm_create("sync", PG);
	if (fd < 0)
		return 1;
	table = (struct table *)delshm_map(fd, PG, PROT_READ | PROT_WRITE, 0);
	if (!table || delshm_unlink("sync") || close(fd) || init())
		return pr_perror("init");
	for (int i = 0; i < NR; i++) {
		kids[i] = test_fork();
		if (!kids[i]) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			wait_and_end(i);
		}
		if (kids[i] < 0 || task_wait_state(kids[i], 'S'))
			return pr_perror("fork");
	}

	test_daemon();
	test_waitsig();

	for (int i = 0; i < NR; i++)
		if (table->through[i] || waitpid(kids[i], NULL, WNOHANG))
			return fail("process %d did not wait", i);
	if (pthread_rwlock_trywrlock(&table->lock) != EBUSY || pthread_rwlock_unlock(&table->lock) ||
	    kid_wait(kids[WRITER]) || !table->through[WRITER])
		return fail("the writer did not get the lock");
	if (pthread_rwlock_tryrdlock(&table->lock) != EBUSY)
		return fail("the writer's lock is free");
	if (pthread_barrier_wait(&table->barrier) != PTHREAD_BARRIER_SERIAL_THREAD || kid_wait(kids[ARRIVED]))
		return fail("the barrier");
	if (sem_post(&table->sem) || kid_wait(kids[TAKER]) || sem_trywait(&table->sem) != -1 || errno != EAGAIN)
		return fail("the semaphore");
	if (delshm_fini())
		return fail("something is left behind");

	pass();
	return 0;
}
