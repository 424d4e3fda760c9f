#include <grp.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "All four uids, all four gids and the groups, every one another number";
const char *test_author = "The criu team";

static const gid_t groups[] = { 7, 100000, 4294967290U };

static int set(void)
{
	if (setgroups(ARRAY_SIZE(groups), groups) || setresgid(11, 12, 13) || setfsgid(14) < 0)
		return pr_perror("gids");
	/* Last: without capabilities nothing else could be changed. */
	if (setresuid(21, 22, 23))
		return pr_perror("uids");
	setfsuid(21);
	return 0;
}

static int check(void)
{
	uid_t r, e, s;
	gid_t list[8];

	if (getresuid(&r, &e, &s) || r != 21 || e != 22 || s != 23 || setfsuid(-1) != 21)
		return fail("uids %u %u %u %d", r, e, s, setfsuid(-1));
	if (getresgid(&r, &e, &s) || r != 11 || e != 12 || s != 13 || setfsgid(-1) != 14)
		return fail("gids %u %u %u %d", r, e, s, setfsgid(-1));
	if (getgroups(ARRAY_SIZE(list), list) != ARRAY_SIZE(groups) || memcmp(list, groups, sizeof(groups)))
		return fail("the groups have changed");
	return 0;
}

int main(int argc, char **argv)
{
	return child_test(argc, argv, set, check);
}
