#include <sys/mman.h>
#include <sys/syscall.h>

#include "zdtmtst.h"

#include "memprop.h"
#include "taskutil.h"

const char *test_doc =
	"Sealed memory (mseal) keeps its content and stays as it is, in a child as well; what is beside it does not";
const char *test_author = "The criu team";

#ifndef SYS_mseal
#define SYS_mseal 462
#endif

static char *map, *readonly;

static int check(void)
{
	if (!munmap(map + PG, PG) || errno != EPERM || !mprotect(map + 2 * PG, PG, PROT_READ) || errno != EPERM)
		return fail("sealed memory can be changed");
	if (!madvise(readonly, PG, MADV_DONTNEED) || errno != EPERM)
		return fail("sealed read-only memory can be emptied");
	if (pattern_bad(map, 4 * PG, 1) >= 0 || pattern_bad(readonly, PG, 2) >= 0)
		return fail("the content is not what it was");
	if (munmap(map, PG) || mprotect(map + 3 * PG, PG, PROT_READ))
		return fail("what is not sealed can't be changed");
	return 0;
}

int main(int argc, char **argv)
{
	pid_t pid;

	test_init(argc, argv);
	map = mmap(NULL, 4 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	readonly = mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED || readonly == MAP_FAILED)
		return pr_perror("mmap");
	pattern_fill(map, 4 * PG, 1);
	pattern_fill(readonly, PG, 2);
	if (mprotect(readonly, PG, PROT_READ))
		return pr_perror("mprotect");
	if (syscall(SYS_mseal, map + PG, 2 * PG, 0UL) || syscall(SYS_mseal, readonly, PG, 0UL)) {
		if (errno != ENOSYS)
			return pr_perror("mseal");
		skip("the kernel has no mseal");
		return skipped_test();
	}
	pid = child_start(NULL, check);
	if (pid < 0)
		return 1;

	test_daemon();
	test_waitsig();

	if (child_finish(pid) || check())
		return 1;
	pass();
	return 0;
}
