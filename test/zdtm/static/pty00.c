#include <signal.h>

#include "ptyutil.h"
#include "taskutil.h"

const char *test_doc = "A pty without processing: bytes of every value on their way in both directions";
const char *test_author = "The criu team";

static struct pty_pair pty;
static unsigned char down[1024], up[1024];

/* The slave is the child's. */
static int set(void)
{
	close(pty.master);
	return pty_write(pty.slave, up, sizeof(up));
}

static int check(void)
{
	return pty_expect(pty.slave, down, sizeof(down)) || pty_expect_nothing(pty.slave) ||
	       pty_write(pty.slave, "later", 5);
}

int main(int argc, char **argv)
{
	pid_t pid;

	test_init(argc, argv);
	for (size_t i = 0; i < sizeof(up); i++) {
		down[i] = i;
		up[i] = i * 7 + 3;
	}
	if (pty_open_pair(&pty) || pty_raw(pty.slave) || pty_write(pty.master, down, sizeof(down)) ||
	    pty_wait_input(pty.slave, sizeof(down)))
		return 1;
	pid = child_start(set, check);
	if (pid < 0)
		return 1;
	close(pty.slave);

	test_daemon();
	test_waitsig();

	if (child_finish(pid) || pty_expect(pty.master, up, sizeof(up)) || pty_expect(pty.master, "later", 5))
		return 1;
	/* The child's was the only one. */
	if (read(pty.master, up, 1) >= 0 || errno != EIO)
		return fail("the slave is not closed");
	pass();
	return 0;
}
