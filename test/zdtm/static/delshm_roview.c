#include "zdtmtst.h"
#include "delshm.h"

const char *test_doc =
	"A read-only and a read-write view of one deleted file; the read-only one cannot become writable";

#define SIZE (4 * PG)

int main(int argc, char **argv)
{
	struct fd_state rw_state, ro_state;
	static char before[3][4096];
	char *maps[3];
	int rw, ro, i;

	test_init(argc, argv);

	if (delshm_init())
		return 1;
	rw = delshm_create("view", SIZE);
	ro = open(delshm_path("view"), O_RDONLY);
	if (rw < 0 || ro < 0)
		return pr_perror("open");
	/* Writable; read-only from O_RDONLY; read-only from O_RDWR. */
	maps[0] = delshm_map(rw, SIZE, PROT_READ | PROT_WRITE, 0);
	maps[1] = delshm_map(ro, SIZE, PROT_READ, 0);
	maps[2] = delshm_map(rw, SIZE, PROT_READ, 0);
	if (!maps[0] || !maps[1] || !maps[2] || delshm_unlink("view"))
		return 1;
	pattern_fill(maps[0], SIZE, 1);
	for (i = 0; i < 3; i++)
		if (map_text(maps[i], SIZE, MAP_TEXT_PATHS, before[i], sizeof(before[i])))
			return 1;
	if (fd_state_get(rw, &rw_state) || fd_state_get(ro, &ro_state))
		return 1;

	test_daemon();
	test_waitsig();

	for (i = 0; i < 3; i++) {
		if (map_text_changed(maps[i], SIZE, MAP_TEXT_PATHS, before[i]))
			return fail("mapping %d changed", i);
		if (map_is_fd(maps[i], rw) != 1 || map_is_fd(maps[i], ro) != 1)
			return fail("mapping %d is another file", i);
		if (pattern_bad(maps[i], SIZE, 1) >= 0)
			return fail("mapping %d shows something else", i);
	}
	if (fd_state_changed(rw, &rw_state, FD_NEW_INODE) || fd_state_changed(ro, &ro_state, FD_NEW_INODE))
		return fail("descriptors changed");
	if (!mprotect(maps[1], PG, PROT_READ | PROT_WRITE) || errno != EACCES)
		return fail("the read-only view became writable");
	if (mprotect(maps[2], PG, PROT_READ | PROT_WRITE))
		return fail("the other view may not become writable any more");
	if (pwrite(ro, "x", 1, 0) >= 0)
		return fail("the read-only descriptor can write");
	pattern_fill(maps[2], PG, 2);
	if (pattern_bad(maps[1], PG, 2) >= 0 || pattern_bad(maps[0], PG, 2) >= 0)
		return fail("the views show different memory");
	if (delshm_fini())
		return fail("something is left behind");

	pass();
	return 0;
}
