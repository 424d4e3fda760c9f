#include <fcntl.h>
#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"

const char *test_doc = "Content behind PROT_NONE and read-only anonymous memory, seen without changing the protection";

#define PAGES 16

static char before[4096];

int main(int argc, char **argv)
{
	char page[PG], *none, *ro;
	int mem, i;

	test_init(argc, argv);

	none = mmap(NULL, PAGES * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ro = mmap(NULL, PAGES * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (none == MAP_FAILED || ro == MAP_FAILED)
		return pr_perror("mmap");
	for (i = 0; i < PAGES; i += 3) {
		pattern_fill(none + i * PG, PG, i);
		pattern_fill(ro + i * PG, PG, 100 + i);
	}
	if (mprotect(none, PAGES * PG, PROT_NONE) || mprotect(ro, PAGES * PG, PROT_READ))
		return pr_perror("mprotect");
	if (map_text(none, PAGES * PG, MAP_TEXT_INODES, before, sizeof(before)))
		return 1;

	test_daemon();
	test_waitsig();

	if (map_text_changed(none, PAGES * PG, MAP_TEXT_INODES, before))
		return fail("mapping changed");
	mem = open("/proc/self/mem", O_RDONLY);
	if (mem < 0)
		return fail("open mem");
	for (i = 0; i < PAGES; i++) {
		if (pread(mem, page, PG, (off_t)(uintptr_t)none + i * PG) != PG)
			return fail("read page %d", i);
		if (i % 3 ? nonzero_at(page, PG) >= 0 : pattern_bad(page, PG, i) >= 0)
			return fail("PROT_NONE page %d changed", i);
		if (i % 3 ? nonzero_at(ro + i * PG, PG) >= 0 : pattern_bad(ro + i * PG, PG, 100 + i) >= 0)
			return fail("read-only page %d changed", i);
	}
	close(mem);

	pass();
	return 0;
}
