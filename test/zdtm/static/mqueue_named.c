#include "mqprop.h"
#include "taskutil.h"

const char *test_doc =
	"A POSIX message queue with a name stays where it is, with its messages, and descriptors their modes";

#define NAME "/zdtm-mqueue_named"

int main(int argc, char **argv)
{
	struct stat before, after[3];
	mqd_t both, reader, writer;
	char byte;

	test_init(argc, argv);

	both = mq_make(NAME, 0, 4);
	if (both < 0) {
		skip("no POSIX message queue: %m");
		return skipped_test();
	}
	reader = mq_open(NAME, O_RDONLY | O_NONBLOCK);
	writer = mq_open(NAME, O_WRONLY);
	if (reader < 0 || writer < 0 || fstat(both, &before) || mq_put(both, "low", 1) || mq_put(writer, "high", 9) ||
	    read(both, &byte, 1) != 1)
		return pr_perror("set up");

	test_daemon();
	test_waitsig();

	if (fstat(both, &after[0]) || fstat(reader, &after[1]) || fstat(writer, &after[2]))
		return fail("fstat");
	for (int i = 0; i < 3; i++)
		if (after[i].st_dev != before.st_dev || after[i].st_ino != before.st_ino)
			return fail("descriptor %d is of another queue", i);
	if (mq_attr_differs(both, 0, 4, 2) || mq_attr_differs(reader, O_NONBLOCK, 4, 2))
		return fail("attributes");
	if (lseek(both, 0, SEEK_CUR) != 1)
		return fail("position");
	if (mq_send(reader, "x", 1, 0) != -1 || errno != EBADF || mq_receive(writer, &byte, 1, NULL) != -1 ||
	    errno != EBADF)
		return fail("access");
	if (mq_differs(reader, "high", 9) || mq_differs(both, "low", 1))
		return 1;
	if (mq_receive(reader, (char[MQ_BYTES]){ 0 }, MQ_BYTES, NULL) != -1 || errno != EAGAIN)
		return fail("more messages");
	if (mq_unlink(NAME))
		return fail("its name is gone");

	pass();
	return 0;
}
