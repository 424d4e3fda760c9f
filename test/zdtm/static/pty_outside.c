#include <signal.h>
#include <sys/wait.h>

#include "ptyutil.h"
#include "taskutil.h"

const char *test_doc = "A pty slave whose master is held by a process outside the tree is refused, and goes on";
const char *test_author = "The criu team";

int main(int argc, char **argv)
{
	struct pty_pair pty;
	int ready[2];
	char c;

	test_init(argc, argv);
	if (pty_open_pair(&pty) || pipe(ready))
		return pr_perror("pty");
	/* Not a child of ours any more, it ends when we do. */
	switch (fork()) {
	case -1:
		return pr_perror("fork");
	case 0:
		if (fork())
			_exit(0);
		close(ready[1]);
		close(pty.slave);
		_exit(read(ready[0], &c, 1) != 0);
	}
	if (wait(NULL) < 0)
		return pr_perror("wait");
	close(ready[0]);
	close(pty.master);

	test_daemon();
	test_waitsig();

	if (pty_write(pty.slave, "x", 1))
		return fail("the slave does not work");
	pass();
	return 0;
}
