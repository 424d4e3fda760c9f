#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "zdtmtst.h"
#include "fileprop.h"

#ifdef LOCK_POSIX
const char *test_doc = "A POSIX lock held is refused without --file-locks, and stays held";
#else
const char *test_doc = "An flock held is refused without --file-locks, and stays held";
#endif

char *filename;
TEST_OPTION(filename, string, "file name", 1);

/* Whether somebody else finds the file locked: 1, 0 or -1. */
static int locked(int fd)
{
#ifdef LOCK_POSIX
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int status;
	pid_t pid;

	/* Of the owner's own locks F_GETLK tells nothing. */
	pid = test_fork();
	if (!pid)
		_exit(fcntl(fd, F_GETLK, &lock) ? 2 : lock.l_type == F_WRLCK);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) == 2)
		return -1;
	return WEXITSTATUS(status);
#else
	int other, ret;

	(void)fd;
	other = open(filename, O_RDWR);
	if (other < 0)
		return -1;
	ret = flock(other, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
	close(other);
	return ret;
#endif
}

int main(int argc, char **argv)
{
	int fd;

	test_init(argc, argv);

	fd = file_create(filename, O_RDWR, 0644);
#ifdef LOCK_POSIX
	if (fd < 0 || lockf(fd, F_LOCK, 100))
#else
	if (fd < 0 || flock(fd, LOCK_EX))
#endif
		return pr_perror("lock %s", filename);
	if (locked(fd) != 1)
		return pr_err("the lock is not seen\n");

	test_daemon();
	test_waitsig();

	if (locked(fd) != 1)
		return fail("the lock is lost");
		/* Nor may anybody else have got a share of it. */
#ifdef LOCK_POSIX
	if (lockf(fd, F_ULOCK, 0) || locked(fd) != 0)
#else
	if (flock(fd, LOCK_UN) || locked(fd) != 0)
#endif
		return fail("the lock cannot be given back");

	pass();
	return 0;
}
