#include "zdtmtst.h"
#include "fileprop.h"
#include "filelease.h"
#include "filelocks.h"
#include "taskutil.h"

const char *test_doc =
	"Who waits outside for a lock of the tree is named by the dump, gets it, and keeps the tree away "
	"until it gives it back (see the hook); who waits inside is not";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

/* The last two are flocks: of a process that has ended, and one that is waited for only when the dump is nearly done. */
enum { LEASE = 3, TAKEN, LATE, FILES };

static const char *const suffixes[FILES] = { "posix", "ofd", "flock", "lease", "taken", "late" };
static int fds[FILES];

static int take_and_end(int fd)
{
	pid_t pid = test_fork();

	if (!pid)
		_exit(lock_set(fd, BY_FLOCK, F_WRLCK, 0, TO_EOF) ? pr_perror("flock") : 0);
	return pid < 0 ? -1 : child_reap(pid);
}

static int take(int i)
{
	if (i == LEASE)
		return lease_take(fds[i], F_RDLCK);
	return i == TAKEN ? take_and_end(fds[i]) : lock_set(fds[i], i < LEASE ? i : BY_FLOCK, F_WRLCK, 10, 10);
}

static int is_kept(int i)
{
	if (i == LEASE)
		return lease_excludes(fds[i], O_WRONLY) == 1;
	return lock_excludes(fds[i], i < LEASE ? i : BY_FLOCK, F_RDLCK, 10, 10) == 1;
}

/* It wants the lock of the first file, too. */
static pid_t insider(void)
{
	struct flock range = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10 };
	pid_t pid = test_fork();

	if (!pid)
		_exit(fcntl(lock_open(fds[BY_POSIX], O_RDWR), F_OFD_SETLKW, &range) ? pr_perror("wait") : 0);
	return pid < 0 || task_wait_state(pid, 'S') ? pr_err("nobody waits\n") : pid;
}

int main(int argc, char **argv)
{
	char path[4096];
	pid_t pid;

	test_init(argc, argv);

	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "%s.%s", filename, suffixes[i]);
		fds[i] = file_create(path, i == LEASE ? O_RDONLY : O_RDWR, 0644);
		if (fds[i] < 0 || take(i))
			return pr_perror("lock %s", path);
	}
	pid = insider();
	if (pid < 0)
		return 1;

	test_daemon();
	test_waitsig();

	for (int i = 0; i < FILES; i++)
		if (!is_kept(i))
			return fail("the lock of %s.%s is lost", filename, suffixes[i]);
	if (waitpid(pid, NULL, WNOHANG) || lock_set(fds[BY_POSIX], BY_POSIX, F_UNLCK, 10, 10) || child_reap(pid))
		return fail("who waits inside does not get the lock, or too early");
	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "%s.%s", filename, suffixes[i]);
		if (unlink(path))
			return fail("unlink");
	}
	pass();
	return 0;
}
