#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "kernel/hugepages.h"
#include "util/mem.h"
#include "util/test.h"

static void test_flags(void)
{
	CHECK_EQ(huge_size_flag(2 << 20), 21U << 26);
	CHECK_EQ(huge_size_flag(1 << 30), 30U << 26);
	CHECK_EQ(huge_flag_bytes(MAP_HUGETLB | 21 << 26), 2 << 20);
	CHECK_EQ(huge_flag_bytes(34ULL << 26), 1ULL << 34);
	/* No page is that small or that large. */
	CHECK_EQ(huge_flag_bytes(12 << 26), 0);
	CHECK_EQ(huge_flag_bytes(1 << 26), 0);
	CHECK_EQ(huge_flag_bytes(63ULL << 26), 0);
	CHECK(huge_flag_is_valid(MFD_HUGETLB | 21 << 26, MFD_HUGETLB));
	CHECK(!huge_flag_is_valid(21 << 26, MFD_HUGETLB));
	CHECK(!huge_flag_is_valid(MFD_HUGETLB | MFD_CLOEXEC | 21 << 26, MFD_HUGETLB));
	CHECK(!huge_flag_is_valid(SHM_HUGETLB | 21 << 26, MFD_HUGETLB));
}

static void test_available(void)
{
	struct huge_pool pool = { .page_bytes = 2 << 20, .total = 10, .free = 8, .reserved = 3 };

	CHECK_EQ(huge_pool_available(&pool), 5);
	pool.overcommit = 4;
	pool.surplus = 1;
	CHECK_EQ(huge_pool_available(&pool), 8);
	pool.surplus = 6;
	CHECK_EQ(huge_pool_available(&pool), 5);
	/* Read one after the other, the numbers need not fit. */
	pool.reserved = 9;
	CHECK_EQ(huge_pool_available(&pool), 0);
	CHECK_EQ(huge_pool_fail(&pool, "this", 7), -ENOMEM);
}

static void test_kernel(void)
{
	auto_fd int plain = memfd_create("plain", MFD_CLOEXEC);
	auto_fd int huge = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);
	struct huge_pool pool;

	CHECK_EQ(huge_fd_bytes(plain), 0);
	CHECK(huge_pool_read(12345 << 10, &pool) < 0);
	if (huge < 0) {
		TEST_SKIP("this kernel has no huge pages");
		return;
	}
	CHECK_EQ(huge_fd_bytes(huge), huge_flag_bytes(MFD_HUGETLB));
	CHECK_EQ(huge_pool_read(huge_fd_bytes(huge), &pool), 0);
	CHECK_STR(pool.knob, "/proc/sys/vm/nr_hugepages");
	CHECK(pool.free <= pool.total);
}

int main(void)
{
	test_flags();
	test_available();
	test_kernel();
	return test_end();
}
