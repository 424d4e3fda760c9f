#include <pthread.h>

#include "lock.h"
#include "zdtmtst.h"

const char *test_doc = "Dumped while threads make threads and end: each is made once, counted once, and joined by none";
const char *test_author = "The criu team";

/* Each thread starts its successor and ends, so that the list of threads never stands still. */
static futex_t born, died;
static pthread_attr_t attr;

static void *thread(void *arg)
{
	pthread_t next;

	futex_inc(&born);
	if (test_go()) {
		int ret = pthread_create(&next, &attr, thread, arg);

		if (ret) {
			errno = ret;
			fail("pthread_create");
			_exit(1);
		}
	}
	futex_inc_and_wake(&died);
	return NULL;
}

int main(int argc, char **argv)
{
	const char *text = getenv("ZDTM_THREAD_BOMB");
	int i, chains = text ? atoi(text) : 5;
	uint32_t dead;
	pthread_t id;

	test_init(argc, argv);
	if (pthread_attr_init(&attr) || pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED) ||
	    pthread_attr_setstacksize(&attr, 64 << 10))
		return pr_perror("attributes");
	for (i = 0; i < chains; i++) {
		errno = pthread_create(&id, &attr, thread, NULL);
		if (errno)
			return pr_perror("pthread_create");
	}

	test_daemon();
	test_waitsig();

	/* Every thread that was born dies, with no successor after SIGTERM. */
	for (i = 0; i < 1000; i++) {
		dead = futex_get(&died);
		usleep(10000);
		if (futex_get(&born) == dead && futex_get(&died) == dead)
			break;
	}
	if (futex_get(&born) != futex_get(&died))
		return fail("%u threads were born, %u died", futex_get(&born), futex_get(&died));
	if (dead < (uint32_t)chains)
		return fail("%u threads died, %d were started by the leader", dead, chains);
	pass();
	return 0;
}
