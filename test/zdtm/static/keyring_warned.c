#include <linux/keyctl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "A process that has a keyring of its own is told of (see the hook), and has none after restore";
const char *test_author = "The criu team";

int main(int argc, char **argv)
{
	test_init(argc, argv);
	if (syscall(SYS_add_key, "user", "zdtm", "secret", 6, KEY_SPEC_PROCESS_KEYRING) < 0) {
		if (errno != ENOSYS && errno != EPERM && errno != EACCES)
			return pr_perror("add_key");
		skip("no keyrings: %s", strerror(errno));
		return skipped_test();
	}

	test_daemon();
	test_waitsig();

	if (syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 0) >= 0 || errno != ENOKEY)
		return fail("the keyring is there: tell the documentation");
	pass();
	return 0;
}
