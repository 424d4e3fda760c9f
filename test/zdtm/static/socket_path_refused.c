#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "zdtmtst.h"

const char *test_doc = "A deleted socket file that is held by its path is refused";
const char *test_author = "The criu team";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct stat st;
	int sk, path;

	test_init(argc, argv);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", filename);
	sk = socket(AF_UNIX, SOCK_STREAM, 0);
	if (sk < 0 || bind(sk, (struct sockaddr *)&addr, sizeof(addr)))
		return pr_perror("bind");
	path = open(filename, O_PATH);
	if (path < 0 || unlink(filename) || close(sk))
		return pr_perror("path");

	test_daemon();
	test_waitsig();

	if (fstat(path, &st) || !S_ISSOCK(st.st_mode) || st.st_nlink)
		return fail("the path");
	pass();
	return 0;
}
