#include <sys/stat.h>

#include "ptyutil.h"
#include "taskutil.h"

const char *test_doc =
	"Masters without a slave: never opened, opened and closed with input waiting, several descriptions";
const char *test_author = "The criu team";

static struct pty_pair fresh, closed, many;

int main(int argc, char **argv)
{
	int reader, writer, copy;
	struct pollfd polled;
	struct stat st;

	test_init(argc, argv);
	if (pty_open_master(&fresh) || pty_open_pair(&closed) || pty_open_master(&many))
		return 1;
	if (pty_lines(closed.slave) || pty_write(closed.master, "kept\n", 5) || pty_wait_input(closed.slave, 5))
		return 1;
	close(closed.slave);
	reader = open(many.name, O_RDONLY | O_NOCTTY);
	writer = open(many.name, O_WRONLY | O_NOCTTY | O_NONBLOCK);
	copy = dup(writer);
	if (reader < 0 || writer < 0 || copy < 0 || pty_lines(reader))
		return pr_perror("open %s", many.name);

	test_daemon();
	test_waitsig();

	polled.fd = fresh.master;
	polled.events = POLLIN;
	if (poll(&polled, 1, 0))
		return fail("the master of a slave that was never opened sees %#x", polled.revents);
	polled.fd = closed.master;
	if (poll(&polled, 1, 0) != 1 || !(polled.revents & POLLHUP))
		return fail("the master of a closed slave sees %#x", polled.revents);
	if (pty_open_slave(&closed, O_RDWR) || pty_expect_line(closed.slave, "kept\n", 5))
		return 1;
	if (pty_open_slave(&fresh, O_RDWR) || fstat(fresh.slave, &st) || st.st_uid != getuid())
		return fail("slave of user %u", st.st_uid);
	if (pty_write(many.master, "down\n", 5) || pty_expect_line(reader, "down\n", 5) || pty_write(writer, "up", 2) ||
	    pty_expect(many.master, "up", 2))
		return 1;
	if (fcntl(copy, F_SETFL, O_WRONLY) || (fcntl(writer, F_GETFL) & (O_ACCMODE | O_NONBLOCK)) != O_WRONLY ||
	    write(reader, "x", 1) >= 0)
		return fail("descriptions of the slave");
	pass();
	return 0;
}
