#include <fcntl.h>

#include "zdtmtst.h"
#include "fileprop.h"

const char *test_doc = "Descriptors of a deleted directory: still deleted, still one, nothing left behind";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

int main(int argc, char **argv)
{
	struct fd_state state[2];
	struct stat one, two;
	char name[4096];
	int fds[2], i;

	test_init(argc, argv);

	if (ssprintf(name, "%s/gone", dirname) || mkdir(dirname, 0755) || mkdir(name, 0750))
		return pr_perror("mkdir %s", dirname);
	fds[0] = open(name, O_RDONLY | O_DIRECTORY);
	fds[1] = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fds[0] < 0 || fds[1] < 0 || rmdir(name) || fd_state_get(fds[0], &state[0]) ||
	    fd_state_get(fds[1], &state[1]))
		return pr_perror("open %s", name);

	test_daemon();
	test_waitsig();

	for (i = 0; i < 2; i++)
		if (fd_state_changed(fds[i], &state[i], FD_NEW_INODE))
			return fail("descriptor %d changed", i);
	if (fstat(fds[0], &one) || fstat(fds[1], &two) || one.st_ino != two.st_ino)
		return fail("one directory became two");
	if (openat(fds[0], "new", O_CREAT | O_RDWR, 0600) >= 0 || errno != ENOENT)
		return fail("a file can be made in a deleted directory");
	if (dir_entries(dirname, 1) || rmdir(dirname))
		return fail("something is left behind");

	pass();
	return 0;
}
