#include <linux/securebits.h>
#include <sys/prctl.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "Secure bits, some of them locked, and a capability set that they explain";
const char *test_author = "The criu team";

#define BITS (SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

static uint64_t effective;

static int set(void)
{
	if (prctl(PR_SET_SECUREBITS, BITS))
		return pr_perror("PR_SET_SECUREBITS");
	/* Without fixup the capabilities stay. */
	if (setresuid(5, 5, 5))
		return pr_perror("setresuid");
	return status_mask("self", "CapEff", &effective);
}

static int check(void)
{
	int bits = prctl(PR_GET_SECUREBITS);
	uint64_t now;

	if (bits != BITS)
		return fail("secure bits are %#x, were %#x", bits, BITS);
	if (status_mask("self", "CapEff", &now) || now != effective || !now)
		return fail("effective capabilities are %#llx, were %#llx", (long long)now, (long long)effective);
	if (prctl(PR_SET_SECUREBITS, 0) != -1 || errno != EPERM)
		return fail("a locked bit was cleared");
	return 0;
}

int main(int argc, char **argv)
{
	return child_test(argc, argv, set, check);
}
