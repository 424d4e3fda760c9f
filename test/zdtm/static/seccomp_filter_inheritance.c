#include <signal.h>

#include "seccomp_rules.h"
#include "taskutil.h"

const char *test_doc = "A child has its parent's filter and one more, which the parent does not have";
const char *test_author = "The criu team";

static pid_t grandchild;

static int check_grandchild(void)
{
	if (seccomp_result(SYS_getppid) != 61 || seccomp_result(SYS_getpgrp) != 62)
		return fail("grandchild: errnos %d %d", seccomp_result(SYS_getppid), seccomp_result(SYS_getpgrp));
	return 0;
}

static int set_child(void)
{
	if (seccomp_deny(SYS_getpgrp, 62, 0))
		return pr_perror("seccomp");
	grandchild = child_start(NULL, check_grandchild);
	return grandchild < 0;
}

static int check_child(void)
{
	return check_grandchild() || child_finish(grandchild);
}

int main(int argc, char **argv)
{
	pid_t child;

	test_init(argc, argv);
	if (seccomp_deny(SYS_getppid, 61, 0))
		return pr_perror("seccomp");
	child = child_start(set_child, check_child);
	if (child < 0)
		return 1;

	test_daemon();
	test_waitsig();

	if (seccomp_result(SYS_getppid) != 61 || seccomp_result(SYS_getpgrp))
		return fail("parent: errnos %d %d", seccomp_result(SYS_getppid), seccomp_result(SYS_getpgrp));
	if (child_finish(child))
		return 1;
	pass();
	return 0;
}
