#include "zdtmtst.h"
#include "delshm.h"
#include "kids.h"

const char *test_doc =
	"A mapping of a deleted file cut up by mprotect, with content behind PROT_NONE, and advice on parts";

#define PAGES 12

static char *map;

static const int prots[] = {
	PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE, PROT_READ | PROT_WRITE, PROT_NONE, PROT_WRITE
};

static int child_check(void *arg)
{
	(void)arg;
	if (pattern_bad(map, PG, 50) >= 0)
		return fail("child: another object");
	pattern_fill(map + PG, PG, 51);
	return 0;
}

int main(int argc, char **argv)
{
	static char before[8192];
	pid_t child;
	int fd, i;

	test_init(argc, argv);

	map = delshm_start("mprotect", PAGES * PG, &fd);
	if (!map || delshm_unlink("mprotect") || close(fd))
		return 1;
	for (i = 0; i < PAGES; i++)
		pattern_fill(map + i * PG, PG, i);
	for (i = 0; i < PAGES / 2; i++)
		if (mprotect(map + 2 * i * PG, 2 * PG, prots[i]))
			return pr_perror("mprotect");
	if (madvise(map + 6 * PG, PG, MADV_DONTDUMP) || mlock(map + 7 * PG, PG))
		return pr_perror("mark");
	child = kid_start(NULL, child_check, NULL);
	if (child < 0 || map_text(map, PAGES * PG, MAP_TEXT_PATHS, before, sizeof(before)))
		return 1;

	test_daemon();
	test_waitsig();

	if (map_text_changed(map, PAGES * PG, MAP_TEXT_PATHS, before))
		return fail("mappings changed");
	if (map_has_flag(map + 6 * PG, "dd") != 1 || map_has_flag(map + 7 * PG, "dd") ||
	    map_has_flag(map + 7 * PG, "lo") != 1 || map_has_flag(map + 6 * PG, "lo"))
		return fail("marks changed");
	for (i = 0; i < PAGES; i += 2)
		if (map_is_map(map, map + i * PG) != 1)
			return fail("part %d is another object", i);
	if (mprotect(map, PAGES * PG, PROT_READ | PROT_WRITE))
		return fail("mprotect");
	for (i = 0; i < PAGES; i++)
		if (pattern_bad(map + i * PG, PG, i) >= 0)
			return fail("page %d changed", i);
	pattern_fill(map, PG, 50);
	if (kid_finish(child) || pattern_bad(map + PG, PG, 51) >= 0)
		return fail("child");
	if (delshm_fini())
		return fail("something is left behind");

	pass();
	return 0;
}
