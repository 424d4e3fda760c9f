#include <fcntl.h>
#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "fileprop.h"

const char *test_doc = "Mapped memfds: with and without a descriptor left, shared, private on top, part of it";

#define PAGES 16

int main(int argc, char **argv)
{
	static char before[4][4096];
	char *map[4], page[PG];
	struct fd_state state;
	int fd, lost, i;
	size_t len[4] = { PAGES * PG, PAGES * PG, 4 * PG, 3 * PG };

	test_init(argc, argv);

	fd = memfd_create("mapped", 0);
	lost = memfd_create("closed, then only mapped", 0);
	if (fd < 0 || lost < 0 || ftruncate(fd, PAGES * PG) || ftruncate(lost, 2 * PG + 10))
		return pr_perror("memfd");
	map[0] = mmap(NULL, PAGES * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	map[1] = mmap(NULL, PAGES * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	map[2] = mmap(NULL, 4 * PG, PROT_READ, MAP_SHARED, fd, 8 * PG);
	map[3] = mmap(NULL, 3 * PG, PROT_READ | PROT_WRITE, MAP_SHARED, lost, 0);
	close(lost);
	for (i = 0; i < 4; i++)
		if (map[i] == MAP_FAILED)
			return pr_perror("mmap %d", i);
	for (i = 0; i < PAGES; i += 2)
		pattern_fill(map[0] + i * PG, PG, i);
	pattern_fill(map[1] + 3 * PG, PG, 1003);
	pattern_fill(map[1] + 4 * PG, PG, 1004);
	pattern_fill(map[3], 2 * PG + 10, 3000);
	for (i = 0; i < 4; i++)
		if (map_text(map[i], len[i], MAP_TEXT_PATHS, before[i], sizeof(before[i])))
			return 1;
	if (fd_state_get(fd, &state))
		return 1;

	test_daemon();
	test_waitsig();

	for (i = 0; i < 4; i++)
		if (map_text_changed(map[i], len[i], MAP_TEXT_PATHS, before[i]))
			return fail("mapping %d changed", i);
	if (fd_state_changed(fd, &state, FD_NEW_INODE))
		return fail("descriptor changed");
	for (i = 0; i < 3; i++)
		if (map_is_fd(map[i], fd) != 1)
			return fail("mapping %d is not the descriptor's memfd", i);
	if (map_is_map(map[0], map[3]))
		return fail("two memfds became one");
	for (i = 0; i < PAGES; i++) {
		if (i % 2 ? nonzero_at(map[0] + i * PG, PG) >= 0 : pattern_bad(map[0] + i * PG, PG, i) >= 0)
			return fail("page %d changed", i);
		pattern_fill(page, PG, 100 + i);
		if (pwrite(fd, page, PG, i * PG) != (ssize_t)PG || pattern_bad(map[0] + i * PG, PG, 100 + i) >= 0)
			return fail("the shared mapping does not show a write to page %d", i);
		if (pattern_bad(map[1] + i * PG, PG, i == 3 || i == 4 ? 1000 + i : 100 + i) >= 0)
			return fail("the private mapping shows a wrong page %d", i);
	}
	if (pattern_bad(map[2], PG, 108) >= 0)
		return fail("the window shows something else");
	if (pattern_bad(map[3], 2 * PG + 10, 3000) >= 0)
		return fail("the memfd without descriptor changed");

	pass();
	return 0;
}
