#include <linux/membarrier.h>
#include <sys/syscall.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "A process may use the memory barriers it has registered for, and no others";
const char *test_author = "The criu team";

static long membarrier(int command)
{
	return syscall(SYS_membarrier, command, 0, 0);
}

static int set_none(void)
{
	return 0;
}

static int check_none(void)
{
	return !membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) || errno != EPERM
		       ? fail("a barrier nobody has registered for")
		       : 0;
}

int main(int argc, char **argv)
{
	long supported;
	pid_t other;

	test_init(argc, argv);
	supported = membarrier(MEMBARRIER_CMD_QUERY);
	if (supported < 0 || !(supported & MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE)) {
		skip("no expedited memory barriers");
		return skipped_test();
	}
	other = child_start(set_none, check_none);
	if (other < 0 || membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) ||
	    membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED))
		return pr_perror("membarrier");

	test_daemon();
	test_waitsig();

	if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED))
		return fail("the registration is lost: %s", strerror(errno));
	if (!membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE) || errno != EPERM)
		return fail("there is a registration too many");
	if (child_finish(other))
		return 1;
	pass();
	return 0;
}
