#include <signal.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "Sessions and process groups of a tree: own session, own group, a sibling's group";
const char *test_author = "The criu team";

enum kind { INHERIT, OWN_GROUP, JOIN_GROUP, OWN_SESSION, SESSION_CHILD };

static enum kind kind;
static pid_t group, sid, pgid;
static pid_t inner;

static int remember(void)
{
	sid = getsid(0);
	pgid = getpgrp();
	return 0;
}

static int same(void)
{
	if (getsid(0) != sid)
		return fail("kind %d: session %d was %d", kind, getsid(0), sid);
	if (getpgrp() != pgid)
		return fail("kind %d: group %d was %d", kind, getpgrp(), pgid);
	return 0;
}

static int check(void)
{
	if (same())
		return 1;
	return inner ? child_finish(inner) : 0;
}

static int set(void)
{
	switch (kind) {
	case OWN_GROUP:
		if (setpgid(0, 0))
			return pr_perror("setpgid");
		break;
	case JOIN_GROUP:
		if (setpgid(0, group))
			return pr_perror("setpgid to %d", group);
		break;
	case OWN_SESSION:
		if (setsid() < 0)
			return pr_perror("setsid");
		kind = SESSION_CHILD;
		inner = child_start(set, check);
		kind = OWN_SESSION;
		if (inner < 0)
			return 1;
		break;
	case SESSION_CHILD:
		inner = 0;
		if (setpgid(0, 0))
			return pr_perror("setpgid");
		break;
	default:
		break;
	}
	return remember();
}

int main(int argc, char **argv)
{
	pid_t pids[OWN_SESSION + 1];
	int bad = 0;

	test_init(argc, argv);
	remember();
	for (kind = INHERIT; kind <= OWN_SESSION; kind++) {
		pids[kind] = child_start(set, check);
		if (pids[kind] < 0)
			return 1;
		if (kind == OWN_GROUP)
			group = pids[kind];
	}

	test_daemon();
	test_waitsig();

	if (same())
		return 1;
	for (kind = INHERIT; kind <= OWN_SESSION; kind++)
		bad |= child_finish(pids[kind]);
	if (!bad)
		pass();
	return bad;
}
