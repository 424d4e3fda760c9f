#include "zdtmtst.h"
#include "memprop.h"
#include "sysvshm.h"

const char *test_doc = "Owner, creator, mode and locking of segments, removed and not";

static int make(key_t key, uid_t creator, int removed, char **ret)
{
	struct shmid_ds ds;
	int id;

	if (setegid(creator + 1) || seteuid(creator))
		return pr_perror("become %u", creator), -1;
	id = shmget(key, PG, IPC_CREAT | IPC_EXCL | 0604);
	if (seteuid(0) || setegid(0) || id < 0 || shmctl(id, IPC_STAT, &ds))
		return pr_perror("shmget"), -1;
	ds.shm_perm.uid = 3001;
	ds.shm_perm.gid = 3002;
	ds.shm_perm.mode = 0642;
	*ret = shmat(id, NULL, 0);
	if (*ret == NO_SEGMENT || shmctl(id, IPC_SET, &ds) || shmctl(id, SHM_LOCK, NULL) ||
	    (removed && shmctl(id, IPC_RMID, NULL)))
		return pr_perror("set up"), -1;
	pattern_fill(*ret, PG, creator);
	return id;
}

int main(int argc, char **argv)
{
	struct shmid_ds before[3];
	char *mem[3];
	int ids[3];

	test_init(argc, argv);

	ids[0] = make(0x7a001, 1001, 1, &mem[0]);
	ids[1] = make(0x7a003, 1002, 0, &mem[1]);
	ids[2] = make(0x7a002, 0, 0, &mem[2]);
	for (int i = 0; i < 3; i++)
		if (ids[i] < 0 || shmctl(ids[i], IPC_STAT, &before[i]))
			return pr_perror("IPC_STAT");

	test_daemon();
	test_waitsig();

	for (int i = 0; i < 3; i++)
		if (segment_changed(ids[i], &before[i]) || pattern_bad(mem[i], PG, before[i].shm_perm.cuid) >= 0)
			return fail("segment %d has changed", i);
	if (shmctl(ids[1], IPC_RMID, NULL) || shmctl(ids[2], IPC_RMID, NULL))
		return fail("remove");

	pass();
	return 0;
}
