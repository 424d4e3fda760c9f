#include <fcntl.h>
#include <string.h>

#include "aioprop.h"

const char *test_doc =
	"An AIO context keeps completions nobody has fetched, and takes requests, past the end of its ring";
const char *test_author = "The criu team";

char *filename;
TEST_OPTION(filename, string, "a file to read", 1);

#define FETCHED	  20
#define UNFETCHED 30
#define AROUND	  300 /* more than the ring has room for */
#define TEXT	  "sixteen bytes..."

int main(int argc, char **argv)
{
	static char bufs[UNFETCHED][16];
	struct aio_ring was;
	aio_context_t ctx;
	char buf[16] = "";
	int fd;

	test_init(argc, argv);
	fd = open(filename, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || write(fd, TEXT, 16) != 16)
		return pr_perror("%s", filename);
	if (aio_setup(10, &ctx))
		return 1;
	for (int i = 0; i < FETCHED; i++)
		if (aio_submit(ctx, IOCB_CMD_PREAD, fd, buf, i % 17, 0, i) != 1 || aio_expect(ctx, i, i % 17))
			return pr_perror("request %d", i);
	for (int i = 0; i < UNFETCHED; i++)
		if (aio_submit(ctx, IOCB_CMD_PREAD, fd, bufs[i], 16 - i % 16, 0, 1000 + i) != 1)
			return pr_perror("submit %d", i);
	was = *aio_ring(ctx);
	if (was.head != FETCHED || was.tail != FETCHED + UNFETCHED)
		return pr_err("head %u, tail %u\n", was.head, was.tail);

	test_daemon();
	test_waitsig();

	if (aio_ring(ctx)->nr != was.nr || aio_ring(ctx)->head != was.head || aio_ring(ctx)->tail != was.tail)
		return fail("ring of %u, head %u, tail %u; was %u, %u, %u", aio_ring(ctx)->nr, aio_ring(ctx)->head,
			    aio_ring(ctx)->tail, was.nr, was.head, was.tail);
	for (int i = 0; i < UNFETCHED; i++)
		if (aio_expect(ctx, 1000 + i, 16 - i % 16) || memcmp(bufs[i], TEXT, 16 - i % 16))
			return fail("completion %d", i);
	if (aio_expect_none(ctx))
		return 1;
	for (int i = 0; i < AROUND; i++) {
		memset(buf, 0, sizeof(buf));
		if (aio_submit(ctx, IOCB_CMD_PREAD, fd, buf, 16, 0, i) != 1 || aio_expect(ctx, i, 16) ||
		    memcmp(buf, TEXT, 16))
			return fail("request %d after restore", i);
	}
	if (aio_submit(ctx, IOCB_CMD_PWRITE, fd, "SIX", 3, 0, 7) != 1 || aio_expect(ctx, 7, 3) ||
	    pread(fd, buf, 3, 0) != 3 || memcmp(buf, "SIX", 3))
		return fail("writing after restore");
	if (syscall(SYS_io_destroy, ctx))
		return fail("io_destroy: %s", strerror(errno));
	pass();
	return 0;
}
