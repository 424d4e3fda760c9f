#include <sys/wait.h>

#include "zdtmtst.h"
#include "pidfd.h"

const char *test_doc = "A pidfd of a task outside the tree is refused, and goes on";

int main(int argc, char **argv)
{
	int fd, told[2], hold[2];
	pid_t child, outsider;
	char c;

	test_init(argc, argv);

	if (pipe(told) || pipe(hold))
		return pr_perror("pipe");
	/* An orphan in a session of its own is not in the tree. */
	child = fork();
	if (!child) {
		outsider = fork();
		if (outsider)
			_exit(write(told[1], &outsider, sizeof(outsider)) != sizeof(outsider));
		setsid();
		close(hold[1]);
		_exit(read(hold[0], &c, 1) != 0);
	}
	if (child < 0 || waitpid(child, NULL, 0) != child ||
	    read(told[0], &outsider, sizeof(outsider)) != sizeof(outsider))
		return pr_perror("outsider");
	close(hold[0]);
	fd = pidfd_of(outsider, 0);
	if (fd < 0)
		return pr_perror("pidfd");

	test_daemon();
	test_waitsig();

	if (pidfd_ended(fd) || pidfd_kill(fd, 0))
		return fail("the outsider has ended");
	if (pidfd_kill(fd, SIGKILL))
		return fail("the outsider is not reached");

	pass();
	return 0;
}
