#include <sys/ipc.h>
#include <linux/magic.h>
#include <sys/shm.h>
#include <sys/vfs.h>

#include "zdtmtst.h"
#include "delshm.h"
#include "numa.h"
#include "taskutil.h"

const char *test_doc = "Shared memory keeps the NUMA policies of its parts, also those whose setter is gone";

#define PAGES	16
#define SIZE	(PAGES * PG)
#define OBJECTS 4

static const char *const names[OBJECTS] = { "deleted file", "memfd", "anonymous", "segment" };

/* Not from the start, not to the end, two that touch. */
static int set_policies(char *map)
{
	return numa_bind(map + 4 * PG, 4 * PG, MPOL_BIND) ||
	       numa_bind(map + 8 * PG, 3 * PG, MPOL_INTERLEAVE | MPOL_F_STATIC_NODES) ||
	       numa_bind(map + 12 * PG, PG, MPOL_PREFERRED | MPOL_F_RELATIVE_NODES);
}

static int mode_of(int page)
{
	if (page >= 4 && page < 8)
		return MPOL_BIND;
	if (page >= 8 && page < 11)
		return MPOL_INTERLEAVE | MPOL_F_STATIC_NODES;
	return page == 12 ? MPOL_PREFERRED | MPOL_F_RELATIVE_NODES : MPOL_DEFAULT;
}

static int check_policies(char *map)
{
	for (int i = 0; i < PAGES; i++)
		if (numa_check(map + i * PG, mode_of(i)))
			return 1;
	return 0;
}

static char *map_of(int object, int fd, int *segment)
{
	char *map;

	switch (object) {
	case 2:
		map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		return map == MAP_FAILED ? NULL : map;
	case 3:
		*segment = shmget(IPC_PRIVATE, SIZE, IPC_CREAT | 0600);
		map = shmat(*segment, NULL, 0);
		return map == (void *)-1 ? NULL : map;
	default:
		return delshm_map(fd, SIZE, PROT_READ | PROT_WRITE, 0);
	}
}

int main(int argc, char **argv)
{
	int fds[OBJECTS] = { -1, -1, -1, -1 }, segment = -1;
	char *maps[OBJECTS];
	struct statfs fs;
	bool on_tmpfs;

	test_init(argc, argv);

	if (delshm_init())
		return 1;
	if (numa_is_missing()) {
		skip("no NUMA policies");
		return skipped_test();
	}
	fds[0] = delshm_create("numa", SIZE);
	fds[1] = memfd_create("numa", 0);
	if (fds[0] < 0 || fds[1] < 0 || ftruncate(fds[1], SIZE) || delshm_unlink("numa"))
		return pr_perror("make the objects");
	if (fstatfs(fds[0], &fs))
		return pr_perror("fstatfs");
	on_tmpfs = fs.f_type == TMPFS_MAGIC;
	for (int i = 0; i < OBJECTS; i++) {
		char *setter;

		maps[i] = map_of(i, fds[i], &segment);
		if (!maps[i])
			return pr_perror("map the %s", names[i]);
		/* Through a mapping that does not last: the others are not split where policies begin. */
		setter = i < 2 ? delshm_map(fds[i], SIZE, PROT_READ, 0) : maps[i];
		if (!setter || set_policies(setter))
			return pr_perror("mbind the %s", names[i]);
		if (setter != maps[i])
			munmap(setter, SIZE);
		pattern_fill(maps[i], SIZE, i);
	}
	if (shmctl(segment, IPC_RMID, NULL))
		return pr_perror("shmctl");

	test_daemon();
	test_waitsig();

	for (int i = 0; i < OBJECTS; i++) {
		if (pattern_bad(maps[i], SIZE, i) >= 0)
			return fail("content of the %s changed", names[i]);
		/* On a disk the policy is one of the mapping that is gone. */
		if ((i > 0 || on_tmpfs) && check_policies(maps[i]))
			return fail("policies of the %s changed", names[i]);
	}
	if (map_is_fd(maps[0], fds[0]) != 1 || map_is_fd(maps[1], fds[1]) != 1)
		return fail("one object became two");
	if (delshm_fini())
		return fail("something is left behind");

	pass();
	return 0;
}
