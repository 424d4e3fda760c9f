#include "zdtmtst.h"
#include "fileprop.h"
#include "filelease.h"
#include "taskutil.h"

const char *test_doc = "Leases that are being broken still are, whoever waits gets in, and nobody is told twice";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

/* What the lease is, what breaks it, what it has to become. */
static const struct {
	int mode, lease, breaker, target;
} cases[] = {
	{ O_RDONLY, F_WRLCK, O_RDONLY, F_RDLCK },
	{ O_RDWR, F_WRLCK, O_WRONLY, F_UNLCK },
	{ O_RDONLY, F_RDLCK, O_WRONLY, F_UNLCK },
};

static pid_t open_and_wait(const char *path, int fd, int flags)
{
	pid_t pid = test_fork();

	if (!pid) {
		close(fd);
		_exit(open(path, flags) < 0 ? pr_perror("open %s", path) : 0);
	}
	return pid;
}

int main(int argc, char **argv)
{
	char paths[ARRAY_SIZE(cases)][4096];
	int fds[ARRAY_SIZE(cases)];
	pid_t pids[ARRAY_SIZE(cases)];

	test_init(argc, argv);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s.%zu", filename, i);
		fds[i] = file_create(paths[i], cases[i].mode, 0644);
		if (fds[i] < 0 || lease_take(fds[i], cases[i].lease))
			return pr_perror("lease on %s", paths[i]);
		pids[i] = open_and_wait(paths[i], fds[i], cases[i].breaker);
		if (pids[i] < 0 || lease_broken(10) != fds[i] || task_wait_state(pids[i], 'S'))
			return pr_err("%s: the lease is not broken\n", paths[i]);
	}

	test_daemon();
	test_waitsig();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (fcntl(fds[i], F_GETLEASE) != cases[i].target)
			return fail("%zu: the lease has to become %d", i, fcntl(fds[i], F_GETLEASE));
		if (waitpid(pids[i], NULL, WNOHANG) || task_wait_state(pids[i], 'S'))
			return fail("%zu: nobody waits", i);
	}
	if (lease_broken(0) != -1)
		return fail("the holder is told again");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (fcntl(fds[i], F_SETLEASE, cases[i].target) || child_reap(pids[i]))
			return fail("%zu: who waited does not get in", i);
		unlink(paths[i]);
	}
	pass();
	return 0;
}
