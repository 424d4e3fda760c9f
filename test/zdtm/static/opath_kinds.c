#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "zdtmtst.h"
#include "fileprop.h"

const char *test_doc =
	"O_PATH descriptors of sockets and devices, and of files, directories, links and fifos that are deleted";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

enum { SOCKET, DEVICE, TTY, GONE_FILE, GONE_DIR, GONE_LINK, GONE_FIFO, NR };

static int fds[NR];
static struct fd_state states[NR];

static int make_socket(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0 || strlen(path) >= sizeof(addr.sun_path))
		return -1;
	strcpy(addr.sun_path, path);
	/* Only the name is wanted: it stays when the socket is closed. */
	return bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || close(fd);
}

static int make(const char *name, mode_t mode)
{
	char path[4096];
	int fd;

	if (ssprintf(path, "%s/%s", dirname, name))
		return -1;
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return mkdir(path, mode & 0777);
	case S_IFLNK:
		return symlink("nowhere", path);
	case S_IFIFO:
		return mkfifo(path, mode & 0777);
	case S_IFSOCK:
		return make_socket(path);
	default:
		fd = file_create(path, O_WRONLY, mode & 0777);
		return fd < 0 || write(fd, "content", 7) != 7 || close(fd);
	}
}

static int open_at(int index, const char *name)
{
	char path[4096];

	if (ssprintf(path, "%s/%s", dirname, name))
		return -1;
	fds[index] = open(path, O_PATH | (index == GONE_LINK ? O_NOFOLLOW : 0));
	return fds[index] < 0;
}

static int remove_at(const char *name)
{
	char path[4096];

	return ssprintf(path, "%s/%s", dirname, name) || remove(path);
}

static int set_up(void)
{
	static const struct {
		int index;
		const char *name;
		mode_t mode;
	} gone[] = {
		{ GONE_FILE, "file", S_IFREG | 0640 },
		{ GONE_DIR, "dir", S_IFDIR | 0750 },
		{ GONE_LINK, "link", S_IFLNK | 0777 },
		{ GONE_FIFO, "fifo", S_IFIFO | 0600 },
	};

	if (mkdir(dirname, 0755) || make("socket", S_IFSOCK) || open_at(SOCKET, "socket"))
		return pr_perror("socket");
	fds[DEVICE] = open("/dev/null", O_PATH);
	fds[TTY] = open("/dev/tty", O_PATH);
	for (unsigned int i = 0; i < ARRAY_SIZE(gone); i++)
		if (make(gone[i].name, gone[i].mode) || open_at(gone[i].index, gone[i].name) || remove_at(gone[i].name))
			return pr_perror("%s", gone[i].name);
	for (int i = 0; i < NR; i++)
		if (fd_state_get(fds[i], &states[i]))
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	char path[64], text[16];
	int fd;

	test_init(argc, argv);

	if (set_up())
		return 1;

	test_daemon();
	test_waitsig();

	/* Only a name can be opened with it, and this one is gone: it is lost, and makes no difference any more. */
	if (!(fcntl(fds[GONE_LINK], F_GETFL) & O_NOFOLLOW))
		states[GONE_LINK].status_flags &= ~O_NOFOLLOW;
	for (int i = 0; i < NR; i++)
		if (fd_state_changed(fds[i], &states[i], i < GONE_FILE ? FD_SAME_INODE : FD_NEW_INODE))
			return fail("descriptor %d changed", i);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[GONE_FILE]);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text)) != 7 || memcmp(text, "content", 7))
		return fail("the deleted file has lost its content");
	if (readlinkat(fds[GONE_LINK], "", text, sizeof(text)) != 7 || memcmp(text, "nowhere", 7))
		return fail("the deleted link leads elsewhere");
	if (openat(fds[GONE_DIR], "new", O_CREAT | O_WRONLY, 0600) >= 0 || errno != ENOENT)
		return fail("the deleted directory takes a file");
	if (remove_at("socket") || rmdir(dirname))
		return fail("something is left behind");

	pass();
	return 0;
}
