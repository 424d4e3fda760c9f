#include <fcntl.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "fileprop.h"

const char *test_doc =
	"A deleted open file of 6 GiB with little data in it, below the ghost limit: content, size, holes";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

#define SIZE ((6L << 30) + 17)

static const struct {
	off_t at;
	size_t len;
} extents[] = { { 4 * PG, 2 * PG },
		{ 5L << 20, 40 * PG },
		{ (2L << 30) - PG, 2 * PG },
		{ (5L << 30) + 4 * PG, PG },
		{ SIZE - 17, 17 } };

/* Begin of the data at or behind from, and of the hole behind it, each rounded to pages. */
static int extent_after(int fd, off_t from, off_t *ret_data, off_t *ret_hole)
{
	*ret_data = lseek(fd, from, SEEK_DATA);
	if (*ret_data < 0)
		return -1;
	*ret_hole = lseek(fd, *ret_data, SEEK_HOLE);
	return *ret_hole < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	static off_t before[32][2];
	static char data[40 * PG];
	int fd, n = 0, k;
	unsigned int i;
	off_t at = 0;
	struct stat st, now;

	test_init(argc, argv);

	fd = file_create(filename, O_RDWR, 0600);
	if (fd < 0 || ftruncate(fd, SIZE))
		return pr_perror("create %s", filename);
	for (i = 0; i < ARRAY_SIZE(extents); i++) {
		pattern_fill(data, extents[i].len, i);
		if (pwrite(fd, data, extents[i].len, extents[i].at) != (ssize_t)extents[i].len)
			return pr_perror("pwrite");
	}
	if (fsync(fd) || unlink(filename) || fstat(fd, &st))
		return pr_perror("unlink");
	while (n < 32 && !extent_after(fd, at, &before[n][0], &before[n][1]))
		at = before[n++][1];
	if (n < 2)
		return pr_err("this filesystem knows no holes\n");
	lseek(fd, SIZE - 5, SEEK_SET);

	test_daemon();
	test_waitsig();

	if (lseek(fd, 0, SEEK_CUR) != SIZE - 5)
		return fail("position is %ld", lseek(fd, 0, SEEK_CUR));
	if (fstat(fd, &now) || now.st_size != SIZE || now.st_nlink || now.st_mode != st.st_mode)
		return fail("size is %ld", now.st_size);
	for (at = 0, k = 0; k < n; k++) {
		off_t from = -1, to = -1;

		if (extent_after(fd, at, &from, &to) || from != before[k][0] || to != before[k][1])
			return fail("extent %d was %ld to %ld, is %ld to %ld", k, before[k][0], before[k][1], from, to);
		at = to;
	}
	for (i = 0; i < ARRAY_SIZE(extents); i++)
		if (pread(fd, data, extents[i].len, extents[i].at) != (ssize_t)extents[i].len ||
		    pattern_bad(data, extents[i].len, i) >= 0)
			return fail("extent %u changed", i);
	if (!access(filename, F_OK))
		return fail("the deleted name came back");

	pass();
	return 0;
}
