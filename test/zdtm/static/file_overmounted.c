#include <fcntl.h>
#include <sys/mount.h>

#include "zdtmtst.h"
#include "fileprop.h"

const char *test_doc = "A file whose directory is mounted over: refused, for its path leads elsewhere";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

int main(int argc, char **argv)
{
	char path[4096], text[8];
	int fd;

	test_init(argc, argv);

	if (mkdir(dirname, 0755) || ssprintf(path, "%s/file", dirname))
		return pr_perror("mkdir");
	fd = file_create(path, O_RDWR, 0600);
	if (fd < 0 || write(fd, "below", 5) != 5)
		return pr_perror("%s", path);
	if (mount("above", dirname, "tmpfs", 0, NULL))
		return pr_perror("mount");

	test_daemon();
	test_waitsig();

	if (umount(dirname))
		return pr_perror("umount");
	if (pread(fd, text, sizeof(text), 0) != 5 || memcmp(text, "below", 5))
		return fail("the file changed");
	unlink(path);
	rmdir(dirname);
	pass();
	return 0;
}
