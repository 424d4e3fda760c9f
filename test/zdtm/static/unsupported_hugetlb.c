#include <sys/mman.h>

#include "zdtmtst.h"
#include "fileprop.h"
#include "memprop.h"

#ifdef HUGETLB_FILE
const char *test_doc = "A deleted file of a hugetlbfs, mapped shared, is refused";

char *dirname;
TEST_OPTION(dirname, string, "directory on a hugetlbfs", 1);
#else
const char *test_doc = "A memfd of huge pages, mapped shared, is refused";
#endif

#define HUGE (2UL << 20)

static int make(void)
{
#ifdef HUGETLB_FILE
	char path[4096];
	int fd;

	if (mkdir(dirname, 0755) || ssprintf(path, "%s/huge", dirname))
		return -1;
	fd = file_create(path, O_RDWR, 0600);
	return fd < 0 || unlink(path) ? -1 : fd;
#else
	return memfd_create("huge", MFD_HUGETLB);
#endif
}

int main(int argc, char **argv)
{
	struct stat st;
	char *map;
	int fd;

	test_init(argc, argv);

	fd = make();
	if (fd < 0 && errno == ENOSYS) {
		skip("this kernel has no huge page files");
		test_daemon();
		test_waitsig();
		pass();
		return 0;
	}
	if (fd < 0 || ftruncate(fd, 2 * HUGE))
		return pr_perror("make a file of huge pages");
	/* Without a reservation no page of the pool is needed until one is touched. */
	map = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (map == MAP_FAILED)
		return pr_perror("mmap of huge pages");

	test_daemon();
	test_waitsig();

	if (fstat(fd, &st) || st.st_size != (off_t)(2 * HUGE) || map_has_flag(map, "ht") != 1)
		return fail("the mapping changed");
#ifdef HUGETLB_FILE
	if (dir_entries(dirname, 1) || rmdir(dirname))
		return fail("something is left behind");
#endif

	pass();
	return 0;
}
