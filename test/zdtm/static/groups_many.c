#include <grp.h>
#include <stdlib.h>

#include "zdtmtst.h"

const char *test_doc = "A thread in more groups than fit in a batch is refused, and goes on";
const char *test_author = "The criu team";

#define N_GROUPS 10000

int main(int argc, char **argv)
{
	gid_t *groups = calloc(N_GROUPS, sizeof(*groups));
	int i;

	test_init(argc, argv);
	for (i = 0; groups && i < N_GROUPS; i++)
		groups[i] = 100000 + (gid_t)i;
	if (!groups || setgroups(N_GROUPS, groups))
		return pr_perror("setgroups");

	test_daemon();
	test_waitsig();

	if (getgroups(0, NULL) != N_GROUPS)
		return fail("%d groups instead of %d", getgroups(0, NULL), N_GROUPS);
	pass();
	return 0;
}
