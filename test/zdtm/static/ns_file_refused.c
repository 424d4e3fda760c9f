#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "zdtmtst.h"

const char *test_doc = "A descriptor of a namespace that the tree is not in is refused (see the hook), and stays";

#define FD 100

int main(int argc, char **argv)
{
	struct stat before, now;
	char path[64], byte;
	int ready[2], fd;
	pid_t child;

	test_init(argc, argv);

	if (pipe(ready))
		return pr_perror("pipe");
	child = fork();
	if (!child) {
		close(ready[0]);
		if (unshare(CLONE_NEWUTS) || write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
	}
	close(ready[1]);
	if (child < 0 || read(ready[0], &byte, 1) != 1)
		return pr_perror("a namespace of its own");
	close(ready[0]);
	snprintf(path, sizeof(path), "/proc/%d/ns/uts", child);
	fd = open(path, O_RDONLY);
	if (fd < 0 || dup2(fd, FD) != FD || close(fd) || fstat(FD, &before))
		return pr_perror("%s", path);
	kill(child, SIGKILL);
	if (waitpid(child, NULL, 0) != child)
		return pr_perror("waitpid");

	test_daemon();
	test_waitsig();

	if (fstat(FD, &now) || now.st_ino != before.st_ino)
		return fail("it is another namespace");

	pass();
	return 0;
}
