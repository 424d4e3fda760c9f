#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "taskutil.h"
#include "../static/aioprop.h"

const char *test_doc = "No direct request under way at the dump is lost, nor what it reads";
const char *test_author = "The criu team";

char *filename;
TEST_OPTION(filename, string, "a file to read and write", 1);

#define N	 16
#define BYTES	 (4UL << 20) /* so much that the dump finds some of them under way */
#define N_BLOCKS 32

/* Each block of the file begins and ends with the number that was last written there. */
static uint64_t written[N_BLOCKS];
static uint64_t *bufs[N];
static int block_of[N];
static bool reads[N];

static int start(aio_context_t ctx, int fd, int slot, uint64_t number)
{
	int block = slot + N * (int)(number % (N_BLOCKS / N));

	block_of[slot] = block;
	reads[slot] = number % 3 != 0;
	memset(bufs[slot], 0, BYTES);
	if (!reads[slot])
		bufs[slot][0] = bufs[slot][BYTES / 8 - 1] = written[block] = number;
	return aio_submit(ctx, reads[slot] ? IOCB_CMD_PREAD : IOCB_CMD_PWRITE, fd, bufs[slot], BYTES, block * BYTES,
			  slot) == 1
		       ? 0
		       : pr_perror("io_submit");
}

static int finish(aio_context_t ctx, int *ret_slot)
{
	struct timespec minute = { .tv_sec = 60 };
	struct io_event event;
	long n;

	do
		n = syscall(SYS_io_getevents, ctx, 1L, 1L, &event, &minute);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		return fail("a request got lost: %ld", n);
	*ret_slot = (int)event.data;
	if (event.res != (int64_t)BYTES)
		return fail("request of %lld bytes", (long long)event.res);
	if (reads[*ret_slot] && (bufs[*ret_slot][0] != written[block_of[*ret_slot]] ||
				 bufs[*ret_slot][BYTES / 8 - 1] != written[block_of[*ret_slot]]))
		return fail("block %d reads %lu instead of %lu", block_of[*ret_slot], bufs[*ret_slot][0],
			    written[block_of[*ret_slot]]);
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t number = 1;
	aio_context_t ctx;
	int fd, slot;

	test_init(argc, argv);
	fd = open(filename, O_RDWR | O_CREAT | O_EXCL | O_DIRECT, 0600);
	if (fd < 0 && errno == EINVAL) {
		skip("the file system has no direct I/O");
		return skipped_test();
	}
	if (fd < 0 || ftruncate(fd, N_BLOCKS * BYTES) || aio_setup(N, &ctx))
		return pr_perror("%s", filename);
	for (int i = 0; i < N; i++)
		if (posix_memalign((void **)&bufs[i], 4096, BYTES) || start(ctx, fd, i, number++))
			return 1;

	test_daemon();
	while (test_go()) {
		if (finish(ctx, &slot))
			return 1;
		if (start(ctx, fd, slot, number++))
			return 1;
	}
	for (int i = 0; i < N; i++)
		if (finish(ctx, &slot))
			return 1;
	if (aio_expect_none(ctx))
		return 1;
	pass();
	return 0;
}
