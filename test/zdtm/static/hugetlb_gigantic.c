#include "zdtmtst.h"
#include "huge.h"
#include "kids.h"

const char *test_doc = "Huge pages of another size than the default: a memfd and private memory";

#define GIGA	 (1UL << 30)
#define HUGE_1GB (30U << 26)

int main(int argc, char **argv)
{
	char *map, *private;
	int fd;

	test_init(argc, argv);

	fd = memfd_create("gigantic", MFD_HUGETLB | HUGE_1GB);
	if (fd < 0 || ftruncate(fd, GIGA))
		return pr_perror("memfd");
	map = mmap(NULL, GIGA, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	private = mmap(NULL, GIGA, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_HUGETLB | HUGE_1GB, -1, 0);
	if (map == MAP_FAILED || private == MAP_FAILED)
		return pr_perror("mmap");
	pattern_fill(map + 5 * PG, PG, 1);
	pattern_fill(map + GIGA - PG, PG, 2);

	test_daemon();
	test_waitsig();

	if (map_smaps_kib(map, GIGA, "KernelPageSize") != 1 << 20 ||
	    map_smaps_kib(private, GIGA, "KernelPageSize") != 1 << 20)
		return fail("these are no pages of 1 GiB");
	if (pattern_bad(map + 5 * PG, PG, 1) >= 0 || pattern_bad(map + GIGA - PG, PG, 2) >= 0 ||
	    nonzero_at(map, 5 * PG) >= 0 || nonzero_at(map + 6 * PG, HUGE) >= 0)
		return fail("content changed");
	if (map_is_fd(map, fd) != 1)
		return fail("the mapping is something else");

	pass();
	return 0;
}
