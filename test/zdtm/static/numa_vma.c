#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "numa.h"
#include "taskutil.h"

const char *test_doc = "Private mappings keep the NUMA policies set with mbind(2), each task its own";

#define PAGES 8
#define SIZE  (PAGES * PG)

static char *area, *plain;

/* What the parent has; the child changes some of it. */
static const int parent_modes[PAGES] = {
	MPOL_DEFAULT,
	MPOL_BIND,
	MPOL_BIND,
	MPOL_PREFERRED,
	MPOL_DEFAULT,
	MPOL_LOCAL,
	MPOL_INTERLEAVE | MPOL_F_STATIC_NODES,
	MPOL_DEFAULT,
};
static const int child_modes[PAGES] = {
	MPOL_BIND,
	MPOL_BIND,
	MPOL_DEFAULT,
	MPOL_PREFERRED | MPOL_F_RELATIVE_NODES,
	MPOL_DEFAULT,
	MPOL_LOCAL,
	MPOL_INTERLEAVE | MPOL_F_STATIC_NODES,
	MPOL_DEFAULT,
};

static int set_modes(const int *modes)
{
	for (int i = 0; i < PAGES; i++)
		if (numa_bind(area + i * PG, PG, modes[i]))
			return pr_perror("mbind page %d", i);
	return 0;
}

static int check_modes(const int *modes)
{
	for (int i = 0; i < PAGES; i++)
		if (numa_check(area + i * PG, modes[i]))
			return 1;
	if (pattern_bad(area, SIZE, 1) >= 0)
		return fail("content changed");
	return numa_check(plain, MPOL_DEFAULT);
}

static int set_child(void)
{
	return set_modes(child_modes);
}

static int check_child(void)
{
	return check_modes(child_modes);
}

int main(int argc, char **argv)
{
	pid_t child;

	test_init(argc, argv);
	if (numa_is_missing()) {
		skip("no NUMA policies");
		return skipped_test();
	}
	area = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	plain = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED || plain == MAP_FAILED)
		return pr_perror("mmap");
	pattern_fill(area, SIZE, 1);
	if (set_modes(parent_modes))
		return 1;
	child = child_start(set_child, check_child);
	if (child < 0)
		return 1;

	test_daemon();
	test_waitsig();

	if (check_modes(parent_modes))
		return 1;
	if (child_finish(child))
		return fail("the child's policies changed");
	pass();
	return 0;
}
