#include <fcntl.h>

#include "zdtmtst.h"
#include "fileprop.h"

const char *test_doc = "O_PATH descriptors of a file, a directory, a symlink and a fifo";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

int main(int argc, char **argv)
{
	char file[4096], link[4096], fifo[4096], target[64] = "", again[64], data[8];
	struct fd_state state[4];
	int fds[4], fd, i;

	test_init(argc, argv);

	if (ssprintf(file, "%s/file", dirname) || ssprintf(link, "%s/link", dirname) ||
	    ssprintf(fifo, "%s/fifo", dirname))
		return 1;
	if (mkdir(dirname, 0755) || symlink("file", link) || mkfifo(fifo, 0600))
		return pr_perror("make files in %s", dirname);
	fd = file_create(file, O_WRONLY, 0600);
	if (fd < 0 || write(fd, "data", 4) != 4 || close(fd))
		return pr_perror("create %s", file);
	fds[0] = open(file, O_PATH);
	fds[1] = open(dirname, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fds[2] = open(link, O_PATH | O_NOFOLLOW);
	/* Opened in the ordinary way it would wait for a writer. */
	fds[3] = open(fifo, O_PATH);
	for (i = 0; i < 4; i++)
		if (fds[i] < 0 || fd_state_get(fds[i], &state[i]))
			return pr_perror("O_PATH %d", i);
	if (!(state[0].status_flags & O_PATH) || !S_ISLNK(state[2].st.st_mode))
		return pr_err("not what was asked for\n");

	test_daemon();
	test_waitsig();

	for (i = 0; i < 4; i++) {
		if (fd_state_changed(fds[i], &state[i], FD_SAME_INODE))
			return fail("descriptor %d changed", i);
		if (read(fds[i], data, 1) != -1 || errno != EBADF)
			return fail("descriptor %d can be read", i);
	}
	if (readlinkat(fds[2], "", target, sizeof(target) - 1) != 4 || strcmp(target, "file"))
		return fail("the symlink reads %s", target);
	fd = openat(fds[1], "file", O_RDONLY);
	if (fd < 0 || read(fd, data, sizeof(data)) != 4 || memcmp(data, "data", 4))
		return fail("openat");
	snprintf(again, sizeof(again), "/proc/self/fd/%d", fds[0]);
	fd = open(again, O_RDONLY);
	if (fd < 0 || read(fd, data, sizeof(data)) != 4)
		return fail("reopen");

	pass();
	return 0;
}
