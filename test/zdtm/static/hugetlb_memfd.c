#include "zdtmtst.h"
#include "huge.h"
#include "kids.h"

const char *test_doc =
	"A memfd of huge pages: content, holes, pages of zeros, sealed against growth, shared with a child";

#define NR 6

static char *map;
static int fd;

/* The child has it mapped through a window of its own. */
static int child_prepare(void *arg)
{
	(void)arg;
	if (munmap(map, NR * HUGE))
		return 1;
	map = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 3 * HUGE);
	return map == MAP_FAILED;
}

static int child_check(void *arg)
{
	(void)arg;
	if (!huge_mapped(map) || map_is_fd(map, fd) != 1)
		return fail("the child's window is something else");
	if (pattern_bad(map, HUGE, 30) >= 0)
		return fail("the child does not see what its parent wrote after the restore");
	pattern_fill(map, HUGE, 31);
	return 0;
}

int main(int argc, char **argv)
{
	struct fd_state state;
	pid_t child;
	int seals;

	test_init(argc, argv);

	fd = memfd_create("huge", MFD_HUGETLB | HUGE_2MB | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, NR * HUGE) || fcntl(fd, F_ADD_SEALS, F_SEAL_GROW))
		return pr_perror("memfd");
	map = mmap(NULL, NR * HUGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (map == MAP_FAILED)
		return pr_perror("mmap");
	/* 0 written, 1 a hole, 2 a page of zeros that it owns, 3 and 4 holes, 5 one byte at the very end. */
	pattern_fill(map, HUGE, 1);
	if (fallocate(fd, 0, 2 * HUGE, HUGE))
		return pr_perror("fallocate");
	map[NR * HUGE - 1] = 'e';
	if (huge_pages_of(fd) != 3 || lseek(fd, 12345, SEEK_SET) != 12345)
		return pr_err("%ld pages\n", huge_pages_of(fd));
	child = kid_start(child_prepare, child_check, NULL);
	seals = fcntl(fd, F_GET_SEALS);
	if (child < 0 || seals < 0 || fd_state_get(fd, &state))
		return 1;

	test_daemon();
	test_waitsig();

	if (huge_pages_of(fd) != 3)
		return fail("it has %ld pages, had 3", huge_pages_of(fd));
	if (fd_state_changed(fd, &state, FD_NEW_INODE) || map_is_fd(map, fd) != 1 || fcntl(fd, F_GET_SEALS) != seals)
		return fail("the memfd changed");
	if (!huge_mapped(map) || map_has_flag(map, "nr") != 1)
		return fail("the mapping changed");
	if (pattern_bad(map, HUGE, 1) >= 0 || map[NR * HUGE - 1] != 'e' || nonzero_at(map + 5 * HUGE, HUGE - 1) >= 0 ||
	    nonzero_at(map + 2 * HUGE, HUGE) >= 0)
		return fail("content changed");
	if (huge_pages_of(fd) != 3)
		return fail("the page of zeros was none of its own");
	pattern_fill(map + 3 * HUGE, HUGE, 30);
	if (kid_finish(child) || pattern_bad(map + 3 * HUGE, HUGE, 31) >= 0)
		return fail("it is not shared with the child any more");

	pass();
	return 0;
}
