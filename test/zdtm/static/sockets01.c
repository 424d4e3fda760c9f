#include <sys/stat.h>

#include "zdtmtst.h"
#include "unixprop.h"

const char *test_doc = "A path that was unlinked, and one bound relative to a directory since left";
char *dirname;
TEST_OPTION(dirname, string, "directory", 1);

static int open_listener(const char *path, int *ret_client, int *ret_server)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	*ret_client = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 1) ||
	    connect(*ret_client, (struct sockaddr *)&addr, sizeof(addr)))
		return -1;
	*ret_server = accept(fd, NULL, NULL);
	return *ret_server < 0 ? -1 : fd;
}

static int is_named(int fd, const char *path)
{
	struct sockaddr_un got;
	socklen_t bytes = sizeof(got);

	return !getsockname(fd, (struct sockaddr *)&got, &bytes) && !strcmp(got.sun_path, path);
}

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = "relative" };
	int gone, relative, clients[2], servers[2], fresh;
	char path[100];

	test_init(argc, argv);

	snprintf(path, sizeof(path), "%s/gone", dirname);
	if (mkdir(dirname, 0700) || (gone = open_listener(path, &clients[0], &servers[0])) < 0 || unlink(path) ||
	    chdir(dirname) || (relative = open_listener("relative", &clients[1], &servers[1])) < 0 || chdir(".."))
		return pr_perror("sockets");
	if (send_sequence(clients[0], 0, 10) || send_sequence(clients[0], 10, 20) || send_sequence(servers[1], 0, 10))
		return pr_perror("send");

	test_daemon();
	test_waitsig();

	if (!is_named(gone, path) || !is_named(servers[0], path) || !access(path, F_OK))
		return fail("the unlinked one");
	if (!is_named(relative, "relative") || !is_named(servers[1], "relative"))
		return fail("the relative one");
	if (recv_sequence(servers[0], 0, 10, 0) || recv_sequence(servers[0], 10, 20, 0) ||
	    recv_sequence(clients[1], 0, 10, 0) || talk(clients[0], servers[0]) || talk(clients[1], servers[1]))
		return fail("content");
	fresh = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	if (chdir(dirname) || connect(fresh, (struct sockaddr *)&addr, sizeof(addr)) ||
	    talk(fresh, accept(relative, NULL, NULL)))
		return fail("a new connection");
	if (unlink("relative") || chdir("..") || rmdir(dirname))
		return fail("something is left in the directory");

	pass();
	return 0;
}
