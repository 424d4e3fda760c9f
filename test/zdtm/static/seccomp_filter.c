#include "seccomp_rules.h"
#include "taskutil.h"

const char *test_doc = "A chain of two seccomp filters, in the order in which they were added";
const char *test_author = "The criu team";

static int set(void)
{
	/* Of two errnos for one call the last filter's is returned: same action, the newest wins. */
	if (seccomp_deny(SYS_getppid, 71, 0) || seccomp_deny(SYS_getppid, 72, 0) || seccomp_deny(SYS_getpgrp, 73, 0))
		return pr_perror("seccomp");
	return seccomp_result(SYS_getppid) != 72 ? pr_err("getppid: %d\n", seccomp_result(SYS_getppid)) : 0;
}

static int check(void)
{
	char buf[16];

	if (seccomp_result(SYS_getppid) != 72 || seccomp_result(SYS_getpgrp) != 73)
		return fail("errnos %d %d", seccomp_result(SYS_getppid), seccomp_result(SYS_getpgrp));
	if (seccomp_result(SYS_getuid))
		return fail("a call that no filter denies");
	if (!access("/proc/self/status", R_OK) && !status_field("self", "Seccomp", buf, sizeof(buf)) &&
	    strcmp(buf, "2"))
		return fail("seccomp mode %s", buf);
	return 0;
}

int main(int argc, char **argv)
{
	return child_test(argc, argv, set, check);
}
