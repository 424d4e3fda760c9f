#include <fcntl.h>
#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"

const char *test_doc =
	"Shared mappings keep the limits of the descriptor they came from: O_RDONLY never becomes writable";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

static int check(char *ro, char *rw, char *private)
{
	if (!mprotect(ro, PG, PROT_READ | PROT_WRITE))
		return pr_err("shared mapping of an O_RDONLY file became writable\n");
	if (errno != EACCES)
		return pr_perror("mprotect is not refused with EACCES");
	if (mprotect(ro, PG, PROT_NONE) || mprotect(ro, PG, PROT_READ))
		return pr_perror("mprotect of the read-only mapping");
	/* Mapped read-only too, but from an O_RDWR file. */
	if (mprotect(rw, PG, PROT_READ | PROT_WRITE) || mprotect(rw, PG, PROT_READ))
		return pr_perror("mprotect of the read-write file's mapping");
	/* Private pages may always be written. */
	if (mprotect(private, PG, PROT_READ | PROT_WRITE) || mprotect(private, PG, PROT_READ))
		return pr_perror("mprotect of the private mapping");
	return 0;
}

int main(int argc, char **argv)
{
	static char before[3][4096];
	char *maps[3], page[PG];
	int fd, ro, i;

	test_init(argc, argv);

	fd = open(filename, O_RDWR | O_CREAT | O_EXCL, 0644);
	pattern_fill(page, PG, 1);
	if (fd < 0 || write(fd, page, PG) != (ssize_t)PG)
		return pr_perror("create %s", filename);
	ro = open(filename, O_RDONLY);
	if (ro < 0)
		return pr_perror("open %s", filename);
	maps[0] = mmap(NULL, PG, PROT_READ, MAP_SHARED, ro, 0);
	maps[1] = mmap(NULL, PG, PROT_READ, MAP_SHARED, fd, 0);
	maps[2] = mmap(NULL, PG, PROT_READ, MAP_PRIVATE, ro, 0);
	if (maps[0] == MAP_FAILED || maps[1] == MAP_FAILED || maps[2] == MAP_FAILED)
		return pr_perror("mmap");
	/* No descriptor is left to tell: the mappings themselves have to remember. */
	close(ro);
	close(fd);
	for (i = 0; i < 3; i++)
		if (map_text(maps[i], PG, MAP_TEXT_INODES, before[i], sizeof(before[i])))
			return 1;
	if (check(maps[0], maps[1], maps[2]))
		return 1;

	test_daemon();
	test_waitsig();

	for (i = 0; i < 3; i++) {
		if (map_text_changed(maps[i], PG, MAP_TEXT_INODES, before[i]))
			return fail("mapping %d changed", i);
		if (pattern_bad(maps[i], PG, 1) >= 0)
			return fail("content of mapping %d changed", i);
	}
	if (map_has_flag(maps[0], "mw") || map_has_flag(maps[1], "mw") != 1)
		return fail("permission to become writable changed");
	if (check(maps[0], maps[1], maps[2]))
		return fail("limits changed");
	if (mprotect(maps[1], PG, PROT_READ | PROT_WRITE))
		return fail("mprotect");
	pattern_fill(maps[1], PG, 2);
	if (pattern_bad(maps[0], PG, 2) >= 0)
		return fail("the two shared mappings show different files");

	pass();
	return 0;
}
