#include "zdtmtst.h"
#include "memprop.h"
#include "sysvshm.h"

const char *test_doc =
	"An attached segment with a key, not removed: found by its key and id, with its content, as before";

#define KEY  0x5a44544d
#define SIZE (64 * PG)

int main(int argc, char **argv)
{
	struct shmid_ds before;
	char *mem, *again;
	int id;

	test_init(argc, argv);

	id = shmget(KEY, SIZE, IPC_CREAT | IPC_EXCL | 0640);
	if (id < 0)
		return pr_perror("shmget");
	mem = shmat(id, NULL, 0);
	if (mem == NO_SEGMENT || shmctl(id, IPC_STAT, &before))
		return pr_perror("shmat");
	pattern_fill(mem, PG, 1);
	pattern_fill(mem + 40 * PG, 2 * PG, 2);

	test_daemon();
	test_waitsig();

	if (segment_changed(id, &before))
		return fail("the segment has changed");
	if (shmget(KEY, SIZE, 0) != id)
		return fail("not found by its key");
	if (pattern_bad(mem, PG, 1) >= 0 || pattern_bad(mem + 40 * PG, 2 * PG, 2) >= 0)
		return fail("content changed");
	if (nonzero_at(mem + PG, 39 * PG) >= 0 || nonzero_at(mem + 42 * PG, SIZE - 42 * PG) >= 0)
		return fail("what was never written is not zero");
	again = shmat(id, NULL, 0);
	if (again == NO_SEGMENT)
		return fail("shmat by id");
	pattern_fill(again, PG, 3);
	if (pattern_bad(mem, PG, 3) >= 0)
		return fail("what is attached now is another object");
	if (shmdt(again) || shmctl(id, IPC_RMID, NULL) || shmdt(mem))
		return fail("detach and remove");
	if (shmget(KEY, SIZE, 0) >= 0)
		return fail("the segment is still there");

	pass();
	return 0;
}
