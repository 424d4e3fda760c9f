#include "zdtmtst.h"
#include "fileprop.h"
#include "filelocks.h"
#include "taskutil.h"

const char *test_doc =
	"While somebody else has a lock or keeps the file open, restore says so and leaves nothing; later it works";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

/* The hook takes one of these from the outside, before the restore. */
int main(int argc, char **argv)
{
	static const char *const suffixes[] = { "posix", "ofd", "flock", "lease" };
	int fds[ARRAY_SIZE(suffixes)];
	char path[4096];

	test_init(argc, argv);

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		snprintf(path, sizeof(path), "%s.%s", filename, suffixes[i]);
		fds[i] = file_create(path, i == 3 ? O_RDONLY : O_RDWR, 0644);
		if (fds[i] < 0 || (i == 3 ? fcntl(fds[i], F_SETLEASE, F_RDLCK) : lock_set(fds[i], i, F_WRLCK, 10, 10)))
			return pr_perror("lock %s", path);
	}

	test_daemon();
	test_waitsig();

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		if (i == 3 ? fcntl(fds[i], F_GETLEASE) != F_RDLCK : lock_excludes(fds[i], i, F_RDLCK, 10, 10) != 1)
			return fail("the lock of %s.%s is lost", filename, suffixes[i]);
		snprintf(path, sizeof(path), "%s.%s", filename, suffixes[i]);
		if (unlink(path))
			return fail("unlink");
	}
	pass();
	return 0;
}
