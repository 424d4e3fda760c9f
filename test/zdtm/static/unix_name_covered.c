#include <sys/mount.h>
#include <sys/stat.h>

#include "zdtmtst.h"
#include "unixprop.h"
#include "taskutil.h"

const char *test_doc = "A socket whose directory was mounted over is refused, and is there underneath";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int listener, client, server;

	test_init(argc, argv);

	ssprintf(addr.sun_path, "%s/sock", dirname);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	if (mkdir(dirname, 0700) || bind(listener, (struct sockaddr *)&addr, sizeof(addr)) || listen(listener, 3))
		return pr_perror("%s", dirname);
	if (mount("covered", dirname, "tmpfs", 0, NULL)) {
		skip("cannot mount: %m");
		return skipped_test();
	}

	test_daemon();
	test_waitsig();

	if (umount(dirname) || connect(client, (struct sockaddr *)&addr, sizeof(addr)))
		return fail("the name");
	server = accept(listener, NULL, NULL);
	if (server < 0 || talk(server, client) || unlink(addr.sun_path) || rmdir(dirname))
		return fail("the connection");

	pass();
	return 0;
}
