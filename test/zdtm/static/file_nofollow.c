#include <fcntl.h>

#include "zdtmtst.h"
#include "fileprop.h"

const char *test_doc =
	"Descriptors opened with O_NOFOLLOW, in every mode, keep it; paths with odd names are found again";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

int main(int argc, char **argv)
{
	static const int flags[] = { O_RDONLY | O_NOFOLLOW, O_WRONLY | O_NOFOLLOW | O_APPEND,
				     O_RDWR | O_NOFOLLOW | O_NONBLOCK, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, O_RDWR };
	struct fd_state state[5];
	char sub[4096], link[4096], file[4096];
	int fds[5], i;

	test_init(argc, argv);

	/* Opened through a link: the kernel remembers where that led. */
	if (ssprintf(sub, "%s/x (deleted)", dirname) || ssprintf(link, "%s/link", dirname) ||
	    ssprintf(file, "%s/link/a\\ b", dirname))
		return 1;
	if (mkdir(dirname, 0755) || mkdir(sub, 0755) || symlink("x (deleted)", link))
		return pr_perror("make files in %s", dirname);
	fds[0] = file_create(file, O_WRONLY, 0600);
	if (fds[0] < 0 || write(fds[0], "data", 4) != 4 || close(fds[0]))
		return pr_perror("create %s", file);
	for (i = 0; i < 5; i++) {
		fds[i] = open(flags[i] & O_DIRECTORY ? sub : file, flags[i] | O_CLOEXEC);
		if (fds[i] < 0 || fd_state_get(fds[i], &state[i]))
			return pr_perror("open %d", i);
	}

	test_daemon();
	test_waitsig();

	for (i = 0; i < 5; i++)
		if (fd_state_changed(fds[i], &state[i], FD_SAME_INODE))
			return fail("descriptor %d changed", i);

	pass();
	return 0;
}
