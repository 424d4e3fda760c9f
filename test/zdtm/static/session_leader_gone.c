#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "A session whose leader has been reaped keeps its members and their groups";
const char *test_author = "The criu team";

static pid_t *orphan;
static pid_t sid, pgid;

static int remember(void)
{
	sid = getsid(0);
	pgid = getpgrp();
	return 0;
}

static int set_member(void)
{
	return setpgid(0, 0) ? pr_perror("setpgid") : remember();
}

static int check_member(void)
{
	if (getsid(0) != sid)
		return fail("the session is %d, it was %d", getsid(0), sid);
	if (getpgrp() != pgid || pgid != getpid())
		return fail("the group is %d, it was %d", getpgrp(), pgid);
	return 0;
}

static int set_leader(void)
{
	if (setsid() < 0)
		return pr_perror("setsid");
	*orphan = child_start(set_member, check_member);
	return *orphan < 0;
}

int main(int argc, char **argv)
{
	pid_t leader;

	test_init(argc, argv);
	orphan = shared_alloc(sizeof(*orphan));
	if (!orphan)
		return 1;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1))
		return pr_perror("PR_SET_CHILD_SUBREAPER");
	leader = child_start(set_leader, NULL);
	if (leader < 0 || child_finish(leader))
		return 1;

	test_daemon();
	test_waitsig();

	if (!kill(leader, 0))
		return fail("there is a process %d, the leader that had been reaped", leader);
	if (getsid(*orphan) != leader)
		return fail("the orphan is in session %d, not %d", getsid(*orphan), leader);
	if (child_finish(*orphan))
		return 1;
	pass();
	return 0;
}
