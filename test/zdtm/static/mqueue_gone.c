#include "mqprop.h"
#include "taskutil.h"

const char *test_doc = "An empty POSIX queue whose name is gone at restore is made again; see the hook";

#define NAME "/zdtm-mqueue_gone"

int main(int argc, char **argv)
{
	struct stat before, after;
	mqd_t queue, other;

	test_init(argc, argv);

	queue = mq_make(NAME, O_NONBLOCK, 3);
	if (queue < 0) {
		skip("no POSIX message queue: %m");
		return skipped_test();
	}
	if (fchmod(queue, 0602) || fstat(queue, &before))
		return pr_perror("fstat");

	test_daemon();
	test_waitsig();

	other = mq_open(NAME, O_RDONLY);
	if (other < 0 || mq_attr_differs(queue, O_NONBLOCK, 3, 0))
		return fail("attributes");
	if (fstat(queue, &after) || after.st_mode != before.st_mode || after.st_uid != before.st_uid ||
	    after.st_gid != before.st_gid)
		return fail("mode or owner");
	if (mq_put(queue, "x", 1) || mq_differs(other, "x", 1) || mq_unlink(NAME))
		return 1;

	pass();
	return 0;
}
