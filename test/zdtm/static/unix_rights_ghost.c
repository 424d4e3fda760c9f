#include "zdtmtst.h"
#include "unixprop.h"

#include <fcntl.h>
#include <sys/stat.h>

const char *test_doc = "A deleted file that is only on its way in a message, with its position, twice";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

int main(int argc, char **argv)
{
	int pair[2], fd, one, two;
	struct stat st;
	char text[16];

	test_init(argc, argv);

	fd = open(filename, O_RDWR | O_CREAT | O_EXCL, 0640);
	if (fd < 0 || write(fd, "0123456789", 10) != 10 || lseek(fd, 4, SEEK_SET) != 4 || unlink(filename) ||
	    socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
		return pr_perror("%s", filename);
	if (send_right(pair[0], 0, 1, fd) || send_right(pair[0], 1, 1, fd))
		return pr_perror("sendmsg");
	close(fd);

	test_daemon();
	test_waitsig();

	one = recv_right(pair[1], 0, 1);
	two = recv_right(pair[1], 1, 1);
	if (one < 0 || two < 0 || fstat(one, &st) || st.st_nlink || st.st_size != 10 || (st.st_mode & 07777) != 0640)
		return fail("the file");
	if (read(one, text, 3) != 3 || memcmp(text, "456", 3) || read(two, text, 3) != 3 || memcmp(text, "789", 3))
		return fail("content or position");

	pass();
	return 0;
}
