#include <sys/mman.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc =
	"Memory that the kernel may drop (MAP_DROPPABLE): still such memory, with its content or without";
const char *test_author = "The criu team";

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif

#define PAGE 4096

static char *area;

static int is_droppable(void)
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	char line[512];
	unsigned long start, end;
	int inside = 0, found = 0;

	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = (unsigned long)area >= start && (unsigned long)area < end;
		else if (inside && !strncmp(line, "VmFlags:", 8))
			found = strstr(line, " dp") != NULL && strstr(line, " wf") != NULL;
	}
	if (maps)
		fclose(maps);
	return found;
}

int main(int argc, char **argv)
{
	test_init(argc, argv);
	area = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_DROPPABLE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED) {
		skip("no droppable memory: %s", strerror(errno));
		return skipped_test();
	}
	area[PAGE] = 1;
	if (!is_droppable())
		return fail("smaps shows it otherwise");

	test_daemon();
	test_waitsig();

	if (!is_droppable())
		return fail("it is ordinary memory");
	if (area[PAGE] > 1 || area[0])
		return fail("it has another content");
	pass();
	return 0;
}
