#include "zdtmtst.h"
#include "delshm.h"
#include "kids.h"

const char *test_doc = "A deleted shared file that is too large for criu to put all of it into the page cache";

#define MIB	 (1UL << 20)
#define HOLE	 (140 * MIB + 3 * PG) /* one MiB without data */
#define SIZE	 (160 * MIB + 100)    /* ends inside a page */
#define PIECE	 (4 * MIB)
#define N_PIECES (SIZE / PIECE)

static char *map;

/* Pieces, the last with what is left; a hole in one of them. */
static size_t piece_bytes(size_t i)
{
	return i == N_PIECES ? SIZE % PIECE : PIECE;
}

static int fill(int fd)
{
	for (size_t i = 0; i <= N_PIECES; i++)
		pattern_fill(map + i * PIECE, piece_bytes(i), i);
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, HOLE, MIB))
		return pr_perror("punch a hole");
	return 0;
}

/* Every second piece is on the disk only, where the file has one. */
static int drop_half(int fd)
{
	if (fsync(fd))
		return pr_perror("fsync");
	for (size_t i = 0; i <= N_PIECES; i += 2) {
		if (madvise(map + i * PIECE, piece_bytes(i), MADV_DONTNEED))
			return pr_perror("drop piece %zu", i);
		posix_fadvise(fd, i * PIECE, piece_bytes(i), POSIX_FADV_DONTNEED);
	}
	return 0;
}

static int check(void *arg)
{
	size_t holed = HOLE / PIECE;

	(void)arg;
	if (nonzero_at(map + HOLE, MIB) >= 0)
		return fail("there is something in the hole");
	for (size_t i = 0; i <= N_PIECES; i++)
		if (i != holed && pattern_bad(map + i * PIECE, piece_bytes(i), i) >= 0)
			return fail("piece %zu changed", i);
	if (pattern_bad(map + holed * PIECE, HOLE - holed * PIECE, holed) >= 0)
		return fail("the piece with the hole changed");
	return 0;
}

int main(int argc, char **argv)
{
	off_t hole;
	pid_t kid;
	int fd;

	test_init(argc, argv);

	map = delshm_start("large", SIZE, &fd);
	if (!map || delshm_unlink("large") || fill(fd) || drop_half(fd))
		return 1;
	kid = kid_start(NULL, check, NULL);
	if (kid < 0)
		return 1;

	test_daemon();
	test_waitsig();

	/* Before the content check, which fills in the holes of some filesystems. */
	hole = lseek(fd, 0, SEEK_HOLE);
	if (hole < (off_t)HOLE || hole > (off_t)(HOLE + MIB / 2))
		return fail("the first hole is at %ld", hole);
	if (lseek(fd, 0, SEEK_END) != (off_t)SIZE || map_is_fd(map, fd) != 1)
		return fail("size or identity");
	if (check(NULL) || kid_finish(kid))
		return fail("content");
	if (delshm_fini())
		return fail("something is left behind");

	pass();
	return 0;
}
