#include <fcntl.h>
#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"

const char *test_doc = "Adjacent mappings of different files, of one file out of order, and unmapped gaps between";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

#define FILES	   3
#define FILE_PAGES 4
#define SLOTS	   16

/* What lies in each slot of one page: file and page of it, anonymous memory, or nothing. */
static const struct slot {
	int file; /* -1 anonymous, -2 gap */
	int page;
	int flags;
} slots[SLOTS] = {
	{ 0, 0, MAP_PRIVATE }, { 1, 1, MAP_PRIVATE },  { 2, 2, MAP_PRIVATE }, { 0, 1, MAP_SHARED },
	{ 0, 0, MAP_SHARED },  { -1, 0, MAP_PRIVATE }, { 1, 2, MAP_SHARED },  { -2, 0, 0 },
	{ 1, 3, MAP_SHARED },  { -1, 0, MAP_PRIVATE }, { -2, 0, 0 },	      { -1, 0, MAP_PRIVATE },
	{ 2, 3, MAP_PRIVATE }, { 2, 0, MAP_PRIVATE },  { 2, 0, MAP_SHARED },  { 2, 1, MAP_PRIVATE },
};

static char before[8192];

int main(int argc, char **argv)
{
	unsigned char vec;
	char name[4096], *area;
	int fds[FILES], i;

	test_init(argc, argv);

	if (mkdir(dirname, 0777))
		return pr_perror("mkdir %s", dirname);
	for (i = 0; i < FILES; i++) {
		char data[FILE_PAGES * PG];
		int k;

		snprintf(name, sizeof(name), "%s/file %d", dirname, i);
		fds[i] = open(name, O_RDWR | O_CREAT | O_EXCL, 0644);
		for (k = 0; k < FILE_PAGES; k++)
			pattern_fill(data + k * PG, PG, 10 * i + k);
		if (fds[i] < 0 || write(fds[i], data, sizeof(data)) != (ssize_t)sizeof(data))
			return pr_perror("create %s", name);
	}
	/* One page of room at both ends, so that nothing else touches the first and the last slot. */
	area = mmap(NULL, (SLOTS + 2) * PG, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		return pr_perror("mmap");
	area += PG;
	for (i = 0; i < SLOTS; i++) {
		const struct slot *s = &slots[i];

		if (s->file == -2) {
			if (munmap(area + i * PG, PG))
				return pr_perror("munmap");
			continue;
		}
		if (mmap(area + i * PG, PG, PROT_READ | PROT_WRITE,
			 MAP_FIXED | s->flags | (s->file < 0 ? MAP_ANONYMOUS : 0), s->file < 0 ? -1 : fds[s->file],
			 s->page * PG) == MAP_FAILED)
			return pr_perror("mmap slot %d", i);
		if (s->file < 0)
			pattern_fill(area + i * PG, PG, 100 + i);
	}
	if (map_text(area, SLOTS * PG, MAP_TEXT_INODES, before, sizeof(before)))
		return 1;

	test_daemon();
	test_waitsig();

	if (map_text_changed(area, SLOTS * PG, MAP_TEXT_INODES, before))
		return fail("mappings changed");
	for (i = 0; i < SLOTS; i++) {
		const struct slot *s = &slots[i];

		if (s->file == -2) {
			if (!mincore(area + i * PG, PG, &vec) || errno != ENOMEM)
				return fail("the gap in slot %d is filled", i);
			continue;
		}
		if (pattern_bad(area + i * PG, PG, s->file < 0 ? 100 + i : 10 * s->file + s->page) >= 0)
			return fail("slot %d shows something else", i);
		if (s->file >= 0 && map_is_fd(area + i * PG, fds[s->file]) != 1)
			return fail("slot %d is another file", i);
	}

	pass();
	return 0;
}
