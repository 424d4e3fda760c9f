#include "zdtmtst.h"
#include "fileprop.h"
#include "filelocks.h"

const char *test_doc = "A shared and an exclusive flock exclude whom they should, also through a second descriptor";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

static const struct lock_seen shared[] = {
	{ BY_FLOCK, F_RDLCK, 0, 0, 0 },
	{ BY_FLOCK, F_WRLCK, 0, 0, 1 },
	{ BY_POSIX, F_WRLCK, 0, 0, 0 },
};
static const struct lock_seen exclusive[] = {
	{ BY_FLOCK, F_RDLCK, 0, 0, 1 },
	{ BY_FLOCK, F_WRLCK, 0, 0, 1 },
	{ BY_POSIX, F_WRLCK, 0, 0, 0 },
};

int main(int argc, char **argv)
{
	char other[4096];
	int sh, ex, second;

	test_init(argc, argv);

	snprintf(other, sizeof(other), "%s.exclusive", filename);
	sh = file_create(filename, O_RDWR, 0644);
	ex = file_create(other, O_RDONLY, 0644);
	second = dup(ex);
	if (sh < 0 || ex < 0 || second < 0 || flock(sh, LOCK_SH) || flock(ex, LOCK_EX))
		return pr_perror("lock %s", filename);
	if (lock_check(sh, shared, ARRAY_SIZE(shared)) || lock_check(ex, exclusive, ARRAY_SIZE(exclusive)))
		return 1;

	test_daemon();
	test_waitsig();

	if (lock_check(sh, shared, ARRAY_SIZE(shared)) || lock_check(ex, exclusive, ARRAY_SIZE(exclusive)))
		return fail("the locks are not what they were");
	close(ex);
	if (lock_check(second, exclusive, ARRAY_SIZE(exclusive)))
		return fail("the lock went with one of two descriptors");
	if (flock(second, LOCK_UN) || lock_excludes(second, BY_FLOCK, F_WRLCK, 0, 0) != 0)
		return fail("the lock cannot be given back");
	if (unlink(other))
		return fail("unlink");
	pass();
	return 0;
}
