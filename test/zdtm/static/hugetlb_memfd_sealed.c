#include "zdtmtst.h"
#include "huge.h"

const char *test_doc = "A memfd of huge pages that is sealed against writing, and one that nobody maps";

int main(int argc, char **argv)
{
	static char copy[HUGE];
	int sealed, open_only;
	char *map, *view;

	test_init(argc, argv);

	sealed = memfd_create("sealed", MFD_HUGETLB | HUGE_2MB | MFD_ALLOW_SEALING);
	open_only = memfd_create("open", MFD_HUGETLB | HUGE_2MB);
	if (sealed < 0 || open_only < 0 || ftruncate(sealed, 3 * HUGE) || ftruncate(open_only, 2 * HUGE))
		return pr_perror("memfd");
	map = mmap(NULL, 3 * HUGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, sealed, 0);
	if (map == MAP_FAILED)
		return pr_perror("mmap");
	pattern_fill(map + HUGE, HUGE, 7);
	map[2 * HUGE] = 0; /* a page of zeros */
	if (munmap(map, 3 * HUGE) || fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW))
		return pr_perror("seal");
	view = mmap(NULL, 3 * HUGE, PROT_READ, MAP_PRIVATE | MAP_NORESERVE, sealed, 0);
	map = mmap(NULL, HUGE, PROT_READ | PROT_WRITE, MAP_SHARED, open_only, HUGE);
	if (view == MAP_FAILED || map == MAP_FAILED)
		return pr_perror("mmap");
	pattern_fill(map, HUGE, 8);
	if (munmap(map, HUGE))
		return pr_perror("munmap");

	test_daemon();
	test_waitsig();

	if (huge_pages_of(sealed) != 2 || huge_pages_of(open_only) != 1)
		return fail("they have %ld and %ld pages, had 2 and 1", huge_pages_of(sealed),
			    huge_pages_of(open_only));
	if (fcntl(sealed, F_GET_SEALS) != (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW))
		return fail("the seals are %#x", fcntl(sealed, F_GET_SEALS));
	if (pattern_bad(view + HUGE, HUGE, 7) >= 0 || nonzero_at(view + 2 * HUGE, HUGE) >= 0)
		return fail("the sealed content changed");
	if (pread(open_only, copy, HUGE, HUGE) != (ssize_t)HUGE || pattern_bad(copy, HUGE, 8) >= 0)
		return fail("the content of the other changed");

	pass();
	return 0;
}
