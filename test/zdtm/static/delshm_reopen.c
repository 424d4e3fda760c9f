#include "zdtmtst.h"
#include "delshm.h"
#include "kids.h"

const char *test_doc =
	"After restore /proc/PID/fd/N of a deleted shared file opens the same object, also for a relative";

#define SIZE (4 * PG)

static int fd;
static char *map;
static pid_t owner;

/* The way in of a peer that was only told pid and descriptor number. */
static int reopen(const char *who, int flags, int *ret_fd)
{
	char link[64];

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", owner, fd);
	*ret_fd = open(link, flags);
	return *ret_fd < 0 ? pr_perror("%s: open %s", who, link) : 0;
}

static int peer_prepare(void *arg)
{
	(void)arg;
	/* All it keeps from the parent are the two numbers. */
	return munmap(map, SIZE) || close(fd);
}

static int peer_check(void *arg)
{
	char *view;
	int again;

	(void)arg;
	if (reopen("peer", O_RDWR, &again))
		return 1;
	view = delshm_map(again, SIZE, PROT_READ | PROT_WRITE, 0);
	if (!view || pattern_bad(view + PG, PG, 2) >= 0)
		return fail("peer: this is another object");
	pattern_fill(view + 2 * PG, PG, 3);
	return 0;
}

int main(int argc, char **argv)
{
	int again, ro;
	struct stat st;
	char *view;
	pid_t peer;

	test_init(argc, argv);

	if (delshm_init())
		return 1;
	owner = getpid();
	fd = delshm_create("reopen", SIZE);
	if (fd < 0)
		return 1;
	map = delshm_map(fd, SIZE, PROT_READ | PROT_WRITE, 0);
	if (!map || delshm_unlink("reopen"))
		return 1;
	pattern_fill(map, SIZE, 1);
	peer = kid_start(peer_prepare, peer_check, NULL);
	if (peer < 0)
		return 1;

	test_daemon();
	test_waitsig();

	if (reopen("owner", O_RDWR, &again) || reopen("owner", O_RDONLY, &ro))
		return fail("reopen");
	if (map_is_fd(map, again) != 1 || map_is_fd(map, ro) != 1 || fstat(again, &st) || st.st_nlink)
		return fail("reopened another object");
	view = delshm_map(again, SIZE, PROT_READ | PROT_WRITE, 0);
	if (!view || pattern_bad(view, SIZE, 1) >= 0)
		return fail("content changed");
	pattern_fill(view + PG, PG, 2);
	if (pattern_bad(map + PG, PG, 2) >= 0)
		return fail("the new view is another object");
	if (kid_finish(peer) || pattern_bad(map + 2 * PG, PG, 3) >= 0)
		return fail("peer");
	if (delshm_fini())
		return fail("something is left behind");

	pass();
	return 0;
}
