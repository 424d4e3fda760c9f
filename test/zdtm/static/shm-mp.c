#include <sys/mman.h>

#include "zdtmtst.h"
#include "kids.h"
#include "memprop.h"
#include "sysvshm.h"

const char *test_doc = "Processes that attached the same segments each for itself, at places of their own";

#define NR   4
#define SIZE (NR * PG)

static int ids[2];
static char *mem[2];

static int prepare(void *arg)
{
	for (int i = 0; i < 2; i++) {
		/* Each finds it at another address. */
		if (!mmap(NULL, (1 + (long)arg) * PG, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
			return pr_perror("mmap");
		mem[i] = shmat(ids[i], NULL, 0);
		if (mem[i] == NO_SEGMENT)
			return pr_perror("shmat");
		pattern_fill(mem[i] + (long)arg * PG, PG, 10 * (long)arg + i);
	}
	return 0;
}

static int check(void *arg)
{
	for (int i = 0; i < 2; i++) {
		for (long n = 0; n < NR; n++)
			if (n > (long)arg && pattern_bad(mem[i] + n * PG, PG, 10 * n + i) >= 0)
				return fail("page %ld of segment %d changed", n, i);
		pattern_fill(mem[i] + (long)arg * PG, PG, 100 + i);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct shmid_ds before[2];
	pid_t kids[NR];

	test_init(argc, argv);

	for (int i = 0; i < 2; i++) {
		ids[i] = shmget(IPC_PRIVATE, SIZE, IPC_CREAT | 0600);
		if (ids[i] < 0)
			return pr_perror("shmget");
	}
	for (long n = 0; n < NR; n++) {
		kids[n] = kid_start(prepare, check, (void *)n);
		if (kids[n] < 0)
			return 1;
	}
	/* The parent itself has none of them attached. */
	if (shmctl(ids[1], IPC_RMID, NULL))
		return pr_perror("remove");
	for (int i = 0; i < 2; i++)
		if (shmctl(ids[i], IPC_STAT, &before[i]) || before[i].shm_nattch != NR)
			return pr_perror("%lu attachments", before[i].shm_nattch);

	test_daemon();
	test_waitsig();

	for (int i = 0; i < 2; i++)
		if (segment_changed(ids[i], &before[i]))
			return fail("segment %d has changed", i);
	for (long n = 0; n < NR; n++)
		if (kid_finish(kids[n]))
			return fail("child %ld", n);
	mem[0] = shmat(ids[0], NULL, 0);
	if (mem[0] == NO_SEGMENT || pattern_bad(mem[0] + (NR - 1) * PG, PG, 100) >= 0)
		return fail("what the children left");
	if (shmctl(ids[0], IPC_RMID, NULL) || !shmctl(ids[1], IPC_STAT, &before[1]))
		return fail("remove");

	pass();
	return 0;
}
