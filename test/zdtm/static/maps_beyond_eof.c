#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"

const char *test_doc = "File mappings that reach beyond the end of the file: tail bytes, SIGBUS, later growth";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

#define FILE_SIZE (2 * PG + 100)
#define MAP_PAGES 6

static sigjmp_buf on_fault;
static char before[4096];

static void faulted(int sig)
{
	siglongjmp(on_fault, sig);
}

/* Signal that reading the byte raises, 0 for none. */
static int fault_at(volatile char *at)
{
	int sig = sigsetjmp(on_fault, 1);

	if (!sig)
		(void)*at;
	return sig;
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = faulted };
	char data[FILE_SIZE], *shared, *private;
	int fd, i;

	test_init(argc, argv);

	fd = open(filename, O_RDWR | O_CREAT | O_EXCL, 0644);
	pattern_fill(data, sizeof(data), 1);
	if (fd < 0 || write(fd, data, sizeof(data)) != (ssize_t)sizeof(data))
		return pr_perror("create %s", filename);
	shared = mmap(NULL, MAP_PAGES * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	private = mmap(NULL, MAP_PAGES * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (shared == MAP_FAILED || private == MAP_FAILED)
		return pr_perror("mmap");
	/* The tail of the last page belongs to the mapping, not to the file; the private one keeps its own. */
	pattern_fill(private + 2 * PG, PG, 2);
	if (sigaction(SIGBUS, &act, NULL) || fault_at(shared + 3 * PG) != SIGBUS)
		return pr_err("no SIGBUS to begin with\n");
	if (map_text(shared, MAP_PAGES * PG, MAP_TEXT_INODES, before, sizeof(before)))
		return 1;

	test_daemon();
	test_waitsig();

	if (map_text_changed(shared, MAP_PAGES * PG, MAP_TEXT_INODES, before))
		return fail("mapping changed");
	if (lseek(fd, 0, SEEK_END) != FILE_SIZE)
		return fail("file has %ld bytes", lseek(fd, 0, SEEK_END));
	if (pattern_bad(shared, FILE_SIZE, 1) >= 0 || nonzero_at(shared + FILE_SIZE, 3 * PG - FILE_SIZE) >= 0)
		return fail("shared content changed");
	if (pattern_bad(private, 2 * PG, 1) >= 0 || pattern_bad(private + 2 * PG, PG, 2) >= 0)
		return fail("private content changed");
	for (i = 3; i < MAP_PAGES; i++)
		if (fault_at(shared + i * PG) != SIGBUS || fault_at(private + i * PG) != SIGBUS)
			return fail("page %d beyond the end can be read", i);
	if (ftruncate(fd, 4 * PG) || fault_at(shared + 3 * PG) || nonzero_at(shared + 3 * PG, PG) >= 0 ||
	    fault_at(private + 3 * PG) || fault_at(shared + 4 * PG) != SIGBUS)
		return fail("the mappings do not follow a growing file");

	pass();
	return 0;
}
