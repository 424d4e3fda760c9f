#include <sys/personality.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "The personality: no address randomization, short uname, different in parent and child";
const char *test_author = "The criu team";

#define PARENT ADDR_NO_RANDOMIZE
#define CHILD  (PER_LINUX | UNAME26 | ADDR_COMPAT_LAYOUT)

static int set(void)
{
	return personality(CHILD) < 0 ? pr_perror("personality") : 0;
}

static int check(void)
{
	return personality(0xffffffff) != CHILD ? fail("the child has %#x", personality(0xffffffff)) : 0;
}

int main(int argc, char **argv)
{
	pid_t pid;

	test_init(argc, argv);
	pid = child_start(set, check);
	if (pid < 0 || personality(PARENT) < 0)
		return pr_perror("personality");

	test_daemon();
	test_waitsig();

	if (personality(0xffffffff) != PARENT)
		return fail("the parent has %#x", personality(0xffffffff));
	if (child_finish(pid))
		return 1;
	pass();
	return 0;
}
