#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "Which mappings go into a core file, different in parent and child";
const char *test_author = "The criu team";

static int is(const char *want)
{
	char buf[32];

	return !read_value("/proc/self/coredump_filter", buf, sizeof(buf)) && !strcmp(buf, want);
}

static int set(void)
{
	return write_value("/proc/self/coredump_filter", "0x1c5\n") ? 1 : 0;
}

static int check(void)
{
	return is("000001c5\n") ? 0 : fail("the child's filter has changed");
}

int main(int argc, char **argv)
{
	pid_t pid;

	test_init(argc, argv);
	pid = child_start(set, check);
	if (pid < 0 || write_value("/proc/self/coredump_filter", "0\n"))
		return 1;

	test_daemon();
	test_waitsig();

	if (!is("00000000\n"))
		return fail("the filter has changed");
	if (child_finish(pid))
		return 1;
	pass();
	return 0;
}
