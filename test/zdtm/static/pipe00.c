#include <fcntl.h>
#include <signal.h>

#include "zdtmtst.h"
#include "fileprop.h"

const char *test_doc = "Pipes with both ends in one process: content, flags, an end that is gone, copies of ends";

/* Pipe 0 with content, 1 empty, 2 without writer, 3 without reader, 4 with two writers. */
#define NR 5

int main(int argc, char **argv)
{
	struct fd_state state[NR][2];
	int p[NR][2], copy, i, k;
	char buf[128];
	struct stat a, b;

	test_init(argc, argv);

	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < NR; i++)
		if (pipe2(p[i], i == 1 ? O_NONBLOCK : i == 4 ? O_CLOEXEC : 0))
			return pr_perror("pipe");
	copy = dup(p[4][1]);
	if (write(p[0][1], "first", 5) != 5 || write(p[0][1], " second", 7) != 7 || write(p[2][1], "rest", 4) != 4)
		return pr_perror("write");
	close(p[2][1]);
	close(p[3][0]);
	/* The two ends of a pipe have flags of their own. */
	set_nonblock(p[0][0], 1);
	set_nonblock(p[4][0], 1);
	for (i = 0; i < NR; i++)
		for (k = 0; k < 2; k++)
			if (!(i == 2 && k == 1) && !(i == 3 && k == 0) && fd_state_get(p[i][k], &state[i][k]))
				return 1;

	test_daemon();
	test_waitsig();

	for (i = 0; i < NR; i++)
		for (k = 0; k < 2; k++) {
			if ((i == 2 && k == 1) || (i == 3 && k == 0)) {
				if (fcntl(p[i][k], F_GETFD) != -1)
					return fail("a closed end came back");
				continue;
			}
			/* The number of the pipe may change; that the ends agree is checked below. */
			if (fcntl(p[i][k], F_GETFL) != state[i][k].status_flags ||
			    fcntl(p[i][k], F_GETFD) != state[i][k].fd_flags)
				return fail("pipe %d: flags of end %d changed", i, k);
		}
	for (i = 0; i < NR; i++) {
		if (i == 2 || i == 3)
			continue;
		if (fstat(p[i][0], &a) || fstat(p[i][1], &b) || a.st_ino != b.st_ino ||
		    a.st_uid != state[i][0].st.st_uid)
			return fail("the ends of pipe %d are not one pipe", i);
	}
	if (read(p[0][0], buf, sizeof(buf)) != 12 || memcmp(buf, "first second", 12))
		return fail("content changed");
	if (read(p[0][0], buf, 1) != -1 || errno != EAGAIN)
		return fail("the pipe held too much");
	if (read(p[1][0], buf, 1) != -1 || errno != EAGAIN)
		return fail("the empty pipe is not empty");
	if (write(p[1][1], "x", 1) != 1 || read(p[1][0], buf, 2) != 1)
		return fail("the empty pipe does not work");
	if (read(p[2][0], buf, sizeof(buf)) != 4 || memcmp(buf, "rest", 4) || read(p[2][0], buf, 1) != 0)
		return fail("the pipe without writer is not at its end after the rest");
	if (write(p[3][1], "x", 1) != -1 || errno != EPIPE)
		return fail("the pipe without reader can be written");
	close(p[4][1]);
	if (write(copy, "c", 1) != 1 || read(p[4][0], buf, 2) != 1)
		return fail("the second writer does not work");
	close(copy);
	if (read(p[4][0], buf, 1) != 0)
		return fail("a writer too many is left");

	pass();
	return 0;
}
