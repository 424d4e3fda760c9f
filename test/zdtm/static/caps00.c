#include "capset.h"
#include "taskutil.h"

const char *test_doc = "Four different capability sets, the bounding one with holes";
const char *test_author = "The criu team";

static struct capset want;

static int set(void)
{
	if (prctl(PR_CAPBSET_DROP, CAP_NET_RAW) || prctl(PR_CAPBSET_DROP, CAP_SYSLOG))
		return pr_perror("PR_CAPBSET_DROP");
	if (capset_get(&want))
		return pr_perror("capget");
	want.permitted = CAP_BIT(CAP_KILL) | CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_SYSLOG);
	want.effective = CAP_BIT(CAP_CHOWN);
	want.inheritable = CAP_BIT(CAP_KILL) | CAP_BIT(CAP_SETUID);
	return capset_set(&want) ? pr_perror("capset") : 0;
}

static int check(void)
{
	struct capset now;

	if (capset_get(&now))
		return fail("capget");
	if (now.bounding & (CAP_BIT(CAP_NET_RAW) | CAP_BIT(CAP_SYSLOG)))
		return fail("the bounding set is %llx", (long long)now.bounding);
	return capset_differ("caps", &now, &want);
}

int main(int argc, char **argv)
{
	return child_test(argc, argv, set, check);
}
