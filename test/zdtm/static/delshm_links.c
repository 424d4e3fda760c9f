#include "zdtmtst.h"
#include "delshm.h"
#include "kids.h"

const char *test_doc = "A shared file with two names, both deleted: every holder still shows the name it came by";

#define SIZE (4 * PG)

static char *maps[2];

static int child_check(void *arg)
{
	(void)arg;
	if (pattern_bad(maps[0] + PG, PG, 2) >= 0)
		return fail("child: another object");
	pattern_fill(maps[1] + 2 * PG, PG, 3);
	return 0;
}

int main(int argc, char **argv)
{
	static char before[2][4096];
	struct fd_state state[2];
	int fds[2], i;
	pid_t child;

	test_init(argc, argv);

	if (delshm_init())
		return 1;
	fds[0] = delshm_create("one", SIZE);
	if (fds[0] < 0 || link(delshm_path("one"), delshm_path("two")))
		return pr_perror("link");
	fds[1] = open(delshm_path("two"), O_RDWR);
	if (fds[1] < 0)
		return pr_perror("open");
	for (i = 0; i < 2; i++) {
		maps[i] = delshm_map(fds[i], SIZE, PROT_READ | PROT_WRITE, 0);
		if (!maps[i])
			return 1;
	}
	if (delshm_unlink("one") || delshm_unlink("two"))
		return 1;
	pattern_fill(maps[0], SIZE, 1);
	child = kid_start(NULL, child_check, NULL);
	if (child < 0)
		return 1;
	for (i = 0; i < 2; i++)
		if (map_text(maps[i], SIZE, MAP_TEXT_PATHS, before[i], sizeof(before[i])) ||
		    fd_state_get(fds[i], &state[i]))
			return 1;

	test_daemon();
	test_waitsig();

	for (i = 0; i < 2; i++) {
		if (map_text_changed(maps[i], SIZE, MAP_TEXT_PATHS, before[i]))
			return fail("mapping %d changed", i);
		if (fd_state_changed(fds[i], &state[i], FD_NEW_INODE))
			return fail("descriptor %d changed", i);
		if (pattern_bad(maps[i], SIZE, 1) >= 0)
			return fail("content of mapping %d changed", i);
	}
	if (map_is_fd(maps[0], fds[1]) != 1 || map_is_fd(maps[1], fds[0]) != 1)
		return fail("one file became two");
	pattern_fill(maps[1] + PG, PG, 2);
	if (kid_finish(child) || pattern_bad(maps[0] + 2 * PG, PG, 3) >= 0)
		return fail("child");
	if (delshm_fini())
		return fail("something is left behind");

	pass();
	return 0;
}
