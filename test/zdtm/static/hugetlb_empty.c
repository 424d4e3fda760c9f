#include "zdtmtst.h"
#include "huge.h"
#include "kids.h"

const char *test_doc =
	"Too few huge pages at restore: it fails, naming how many, before or while it fills, without harm";

/* The hook counts on this: one page of the memfd, two of the private memory, one more that the child has written. */
#define NEEDED 4

static char *private;

static int child_prepare(void *arg)
{
	(void)arg;
	pattern_fill(private, HUGE, 10);
	return 0;
}

static int child_check(void *arg)
{
	(void)arg;
	return pattern_bad(private, HUGE, 10) >= 0 ? fail("the child's page changed") : 0;
}

int main(int argc, char **argv)
{
	pid_t child;
	char *map;
	int fd;

	test_init(argc, argv);

	fd = memfd_create("huge", MFD_HUGETLB | HUGE_2MB);
	if (fd < 0 || ftruncate(fd, 3 * HUGE))
		return pr_perror("memfd");
	map = mmap(NULL, 3 * HUGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	private = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | HUGE_2MB, -1,
		       0);
	if (map == MAP_FAILED || private == MAP_FAILED)
		return pr_perror("mmap");
	pattern_fill(map + HUGE, HUGE, 1);
	pattern_fill(private, HUGE, 2);
	child = kid_start(child_prepare, child_check, NULL);
	if (child < 0)
		return 1;

	test_daemon();
	test_waitsig();

	if (huge_pages_of(fd) != 1 || pattern_bad(map + HUGE, HUGE, 1) >= 0 || pattern_bad(private, HUGE, 2) >= 0)
		return fail("content changed");
	if (kid_finish(child))
		return fail("the child");

	pass();
	return 0;
}
