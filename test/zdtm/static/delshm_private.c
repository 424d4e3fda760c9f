#include "zdtmtst.h"
#include "delshm.h"
#include "kids.h"

const char *test_doc =
	"A deleted file mapped shared and private: private pages on top, the others follow the shared object";

#define PAGES 16

static char *shared, *private;

/* Pages of the private mapping that were written: by both, or by the child only. */
static int own_page(int i, int child)
{
	return i == 3 || i == 4 || i == PAGES - 1 || (child && i == 7);
}

static int check_private(int child, int shared_seed)
{
	int i;

	for (i = 0; i < PAGES; i++)
		if (pattern_bad(private + i * PG, PG, own_page(i, child) ? 1000 + i : shared_seed + i) >= 0)
			return fail("%s: private page %d is wrong", child ? "child" : "parent", i);
	return 0;
}

static int child_prepare(void *arg)
{
	(void)arg;
	pattern_fill(private + 7 * PG, PG, 1007);
	return 0;
}

static int child_check(void *arg)
{
	(void)arg;
	return check_private(1, 500);
}

int main(int argc, char **argv)
{
	static char before[2][4096];
	pid_t child;
	int fd = -1, i;

	test_init(argc, argv);

	shared = delshm_start("both", PAGES * PG, &fd);
	private = mmap(NULL, PAGES * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (!shared || private == MAP_FAILED || delshm_unlink("both"))
		return 1;
	close(fd);
	for (i = 0; i < PAGES; i++) {
		pattern_fill(shared + i * PG, PG, i);
		if (own_page(i, 0))
			pattern_fill(private + i * PG, PG, 1000 + i);
	}
	child = kid_start(child_prepare, child_check, NULL);
	if (child < 0 || check_private(0, 0) ||
	    map_text(shared, PAGES * PG, MAP_TEXT_PATHS, before[0], sizeof(before[0])) ||
	    map_text(private, PAGES * PG, MAP_TEXT_PATHS, before[1], sizeof(before[1])))
		return 1;

	test_daemon();
	test_waitsig();

	if (map_text_changed(shared, PAGES * PG, MAP_TEXT_PATHS, before[0]) ||
	    map_text_changed(private, PAGES * PG, MAP_TEXT_PATHS, before[1]))
		return fail("mappings changed");
	if (map_is_map(shared, private) != 1)
		return fail("the mappings are of different objects");
	if (check_private(0, 0))
		return fail("content changed");
	for (i = 0; i < PAGES; i++) {
		if (pattern_bad(shared + i * PG, PG, i) >= 0)
			return fail("shared page %d changed", i);
		pattern_fill(shared + i * PG, PG, 500 + i);
	}
	if (check_private(0, 500))
		return fail("the private mapping does not follow the shared object");
	if (kid_finish(child))
		return fail("child");
	if (delshm_fini())
		return fail("something is left behind");

	pass();
	return 0;
}
