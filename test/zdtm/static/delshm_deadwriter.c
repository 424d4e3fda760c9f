#include "zdtmtst.h"
#include "delshm.h"
#include "kids.h"

const char *test_doc = "Pages of a deleted shared file that only a process wrote which has ended since, or nobody";

#define PAGES 64

static char *map;
static int fd;

/* Half of its pages through a mapping, a quarter with write(2), which no page table shows. */
static int write_and_end(void *arg)
{
	char page[PG];
	int i;

	(void)arg;
	for (i = 0; i < PAGES; i++) {
		if (i % 4 < 2)
			pattern_fill(map + i * PG, PG, i);
		pattern_fill(page, PG, i);
		if (i % 4 == 2 && pwrite(fd, page, PG, i * PG) != (ssize_t)PG)
			return pr_perror("pwrite");
	}
	return 0;
}

int main(int argc, char **argv)
{
	pid_t child;
	int i, status;

	test_init(argc, argv);

	map = delshm_start("dead", PAGES * PG, &fd);
	if (!map || delshm_unlink("dead"))
		return 1;
	child = test_fork();
	if (child < 0)
		return pr_perror("fork");
	if (!child)
		_exit(write_and_end(NULL));
	if (waitpid(child, &status, 0) != child || status)
		return pr_err("the writer ended with %#x\n", status);

	test_daemon();
	test_waitsig();

	for (i = 0; i < PAGES; i++) {
		if (i % 4 == 3 ? nonzero_at(map + i * PG, PG) >= 0 : pattern_bad(map + i * PG, PG, i) >= 0)
			return fail("page %d changed", i);
	}
	if (delshm_fini())
		return fail("something is left behind");

	pass();
	return 0;
}
