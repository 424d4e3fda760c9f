#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "The nice value of the task groups that sessions are (autogroup), of two sessions";
const char *test_author = "The criu team";

static int is(const char *want)
{
	char text[64];

	if (read_value("/proc/self/autogroup", text, sizeof(text)))
		return 0;
	return strstr(text, want) ? 1 : !fail("it is %s, not %s", text, want);
}

static int set(void)
{
	if (setsid() < 0)
		return pr_perror("setsid");
	return write_value("/proc/self/autogroup", "7");
}

static int check(void)
{
	return !is(" nice 7\n");
}

int main(int argc, char **argv)
{
	char text[64];
	pid_t pid;

	test_init(argc, argv);
	if (access("/proc/self/autogroup", F_OK) || read_value("/proc/self/autogroup", text, sizeof(text)) ||
	    !strstr(text, " nice ")) {
		skip("no autogroups");
		return skipped_test();
	}
	pid = child_start(set, check);
	if (pid < 0 || write_value("/proc/self/autogroup", "3"))
		return 1;

	test_daemon();
	test_waitsig();

	if (!is(" nice 3\n") || child_finish(pid))
		return fail("nice values of sessions");
	pass();
	return 0;
}
