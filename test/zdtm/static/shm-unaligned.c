#include "zdtmtst.h"
#include "memprop.h"
#include "sysvshm.h"

const char *test_doc = "A segment whose size is no multiple of pages: size and content, also behind its end";

#define SIZE (2 * PG + 100)

int main(int argc, char **argv)
{
	struct shmid_ds before;
	char *kept, *removed;
	int kept_id, removed_id;

	test_init(argc, argv);

	kept_id = shmget(IPC_PRIVATE, SIZE, IPC_CREAT | 0600);
	kept = kept_id < 0 ? NO_SEGMENT : shmat(kept_id, NULL, 0);
	removed_id = segment_removed(1, &removed);
	if (kept == NO_SEGMENT || removed_id < 0)
		return pr_perror("shmat");
	pattern_fill(kept, 3 * PG, 1);
	pattern_fill(removed, PG, 2);
	if (shmctl(kept_id, IPC_STAT, &before))
		return pr_perror("IPC_STAT");

	test_daemon();
	test_waitsig();

	if (segment_changed(kept_id, &before))
		return fail("the segment has changed");
	if (pattern_bad(kept, 3 * PG, 1) >= 0 || pattern_bad(removed, PG, 2) >= 0)
		return fail("content changed");
	if (shmctl(kept_id, IPC_RMID, NULL))
		return fail("remove");

	pass();
	return 0;
}
