#include "zdtmtst.h"
#include "delshm.h"

const char *test_doc = "A deleted file both mapped and open: same inode, position, flags, coherence, truncation";

#define SIZE (8 * PG)

int main(int argc, char **argv)
{
	struct fd_state state[3];
	static char before[4096];
	char page[PG], *map;
	struct stat st;
	int fd[3], i;

	test_init(argc, argv);

	if (delshm_init())
		return 1;
	fd[0] = delshm_create("open", SIZE);
	fd[1] = open(delshm_path("open"), O_WRONLY | O_APPEND | O_CLOEXEC);
	fd[2] = dup(fd[0]);
	if (fd[0] < 0 || fd[1] < 0 || fd[2] < 0)
		return pr_perror("open");
	map = delshm_map(fd[0], SIZE + PG, PROT_READ | PROT_WRITE, 0);
	if (!map || delshm_unlink("open"))
		return 1;
	pattern_fill(map, SIZE, 1);
	if (lseek(fd[0], 5 * PG + 3, SEEK_SET) < 0 || lseek(fd[1], 17, SEEK_SET) < 0)
		return pr_perror("lseek");
	for (i = 0; i < 3; i++)
		if (fd_state_get(fd[i], &state[i]))
			return 1;
	if (map_text(map, SIZE + PG, MAP_TEXT_PATHS, before, sizeof(before)))
		return 1;

	test_daemon();
	test_waitsig();

	if (map_text_changed(map, SIZE + PG, MAP_TEXT_PATHS, before))
		return fail("mapping changed");
	for (i = 0; i < 3; i++)
		if (fd_state_changed(fd[i], &state[i], FD_NEW_INODE) || map_is_fd(map, fd[i]) != 1)
			return fail("descriptor %d changed", i);
	if (fd_same_offset(fd[0], fd[2]) != 1 || fd_same_offset(fd[0], fd[1]))
		return fail("positions are not shared as before");
	if (pattern_bad(map, SIZE, 1) >= 0)
		return fail("content changed");
	pattern_fill(page, PG, 2);
	if (pwrite(fd[0], page, PG, PG) != (ssize_t)PG || pattern_bad(map + PG, PG, 2) >= 0)
		return fail("a write is not seen in the mapping");
	pattern_fill(map + 2 * PG, PG, 3);
	if (pread(fd[2], page, PG, 2 * PG) != (ssize_t)PG || pattern_bad(page, PG, 3) >= 0)
		return fail("a store is not seen in the file");
	/* Appends behind the old end, and the mapping shows the page that comes into being. */
	pattern_fill(page, PG, 4);
	if (write(fd[1], page, PG) != (ssize_t)PG || fstat(fd[0], &st) || st.st_size != SIZE + PG ||
	    pattern_bad(map + SIZE, PG, 4) >= 0)
		return fail("append");
	if (ftruncate(fd[0], PG) || fstat(fd[1], &st) || st.st_size != PG)
		return fail("truncate");
	if (delshm_fini())
		return fail("something is left behind");

	pass();
	return 0;
}
