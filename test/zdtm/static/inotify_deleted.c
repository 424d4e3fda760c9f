#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "zdtmtst.h"
#include "inotify.h"

const char *test_doc = "inotify watches on deleted files and a deleted directory that are still open or mapped";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

static char ghost[4096], shared[4096], sub[4096];

/* Also changes of attributes, but not those that the loss of its name was. */
static int watch_attributes(int fd, int file, int wd)
{
	char path[32];

	return ssprintf(path, "/proc/self/fd/%d", file) || inotify_add_watch(fd, path, IN_ATTRIB | IN_MASK_ADD) != wd;
}

static int make(const char *path)
{
	int fd = open(path, O_CREAT | O_EXCL | O_RDWR, 0600);

	return fd < 0 || write(fd, "content", 7) != 7 ? -1 : fd;
}

int main(int argc, char **argv)
{
	int fd, ghost_fd, shared_fd, sub_fd, ghost_wd, shared_wd, sub_wd;
	void *mem;

	test_init(argc, argv);

	if (mkdir(dirname, 0755) || ssprintf(ghost, "%s/ghost", dirname) || ssprintf(shared, "%s/shared", dirname) ||
	    ssprintf(sub, "%s/sub", dirname) || mkdir(sub, 0755))
		return pr_perror("mkdir %s", dirname);
	ghost_fd = make(ghost);
	shared_fd = make(shared);
	sub_fd = open(sub, O_RDONLY | O_DIRECTORY);
	fd = inotify_init1(IN_NONBLOCK);
	if (ghost_fd < 0 || shared_fd < 0 || sub_fd < 0 || fd < 0)
		return pr_perror("files");
	mem = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, shared_fd, 0);
	ghost_wd = inotify_add_watch(fd, ghost, IN_MODIFY | IN_DELETE_SELF);
	shared_wd = inotify_add_watch(fd, shared, IN_MODIFY);
	sub_wd = inotify_add_watch(fd, sub, IN_ATTRIB);
	if (mem == MAP_FAILED || ghost_wd < 0 || shared_wd < 0 || sub_wd < 0 || unlink(ghost) || unlink(shared) ||
	    rmdir(sub) || no_event(fd) || watch_attributes(fd, ghost_fd, ghost_wd) ||
	    watch_attributes(fd, shared_fd, shared_wd))
		return pr_perror("inotify");

	test_daemon();
	test_waitsig();

	if (no_event(fd))
		return fail("an event out of nowhere");
	if (write(ghost_fd, "x", 1) != 1 || next_event(fd, ghost_wd, IN_MODIFY, "") || write(shared_fd, "y", 1) != 1 ||
	    next_event(fd, shared_wd, IN_MODIFY, "") || fchmod(sub_fd, 0700) ||
	    next_event(fd, sub_wd, IN_ATTRIB | IN_ISDIR, ""))
		return fail("an event is not told");
	/* It ends with its last holder. */
	if (close(ghost_fd) || next_event(fd, ghost_wd, IN_DELETE_SELF, "") ||
	    next_event(fd, ghost_wd, IN_IGNORED, "") || no_event(fd))
		return fail("the end of the file is not told");

	rmdir(dirname);
	pass();
	return 0;
}
