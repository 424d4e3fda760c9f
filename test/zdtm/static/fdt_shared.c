#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "zdtmtst.h"
#include "fileprop.h"
#include "kids.h"

const char *test_doc =
	"A descriptor table shared by processes (CLONE_FILES): what one opens and closes, the other sees";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

#define FROM_PARENT 150
#define TO_CLOSE    151
#define FROM_CHILD  152

/* In the process that shares the table. */
static int sharer(void)
{
	test_waitsig();
	if (lseek(FROM_PARENT, 0, SEEK_CUR) != 5)
		return fail("sharer: the parent's new descriptor is not there");
	if (close(TO_CLOSE))
		return fail("sharer: nothing to close");
	return dup2(FROM_PARENT, FROM_CHILD) != FROM_CHILD;
}

/* In a process with a copy of the table. */
static int copier_check(void *arg)
{
	(void)arg;
	if (fcntl(FROM_PARENT, F_GETFD) != -1 || fcntl(FROM_CHILD, F_GETFD) != -1)
		return fail("copier: it sees the descriptors of the others");
	if (fcntl(TO_CLOSE, F_GETFD) == -1)
		return fail("copier: its own descriptor is gone");
	return 0;
}

int main(int argc, char **argv)
{
	pid_t share, copy;
	int fd;

	test_init(argc, argv);

	fd = file_create(filename, O_RDWR, 0644);
	if (fd < 0 || dup2(fd, TO_CLOSE) != TO_CLOSE)
		return pr_perror("dup");
	/* The copy first: its preparations open and close descriptors. */
	copy = kid_start(NULL, copier_check, NULL);
	if (copy < 0)
		return 1;
	share = sys_clone_unified(CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0);
	if (!share) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(sharer());
	}
	if (share < 0)
		return pr_perror("clone");

	test_daemon();
	test_waitsig();

	if (dup2(fd, FROM_PARENT) != FROM_PARENT || lseek(fd, 5, SEEK_SET) != 5)
		return fail("dup");
	if (kid_finish(share))
		return fail("sharer");
	if (fcntl(TO_CLOSE, F_GETFD) != -1)
		return fail("the sharer's close is not seen");
	if (lseek(FROM_CHILD, 0, SEEK_CUR) != 5)
		return fail("the sharer's new descriptor is not there");
	if (kid_finish(copy))
		return fail("copier");

	pass();
	return 0;
}
