#include <fcntl.h>
#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "fileprop.h"
#include "kids.h"

const char *test_doc = "One memfd of several processes: mapped by one, only open in another, own descriptor in a third";

#define PAGES 8

static char *map;
static int fd;

static int only_mapped_prepare(void *arg)
{
	(void)arg;
	return close(fd);
}

static int only_mapped_check(void *arg)
{
	(void)arg;
	if (pattern_bad(map + PG, PG, 50) >= 0)
		return fail("the mapping of the first child is another object");
	pattern_fill(map + 2 * PG, PG, 51);
	return 0;
}

static int only_open_prepare(void *arg)
{
	(void)arg;
	return munmap(map, PAGES * PG);
}

static int only_open_check(void *arg)
{
	char page[PG];

	(void)arg;
	if (pread(fd, page, PG, 2 * PG) != (ssize_t)PG || pattern_bad(page, PG, 51) >= 0)
		return fail("the descriptor of the second child is another object");
	/* Inherited by fork, so this moves the parent's position as well. */
	return lseek(fd, 333, SEEK_SET) != 333;
}

static int own_open_prepare(void *arg)
{
	char link[64];
	int own;

	(void)arg;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	own = open(link, O_RDWR);
	return own < 0 || dup2(own, fd) != fd || close(own) || munmap(map, PAGES * PG) ||
	       lseek(fd, 3 * PG, SEEK_SET) != (off_t)(3 * PG);
}

static int own_open_check(void *arg)
{
	char page[PG];

	(void)arg;
	pattern_fill(page, PG, 52);
	if (lseek(fd, 0, SEEK_CUR) != (off_t)(3 * PG))
		return fail("the third child's position moved");
	return write(fd, page, PG) != (ssize_t)PG;
}

int main(int argc, char **argv)
{
	struct fd_state state;
	pid_t kids[3];

	test_init(argc, argv);

	fd = memfd_create("family", 0);
	if (fd < 0 || ftruncate(fd, PAGES * PG))
		return pr_perror("memfd");
	map = mmap(NULL, PAGES * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return pr_perror("mmap");
	pattern_fill(map, PG, 1);
	kids[0] = kid_start(only_mapped_prepare, only_mapped_check, NULL);
	kids[1] = kid_start(only_open_prepare, only_open_check, NULL);
	kids[2] = kid_start(own_open_prepare, own_open_check, NULL);
	if (kids[0] < 0 || kids[1] < 0 || kids[2] < 0 || fd_state_get(fd, &state))
		return 1;

	test_daemon();
	test_waitsig();

	if (fd_state_changed(fd, &state, FD_NEW_INODE) || map_is_fd(map, fd) != 1)
		return fail("the parent's memfd changed");
	if (pattern_bad(map, PG, 1) >= 0)
		return fail("content changed");
	pattern_fill(map + PG, PG, 50);
	if (kid_finish(kids[0]))
		return fail("child with a mapping");
	if (kid_finish(kids[1]))
		return fail("child with the inherited descriptor");
	if (lseek(fd, 0, SEEK_CUR) != 333)
		return fail("the position is not shared with the child any more");
	if (kid_finish(kids[2]))
		return fail("child with a descriptor of its own");
	if (pattern_bad(map + 2 * PG, PG, 51) >= 0 || pattern_bad(map + 3 * PG, PG, 52) >= 0)
		return fail("writes of the children are not seen");

	pass();
	return 0;
}
