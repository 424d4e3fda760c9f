#include "zdtmtst.h"
#include "delshm.h"
#include "kids.h"

const char *test_doc = "Four processes share a deleted file of 64 MiB, with default options";

#define PAGES (64UL << 8)
#define KIDS  3

static char *map;

static int check_content(long who)
{
	unsigned long i;

	/* The first pages are for the answers below. */
	for (i = 16; i < PAGES; i++)
		if (pattern_bad(map + i * PG, PG, i) >= 0)
			return fail("process %ld: page %lu changed", who, i);
	return 0;
}

/* Every process finds what all before it wrote after restore, and adds a page. */
static int check_chain(long who)
{
	long i;

	for (i = 0; i < who; i++)
		if (pattern_bad(map + i * PG, PG, 1000000 + i) >= 0)
			return fail("process %ld does not see the write of process %ld", who, i);
	pattern_fill(map + who * PG, PG, 1000000 + who);
	return 0;
}

static int check(void *arg)
{
	return check_content((long)arg) || check_chain((long)arg);
}

int main(int argc, char **argv)
{
	static char before[4096];
	struct fd_state state;
	pid_t kids[KIDS + 1];
	unsigned long page;
	long i;
	int fd;

	test_init(argc, argv);

	map = delshm_start("family", PAGES * PG, &fd);
	if (!map || delshm_unlink("family"))
		return 1;
	for (page = 0; page < PAGES; page++)
		pattern_fill(map + page * PG, PG, page);
	for (i = 1; i <= KIDS; i++) {
		kids[i] = kid_start(NULL, check, (void *)i);
		if (kids[i] < 0)
			return 1;
	}
	if (map_text(map, PAGES * PG, MAP_TEXT_PATHS, before, sizeof(before)) || fd_state_get(fd, &state))
		return 1;

	test_daemon();
	test_waitsig();

	if (map_text_changed(map, PAGES * PG, MAP_TEXT_PATHS, before))
		return fail("mapping changed");
	if (fd_state_changed(fd, &state, FD_NEW_INODE) || map_is_fd(map, fd) != 1)
		return fail("descriptor changed");
	if (check((void *)0))
		return 1;
	for (i = 1; i <= KIDS; i++)
		if (kid_finish(kids[i]))
			return fail("process %ld", i);
	if (check_chain(KIDS + 1))
		return 1;
	if (delshm_fini())
		return fail("something is left behind");

	pass();
	return 0;
}
