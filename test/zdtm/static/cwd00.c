#include <fcntl.h>

#include "zdtmtst.h"
#include "fileprop.h"
#include "kids.h"

const char *test_doc = "Current directories: the same one by path and by inode, another one of a child";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

static char want[4096];
static struct stat want_st;

static int prepare(void *arg)
{
	if (chdir(arg) || stat(".", &want_st) || !getcwd(want, sizeof(want)))
		return pr_perror("chdir %s", (char *)arg);
	return 0;
}

static int check(void *arg)
{
	char now[4096];
	struct stat st;

	(void)arg;
	if (!getcwd(now, sizeof(now)) || strcmp(now, want))
		return fail("the current directory is %s, was %s", now, want);
	if (stat(".", &st) || st.st_ino != want_st.st_ino || st.st_dev != want_st.st_dev)
		return fail("the current directory is another inode");
	return access("mark", F_OK) ? fail("the mark is not in it") : 0;
}

int main(int argc, char **argv)
{
	char sub[2][4096], mark[4096], home[4096];
	int i, fd, bad;
	pid_t child;

	test_init(argc, argv);

	if (!getcwd(home, sizeof(home)) || mkdir(dirname, 0755))
		return pr_perror("mkdir %s", dirname);
	for (i = 0; i < 2; i++) {
		if (ssprintf(sub[i], "%s/dir %d", dirname, i) || ssprintf(mark, "%s/mark", sub[i]))
			return 1;
		if (mkdir(sub[i], 0755) || (fd = open(mark, O_CREAT | O_WRONLY, 0644)) < 0 || close(fd))
			return pr_perror("mkdir %s", sub[i]);
	}
	child = kid_start(prepare, check, sub[1]);
	if (child < 0 || prepare(sub[0]))
		return 1;

	test_daemon();
	test_waitsig();

	bad = check(NULL) || kid_finish(child);
	/* The output files have names that are relative to where the test began. */
	if (chdir(home))
		return fail("chdir %s", home);
	if (bad)
		return 1;

	pass();
	return 0;
}
