#include <fcntl.h>

#include "zdtmtst.h"
#include "fileprop.h"
#include "kids.h"

const char *test_doc = "A deleted current directory, shared with a child";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

static char link_before[4096];

static int cwd_link(char *buf, size_t size)
{
	ssize_t len = readlink("/proc/self/cwd", buf, size - 1);

	if (len < 0)
		return pr_perror("readlink");
	buf[len] = '\0';
	return 0;
}

static int check(void *arg)
{
	char now[4096];
	struct stat st;

	(void)arg;
	if (cwd_link(now, sizeof(now)) || strcmp(now, link_before))
		return fail("the current directory is %s, was %s", now, link_before);
	if (stat(".", &st) || st.st_nlink)
		return fail("the current directory has %lu links", st.st_nlink);
	if (getcwd(now, sizeof(now)) && now[0] == '/')
		return fail("the current directory has the path %s", now);
	if (open("new", O_CREAT | O_RDWR, 0600) >= 0)
		return fail("a file can be made in a deleted directory");
	return 0;
}

int main(int argc, char **argv)
{
	char home[4096];
	pid_t child;
	int bad;

	test_init(argc, argv);

	if (!getcwd(home, sizeof(home)) || mkdir(dirname, 0755) || chdir(dirname) || mkdir("gone", 0755) ||
	    chdir("gone") || rmdir("../gone"))
		return pr_perror("mkdir %s", dirname);
	if (cwd_link(link_before, sizeof(link_before)))
		return 1;
	child = kid_start(NULL, check, NULL);
	if (child < 0)
		return 1;

	test_daemon();
	test_waitsig();

	bad = check(NULL) || kid_finish(child);
	/* The output files have names that are relative to where the test began. */
	if (chdir(home))
		return fail("chdir %s", home);
	if (bad)
		return 1;
	if (dir_entries(dirname, 1) || rmdir(dirname))
		return fail("something is left behind");

	pass();
	return 0;
}
