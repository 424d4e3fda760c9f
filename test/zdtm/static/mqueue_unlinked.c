#include <sys/wait.h>

#include "mqprop.h"
#include "taskutil.h"
#include "taskutil.h"

const char *test_doc =
	"An unlinked POSIX message queue comes back with its messages and their priorities, as one object";

#define NAME "/zdtm-mqueue_unlinked"

static mqd_t queue, other;

/* What the child has is the parent's queue: its message is behind those that waited. */
static int send_last(void)
{
	return mq_put(queue, "last", 0);
}

int main(int argc, char **argv)
{
	struct stat before, after, second;
	char path[64], link[64] = "";
	mqd_t full, reader;
	pid_t child;

	test_init(argc, argv);

	queue = mq_make(NAME, 0, 8);
	if (queue < 0) {
		skip("no POSIX message queue: %m");
		return skipped_test();
	}
	reader = mq_open(NAME, O_RDONLY | O_NONBLOCK);
	if (reader < 0 || fchmod(queue, 0604) || mq_unlink(NAME))
		return pr_perror("mq_unlink");
	/* The same name twice, and full. */
	full = mq_make_unlinked(NAME, O_NONBLOCK, 2);
	other = mq_make(NAME "2", O_NONBLOCK, 3);
	if (full < 0 || other < 0 || mq_unlink(NAME "2") || fstat(queue, &before))
		return pr_perror("mq_open");
	if (mq_put(queue, "b1", 5) || mq_put(queue, "c1", 0) || mq_put(queue, "a1", 32767) || mq_put(queue, "b2", 5) ||
	    mq_put(queue, "", 5) || mq_put(queue, "c2", 0) || mq_put(full, "one", 1) || mq_put(full, "two", 1))
		return 1;
	child = child_start(NULL, send_last);
	if (child < 0)
		return 1;

	test_daemon();
	test_waitsig();

	if (fstat(queue, &after) || fstat(reader, &second) || after.st_ino != second.st_ino || after.st_nlink ||
	    after.st_mode != before.st_mode || after.st_uid != before.st_uid || after.st_gid != before.st_gid)
		return fail("mode, owner or identity");
	if (mq_attr_differs(queue, 0, 8, 6) || mq_attr_differs(reader, O_NONBLOCK, 8, 6) ||
	    mq_attr_differs(full, O_NONBLOCK, 2, 2) || mq_attr_differs(other, O_NONBLOCK, 3, 0))
		return fail("attributes");
	if (child_finish(child))
		return fail("the child could not send");
	if (mq_differs(queue, "a1", 32767) || mq_differs(reader, "b1", 5) || mq_differs(queue, "b2", 5) ||
	    mq_differs(queue, "", 5) || mq_differs(queue, "c1", 0) || mq_differs(queue, "c2", 0) ||
	    mq_differs(queue, "last", 0))
		return 1;
	if (mq_send(full, "x", 1, 0) != -1 || errno != EAGAIN || mq_differs(full, "one", 1) ||
	    mq_differs(full, "two", 1))
		return fail("the full queue");
	if (mq_receive(other, (char[MQ_BYTES]){ 0 }, MQ_BYTES, NULL) != -1 || errno != EAGAIN)
		return fail("the empty queue");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", queue);
	if (readlink(path, link, sizeof(link) - 1) < 0 || strcmp(link, NAME " (deleted)"))
		return fail("its name was %s", link);
	if (mq_open(NAME, O_RDWR) != -1 || errno != ENOENT)
		return fail("it has a name");

	pass();
	return 0;
}
