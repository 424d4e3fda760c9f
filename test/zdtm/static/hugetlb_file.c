#include "zdtmtst.h"
#include "huge.h"
#include "kids.h"

#ifdef HUGETLB_DELETED
const char *test_doc = "A deleted file of a hugetlbfs: shared, seen privately, only open; one object for all";
#else
const char *test_doc = "A file of a hugetlbfs: shared by two tasks, and seen privately";
#endif

char *dirname;
TEST_OPTION(dirname, string, "directory for a hugetlbfs", 1);

#define NR 4

static char *shared, *view;
static int fd;

/* The child has no mapping, and a descriptor of its own. */
static int child_prepare(void *arg)
{
	char link[64];
	int own;

	(void)arg;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	own = open(link, O_RDONLY);
	return own < 0 || dup2(own, fd) != fd || close(own) || munmap(shared, NR * HUGE) || munmap(view, NR * HUGE);
}

static int child_check(void *arg)
{
	static char copy[HUGE];

	(void)arg;
	if (pread(fd, copy, HUGE, 3 * HUGE) != (ssize_t)HUGE || pattern_bad(copy, HUGE, 30) >= 0)
		return fail("the child's descriptor is of another file");
	return 0;
}

int main(int argc, char **argv)
{
	struct fd_state state;
	char path[4096];
	pid_t child;

	test_init(argc, argv);

	if (huge_mount(dirname) || ssprintf(path, "%s/huge", dirname))
		return 1;
	fd = file_create(path, O_RDWR, 0640);
	if (fd < 0 || ftruncate(fd, NR * HUGE))
		return pr_perror("make %s", path);
	shared = mmap(NULL, NR * HUGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	view = mmap(NULL, NR * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
	if (shared == MAP_FAILED || view == MAP_FAILED)
		return pr_perror("mmap");
	/* 0 and 1 in the file, of which 1 is another in the private view; 2 and 3 are holes. */
	pattern_fill(shared, HUGE, 1);
	pattern_fill(shared + HUGE, HUGE, 2);
	pattern_fill(view + HUGE, PG, 3);
	if (mprotect(view, NR * HUGE, PROT_READ))
		return pr_perror("mprotect");
	child = kid_start(child_prepare, child_check, NULL);
#ifdef HUGETLB_DELETED
	if (unlink(path))
		return pr_perror("unlink");
#endif
	if (child < 0 || huge_pages_of(fd) != 2 || fd_state_get(fd, &state))
		return 1;

	test_daemon();
	test_waitsig();

	if (huge_pages_of(fd) != 2)
		return fail("the file has %ld pages, had 2", huge_pages_of(fd));
#ifdef HUGETLB_DELETED
	if (fd_state_changed(fd, &state, FD_NEW_INODE) || dir_entries(dirname, 1))
		return fail("the file changed, or something is left behind");
#else
	if (fd_state_changed(fd, &state, FD_SAME_INODE))
		return fail("the file changed");
#endif
	if (map_is_fd(shared, fd) != 1 || map_is_map(shared, view) != 1 || !huge_mapped(shared) || !huge_mapped(view))
		return fail("the mappings are something else");
	if (pattern_bad(shared, HUGE, 1) >= 0 || pattern_bad(shared + HUGE, HUGE, 2) >= 0)
		return fail("shared content changed");
	if (pattern_bad(view, HUGE, 1) >= 0 || pattern_bad(view + HUGE, PG, 3) >= 0 ||
	    memcmp(view + HUGE + PG, shared + HUGE + PG, HUGE - PG))
		return fail("private content changed");
	pattern_fill(shared + 3 * HUGE, HUGE, 30);
	if (pattern_bad(view + 3 * HUGE, HUGE, 30) >= 0)
		return fail("the private view does not follow the file");
	if (kid_finish(child))
		return fail("the child");
	if (munmap(shared, NR * HUGE) || munmap(view, NR * HUGE) || close(fd) || umount(dirname) || rmdir(dirname))
		return fail("clean up: %m");

	pass();
	return 0;
}
