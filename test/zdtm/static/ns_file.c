#include <fcntl.h>

#include "zdtmtst.h"
#include "taskutil.h"
#include "fileprop.h"

const char *test_doc = "Descriptors of the namespaces the tree is in lead to those it is in after restore";

static const char *const names[] = { "pid", "net", "ipc", "uts", "mnt", "user", "cgroup", "time" };
#define NR ARRAY_SIZE(names)

static int fds[NR + 1], state_flags[NR + 1];

/* The same inode as what the path leads to now. */
static int is_ours(int fd, const char *name)
{
	struct stat st, own;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	return !fstat(fd, &st) && !stat(path, &own) && st.st_dev == own.st_dev && st.st_ino == own.st_ino;
}

int main(int argc, char **argv)
{
	char path[64];

	test_init(argc, argv);

	for (unsigned int i = 0; i < NR; i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		fds[i] = open(path, O_RDONLY | (i % 2 ? O_CLOEXEC : 0));
		if (fds[i] < 0 && errno != ENOENT)
			return pr_perror("%s", path);
	}
	fds[NR] = open("/proc/self/ns/net", O_PATH);
	if (fds[NR] < 0)
		return pr_perror("O_PATH");
	for (unsigned int i = 0; i <= NR; i++)
		state_flags[i] = fcntl(fds[i], F_GETFL);

	test_daemon();
	test_waitsig();

	for (unsigned int i = 0; i <= NR; i++) {
		if (fds[i] < 0)
			continue;
		if (!is_ours(fds[i], i < NR ? names[i] : "net"))
			return fail("descriptor %u is of another namespace", i);
		if (fcntl(fds[i], F_GETFL) != state_flags[i])
			return fail("descriptor %u: flags were %#x, are %#x", i, state_flags[i],
				    fcntl(fds[i], F_GETFL));
	}

	pass();
	return 0;
}
