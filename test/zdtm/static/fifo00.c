#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "zdtmtst.h"
#include "fileprop.h"
#include "kids.h"

const char *test_doc = "Named fifos: content, size, ends in two processes, opened for both, reader without writer";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

static int rd, wr, both, lone;

static int child_prepare(void *arg)
{
	(void)arg;
	return close(rd) || close(both) || close(lone);
}

static int child_check(void *arg)
{
	(void)arg;
	return write(wr, "child", 5) != 5;
}

/* Opens a new fifo; -1 on error. */
static int make(const char *name, int flags, char *path, size_t size)
{
	snprintf(path, size, "%s/%s", dirname, name);
	if (mkfifo(path, 0640)) {
		pr_perror("mkfifo %s", path);
		return -1;
	}
	return open(path, flags);
}

int main(int argc, char **argv)
{
	char path[4096], both_path[4096], lone_path[4096], buf[64];
	struct fd_state state[3];
	int size, wr_flags;
	pid_t child;

	test_init(argc, argv);

	if (mkdir(dirname, 0755))
		return pr_perror("mkdir %s", dirname);
	rd = make("ends", O_RDONLY | O_NONBLOCK, path, sizeof(path));
	wr = open(path, O_WRONLY | O_NONBLOCK);
	both = make("both", O_RDWR | O_NONBLOCK, both_path, sizeof(both_path));
	lone = make("lone", O_RDONLY | O_NONBLOCK, lone_path, sizeof(lone_path));
	if (rd < 0 || wr < 0 || both < 0 || lone < 0)
		return pr_perror("open");
	if (fcntl(rd, F_SETPIPE_SZ, 16384) < 16384 || write(wr, "queued ", 7) != 7 || write(both, "mine", 4) != 4)
		return pr_perror("write");
	size = fcntl(rd, F_GETPIPE_SZ);
	child = kid_start(child_prepare, child_check, NULL);
	if (child < 0)
		return 1;
	wr_flags = fcntl(wr, F_GETFL);
	/* From here on the only writer is the child. */
	close(wr);
	if (fd_state_get(rd, &state[0]) || fd_state_get(both, &state[1]) || fd_state_get(lone, &state[2]))
		return 1;

	test_daemon();
	test_waitsig();

	if (fd_state_changed(rd, &state[0], FD_SAME_INODE) || fd_state_changed(both, &state[1], FD_SAME_INODE) ||
	    fd_state_changed(lone, &state[2], FD_SAME_INODE))
		return fail("descriptors changed");
	if (fcntl(rd, F_GETPIPE_SZ) != size)
		return fail("size is %d, was %d", fcntl(rd, F_GETPIPE_SZ), size);
	if (read(rd, buf, 7) != 7 || memcmp(buf, "queued ", 7) || read(rd, buf, 1) != -1 || errno != EAGAIN)
		return fail("content changed");
	if (kid_finish(child) || read(rd, buf, sizeof(buf)) != 5 || memcmp(buf, "child", 5))
		return fail("the child writes somewhere else");
	if (read(rd, buf, 1) != 0)
		return fail("there is a writer too many");
	if (read(both, buf, sizeof(buf)) != 4 || memcmp(buf, "mine", 4) || read(both, buf, 1) != -1 || errno != EAGAIN)
		return fail("the fifo opened for both changed");
	if (write(both, "x", 1) != 1 || read(both, buf, 1) != 1)
		return fail("the fifo opened for both does not work");
	if (read(lone, buf, 1) != 0)
		return fail("the fifo without writer is not at its end");
	/* It is the fifo of that name: who opens it by name meets the old reader. */
	wr = open(path, O_WRONLY | O_NONBLOCK);
	if (wr < 0 || fcntl(wr, F_GETFL) != wr_flags || write(wr, "name", 4) != 4 || read(rd, buf, sizeof(buf)) != 4)
		return fail("the name leads to another fifo");

	pass();
	return 0;
}
