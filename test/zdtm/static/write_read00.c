#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "zdtmtst.h"

const char *test_doc = "A file written before, half of it read, goes on to be read and written where it was";
const char *test_author = "The criu team";

char *filename;
TEST_OPTION(filename, string, "a file to write and read", 1);

#define BYTES 300000

int main(int argc, char **argv)
{
	static uint8_t buf[BYTES], half[BYTES / 2];
	uint32_t crc = ~0;
	int writer, reader;

	test_init(argc, argv);
	writer = open(filename, O_WRONLY | O_CREAT | O_EXCL, 0600);
	reader = open(filename, O_RDONLY);
	datagen(buf, sizeof(buf), &crc);
	if (writer < 0 || reader < 0 || write_data(writer, buf, sizeof(buf)) || read_data(reader, half, sizeof(half)))
		return pr_perror("%s", filename);

	test_daemon();
	test_waitsig();

	if (memcmp(half, buf, sizeof(half)) || read_data(reader, half, sizeof(half)) ||
	    memcmp(half, buf + sizeof(half), sizeof(half)))
		return fail("the second half is not what was written");
	if (read(reader, half, 1) != 0)
		return fail("there is more behind it");
	if (write(writer, "tail", 4) != 4 || read(reader, half, 16) != 4 || memcmp(half, "tail", 4))
		return fail("what is written now does not come where the file ended");
	pass();
	return 0;
}
