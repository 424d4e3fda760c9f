#include "zdtmtst.h"
#include "fileprop.h"
#include "filelocks.h"
#include "taskutil.h"

const char *test_doc = "POSIX locks of three processes on one inherited file stay the locks of each";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

#define KIDS 2

static int fd, number;

/* Every process reads a range, too, that all of them do. */
static int take(void)
{
	return lock_set(fd, BY_POSIX, F_WRLCK, number * 10, 10) || lock_set(fd, BY_POSIX, F_RDLCK, 1000, 10);
}

/* Nobody's own locks are in his way; those of the others are, as long as they live: children end in their order. */
static int check(void)
{
	for (int i = 0; i <= KIDS; i++) {
		pid_t holder = lock_holder(fd, F_RDLCK, i * 10, 10);

		if (i > 0 && i < number)
			continue;
		if (i == number ? holder != 0 : holder <= 0)
			return pr_err("%d: the range of %d is held by %d\n", number, i, holder);
	}
	return lock_holder(fd, F_WRLCK, 1000, 10) > 0 ? 0 : pr_err("%d: the common range is not held\n", number);
}

int main(int argc, char **argv)
{
	pid_t kids[KIDS + 1];

	test_init(argc, argv);

	fd = file_create(filename, O_RDWR, 0644);
	if (fd < 0)
		return 1;
	for (number = 1; number <= KIDS; number++) {
		kids[number] = child_start(take, check);
		if (kids[number] < 0)
			return 1;
	}
	number = 0;
	if (take())
		return pr_perror("lock");

	test_daemon();
	test_waitsig();

	for (int i = 1; i <= KIDS; i++)
		if (lock_holder(fd, F_RDLCK, i * 10, 10) != kids[i])
			return fail("the lock of child %d is not its", i);
	if (check())
		return fail("the locks of the others");
	for (int i = 1; i <= KIDS; i++)
		if (child_finish(kids[i]))
			return fail("child %d", i);
	/* With a process go its locks, and only those. */
	if (lock_holder(fd, F_WRLCK, 10, TO_EOF) != 0 || lock_excludes(fd, BY_POSIX, F_RDLCK, 9, 1) != 1 ||
	    lock_excludes(fd, BY_POSIX, F_WRLCK, 1000, 1) != 1 || lock_excludes(fd, BY_POSIX, F_RDLCK, 1000, 1) != 0)
		return fail("after the end of the others the locks are wrong");
	pass();
	return 0;
}
