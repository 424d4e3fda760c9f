#include <fcntl.h>
#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"

const char *test_doc = "madvise marks of anonymous and file mappings";

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

#define PAGES 4

static struct mark {
	const char *name;
	int advice;
	const char *flag;
	int optional; /* depends on the kernel's configuration */
	int file;
	char *at;
} marks[] = {
	{ .name = "DONTFORK", .advice = MADV_DONTFORK, .flag = "dc" },
	{ .name = "WIPEONFORK", .advice = MADV_WIPEONFORK, .flag = "wf" },
	{ .name = "DONTDUMP", .advice = MADV_DONTDUMP, .flag = "dd" },
	{ .name = "HUGEPAGE", .advice = MADV_HUGEPAGE, .flag = "hg", .optional = 1 },
	{ .name = "NOHUGEPAGE", .advice = MADV_NOHUGEPAGE, .flag = "nh", .optional = 1 },
	{ .name = "MERGEABLE", .advice = MADV_MERGEABLE, .flag = "mg", .optional = 1 },
	{ .name = "SEQUENTIAL", .advice = MADV_SEQUENTIAL, .flag = "sr" },
	{ .name = "RANDOM", .advice = MADV_RANDOM, .flag = "rr" },
	{ .name = "file SEQUENTIAL", .advice = MADV_SEQUENTIAL, .flag = "sr", .file = 1 },
	{ .name = "file RANDOM", .advice = MADV_RANDOM, .flag = "rr", .file = 1 },
	{ .name = "file DONTFORK", .advice = MADV_DONTFORK, .flag = "dc", .file = 1 },
	{ .name = "file DONTDUMP", .advice = MADV_DONTDUMP, .flag = "dd", .file = 1 },
	{ .name = "none", .advice = MADV_NORMAL, .flag = NULL },
};

char *filename;
TEST_OPTION(filename, string, "file name", 1);

int main(int argc, char **argv)
{
	unsigned int i, k;
	int fd;

	test_init(argc, argv);

	fd = open(filename, O_RDWR | O_CREAT | O_EXCL, 0644);
	if (fd < 0 || ftruncate(fd, PAGES * PG))
		return pr_perror("create %s", filename);

	for (i = 0; i < ARRAY_SIZE(marks); i++) {
		struct mark *m = &marks[i];

		/* The spare page keeps neighbours apart. */
		m->at = mmap(NULL, (PAGES + 1) * PG, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | (m->file ? 0 : MAP_ANONYMOUS), m->file ? fd : -1, 0);
		if (m->at == MAP_FAILED || munmap(m->at + PAGES * PG, PG))
			return pr_perror("mmap for %s", m->name);
		pattern_fill(m->at, 2 * PG, i);
		if (madvise(m->at, PAGES * PG, m->advice)) {
			if (!m->optional)
				return pr_perror("madvise %s", m->name);
			test_msg("madvise %s is not known here\n", m->name);
			m->flag = NULL;
		}
	}
	for (i = 0; i < ARRAY_SIZE(marks); i++)
		if (marks[i].flag && map_has_flag(marks[i].at, marks[i].flag) != 1)
			return pr_err("%s is not set before the dump\n", marks[i].name);

	test_daemon();
	test_waitsig();

	for (i = 0; i < ARRAY_SIZE(marks); i++) {
		struct mark *m = &marks[i];

		if (m->flag && map_has_flag(m->at, m->flag) != 1)
			return fail("%s is lost", m->name);
		/* No mark may spill over to where it was not asked for. */
		for (k = 0; k < ARRAY_SIZE(marks); k++)
			if (marks[k].flag && (!m->flag || strcmp(m->flag, marks[k].flag)) &&
			    map_has_flag(m->at, marks[k].flag))
				return fail("%s has got the mark %s", m->name, marks[k].flag);
		if (pattern_bad(m->at, 2 * PG, i) >= 0 || nonzero_at(m->at + 2 * PG, (PAGES - 2) * PG) >= 0)
			return fail("%s: content changed", m->name);
	}

	pass();
	return 0;
}
