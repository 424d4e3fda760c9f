#include <fcntl.h>

#include "zdtmtst.h"
#include "fileprop.h"
#include "kids.h"

const char *test_doc =
	"Appending writers of one file, before and after, in two processes: nothing is lost or overwritten";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

static int own;

static int child_prepare(void *arg)
{
	(void)arg;
	own = open(filename, O_WRONLY | O_APPEND);
	return own < 0 || write(own, "b", 1) != 1;
}

static int child_check(void *arg)
{
	(void)arg;
	return write(own, "D", 1) != 1;
}

int main(int argc, char **argv)
{
	char text[16] = "";
	int append, plain;
	pid_t child;

	test_init(argc, argv);

	append = file_create(filename, O_RDWR | O_APPEND, 0644);
	plain = open(filename, O_RDWR);
	if (append < 0 || plain < 0 || write(append, "a", 1) != 1)
		return pr_perror("write %s", filename);
	child = kid_start(child_prepare, child_check, NULL);
	/* Not appending: its place is the third byte. */
	if (child < 0 || lseek(plain, 2, SEEK_SET) != 2 || lseek(append, 0, SEEK_SET))
		return 1;

	test_daemon();
	test_waitsig();

	if (write(plain, "C", 1) != 1)
		return fail("write");
	if (kid_finish(child))
		return fail("child");
	if (write(append, "E", 1) != 1)
		return fail("append");
	if (lseek(append, 0, SEEK_CUR) != 5)
		return fail("position after the append is %ld", lseek(append, 0, SEEK_CUR));
	if (pread(append, text, sizeof(text), 0) != 5 || memcmp(text, "abCDE", 5))
		return fail("the file reads %.16s", text);

	pass();
	return 0;
}
