#include <pthread.h>
#include <sys/wait.h>

#include "zdtmtst.h"
#include "delshm.h"
#include "kids.h"

const char *test_doc =
	"Process-shared mutexes and a condition in a deleted file: two players, one sleeper, one held robust lock";

static struct table {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int turn; /* whose move it is, 0 or 1 */
	long moves[2];
	int stop;
	int sleeping, woken;
	/* Held by the parent through the dump, with a waiter. */
	pthread_mutex_t held;
	int wants_held, got_held;
} * table;

/* Moves whenever it is its turn; both sleep in the condition most of the time. */
static void play(int who)
{
	pthread_mutex_lock(&table->lock);
	while (!table->stop) {
		if (table->turn != who) {
			pthread_cond_wait(&table->changed, &table->lock);
			continue;
		}
		table->moves[who]++;
		table->turn = !who;
		pthread_cond_broadcast(&table->changed);
	}
	pthread_mutex_unlock(&table->lock);
	_exit(0);
}

static void sleeper(void)
{
	pthread_mutex_lock(&table->lock);
	table->sleeping = 1;
	while (!table->stop)
		pthread_cond_wait(&table->changed, &table->lock);
	table->woken = 1;
	pthread_mutex_unlock(&table->lock);
	_exit(0);
}

static void waiter(void)
{
	int err;

	__atomic_store_n(&table->wants_held, 1, __ATOMIC_SEQ_CST);
	/* An owner that died, or seems to have, would show as EOWNERDEAD. */
	err = pthread_mutex_lock(&table->held);
	if (err)
		_exit(pr_err("lock: %s\n", strerror(err)));
	table->got_held = 1;
	pthread_mutex_unlock(&table->held);
	_exit(0);
}

/* A counter for which a lock is taken, so it cannot be seen halfway. */
static long moves(void)
{
	long sum;

	pthread_mutex_lock(&table->lock);
	sum = table->moves[0] + table->moves[1];
	if (labs(table->moves[0] - table->moves[1]) > 1)
		sum = -1;
	pthread_mutex_unlock(&table->lock);
	return sum;
}

int main(int argc, char **argv)
{
	pthread_mutexattr_t mutex_attr;
	pthread_condattr_t cond_attr;
	long before, after;
	pid_t kids[4];
	int fd, i;

	test_init(argc, argv);

	if (delshm_init())
		return 1;
	fd = delshm_create("mutex", PG);
	if (fd < 0)
		return 1;
	table = (struct table *)delshm_map(fd, PG, PROT_READ | PROT_WRITE, 0);
	if (!table || delshm_unlink("mutex") || close(fd))
		return 1;
	pthread_mutexattr_init(&mutex_attr);
	pthread_mutexattr_setpshared(&mutex_attr, PTHREAD_PROCESS_SHARED);
	pthread_condattr_init(&cond_attr);
	pthread_condattr_setpshared(&cond_attr, PTHREAD_PROCESS_SHARED);
	if (pthread_mutex_init(&table->lock, &mutex_attr) || pthread_cond_init(&table->changed, &cond_attr) ||
	    pthread_mutexattr_setrobust(&mutex_attr, PTHREAD_MUTEX_ROBUST) ||
	    pthread_mutex_init(&table->held, &mutex_attr) || pthread_mutex_lock(&table->held))
		return pr_perror("init");
	for (i = 0; i < 4; i++) {
		kids[i] = test_fork();
		if (kids[i] < 0)
			return pr_perror("fork");
		if (kids[i])
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (i == 3)
			waiter();
		if (i == 2)
			sleeper();
		play(i);
	}
	while (moves() < 100 || !table->sleeping || !__atomic_load_n(&table->wants_held, __ATOMIC_SEQ_CST))
		usleep(1000);

	test_daemon();
	test_waitsig();

	before = moves();
	for (i = 0; i < 1000; i++) {
		after = moves();
		if (after < 0 || after > before + 100)
			break;
		usleep(10000);
	}
	if (before < 0 || after < 0)
		return fail("the players got out of step");
	if (after <= before + 100)
		return fail("the players stopped at %ld moves", after);
	if (table->woken || table->got_held)
		return fail("somebody did not wait");
	if (pthread_mutex_trylock(&table->held) != EBUSY)
		return fail("the held lock is free");
	if (pthread_mutex_unlock(&table->held) || kid_wait(kids[3]) || !table->got_held)
		return fail("the waiter did not get the lock");
	pthread_mutex_lock(&table->lock);
	table->stop = 1;
	pthread_cond_broadcast(&table->changed);
	pthread_mutex_unlock(&table->lock);
	for (i = 0; i < 3; i++)
		if (kid_wait(kids[i]))
			return fail("process %d", i);
	if (!table->woken)
		return fail("the sleeper did not wake");
	if (delshm_fini())
		return fail("something is left behind");

	pass();
	return 0;
}
