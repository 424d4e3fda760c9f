#include "capset.h"
#include "taskutil.h"

const char *test_doc = "Ambient capabilities of a task that is not root";
const char *test_author = "The criu team";

#define AMBIENT (CAP_BIT(CAP_NET_BIND_SERVICE) | CAP_BIT(CAP_SYS_NICE))

static struct capset want;

static int set(void)
{
	if (prctl(PR_SET_KEEPCAPS, 1) || setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
		return pr_perror("ids");
	if (capset_get(&want))
		return pr_perror("capget");
	want.permitted = want.effective = want.inheritable = AMBIENT;
	if (capset_set(&want))
		return pr_perror("capset");
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0) ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_NICE, 0, 0))
		return pr_perror("PR_CAP_AMBIENT_RAISE");
	want.ambient = AMBIENT;
	return 0;
}

static int check(void)
{
	struct capset now;

	if (capset_get(&now))
		return fail("capget");
	return capset_differ("caps", &now, &want);
}

int main(int argc, char **argv)
{
	return child_test(argc, argv, set, check);
}
