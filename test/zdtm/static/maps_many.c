#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"

const char *test_doc = "15000 mappings: each is there, with its protection and content";

#define NR 15000

static unsigned long starts[NR];
static char perms[NR];

/* Notes start and writability of every mapping in the area; their number or -1. */
static int scan(char *area, unsigned long *ret_starts, char *ret_perms)
{
	unsigned long from = (unsigned long)area, to = from + 2 * NR * PG;
	static struct map_line line;
	static char text[8192];
	int n = 0;
	FILE *maps;

	maps = fopen("/proc/self/maps", "r");
	if (!maps)
		return -1;
	while (fgets(text, sizeof(text), maps)) {
		if (map_line_parse(text, &line) || line.start < from || line.start >= to)
			continue;
		if (n < NR) {
			ret_starts[n] = line.start;
			ret_perms[n] = line.perms[1];
		}
		n++;
	}
	fclose(maps);
	return n;
}

int main(int argc, char **argv)
{
	static unsigned long now_starts[NR];
	static char now_perms[NR];
	char *area;
	int i;

	test_init(argc, argv);

	/* Two pages each; the protections alternate, so no two can be joined. */
	area = mmap(NULL, 2 * NR * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		return pr_perror("mmap");
	for (i = 0; i < NR; i++) {
		if (i % 7 == 0)
			*(int *)(area + 2 * i * PG) = i + 1;
		if (i % 2 && mprotect(area + 2 * i * PG, 2 * PG, PROT_READ))
			return pr_perror("mprotect %d", i);
	}
	if (scan(area, starts, perms) < NR - 1)
		return pr_err("%d mappings instead of %d\n", scan(area, starts, perms), NR);

	test_daemon();
	test_waitsig();

	i = scan(area, now_starts, now_perms);
	if (i < NR - 1)
		return fail("%d mappings are left", i);
	for (i = 0; i < NR; i++) {
		if (starts[i] != now_starts[i] || perms[i] != now_perms[i])
			return fail("mapping %d is %lx %c, was %lx %c", i, now_starts[i], now_perms[i], starts[i],
				    perms[i]);
		if (*(int *)(area + 2 * i * PG) != (i % 7 ? 0 : i + 1))
			return fail("mapping %d holds %d", i, *(int *)(area + 2 * i * PG));
	}

	pass();
	return 0;
}
