#include "zdtmtst.h"
#include "unixprop.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

const char *test_doc = "A description that is open and on its way is one, and so is a deleted file that is mapped";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

int main(int argc, char **argv)
{
	int pair[2], fd, shared, second, got;
	struct stat st, got_st;
	char *mem, byte;

	test_init(argc, argv);

	fd = open(filename, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || ftruncate(fd, 8192) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return pr_perror("%s", filename);
	mem = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	second = open(filename, O_RDWR);
	if (mem == MAP_FAILED || second < 0 || unlink(filename))
		return pr_perror("%s", filename);
	mem[0] = 'a';
	/* One that is open as well, one that is not; the file is mapped and deleted. */
	if (send_right(pair[0], 0, 1, fd) || send_right(pair[0], 1, 1, second))
		return pr_perror("sendmsg");
	close(second);

	test_daemon();
	test_waitsig();

	shared = recv_right(pair[1], 0, 1);
	if (shared < 0 || lseek(fd, 77, SEEK_SET) != 77 || lseek(shared, 0, SEEK_CUR) != 77)
		return fail("it is another description");
	got = recv_right(pair[1], 1, 1);
	if (got < 0 || fstat(got, &got_st) || fstat(fd, &st) || st.st_ino != got_st.st_ino ||
	    st.st_dev != got_st.st_dev || st.st_nlink)
		return fail("the file that was only on its way is another one");
	if (lseek(got, 0, SEEK_CUR))
		return fail("they are one description");
	mem[5000] = 'b';
	if (pread(got, &byte, 1, 0) != 1 || byte != 'a' || pread(got, &byte, 1, 5000) != 1 || byte != 'b')
		return fail("the mapping and the descriptor show different memory");
	if (pwrite(got, "c", 1, 6000) != 1 || mem[6000] != 'c')
		return fail("what is written does not show in memory");

	pass();
	return 0;
}
