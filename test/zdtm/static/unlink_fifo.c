#include <fcntl.h>

#include "zdtmtst.h"
#include "fileprop.h"

const char *test_doc = "Deleted fifos: content, both ends, access mode; one of them without a writer";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

int main(int argc, char **argv)
{
	char name[4096], lone_name[4096], buf[64];
	struct fd_state state[3];
	int fds[3], i;

	test_init(argc, argv);

	if (mkdir(dirname, 0755) || ssprintf(name, "%s/fifo", dirname) || ssprintf(lone_name, "%s/lone", dirname) ||
	    mkfifo(name, 0640) || mkfifo(lone_name, 0600))
		return pr_perror("mkfifo");
	fds[0] = open(name, O_RDONLY | O_NONBLOCK);
	fds[1] = open(name, O_WRONLY);
	fds[2] = open(lone_name, O_RDONLY | O_NONBLOCK);
	if (fds[0] < 0 || fds[1] < 0 || fds[2] < 0 || write(fds[1], "in the fifo", 11) != 11 || unlink(name) ||
	    unlink(lone_name))
		return pr_perror("open");
	for (i = 0; i < 3; i++)
		if (fd_state_get(fds[i], &state[i]))
			return 1;

	test_daemon();
	test_waitsig();

	for (i = 0; i < 3; i++)
		if (fd_state_changed(fds[i], &state[i], FD_NEW_INODE))
			return fail("descriptor %d changed", i);
	if (read(fds[0], buf, sizeof(buf)) != 11 || memcmp(buf, "in the fifo", 11))
		return fail("content changed");
	if (read(fds[0], buf, 1) != -1 || errno != EAGAIN)
		return fail("an empty fifo with a writer does not say so");
	if (write(fds[1], "more", 4) != 4 || read(fds[0], buf, sizeof(buf)) != 4 || memcmp(buf, "more", 4))
		return fail("the ends are not connected");
	if (read(fds[2], buf, 1) != 0)
		return fail("a fifo without writers is not at its end");
	close(fds[1]);
	if (read(fds[0], buf, 1) != 0)
		return fail("a writer too many is left");
	if (dir_entries(dirname, 1) || rmdir(dirname))
		return fail("something is left behind");

	pass();
	return 0;
}
