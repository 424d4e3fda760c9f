#include <fcntl.h>
#include <signal.h>

#include "zdtmtst.h"
#include "fileprop.h"
#include "kids.h"

const char *test_doc =
	"Pipe ends spread over processes: each end held once, by several, and ends that only children hold";

/* From child to parent; from parent to child; between the children only; held by everybody. */
static int up[2], down[2], across[2], all[2];

static int first_prepare(void *arg)
{
	(void)arg;
	return close(up[0]) || close(down[1]) || close(across[0]);
}

static int first_check(void *arg)
{
	char buf[16];

	(void)arg;
	if (read(down[0], buf, sizeof(buf)) != 7 || memcmp(buf, "DOWNnew", 7))
		return fail("first child: wrong content from the parent");
	/* All writers of it are in the parent and close it before they ask. */
	if (read(down[0], buf, 1) != 0)
		return fail("first child: the parent's end is still held by somebody");
	return write(up[1], "up", 2) != 2 || write(across[1], "across", 6) != 6 || write(all[1], "1", 1) != 1;
}

static int second_prepare(void *arg)
{
	(void)arg;
	return close(up[0]) || close(up[1]) || close(down[0]) || close(down[1]) || close(across[1]);
}

static int second_check(void *arg)
{
	char buf[16];

	(void)arg;
	if (read(across[0], buf, sizeof(buf)) != 9 || memcmp(buf, "oldacross", 9))
		return fail("second child: wrong content from the first");
	if (read(across[0], buf, 1) != 0)
		return fail("second child: the first child's end is still held by somebody");
	return write(all[1], "2", 1) != 1;
}

int main(int argc, char **argv)
{
	pid_t first, second;
	char buf[16];

	test_init(argc, argv);

	if (pipe(up) || pipe(down) || pipe(across) || pipe(all))
		return pr_perror("pipe");
	if (write(down[1], "DOWN", 4) != 4 || write(across[1], "old", 3) != 3 || write(all[1], "0", 1) != 1)
		return pr_perror("write");
	first = kid_start(first_prepare, first_check, NULL);
	second = kid_start(second_prepare, second_check, NULL);
	if (first < 0 || second < 0 || close(up[1]) || close(down[0]) || close(across[0]) || close(across[1]))
		return 1;

	test_daemon();
	test_waitsig();

	if (fcntl(up[1], F_GETFD) != -1 || fcntl(down[0], F_GETFD) != -1 || fcntl(across[0], F_GETFD) != -1)
		return fail("closed ends came back");
	if (write(down[1], "new", 3) != 3 || close(down[1]))
		return fail("write to the first child");
	if (kid_finish(first))
		return fail("first child");
	if (read(up[0], buf, sizeof(buf)) != 2 || memcmp(buf, "up", 2) || read(up[0], buf, 1) != 0)
		return fail("wrong content from the first child");
	if (kid_finish(second))
		return fail("second child");
	if (read(all[0], buf, sizeof(buf)) != 3 || memcmp(buf, "012", 3))
		return fail("the pipe of all three is not one");
	set_nonblock(all[0], 1);
	if (read(all[0], buf, 1) != -1 || errno != EAGAIN || close(all[1]) || read(all[0], buf, 1) != 0)
		return fail("the pipe of all three has the wrong holders");

	pass();
	return 0;
}
