#include <fcntl.h>
#include <sys/resource.h>

#include "zdtmtst.h"
#include "fileprop.h"
#include "kids.h"

const char *test_doc =
	"Descriptor numbers with gaps, high ones, crossed over between relatives; no number more or less";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

static const int numbers[] = { 7, 50, 63, 64, 255, 256, 1000, 1023 };
#define NR ARRAY_SIZE(numbers)

static int swapped;

/* Open descriptors below 2048 as a string of 0 and 1. */
static void open_set(char *set)
{
	int fd;

	for (fd = 0; fd < 2048; fd++)
		set[fd] = '0' + (fcntl(fd, F_GETFD) >= 0);
}

static int check(void)
{
	unsigned int i;

	for (i = 0; i < NR; i++) {
		/* In the child each number stands for what its mirror image is in the parent. */
		int want = 100 + (swapped ? NR - 1 - i : i);

		if (lseek(numbers[i], 0, SEEK_CUR) != want)
			return fail("descriptor %d is at %ld instead of %d", numbers[i], lseek(numbers[i], 0, SEEK_CUR),
				    want);
		if (fcntl(numbers[i], F_GETFD) != (i % 2 ? FD_CLOEXEC : 0))
			return fail("descriptor %d: close-on-exec changed", numbers[i]);
	}
	return 0;
}

static int child_prepare(void *arg)
{
	unsigned int i;

	(void)arg;
	swapped = 1;
	for (i = 0; i < NR / 2; i++) {
		int a = numbers[i], b = numbers[NR - 1 - i], spare = dup(a);

		if (spare < 0 || dup3(b, a, i % 2 ? O_CLOEXEC : 0) != a ||
		    dup3(spare, b, (NR - 1 - i) % 2 ? O_CLOEXEC : 0) != b || close(spare))
			return pr_perror("dup");
	}
	return check();
}

static int child_check(void *arg)
{
	(void)arg;
	return check();
}

int main(int argc, char **argv)
{
	static char before[2049], after[2049];
	struct rlimit limit;
	unsigned int i;
	pid_t child;

	test_init(argc, argv);

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return pr_perror("getrlimit");
	if (limit.rlim_cur < 1024) {
		limit.rlim_cur = 1024;
		if (setrlimit(RLIMIT_NOFILE, &limit))
			return pr_perror("setrlimit");
	}
	for (i = 0; i < NR; i++) {
		int fd = i ? open(filename, O_RDONLY) : file_create(filename, O_RDWR, 0644);

		if (fd < 0 || dup3(fd, numbers[i], i % 2 ? O_CLOEXEC : 0) != numbers[i] || close(fd) ||
		    lseek(numbers[i], 100 + i, SEEK_SET) != 100 + i)
			return pr_perror("dup to %d", numbers[i]);
	}
	child = kid_start(child_prepare, child_check, NULL);
	if (child < 0)
		return 1;
	open_set(before);

	test_daemon();
	test_waitsig();

	open_set(after);
	if (strcmp(before, after))
		return fail("other descriptors are open");
	if (check() || kid_finish(child))
		return 1;

	pass();
	return 0;
}
