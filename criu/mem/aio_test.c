#include <string.h>

#include "mem/aio.h"
#include "util/macros.h"
#include "util/test.h"

/* What the kernel makes of a number of requests, as far as it does not depend on processors. */
static uint64_t ring_bytes(uint32_t nr)
{
	uint64_t bytes = 32 + 32ULL * (2ULL * nr + 2);

	return (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

static void test_sizes(void)
{
	CHECK_EQ(aio_nr_slots(PAGE_BYTES), 127);
	CHECK_EQ(aio_nr_slots(5 * PAGE_BYTES), 639);
	CHECK_EQ(aio_nr_requests(PAGE_BYTES), 1);
	for (uint64_t pages = 1; pages < 2000; pages++) {
		uint32_t nr = aio_nr_requests(pages * PAGE_BYTES);

		CHECK_EQ(ring_bytes(nr), pages * PAGE_BYTES);
		/* One fewer makes a smaller ring. */
		if (pages > 1)
			CHECK_EQ(ring_bytes(nr - 1), (pages - 1) * PAGE_BYTES);
	}
}

static void test_disks(void)
{
	static const char busy[] = "   8       0 sda 1 0 8 1 2 0 16 1 3 5 6\n"
				   "   8       1 sda1 1 0 8 1 2 0 16 1 0 5 6 0 0 0 0\n";
	static const char later[] = "   8       0 sda 1 0 8 1 2 0 16 1 0 5 6\n"
				    "   8       1 sda1 1 0 8 1 2 0 16 1 7 5 6\n";
	char idle[32] = "";

	CHECK_EQ(aio_busy_disks(busy, idle, sizeof(idle)), 1);
	CHECK(!strcmp(idle, "sda1\n"));
	/* The name of one is the beginning of the other's. */
	CHECK_EQ(aio_busy_disks(busy, idle, sizeof(idle)), 1);
	CHECK_EQ(aio_busy_disks(later, idle, sizeof(idle)), 0);
	CHECK(!strcmp(idle, "sda1\nsda\n"));
	CHECK_EQ(aio_busy_disks(busy, idle, sizeof(idle)), 0);
	CHECK_EQ(aio_busy_disks("", idle, sizeof(idle)), 0);
	CHECK_EQ(aio_busy_disks("8 0\nnonsense\n8 0 sdb 1 2\n", idle, sizeof(idle)), 0);
	CHECK(!strcmp(idle, "sda1\nsda\n"));
	/* Cut off, and a list that is full. */
	CHECK_EQ(aio_busy_disks("8 0 sdb 0 0 0 0 0 0 0 0 1 0 0", idle, sizeof(idle)), 1);
	CHECK_EQ(aio_busy_disks("8 0 quite-a-long-name-of-a-disk 0 0 0 0 0 0 0 0 0 0 0\n", idle, sizeof(idle)), 0);
	CHECK(!strcmp(idle, "sda1\nsda\n"));
}

int main(void)
{
	test_sizes();
	test_disks();
	return test_end();
}
