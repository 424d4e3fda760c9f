#include "zdtmtst.h"
#include "delshm.h"
#include "kids.h"

const char *test_doc = "Partial windows of a deleted file, other ones in a child, and content that no window shows";

#define PAGES 64

static int fd;
static char *win[3], *child_win;

/* First page and number of pages of the parent's windows; the last two overlap. */
static const int first[3] = { 0, 16, 20 }, count[3] = { 4, 8, 20 };

static int child_prepare(void *arg)
{
	int i;

	(void)arg;
	child_win = delshm_map(fd, 10 * PG, PROT_READ | PROT_WRITE, 30 * PG);
	for (i = 0; i < 3; i++)
		if (munmap(win[i], count[i] * PG))
			return 1;
	return !child_win || close(fd);
}

static int child_check(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < 10; i++)
		if (pattern_bad(child_win + i * PG, PG, 100 + 30 + i) >= 0)
			return fail("child: page %d is not what the parent wrote", 30 + i);
	pattern_fill(child_win + 5 * PG, PG, 777);
	return 0;
}

int main(int argc, char **argv)
{
	static char before[3][4096];
	char page[PG];
	pid_t child;
	int i, w;

	test_init(argc, argv);

	if (delshm_init())
		return 1;
	fd = delshm_create("windows", PAGES * PG);
	if (fd < 0)
		return 1;
	for (w = 0; w < 3; w++) {
		win[w] = delshm_map(fd, count[w] * PG, PROT_READ | PROT_WRITE, first[w] * PG);
		if (!win[w])
			return 1;
	}
	for (i = 0; i < PAGES; i++) {
		pattern_fill(page, PG, i);
		if (pwrite(fd, page, PG, i * PG) != (ssize_t)PG)
			return pr_perror("pwrite");
	}
	child = kid_start(child_prepare, child_check, NULL);
	if (child < 0 || delshm_unlink("windows"))
		return 1;
	/* Only now do the lines say "deleted". */
	for (w = 0; w < 3; w++)
		if (map_text(win[w], count[w] * PG, MAP_TEXT_PATHS, before[w], sizeof(before[w])))
			return 1;

	test_daemon();
	test_waitsig();

	for (w = 0; w < 3; w++) {
		if (map_text_changed(win[w], count[w] * PG, MAP_TEXT_PATHS, before[w]))
			return fail("window %d changed", w);
		if (map_is_fd(win[w], fd) != 1)
			return fail("window %d shows another object", w);
		for (i = 0; i < count[w]; i++)
			if (pattern_bad(win[w] + i * PG, PG, first[w] + i) >= 0)
				return fail("window %d: page %d changed", w, i);
	}
	for (i = 0; i < PAGES; i++) {
		if (pread(fd, page, PG, i * PG) != (ssize_t)PG || pattern_bad(page, PG, i) >= 0)
			return fail("page %d of the file changed", i);
		pattern_fill(page, PG, 100 + i);
		if (pwrite(fd, page, PG, i * PG) != (ssize_t)PG)
			return fail("pwrite");
	}
	for (w = 0; w < 3; w++)
		for (i = 0; i < count[w]; i++)
			if (pattern_bad(win[w] + i * PG, PG, 100 + first[w] + i) >= 0)
				return fail("window %d does not show page %d", w, first[w] + i);
	if (kid_finish(child) || pattern_bad(win[2] + 15 * PG, PG, 777) >= 0)
		return fail("child");
	if (delshm_fini())
		return fail("something is left behind");

	pass();
	return 0;
}
