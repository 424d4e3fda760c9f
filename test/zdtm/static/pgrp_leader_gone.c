#include <signal.h>
#include <sys/wait.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "A process group whose leader has been reaped keeps its members";
const char *test_author = "The criu team";

static pid_t group;

static int set(void)
{
	return setpgid(0, group) ? pr_perror("setpgid to %d", group) : 0;
}

static int check(void)
{
	return getpgrp() != group ? fail("the group is %d, it was %d", getpgrp(), group) : 0;
}

int main(int argc, char **argv)
{
	pid_t members[2];
	int bad = 0;
	size_t i;

	test_init(argc, argv);
	group = child_start(set, NULL);
	if (group < 0)
		return 1;
	for (i = 0; i < ARRAY_SIZE(members); i++) {
		members[i] = child_start(set, check);
		if (members[i] < 0)
			return 1;
	}
	if (child_finish(group))
		return 1;

	test_daemon();
	test_waitsig();

	if (kill(group, 0) == 0)
		return fail("there is a process %d, the leader that had been reaped", group);
	/* Both by number: the members must be in the same group, not in two of the same name. */
	if (kill(-group, SIGTERM))
		return fail("no group %d", group);
	for (i = 0; i < ARRAY_SIZE(members); i++)
		bad |= child_reap(members[i]);
	if (!bad)
		pass();
	return bad;
}
