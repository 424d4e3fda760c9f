#include "zdtmtst.h"
#include "memprop.h"
#include "sysvshm.h"

const char *test_doc =
	"Restored twice from one image, running in between: the segment goes back as the tasks do; see the hook";

struct counters {
	long steps;
	unsigned char filled[3 * PG]; /* page by page, then emptied again */
};

static long own_steps;

static void step(struct counters *shared)
{
	unsigned long page = own_steps % 3;

	memset(shared->filled + page * PG, own_steps % 2 ? 0 : 1 + own_steps % 255, PG);
	own_steps++;
	__atomic_store_n(&shared->steps, own_steps, __ATOMIC_SEQ_CST);
}

int main(int argc, char **argv)
{
	struct counters *shared;
	int id;

	test_init(argc, argv);

	id = shmget(0x5a440002, sizeof(*shared), IPC_CREAT | IPC_EXCL | 0600);
	shared = id < 0 ? (void *)-1 : shmat(id, NULL, 0);
	if (shared == (void *)-1)
		return pr_perror("shmat");
	step(shared);

	test_daemon();
	while (test_go()) {
		long seen = __atomic_load_n(&shared->steps, __ATOMIC_SEQ_CST);

		if (seen != own_steps)
			return fail("%ld steps in the segment, %ld in private memory", seen, own_steps);
		step(shared);
		usleep(100);
	}

	if (shmctl(id, IPC_RMID, NULL))
		return fail("remove");
	pass();
	return 0;
}
