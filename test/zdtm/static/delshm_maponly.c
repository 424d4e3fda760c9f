#include "zdtmtst.h"
#include "delshm.h"
#include "kids.h"

const char *test_doc = "A deleted file that lives by mappings alone, at different addresses in two processes";

#define SIZE (16 * PG)

static char *map, *other;

static int child_prepare(void *arg)
{
	(void)arg;
	other = mremap(map, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, other);
	return other == MAP_FAILED;
}

static int child_check(void *arg)
{
	unsigned char vec;

	(void)arg;
	if (!mincore(map, PG, &vec))
		return fail("child: the old place is mapped again");
	if (pattern_bad(other, PG, 2) >= 0)
		return fail("child: another object");
	pattern_fill(other + PG, PG, 3);
	return 0;
}

int main(int argc, char **argv)
{
	static char before[4096];
	pid_t child;
	int fd;

	test_init(argc, argv);

	if (delshm_init())
		return 1;
	fd = delshm_create("map only", SIZE);
	other = mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fd < 0 || other == MAP_FAILED)
		return 1;
	map = delshm_map(fd, SIZE, PROT_READ | PROT_WRITE, 0);
	if (!map || delshm_unlink("map only") || close(fd))
		return 1;
	pattern_fill(map, SIZE, 1);
	child = kid_start(child_prepare, child_check, NULL);
	if (child < 0 || map_text(map, SIZE, MAP_TEXT_PATHS, before, sizeof(before)))
		return 1;

	test_daemon();
	test_waitsig();

	if (map_text_changed(map, SIZE, MAP_TEXT_PATHS, before))
		return fail("mapping changed");
	if (pattern_bad(map, SIZE, 1) >= 0)
		return fail("content changed");
	pattern_fill(map, PG, 2);
	if (kid_finish(child) || pattern_bad(map + PG, PG, 3) >= 0)
		return fail("child");
	if (delshm_fini())
		return fail("something is left behind");

	pass();
	return 0;
}
