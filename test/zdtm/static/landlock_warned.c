#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "A process confined by Landlock is told of (see the hook), and is free after restore";
const char *test_author = "The criu team";

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self  446
#endif

#define ACCESS_FS_MAKE_DIR (1ULL << 7)

/* No new directories. */
static int confine(void)
{
	uint64_t handled = ACCESS_FS_MAKE_DIR;
	int ruleset = syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);

	if (ruleset < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_landlock_restrict_self, ruleset, 0))
		return pr_perror("landlock");
	close(ruleset);
	if (!mkdirat(AT_FDCWD, "landlocked", 0700) || errno != EACCES)
		return fail("it is not confined");
	return 0;
}

static int check(void)
{
	if (!mkdirat(AT_FDCWD, "landlocked", 0700))
		return unlinkat(AT_FDCWD, "landlocked", AT_REMOVEDIR) ? pr_perror("rmdir") : 0;
	return errno == EACCES ? fail("it is confined: tell the documentation") : pr_perror("mkdir");
}

int main(int argc, char **argv)
{
	pid_t pid;

	test_init(argc, argv);
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 0) {
		skip("no Landlock: %s", strerror(errno));
		return skipped_test();
	}
	pid = child_start(confine, check);
	if (pid < 0)
		return 1;

	test_daemon();
	test_waitsig();

	if (child_finish(pid))
		return 1;
	pass();
	return 0;
}
