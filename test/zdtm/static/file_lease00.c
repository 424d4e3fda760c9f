#include "zdtmtst.h"
#include "fileprop.h"
#include "filelease.h"

const char *test_doc = "A lease for reading: a reader does not disturb it, a writer has to wait and its holder is told";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

int main(int argc, char **argv)
{
	int fd, plain;

	test_init(argc, argv);

	plain = file_create(filename, O_RDWR, 0644);
	if (plain < 0 || close(plain))
		return 1;
	fd = open(filename, O_RDONLY);
	if (fd < 0 || lease_take(fd, F_RDLCK))
		return pr_perror("lease on %s", filename);

	test_daemon();
	test_waitsig();

	if (fcntl(fd, F_GETLEASE) != F_RDLCK)
		return fail("the lease is lost");
	if (lease_excludes(fd, O_RDONLY) != 0 || lease_broken(0) != -1)
		return fail("a reader broke the lease");
	if (lease_excludes(fd, O_WRONLY) != 1)
		return fail("the lease did not keep a writer out");
	if (lease_broken(10) != fd)
		return fail("nobody was told of the writer");
	if (fcntl(fd, F_GETLEASE) != F_UNLCK || fcntl(fd, F_SETLEASE, F_UNLCK) || lease_excludes(fd, O_WRONLY) != 0)
		return fail("the lease cannot be given back");
	pass();
	return 0;
}
