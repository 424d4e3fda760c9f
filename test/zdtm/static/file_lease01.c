#include "zdtmtst.h"
#include "fileprop.h"
#include "filelease.h"

const char *test_doc = "A lease for writing: a reader has to wait, its holder is told and makes it one for reading";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

int main(int argc, char **argv)
{
	int fd;

	test_init(argc, argv);

	fd = file_create(filename, O_RDONLY, 0644);
	if (fd < 0 || lease_take(fd, F_WRLCK))
		return pr_perror("lease on %s", filename);

	test_daemon();
	test_waitsig();

	if (fcntl(fd, F_GETLEASE) != F_WRLCK || lease_broken(0) != -1)
		return fail("the lease is lost");
	if (lease_excludes(fd, O_RDONLY) != 1 || lease_broken(10) != fd || fcntl(fd, F_GETLEASE) != F_RDLCK)
		return fail("the lease did not keep a reader out");
	if (fcntl(fd, F_SETLEASE, F_RDLCK) || lease_excludes(fd, O_RDONLY) != 0)
		return fail("the lease cannot be made one for reading");
	if (lease_excludes(fd, O_WRONLY) != 1 || lease_broken(10) != fd)
		return fail("what is left does not keep a writer out");
	pass();
	return 0;
}
