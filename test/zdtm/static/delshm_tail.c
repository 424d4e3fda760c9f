#include <setjmp.h>
#include <signal.h>

#include "zdtmtst.h"
#include "delshm.h"

const char *test_doc = "A deleted shared file that ends inside a page: exact size, tail of the page, SIGBUS beyond";

#define SIZE	  (2 * PG + 100)
#define MAP_PAGES 5

static sigjmp_buf on_fault;

static void faulted(int sig)
{
	siglongjmp(on_fault, sig);
}

static int fault_at(volatile char *at)
{
	int sig = sigsetjmp(on_fault, 1);

	if (!sig)
		(void)*at;
	return sig;
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = faulted };
	static char before[4096];
	struct fd_state state;
	char *map;
	int fd, i;

	test_init(argc, argv);

	if (delshm_init())
		return 1;
	fd = delshm_create("tail", SIZE);
	if (fd < 0)
		return 1;
	map = delshm_map(fd, MAP_PAGES * PG, PROT_READ | PROT_WRITE, 0);
	if (!map || delshm_unlink("tail"))
		return 1;
	pattern_fill(map, SIZE, 1);
	/* Behind the end, but in the page, where it is nobody's content. */
	memset(map + SIZE, 't', 3 * PG - SIZE);
	if (sigaction(SIGBUS, &act, NULL) || fault_at(map + 3 * PG) != SIGBUS)
		return pr_err("no SIGBUS to begin with\n");
	if (map_text(map, MAP_PAGES * PG, MAP_TEXT_PATHS, before, sizeof(before)) || fd_state_get(fd, &state))
		return 1;

	test_daemon();
	test_waitsig();

	if (map_text_changed(map, MAP_PAGES * PG, MAP_TEXT_PATHS, before))
		return fail("mapping changed");
	if (fd_state_changed(fd, &state, FD_NEW_INODE) || map_is_fd(map, fd) != 1)
		return fail("descriptor changed");
	if (pattern_bad(map, SIZE, 1) >= 0)
		return fail("content changed");
	/* What was stored behind the end is no content: it reads as in a mapping of the file made anew. */
	for (i = SIZE; i < (int)(3 * PG); i++) {
		if (map[i])
			return fail("byte %d behind the end is %#x", i - (int)SIZE, map[i]);
	}
	for (i = 3; i < MAP_PAGES; i++)
		if (fault_at(map + i * PG) != SIGBUS)
			return fail("page %d can be read", i);
	if (ftruncate(fd, MAP_PAGES * PG) || fault_at(map + 4 * PG) || nonzero_at(map + 3 * PG, 2 * PG) >= 0)
		return fail("the file does not grow");
	if (delshm_fini())
		return fail("something is left behind");

	pass();
	return 0;
}
