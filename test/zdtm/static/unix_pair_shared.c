#include <fcntl.h>

#include "zdtmtst.h"
#include "kids.h"
#include "unixprop.h"

const char *test_doc = "Ends of unix pairs spread over processes, one shared by two of them as one description";

static int apart[2], shared[2];

static int prepare(void *arg)
{
	(void)arg;
	return close(apart[0]);
}

static int check(void *arg)
{
	(void)arg;
	if (recv_sequence(apart[1], 0, 300, 0) || send_sequence(apart[1], 300, 20))
		return fail("child: the pair held apart");
	/* The parent has set it after the restore. */
	if (!(fcntl(shared[0], F_GETFL) & O_NONBLOCK))
		return fail("child: the shared end is another description");
	if (recv_sequence(shared[1], 0, 10, MSG_WAITALL))
		return fail("child: the shared queue");
	return 0;
}

int main(int argc, char **argv)
{
	pid_t kid;

	test_init(argc, argv);

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, apart) || socketpair(AF_UNIX, SOCK_STREAM, 0, shared))
		return pr_perror("socketpair");
	if (send_sequence(apart[0], 0, 300) || send_sequence(shared[0], 0, 30))
		return pr_perror("send");
	kid = kid_start(prepare, check, NULL);
	if (kid < 0 || close(apart[1]))
		return 1;

	test_daemon();
	test_waitsig();

	if (fcntl(shared[0], F_SETFL, O_NONBLOCK))
		return fail("F_SETFL");
	if (kid_finish(kid))
		return fail("child");
	if (recv_sequence(apart[0], 300, 20, 0) || !is_at_end(apart[0]))
		return fail("the pair held apart has the wrong holders");
	/* The child took the first ten bytes. */
	if (recv_sequence(shared[1], 10, 20, 0) || !is_empty(shared[1]))
		return fail("the shared queue is not one");

	pass();
	return 0;
}
