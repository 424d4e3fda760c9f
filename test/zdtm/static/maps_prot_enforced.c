#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"

const char *test_doc = "Write-only, execute-only and read-only mappings are still enforced and still execute";

static sigjmp_buf on_fault;

static void faulted(int sig)
{
	siglongjmp(on_fault, sig);
}

/* Whether the page can be read, 0 when it faults. */
static int can_read(volatile char *at)
{
	if (sigsetjmp(on_fault, 1))
		return 0;
	(void)*at;
	return 1;
}

/* Whether the page can be written, 0 when it faults. */
static int can_write(volatile char *at, char value)
{
	if (sigsetjmp(on_fault, 1))
		return 0;
	*at = value;
	return 1;
}

/* mov $0x2a, %eax; ret */
static const unsigned char code[] = { 0xb8, 0x2a, 0x00, 0x00, 0x00, 0xc3 };

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = faulted };
	char *none, *ro, *wo, *xo;
	int xo_readable;

	test_init(argc, argv);

	none = mmap(NULL, 8 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (none == MAP_FAILED)
		return pr_perror("mmap");
	ro = none + 2 * PG;
	wo = none + 4 * PG;
	xo = none + 6 * PG;
	pattern_fill(ro, PG, 1);
	pattern_fill(wo, PG, 2);
	memcpy(xo, code, sizeof(code));
	if (mprotect(none, PG, PROT_NONE) || mprotect(ro, PG, PROT_READ) || mprotect(wo, PG, PROT_WRITE) ||
	    mprotect(xo, PG, PROT_EXEC))
		return pr_perror("mprotect");
	if (sigaction(SIGSEGV, &act, NULL))
		return pr_perror("sigaction");

	/* With protection keys the kernel hides execute-only pages, without them it cannot. */
	xo_readable = can_read(xo);
	if (can_read(none) || can_write(ro, 0) || ((int (*)(void))xo)() != 42)
		return pr_err("the protections do not work to begin with\n");

	test_daemon();
	test_waitsig();

	if (can_read(none) || can_write(none, 0))
		return fail("PROT_NONE can be accessed");
	if (!can_read(ro) || can_write(ro, 0))
		return fail("read-only page: wrong access");
	if (!can_write(wo + 8, 'w'))
		return fail("write-only page cannot be written");
	if (can_write(xo, 0))
		return fail("execute-only page can be written");
	if (can_read(xo) != xo_readable)
		return fail("execute-only page: readable %d before", xo_readable);
	if (((int (*)(void))xo)() != 42)
		return fail("execute-only page does not execute");
	if (mprotect(wo, PG, PROT_READ))
		return fail("mprotect");
	if (wo[8] != 'w' || pattern_bad(wo, 8, 2) >= 0 || memcmp(ro, wo, 1) == 0)
		return fail("write-only page lost its content");
	if (pattern_bad(ro, PG, 1) >= 0)
		return fail("read-only page lost its content");

	pass();
	return 0;
}
