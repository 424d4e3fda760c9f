#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "sysvshm.h"

const char *test_doc = "A segment attached for reading can't be made writable, one attached for writing can again";

int main(int argc, char **argv)
{
	char *writable, *readonly, *guarded, *code;
	int id;

	test_init(argc, argv);

	id = shmget(IPC_PRIVATE, 2 * PG, IPC_CREAT | 0700);
	if (id < 0)
		return pr_perror("shmget");
	writable = shmat(id, NULL, 0);
	readonly = shmat(id, NULL, SHM_RDONLY);
	guarded = shmat(id, NULL, 0);
	code = shmat(id, NULL, SHM_RDONLY | SHM_EXEC);
	if (writable == NO_SEGMENT || readonly == NO_SEGMENT || guarded == NO_SEGMENT || code == NO_SEGMENT ||
	    shmctl(id, IPC_RMID, NULL))
		return pr_perror("shmat");
	pattern_fill(writable, 2 * PG, 1);
	memcpy(writable, "\xb8\x2a\x00\x00\x00\xc3", 6); /* mov $42, %eax; ret */
	if (mprotect(guarded, 2 * PG, PROT_READ))
		return pr_perror("mprotect");

	test_daemon();
	test_waitsig();

	if (!mprotect(readonly, PG, PROT_READ | PROT_WRITE) || errno != EACCES)
		return fail("what was attached for reading became writable");
	if (!mprotect(code, PG, PROT_READ | PROT_WRITE) || errno != EACCES)
		return fail("code became writable");
	if (((int (*)(void))code)() != 42)
		return fail("code");
	if (mprotect(guarded, 2 * PG, PROT_READ | PROT_WRITE))
		return fail("what was attached for writing can't be written to again");
	pattern_fill(guarded, 2 * PG, 2);
	if (pattern_bad(readonly, 2 * PG, 2) >= 0 || pattern_bad(writable, 2 * PG, 2) >= 0)
		return fail("not one object");

	pass();
	return 0;
}
