#include <signal.h>
#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "kids.h"

const char *test_doc = "MADV_DONTFORK and MADV_WIPEONFORK act on forks before and after restore";

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

#define PAGES 4

static char *keep, *wipe, *gone;

/* What a child of the owner must see: kept content, zeroes, a hole. */
static int look(void *arg)
{
	unsigned char vec[PAGES];

	(void)arg;
	if (pattern_bad(keep, PAGES * PG, 1) >= 0)
		return pr_err("ordinary memory is not inherited\n");
	if (nonzero_at(wipe, PAGES * PG) >= 0)
		return pr_err("WIPEONFORK memory is inherited\n");
	if (!mincore(gone, PAGES * PG, vec))
		return pr_err("DONTFORK memory is inherited\n");
	return 0;
}

int main(int argc, char **argv)
{
	pid_t old, new;

	test_init(argc, argv);

	keep = mmap(NULL, 3 * PAGES * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (keep == MAP_FAILED)
		return pr_perror("mmap");
	wipe = keep + PAGES * PG;
	gone = wipe + PAGES * PG;
	pattern_fill(keep, PAGES * PG, 1);
	pattern_fill(wipe, PAGES * PG, 2);
	pattern_fill(gone, PAGES * PG, 3);
	if (madvise(wipe, PAGES * PG, MADV_WIPEONFORK) || madvise(gone, PAGES * PG, MADV_DONTFORK))
		return pr_perror("madvise");
	/* Restore makes this one by a fork of the owner, or has to imitate one. */
	old = kid_start(NULL, look, NULL);
	if (old < 0)
		return 1;

	test_daemon();
	test_waitsig();

	if (pattern_bad(keep, PAGES * PG, 1) >= 0 || pattern_bad(wipe, PAGES * PG, 2) >= 0 ||
	    pattern_bad(gone, PAGES * PG, 3) >= 0)
		return fail("the owner's memory changed");
	if (kid_finish(old))
		return fail("the old child sees something else");
	new = test_fork();
	if (!new)
		_exit(look(NULL) ? 1 : 0);
	if (new < 0 || kid_wait(new))
		return fail("a new child sees something else");

	pass();
	return 0;
}
