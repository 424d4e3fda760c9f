#include "zdtmtst.h"
#include "fileprop.h"
#include "filelocks.h"

const char *test_doc = "POSIX read and write locks on ranges exclude others, between them the file is free";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

static const struct lock_seen seen[] = {
	{ BY_POSIX, F_RDLCK, 0, 10, 0 },   { BY_POSIX, F_WRLCK, 0, 10, 0 },
	{ BY_POSIX, F_RDLCK, 10, 1, 1 },   { BY_POSIX, F_RDLCK, 19, 1, 1 },
	{ BY_POSIX, F_WRLCK, 20, 80, 0 },  { BY_POSIX, F_RDLCK, 100, 50, 0 },
	{ BY_POSIX, F_WRLCK, 149, 1, 1 },  { BY_POSIX, F_WRLCK, 150, 850, 0 },
	{ BY_POSIX, F_RDLCK, 1000, 1, 1 }, { BY_POSIX, F_RDLCK, 1L << 40, TO_EOF, 1 },
	{ BY_OFD, F_WRLCK, 10, 1, 1 },	   { BY_FLOCK, F_WRLCK, 0, 0, 0 },
};

int main(int argc, char **argv)
{
	int fd;

	test_init(argc, argv);

	fd = file_create(filename, O_RDWR, 0644);
	if (fd < 0 || lock_set(fd, BY_POSIX, F_WRLCK, 10, 10) || lock_set(fd, BY_POSIX, F_RDLCK, 100, 50) ||
	    lock_set(fd, BY_POSIX, F_WRLCK, 1000, TO_EOF))
		return pr_perror("lock %s", filename);
	if (lock_check(fd, seen, ARRAY_SIZE(seen)))
		return 1;

	test_daemon();
	test_waitsig();

	if (lock_check(fd, seen, ARRAY_SIZE(seen)))
		return fail("the locks are not what they were");
	/* They are its own: it may change them, and give them back in pieces. */
	if (lock_set(fd, BY_POSIX, F_UNLCK, 15, TO_EOF) || lock_excludes(fd, BY_POSIX, F_WRLCK, 15, TO_EOF) != 0 ||
	    lock_excludes(fd, BY_POSIX, F_WRLCK, 14, 1) != 1)
		return fail("the locks cannot be given back");
	pass();
	return 0;
}
