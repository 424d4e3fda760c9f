#include <sys/stat.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "The file mode creation mask, different in parent and child";
const char *test_author = "The criu team";

static int set_child(void)
{
	umask(0751);
	return 0;
}

static int check_child(void)
{
	mode_t mask = umask(0);

	return mask != 0751 ? fail("the child's mask is %o", mask) : 0;
}

int main(int argc, char **argv)
{
	mode_t mask;
	pid_t pid;

	test_init(argc, argv);
	umask(0345);
	pid = child_start(set_child, check_child);
	if (pid < 0)
		return 1;

	test_daemon();
	test_waitsig();

	mask = umask(0);
	if (mask != 0345)
		return fail("the mask is %o", mask);
	if (child_finish(pid))
		return 1;
	pass();
	return 0;
}
