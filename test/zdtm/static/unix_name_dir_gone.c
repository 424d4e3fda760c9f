#include <sys/stat.h>

#include "zdtmtst.h"
#include "unixprop.h"

const char *test_doc =
	"A socket bound to a relative name in a directory that is gone, which has a new one of that name";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

int main(int argc, char **argv)
{
	const struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = "relative" };
	struct sockaddr_un name;
	socklen_t bytes = sizeof(name);
	int listener, client, server;
	struct stat st;

	test_init(argc, argv);

	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	if (mkdir(dirname, 0700) || chdir(dirname) || bind(listener, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(listener, 3) || connect(client, (struct sockaddr *)&addr, sizeof(addr)) || unlink("relative") ||
	    chdir("..") || rmdir(dirname) || mkdir(dirname, 0711))
		return pr_perror("%s", dirname);

	test_daemon();
	test_waitsig();

	memset(&name, 0, sizeof(name));
	if (getsockname(listener, (struct sockaddr *)&name, &bytes) || strcmp(name.sun_path, "relative"))
		return fail("the name is '%s'", name.sun_path);
	server = accept(listener, NULL, NULL);
	if (server < 0 || talk(server, client))
		return fail("the connection");
	if (stat(dirname, &st) || (st.st_mode & 07777) != 0711 || rmdir(dirname))
		return fail("the directory was touched");

	pass();
	return 0;
}
