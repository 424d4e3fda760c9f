#include "kernel/pagemap-scan.h"
#include "util/macros.h"

bool pagemap_scan_knows(int pagemap_fd, const void *page, uint64_t categories)
{
	struct page_region region;
	struct pm_scan_arg arg = {
		.size = sizeof(arg),
		.start = (uintptr_t)page,
		.end = (uintptr_t)page + PAGE_BYTES,
		.vec = (uintptr_t)&region,
		.vec_len = 1,
		.category_anyof_mask = categories,
		.return_mask = categories,
	};

	return ioctl(pagemap_fd, PAGEMAP_SCAN, &arg) >= 0;
}
