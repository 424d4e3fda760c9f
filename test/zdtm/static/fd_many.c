#include <fcntl.h>
#include <sys/resource.h>

#include "zdtmtst.h"
#include "fileprop.h"

const char *test_doc = "10000 descriptors: opens and copies, each at its number and position";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

#define NR    10000
#define FIRST 100

/* Every tenth is a copy of the one before it. */
static int is_copy(int i)
{
	return i % 10 == 9;
}

int main(int argc, char **argv)
{
	struct rlimit limit;
	int i, fd;

	test_init(argc, argv);

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return pr_perror("getrlimit");
	if (limit.rlim_cur < NR + FIRST) {
		limit.rlim_cur = NR + FIRST;
		if (setrlimit(RLIMIT_NOFILE, &limit))
			return pr_perror("setrlimit to %d", NR + FIRST);
	}
	fd = file_create(filename, O_RDWR, 0644);
	if (fd < 0 || close(fd))
		return 1;
	for (i = 0; i < NR; i++) {
		fd = is_copy(i) ? dup(FIRST + i - 1) : open(filename, O_RDONLY);
		if (fd < 0 || dup2(fd, FIRST + i) != FIRST + i || (fd != FIRST + i && close(fd)))
			return pr_perror("descriptor %d", FIRST + i);
		if (!is_copy(i) && lseek(FIRST + i, i, SEEK_SET) != i)
			return pr_perror("lseek");
	}

	test_daemon();
	test_waitsig();

	for (i = 0; i < NR; i++)
		if (lseek(FIRST + i, 0, SEEK_CUR) != i - is_copy(i))
			return fail("descriptor %d is at %ld", FIRST + i, lseek(FIRST + i, 0, SEEK_CUR));
	for (i = 1; i < NR; i += 7)
		if (fd_same_offset(FIRST + i - 1, FIRST + i) != is_copy(i))
			return fail("descriptors %d and %d", FIRST + i - 1, FIRST + i);
	if (fcntl(FIRST + NR, F_GETFD) != -1)
		return fail("a descriptor too many");

	pass();
	return 0;
}
