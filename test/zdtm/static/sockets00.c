#include <sys/stat.h>

#include "zdtmtst.h"
#include "unixprop.h"

const char *test_doc = "A listening stream socket with a path, an accepted connection with queued bytes, a new one";
char *filename;
TEST_OPTION(filename, string, "path of the socket", 1);

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX }, got;
	socklen_t bytes = sizeof(got);
	int listener, client, server, fresh;
	struct stat st;

	test_init(argc, argv);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", filename);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&addr, sizeof(addr)) || chmod(filename, 0612) ||
	    listen(listener, 7) || connect(client, (struct sockaddr *)&addr, sizeof(addr)))
		return pr_perror("connect");
	server = accept(listener, NULL, NULL);
	if (server < 0 || send_sequence(client, 0, 500) || send_sequence(server, 3, 30))
		return pr_perror("accept");

	test_daemon();
	test_waitsig();

	if (recv_sequence(server, 0, 500, 0) || recv_sequence(client, 3, 30, 0) || talk(client, server))
		return fail("the connection");
	if (getpeername(client, (struct sockaddr *)&got, &bytes) || strcmp(got.sun_path, filename))
		return fail("getpeername is %s", got.sun_path);
	bytes = sizeof(got);
	if (getsockname(server, (struct sockaddr *)&got, &bytes) || strcmp(got.sun_path, filename))
		return fail("getsockname of the accepted one is %s", got.sun_path);
	if (stat(filename, &st) || !S_ISSOCK(st.st_mode) || (st.st_mode & 0777) != 0612 || st.st_uid != getuid())
		return fail("mode %o, owner %d", st.st_mode, st.st_uid);
	fresh = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(fresh, (struct sockaddr *)&addr, sizeof(addr)))
		return fail("a new connection");
	server = accept(listener, NULL, NULL);
	if (server < 0 || talk(fresh, server))
		return fail("nobody listens");
	if (unlink(filename))
		return fail("unlink");

	pass();
	return 0;
}
