#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "zdtmtst.h"
#include "memprop.h"

const char *test_doc = "An attached SysV shared memory segment is refused, and the job goes on unharmed";

int main(int argc, char **argv)
{
	char *one, *two;
	int id;

	test_init(argc, argv);

	id = shmget(IPC_PRIVATE, 4 * PG, IPC_CREAT | 0600);
	if (id < 0)
		return pr_perror("shmget");
	one = shmat(id, NULL, 0);
	two = shmat(id, NULL, SHM_RDONLY);
	/* It goes with its last user. */
	if (shmctl(id, IPC_RMID, NULL) || one == (void *)-1 || two == (void *)-1)
		return pr_perror("shmat");
	pattern_fill(one, 4 * PG, 1);

	test_daemon();
	test_waitsig();

	if (pattern_bad(two, 4 * PG, 1) >= 0)
		return fail("content changed");
	pattern_fill(one, 4 * PG, 2);
	if (pattern_bad(two, 4 * PG, 2) >= 0)
		return fail("the attachments are not shared any more");

	pass();
	return 0;
}
