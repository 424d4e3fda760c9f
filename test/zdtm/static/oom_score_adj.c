#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "The adjustment of the OOM score, raised in the parent and higher still in a child";
const char *test_author = "The criu team";

/* Raising needs no privilege. */
static int adjust(const char *value)
{
	return write_value("/proc/self/oom_score_adj", value) ? 1 : 0;
}

static int is(const char *want)
{
	char buf[32];

	return !read_value("/proc/self/oom_score_adj", buf, sizeof(buf)) && !strcmp(buf, want);
}

static int set_child(void)
{
	return adjust("777\n");
}

static int check_child(void)
{
	return is("777\n") ? 0 : fail("the child's value has changed");
}

int main(int argc, char **argv)
{
	pid_t pid;

	test_init(argc, argv);
	pid = child_start(set_child, check_child);
	if (pid < 0 || adjust("123\n"))
		return 1;

	test_daemon();
	test_waitsig();

	if (!is("123\n"))
		return fail("the value has changed");
	if (child_finish(pid))
		return 1;
	pass();
	return 0;
}
