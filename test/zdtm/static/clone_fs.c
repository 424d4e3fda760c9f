#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "zdtmtst.h"
#include "fileprop.h"
#include "kids.h"

const char *test_doc = "Current directory and umask shared by processes (CLONE_FS), and not shared with a plain child";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

static int is_in(const char *mark, int mask)
{
	int now = umask(0);

	umask(now);
	return !access(mark, F_OK) && now == mask;
}

static int sharer(void)
{
	test_waitsig();
	if (!is_in("mark-two", 0123))
		return fail("sharer: it did not go along");
	umask(0321);
	return chdir("../one");
}

static int copier_check(void *arg)
{
	(void)arg;
	return is_in("mark-one", 027) ? 0 : fail("copier: it moved");
}

int main(int argc, char **argv)
{
	char home[4096];
	pid_t share, copy;
	int bad = 1;

	test_init(argc, argv);

	if (!getcwd(home, sizeof(home)) || mkdir(dirname, 0755) || chdir(dirname) || mkdir("one", 0755) ||
	    mkdir("two", 0755) || mkdir("one/mark-one", 0755) || mkdir("two/mark-two", 0755) || chdir("one"))
		return pr_perror("mkdir in %s", dirname);
	umask(027);
	copy = kid_start(NULL, copier_check, NULL);
	if (copy < 0)
		return 1;
	share = sys_clone_unified(CLONE_FS | SIGCHLD, NULL, NULL, NULL, 0);
	if (!share) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(sharer());
	}
	if (share < 0)
		return pr_perror("clone");

	test_daemon();
	test_waitsig();

	if (!is_in("mark-one", 027))
		fail("the current directory or umask changed");
	else if (umask(0123) != 027 || chdir("../two"))
		fail("chdir");
	else if (kid_finish(share))
		fail("sharer");
	else if (!is_in("mark-one", 0321))
		fail("the sharer's change is not seen");
	else if (kid_finish(copy))
		fail("copier");
	else
		bad = 0;
	/* The output files have names that are relative to where the test began. */
	if (chdir(home))
		return fail("chdir %s", home);
	if (bad)
		return 1;

	pass();
	return 0;
}
