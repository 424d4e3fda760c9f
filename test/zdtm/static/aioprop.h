#ifndef ZDTM_AIOPROP_H
#define ZDTM_AIOPROP_H

/* Asynchronous I/O without libaio. */

#include <errno.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "zdtmtst.h"

/* The beginning of what a context's id is the address of. */
struct aio_ring {
	uint32_t id, nr, head, tail, magic, compat, incompat, header_bytes;
	struct io_event events[];
};

static inline struct aio_ring *aio_ring(aio_context_t ctx)
{
	return (struct aio_ring *)ctx;
}

static inline int aio_setup(unsigned nr, aio_context_t *ret)
{
	*ret = 0;
	return syscall(SYS_io_setup, nr, ret) ? pr_perror("io_setup") : 0;
}

/* One request of @bytes at @offset, which is told by @cookie; 1 if it was taken, 0 if there is no room. */
static inline int aio_submit(aio_context_t ctx, int op, int fd, void *buf, size_t bytes, off_t offset, uint64_t cookie)
{
	struct iocb iocb = {
		.aio_lio_opcode = op,
		.aio_fildes = fd,
		.aio_buf = (uintptr_t)buf,
		.aio_nbytes = bytes,
		.aio_offset = offset,
		.aio_data = cookie,
	}, *list = &iocb;
	int n = syscall(SYS_io_submit, ctx, 1L, &list);

	return n < 0 && errno == EAGAIN ? 0 : n;
}

/* The next completion, waiting up to a minute; 0 if it is that of @cookie with @res. */
static inline int aio_expect(aio_context_t ctx, uint64_t cookie, int64_t res)
{
	struct timespec minute = { .tv_sec = 60 };
	struct io_event event;
	long n = syscall(SYS_io_getevents, ctx, 1L, 1L, &event, &minute);

	if (n != 1)
		return pr_perror("io_getevents gave %ld instead of completion %lu", n, (unsigned long)cookie);
	if (event.data != cookie || event.res != res)
		return fail("completion %lu with %lld instead of %lu with %lld", (unsigned long)event.data,
			    (long long)event.res, (unsigned long)cookie, (long long)res);
	return 0;
}

static inline int aio_expect_none(aio_context_t ctx)
{
	struct timespec now = { 0 };
	struct io_event event;

	return syscall(SYS_io_getevents, ctx, 0L, 1L, &event, &now) ? fail("a completion too many") : 0;
}

#endif
