#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "zdtmtst.h"

const char *test_doc = "A descriptor of the running program, and /proc/self/exe, lead to one file";
const char *test_author = "The criu team";

int main(int argc, char **argv)
{
	char magic[4] = "";
	struct stat fd_st, exe_st;
	int fd;

	test_init(argc, argv);
	fd = open("/proc/self/exe", O_RDONLY);
	if (fd < 0 || lseek(fd, 1, SEEK_SET) != 1)
		return pr_perror("/proc/self/exe");

	test_daemon();
	test_waitsig();

	if (fstat(fd, &fd_st) || stat("/proc/self/exe", &exe_st) || fd_st.st_dev != exe_st.st_dev ||
	    fd_st.st_ino != exe_st.st_ino)
		return fail("they are different files");
	if (read(fd, magic, 3) != 3 || magic[0] != 'E' || magic[1] != 'L' || magic[2] != 'F')
		return fail("it is not read from where it was");
	/* A program that runs can't be written to. */
	if (open("/proc/self/exe", O_WRONLY) >= 0 || (errno != ETXTBSY && errno != EACCES))
		return fail("the running program can be written to: %m");
	pass();
	return 0;
}
