#include "zdtmtst.h"
#include "delshm.h"
#include "kids.h"

const char *test_doc =
	"Four busy writers of a deleted shared file: the dump is one instant, and counting goes on exactly";

#define WRITERS 4
#define PAGES	16

/* One word in each page, so that pages taken at different moments would not add up. */
static unsigned long *counter(char *map, int page)
{
	return (unsigned long *)(map + page * PG);
}

/* What a writer did, as far as its own memory knows; written to its slot when it ends. */
static unsigned long *report(char *map, int writer)
{
	return (unsigned long *)(map + PAGES * PG) + writer;
}

static unsigned long rounds(char *map)
{
	return __atomic_load_n(counter(map, 0), __ATOMIC_SEQ_CST);
}

static void count(char *map, int writer)
{
	unsigned long mine = 0;
	int page;

	while (test_go()) {
		for (page = 0; page < PAGES; page++)
			__atomic_fetch_add(counter(map, page), 1, __ATOMIC_SEQ_CST);
		mine++;
	}
	*report(map, writer) = mine;
	_exit(0);
}

int main(int argc, char **argv)
{
	unsigned long before, sum = 0;
	pid_t kids[WRITERS];
	char *map;
	int fd, i;

	test_init(argc, argv);

	map = delshm_start("counter", (PAGES + 1) * PG, &fd);
	if (!map || delshm_unlink("counter") || close(fd))
		return 1;
	for (i = 0; i < WRITERS; i++) {
		kids[i] = test_fork();
		if (kids[i] < 0)
			return pr_perror("fork");
		if (kids[i])
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		count(map, i);
	}
	while (rounds(map) < 1000)
		usleep(1000);

	test_daemon();
	test_waitsig();

	before = rounds(map);
	for (i = 0; i < 1000 && rounds(map) < before + 1000; i++)
		usleep(10000);
	if (rounds(map) < before + 1000)
		return fail("the writers stopped");
	for (i = 0; i < WRITERS; i++)
		if (kid_finish(kids[i]))
			return fail("writer %d", i);
	for (i = 0; i < WRITERS; i++)
		sum += *report(map, i);
	for (i = 0; i < PAGES; i++)
		if (*counter(map, i) != sum)
			return fail("page %d counts %lu, the writers counted %lu", i, *counter(map, i), sum);
	if (delshm_fini())
		return fail("something is left behind");

	pass();
	return 0;
}
