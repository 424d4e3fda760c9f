#include "zdtmtst.h"
#include "delshm.h"
#include "kids.h"

const char *test_doc = "Three deleted shared files that all had the same path stay three";

#define NR   3
#define SIZE (8 * PG)

static char *maps[NR];

static int child_check(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < NR; i++) {
		if (pattern_bad(maps[i] + PG, PG, 100 + i) >= 0)
			return fail("child: file %d is another one", i);
		pattern_fill(maps[i] + 2 * PG, PG, 200 + i);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static char before[NR][4096];
	struct fd_state state[NR];
	int fds[NR], i;
	pid_t child;

	test_init(argc, argv);

	if (delshm_init())
		return 1;
	for (i = 0; i < NR; i++) {
		/* Different sizes, so that a mix-up is seen there as well. */
		fds[i] = delshm_create("same", SIZE + i * PG);
		if (fds[i] < 0)
			return 1;
		maps[i] = delshm_map(fds[i], SIZE, PROT_READ | PROT_WRITE, 0);
		if (!maps[i] || delshm_unlink("same"))
			return 1;
		pattern_fill(maps[i], SIZE, i);
		if (map_text(maps[i], SIZE, MAP_TEXT_PATHS, before[i], sizeof(before[i])) ||
		    fd_state_get(fds[i], &state[i]))
			return 1;
	}
	/* The last one has no descriptor. */
	close(fds[NR - 1]);
	child = kid_start(NULL, child_check, NULL);
	if (child < 0)
		return 1;

	test_daemon();
	test_waitsig();

	for (i = 0; i < NR; i++) {
		if (map_text_changed(maps[i], SIZE, MAP_TEXT_PATHS, before[i]))
			return fail("mapping %d changed", i);
		if (pattern_bad(maps[i], SIZE, i) >= 0)
			return fail("content of file %d changed", i);
		if (i < NR - 1 &&
		    (fd_state_changed(fds[i], &state[i], FD_NEW_INODE) || map_is_fd(maps[i], fds[i]) != 1))
			return fail("descriptor %d changed", i);
		pattern_fill(maps[i] + PG, PG, 100 + i);
	}
	if (map_is_map(maps[0], maps[1]) || map_is_map(maps[1], maps[2]) || map_is_map(maps[0], maps[2]))
		return fail("two of the files became one");
	if (kid_finish(child))
		return fail("child");
	for (i = 0; i < NR; i++)
		if (pattern_bad(maps[i] + PG, PG, 100 + i) >= 0 || pattern_bad(maps[i] + 2 * PG, PG, 200 + i) >= 0)
			return fail("file %d is not shared with the child", i);
	if (delshm_fini())
		return fail("something is left behind");

	pass();
	return 0;
}
