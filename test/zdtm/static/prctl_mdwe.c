#include <sys/prctl.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "A process that has forbidden itself executable memory is refused, and goes on";
const char *test_author = "The criu team";

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_GET_MDWE 66
#endif

int main(int argc, char **argv)
{
	test_init(argc, argv);
	if (prctl(PR_SET_MDWE, 1, 0, 0, 0)) {
		skip("the kernel has no PR_SET_MDWE");
		return skipped_test();
	}

	test_daemon();
	test_waitsig();

	if (prctl(PR_GET_MDWE, 0, 0, 0, 0) != 1)
		return fail("the process may make memory executable");
	pass();
	return 0;
}
