#include <fcntl.h>
#include <sys/stat.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "fileprop.h"
#include "taskutil.h"

const char *test_doc = "A file made with O_TMPFILE that is only open can still be given a name";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

#define SIZE 5000

int main(int argc, char **argv)
{
	char data[SIZE], from[64], name[4096];
	struct stat st, named;
	int fd;

	test_init(argc, argv);

	if (mkdir(dirname, 0755) || ssprintf(name, "%s/named", dirname))
		return pr_perror("mkdir %s", dirname);
	fd = open(dirname, O_TMPFILE | O_RDWR, 0640);
	if (fd < 0 && errno == EOPNOTSUPP) {
		rmdir(dirname);
		skip("the file system has no O_TMPFILE");
		return skipped_test();
	}
	pattern_fill(data, SIZE, 1);
	if (fd < 0 || write(fd, data, SIZE) != SIZE)
		return pr_perror("O_TMPFILE");

	test_daemon();
	test_waitsig();

	if (fstat(fd, &st) || st.st_nlink || (st.st_mode & 07777) != 0640 || st.st_size != SIZE)
		return fail("%lu links, mode %#o, %ld bytes", st.st_nlink, st.st_mode, st.st_size);
	if (lseek(fd, 0, SEEK_CUR) != SIZE || pread(fd, data, SIZE, 0) != SIZE || pattern_bad(data, SIZE, 1) >= 0)
		return fail("content or position changed");
	if (dir_entries(dirname, 1))
		return fail("it has got a name");
	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, from, AT_FDCWD, name, AT_SYMLINK_FOLLOW))
		return fail("it can't be given a name");
	if (stat(name, &named) || named.st_ino != st.st_ino || named.st_nlink != 1)
		return fail("the name leads to another file");
	if (unlink(name) || rmdir(dirname))
		return fail("something is left behind");

	pass();
	return 0;
}
