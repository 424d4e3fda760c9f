#include <sys/mman.h>

#include "zdtmtst.h"
#include "fileprop.h"
#include "filelease.h"

#ifdef LEASE_DELETED
const char *test_doc = "A lease on a deleted file is refused, and goes on keeping others out";
#elif defined(LEASE_MAPPED)
const char *test_doc = "A lease for writing on a file that is mapped is refused, and goes on keeping others out";
#else
const char *test_doc = "A lease is refused without --file-locks, and goes on keeping others out";
#endif

char *filename;
TEST_OPTION(filename, string, "file name", 1);

int main(int argc, char **argv)
{
	int fd;

	test_init(argc, argv);

	fd = file_create(filename, O_RDWR, 0644);
	if (fd < 0 || ftruncate(fd, 4096) || lease_take(fd, F_WRLCK))
		return pr_perror("lease on %s", filename);
#ifdef LEASE_DELETED
	if (unlink(filename))
		return pr_perror("unlink");
#elif defined(LEASE_MAPPED)
	if (mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
		return pr_perror("mmap");
#endif

	test_daemon();
	test_waitsig();

	if (fcntl(fd, F_GETLEASE) != F_WRLCK || lease_broken(0) != -1)
		return fail("the lease was touched");
	if (lease_excludes(fd, O_RDONLY) != 1 || lease_broken(10) != fd)
		return fail("the lease keeps nobody out");
	pass();
	return 0;
}
