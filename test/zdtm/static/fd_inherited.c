#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "zdtmtst.h"
#include "taskutil.h"

const char *test_doc = "A child keeps what it has changed of the descriptors it has from its parent";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

enum { SAME = 50, CLOEXEC, NOT_CLOEXEC, OTHER, SWAPPED_A, SWAPPED_B, CLOSED, LOCKED };

static int flags_of(int fd)
{
	return fcntl(fd, F_GETFD);
}

static int set_child(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 3 };
	int other = open("/dev/null", O_RDWR), a = dup(SWAPPED_A);

	if (other < 0 || a < 0 || fcntl(CLOEXEC, F_SETFD, FD_CLOEXEC) || fcntl(NOT_CLOEXEC, F_SETFD, 0) ||
	    dup2(other, OTHER) < 0 || dup2(SWAPPED_B, SWAPPED_A) < 0 || dup2(a, SWAPPED_B) < 0 || close(CLOSED) ||
	    close(other) || close(a) || fcntl(LOCKED, F_SETLK, &lock))
		return pr_perror("change the descriptors");
	return 0;
}

static int check_child(void)
{
	struct stat other, null;
	off_t a, b;

	if (flags_of(SAME) != 0 || flags_of(CLOEXEC) != FD_CLOEXEC || flags_of(NOT_CLOEXEC) != 0)
		return fail("close-on-exec: %d %d %d", flags_of(SAME), flags_of(CLOEXEC), flags_of(NOT_CLOEXEC));
	if (fstat(OTHER, &other) || stat("/dev/null", &null) || other.st_rdev != null.st_rdev)
		return fail("another file under the parent's number");
	/* They have a position each. */
	a = lseek(SWAPPED_A, 0, SEEK_CUR);
	b = lseek(SWAPPED_B, 0, SEEK_CUR);
	if (a != 2 || b != 1)
		return fail("positions %d and %d, not 2 and 1", (int)a, (int)b);
	if (flags_of(CLOSED) >= 0)
		return fail("a closed descriptor is open");
	return 0;
}

int main(int argc, char **argv)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	pid_t child;

	test_init(argc, argv);
	for (int fd = SAME; fd <= LOCKED; fd++) {
		int new = open(filename, O_RDWR | O_CREAT, 0600);

		if (new < 0 || write(new, "12345", 5) != 5 || dup2(new, fd) < 0 || close(new))
			return pr_perror("open %s", filename);
	}
	if (fcntl(NOT_CLOEXEC, F_SETFD, FD_CLOEXEC) || lseek(SWAPPED_A, 1, SEEK_SET) != 1 ||
	    lseek(SWAPPED_B, 2, SEEK_SET) != 2)
		return pr_perror("prepare the descriptors");
	child = child_start(set_child, check_child);
	if (child < 0)
		return 1;

	test_daemon();
	test_waitsig();

	if (flags_of(SAME) || flags_of(CLOEXEC) || flags_of(NOT_CLOEXEC) != FD_CLOEXEC)
		return fail("close-on-exec of the parent");
	if (lseek(SWAPPED_A, 0, SEEK_CUR) != 1 || lseek(SWAPPED_B, 0, SEEK_CUR) != 2)
		return fail("positions of the parent");
	/* The position is common, as the description is. */
	if (lseek(SAME, 4, SEEK_SET) != 4 || fcntl(LOCKED, F_GETLK, &lock) || lock.l_type == F_UNLCK ||
	    lock.l_pid != child)
		return fail("the child's lock is gone");
	if (child_finish(child))
		return fail("the child's descriptors changed");
	pass();
	return 0;
}
