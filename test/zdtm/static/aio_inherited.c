#include <fcntl.h>

#include "aioprop.h"
#include "taskutil.h"

const char *test_doc =
	"A view of the ring of its parent's AIO context, which a child inherits, is refused, and all go on";
const char *test_author = "The criu team";

static aio_context_t ctx;

static int check(void)
{
	return aio_ring(ctx)->tail != 1;
}

int main(int argc, char **argv)
{
	int null;
	pid_t pid;

	test_init(argc, argv);
	null = open("/dev/null", O_RDONLY);
	if (null < 0 || aio_setup(1, &ctx))
		return pr_perror("set up");
	pid = child_start(NULL, check);
	if (pid < 0)
		return 1;

	test_daemon();
	test_waitsig();

	if (aio_submit(ctx, IOCB_CMD_PREAD, null, NULL, 0, 0, 42) != 1)
		return fail("submit: %s", strerror(errno));
	if (child_finish(pid) || aio_expect(ctx, 42, 0))
		return fail("the ring is not what it was");
	pass();
	return 0;
}
