#include <fcntl.h>

#include "aioprop.h"

const char *test_doc =
	"Several AIO contexts: one with all slots taken, wrapped around, and one emptied by the process itself";
const char *test_author = "The criu team";

#define FIRST 100

/* As programs do that fetch without asking the kernel. */
static void fetch_all(aio_context_t ctx)
{
	__atomic_store_n(&aio_ring(ctx)->head, aio_ring(ctx)->tail, __ATOMIC_RELEASE);
}

int main(int argc, char **argv)
{
	aio_context_t gone, full, emptied;
	struct aio_ring was[2];
	int null, n_full = 0;

	test_init(argc, argv);
	null = open("/dev/null", O_RDONLY);
	if (null < 0 || aio_setup(1, &gone) || aio_setup(10, &full) || aio_setup(500, &emptied) ||
	    syscall(SYS_io_destroy, gone))
		return pr_perror("set up");
	for (int i = 0; i < FIRST; i++)
		if (aio_submit(full, IOCB_CMD_PREAD, null, NULL, 0, 0, i) != 1 || aio_expect(full, i, 0) ||
		    aio_submit(emptied, IOCB_CMD_PREAD, null, NULL, 0, 0, i) != 1)
			return pr_perror("request %d", i);
	fetch_all(emptied);
	while (aio_submit(full, IOCB_CMD_PREAD, null, NULL, 0, 0, n_full) == 1)
		n_full++;
	was[0] = *aio_ring(full);
	was[1] = *aio_ring(emptied);
	if (was[0].tail >= was[0].head || n_full < 30)
		return pr_err("%d requests, head %u, tail %u\n", n_full, was[0].head, was[0].tail);

	test_daemon();
	test_waitsig();

	if (aio_ring(full)->head != was[0].head || aio_ring(full)->tail != was[0].tail)
		return fail("full: head %u, tail %u", aio_ring(full)->head, aio_ring(full)->tail);
	if (aio_ring(emptied)->head != was[1].head || aio_ring(emptied)->tail != was[1].tail ||
	    aio_ring(emptied)->nr != was[1].nr)
		return fail("emptied: head %u, tail %u", aio_ring(emptied)->head, aio_ring(emptied)->tail);
	/* There is no room for more than a few: each processor may have some put by. */
	for (int i = 0; aio_submit(full, IOCB_CMD_PREAD, null, NULL, 0, 0, n_full) == 1; i++, n_full++)
		if ((aio_ring(full)->tail + 1) % was[0].nr == aio_ring(full)->head)
			return fail("the ring runs over");
	for (int i = 0; i < n_full; i++)
		if (aio_expect(full, i, 0))
			return fail("completion %d of %d", i, n_full);
	if (aio_expect_none(full) || aio_expect_none(emptied))
		return 1;
	for (int i = 0; i < 2000; i++)
		if (aio_submit(emptied, IOCB_CMD_PREAD, null, NULL, 0, 0, i) != 1 || aio_expect(emptied, i, 0))
			return fail("request %d after restore", i);
	pass();
	return 0;
}
