#include "zdtmtst.h"
#include "delshm.h"
#include "kids.h"

const char *test_doc = "A deleted shared file of 8 GiB with 256 KiB of data: content, size, holes";

#define SIZE	    (8UL << 30)
#define DATA_PAGES  64
#define DATA_STRIDE (SIZE / DATA_PAGES)

static char *map;

/* Pages lie alone, except for the two ends of the file. */
static size_t place(int i)
{
	return i == DATA_PAGES - 1 ? SIZE - PG : i * DATA_STRIDE + (i % 5) * 7 * PG;
}

static int check(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < DATA_PAGES; i++)
		if (pattern_bad(map + place(i), PG, i) >= 0)
			return fail("page %d changed", i);
	for (i = 0; i < DATA_PAGES - 1; i++)
		if (nonzero_at(map + place(i) + 3 * PG, PG) >= 0)
			return fail("hole after page %d is not zero", i);
	return 0;
}

/* Bytes the file says are data; -1 on error. */
static off_t data_bytes(int fd)
{
	off_t sum = 0, data, hole = 0;

	while ((data = lseek(fd, hole, SEEK_DATA)) >= 0) {
		hole = lseek(fd, data, SEEK_HOLE);
		if (hole < 0)
			return -1;
		sum += hole - data;
	}
	lseek(fd, 0, SEEK_SET);
	return errno == ENXIO ? sum : -1;
}

int main(int argc, char **argv)
{
	struct stat st;
	off_t before;
	int fd, i;
	pid_t kid;

	test_init(argc, argv);

	map = delshm_start("sparse", SIZE, &fd);
	if (!map || delshm_unlink("sparse"))
		return 1;
	for (i = 0; i < DATA_PAGES; i++)
		pattern_fill(map + place(i), PG, i);
	if (msync(map, SIZE, MS_SYNC))
		return pr_perror("msync");
	before = data_bytes(fd);
	if (before < (off_t)(DATA_PAGES * PG))
		return pr_perror("%ld bytes of data", before);
	kid = kid_start(NULL, check, NULL);
	if (kid < 0)
		return 1;

	test_daemon();
	test_waitsig();

	/* Before the content check, which reads holes and fills them in on some filesystems. */
	if (data_bytes(fd) != before)
		return fail("%ld bytes of data, %ld before", data_bytes(fd), before);
	if (fstat(fd, &st) || st.st_size != (off_t)SIZE || st.st_nlink || st.st_blocks > 8 * DATA_PAGES * 8)
		return fail("size is %ld with %ld blocks and %lu links", st.st_size, st.st_blocks, st.st_nlink);
	if (map_is_fd(map, fd) != 1 || check(NULL) || kid_finish(kid))
		return fail("content");
	if (delshm_fini())
		return fail("something is left behind");

	pass();
	return 0;
}
