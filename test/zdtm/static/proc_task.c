#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "zdtmtst.h"
#include "fileprop.h"

const char *test_doc = "Files of /proc of tasks of the tree, one's own and a child's, show those tasks again";

static volatile int secret = 4711;

enum { STATUS, STAT_CHILD, FDS, MEM, DIRECTORY, LINK, NET, TASK, MAPS_CHILD, NR };

static struct {
	const char *path; /* %d: the child */
	int flags;
	int fd;
	struct fd_state state;
} files[NR] = {
	[STATUS] = { .path = "/proc/self/status", .flags = O_RDONLY },
	[STAT_CHILD] = { .path = "/proc/%d/stat", .flags = O_RDONLY | O_CLOEXEC },
	[FDS] = { .path = "/proc/self/fd", .flags = O_RDONLY | O_DIRECTORY },
	[MEM] = { .path = "/proc/self/mem", .flags = O_RDWR },
	[DIRECTORY] = { .path = "/proc/self", .flags = O_PATH | O_DIRECTORY },
	[LINK] = { .path = "/proc/%d/cwd", .flags = O_PATH | O_NOFOLLOW },
	[NET] = { .path = "/proc/net/dev", .flags = O_RDONLY | O_NONBLOCK },
	[TASK] = { .path = "/proc/thread-self/comm", .flags = O_RDWR },
	[MAPS_CHILD] = { .path = "/proc/%d/maps", .flags = O_RDONLY },
};

static int child_main(void)
{
	secret = 1234;
	/* A directory of /proc as one's own. */
	if (chdir("/proc/self"))
		return 1;
	kill(getpid(), SIGSTOP);
	return 0;
}

static int open_all(pid_t child)
{
	char path[64], some[10];

	for (int i = 0; i < NR; i++) {
		snprintf(path, sizeof(path), files[i].path, child);
		files[i].fd = open(path, files[i].flags);
		if (files[i].fd < 0)
			return pr_perror("open %s", path);
	}
	if (read(files[STATUS].fd, some, sizeof(some)) != sizeof(some) ||
	    lseek(files[MEM].fd, (off_t)&secret, SEEK_SET) < 0 || lseek(files[FDS].fd, 3, SEEK_SET) != 3)
		return pr_perror("positions");
	for (int i = 0; i < NR; i++)
		if (fd_state_get(files[i].fd, &files[i].state))
			return 1;
	return 0;
}

static int read_all(int fd, char *buf, size_t bytes)
{
	size_t got = 0;
	ssize_t n;

	while ((n = read(fd, buf + got, bytes - 1 - got)) > 0)
		got += n;
	buf[got] = '\0';
	return n < 0 || !got;
}

static int check_contents(pid_t child)
{
	static char text[65536], wanted[256];
	struct dirent64 *entry = (struct dirent64 *)text;
	int value, dir, fd;

	/* The rest of it, from where it was read up to. */
	snprintf(wanted, sizeof(wanted), "\nPid:\t%d\n", getpid());
	if (read_all(files[STATUS].fd, text, sizeof(text)) || !strncmp(text, "Name:", 5) || !strstr(text, wanted))
		return fail("the status is another one's: %s", text);
	if (read_all(files[STAT_CHILD].fd, text, sizeof(text)) || atoi(text) != child)
		return fail("the child's stat is that of %d", atoi(text));
	/* Position 3 is that of descriptor 1. */
	if (getdents64(files[FDS].fd, text, sizeof(text)) <= 0 || strcmp(entry->d_name, "1"))
		return fail("the directory goes on at %s", entry->d_name);
	if (read(files[MEM].fd, &value, sizeof(value)) != sizeof(value) || value != 4711)
		return fail("the memory is another one's");
	value = 815;
	if (pwrite(files[MEM].fd, &value, sizeof(value), (off_t)&secret) != sizeof(value) || secret != 815)
		return fail("the memory can't be written");
	dir = files[DIRECTORY].fd;
	fd = openat(dir, "stat", O_RDONLY);
	if (fd < 0 || read_all(fd, text, sizeof(text)) || atoi(text) != getpid())
		return fail("the directory is another one's");
	snprintf(wanted, sizeof(wanted), "/proc/%d", child);
	value = readlinkat(files[LINK].fd, "", text, sizeof(text) - 1);
	if (value < 0 || (text[value] = '\0', strcmp(text, wanted)))
		return fail("the child's directory is %s", text);
	if (read_all(files[NET].fd, text, sizeof(text)) || !strstr(text, "lo:"))
		return fail("no network devices");
	if (write(files[TASK].fd, "renamed", 7) != 7 || pread(files[TASK].fd, text, 8, 0) != 8 ||
	    strncmp(text, "renamed\n", 8))
		return fail("the name can't be changed");
	if (read_all(files[MAPS_CHILD].fd, text, sizeof(text)) || !strstr(text, "proc_task"))
		return fail("the child's mappings are not there");
	return 0;
}

int main(int argc, char **argv)
{
	pid_t child;
	int status;

	test_init(argc, argv);

	child = fork();
	if (child < 0)
		return pr_perror("fork");
	if (!child)
		_exit(child_main());
	if (waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status))
		return pr_perror("the child does not stop");
	if (open_all(child))
		return 1;

	test_daemon();
	test_waitsig();

	for (int i = 0; i < NR; i++)
		if (fd_state_changed(files[i].fd, &files[i].state, FD_NEW_INODE))
			return fail("%s changed", files[i].path);
	if (check_contents(child))
		return 1;
	kill(child, SIGCONT);
	if (waitpid(child, &status, 0) != child || status)
		return fail("the child ended with %#x", status);

	pass();
	return 0;
}
