#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include "zdtmtst.h"
#include "delshm.h"
#include "taskutil.h"

const char *test_doc = "Locks and advice on parts of shared mappings of each kind, in each task its own";

#define OBJECTS 4

/* One page each, a plain one between. What a fork passes on: all but locks; DONTFORK leaves a hole. */
static const struct part {
	const char *flag; /* in VmFlags */
	int advice;	  /* of madvise(2); -1: mlock2(2) */
	int lock_flags;
} parts[] = {
	{ "hg", MADV_HUGEPAGE, 0 },	     { "nh", MADV_NOHUGEPAGE, 0 }, { "dd", MADV_DONTDUMP, 0 },
	{ "sr", MADV_SEQUENTIAL, 0 },	     { "rr", MADV_RANDOM, 0 },	   { "lo", -1, 0 },
	{ "lo", -1, 1 /* MLOCK_ONFAULT */ }, { "dc", MADV_DONTFORK, 0 },
};

#define PARTS ((int)(sizeof(parts) / sizeof(parts[0])))
#define SIZE  ((size_t)(2 * PARTS + 1) * PG)

static const char *const names[OBJECTS] = { "deleted file", "memfd", "anonymous", "segment" };
static char *maps[OBJECTS];
static bool huge_unknown; /* a kernel without transparent huge pages */

static char *part_at(int object, int part)
{
	return maps[object] + (2 * part + 1) * PG;
}

static int set_part(int object, int part)
{
	const struct part *what = &parts[part];
	char *at = part_at(object, part);

	if (what->advice < 0)
		return syscall(SYS_mlock2, at, PG, (long)what->lock_flags);
	if (!madvise(at, PG, what->advice))
		return 0;
	if (errno == EINVAL && (what->advice == MADV_HUGEPAGE || what->advice == MADV_NOHUGEPAGE)) {
		huge_unknown = true;
		return 0;
	}
	return -1;
}

/* Each flag on its page and on none of the others. */
static int check_object(int object, bool is_child)
{
	for (int page = 0; page < 2 * PARTS + 1; page++) {
		const char *at = maps[object] + page * PG;

		for (int i = 0; i < PARTS; i++) {
			bool here = page == 2 * i + 1 || (page % 2 && !strcmp(parts[i].flag, parts[page / 2].flag));
			bool inherited = parts[i].advice >= 0 && parts[i].advice != MADV_DONTFORK;

			if (is_child && page == 2 * PARTS - 1)
				continue;
			if (huge_unknown && (parts[i].flag[0] == 'h' || parts[i].flag[0] == 'n'))
				continue;
			if (map_has_flag(at, parts[i].flag) != (here && (!is_child || inherited)))
				return fail("%s, page %d: flag %s", names[object], page, parts[i].flag);
		}
	}
	return 0;
}

static int check_all(bool is_child)
{
	for (int i = 0; i < OBJECTS; i++)
		if (check_object(i, is_child))
			return 1;
	return 0;
}

static int check_child(void)
{
	struct map_line line;

	for (int i = 0; i < OBJECTS; i++)
		if (!map_find(part_at(i, PARTS - 1), &line))
			return fail("%s: MADV_DONTFORK left no hole", names[i]);
	return check_all(true);
}

int main(int argc, char **argv)
{
	int fds[2], segment;
	char before[2][32];
	pid_t child;

	test_init(argc, argv);

	if (delshm_init())
		return 1;
	fds[0] = delshm_create("advice", SIZE);
	fds[1] = memfd_create("advice", 0);
	segment = shmget(IPC_PRIVATE, SIZE, IPC_CREAT | 0600);
	if (fds[0] < 0 || fds[1] < 0 || segment < 0 || ftruncate(fds[1], SIZE) || delshm_unlink("advice"))
		return pr_perror("make the objects");
	maps[0] = delshm_map(fds[0], SIZE, PROT_READ | PROT_WRITE, 0);
	maps[1] = delshm_map(fds[1], SIZE, PROT_READ | PROT_WRITE, 0);
	maps[2] = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	maps[3] = shmat(segment, NULL, 0);
	if (!maps[0] || !maps[1] || maps[2] == MAP_FAILED || maps[3] == (void *)-1 || shmctl(segment, IPC_RMID, NULL))
		return pr_perror("map the objects");
	for (int i = 0; i < OBJECTS; i++) {
		pattern_fill(maps[i], SIZE, i);
		for (int k = 0; k < PARTS; k++)
			if (set_part(i, k))
				return pr_perror("%s: %s", names[i], parts[k].flag);
	}
	if (check_all(false))
		return 1;
	if (status_field("self", "VmLck", before[0], sizeof(before[0])))
		return 1;
	child = child_start(NULL, check_child);
	if (child < 0)
		return 1;

	test_daemon();
	test_waitsig();

	if (check_all(false))
		return 1;
	if (status_field("self", "VmLck", before[1], sizeof(before[1])) || strcmp(before[0], before[1]))
		return fail("locked memory: %s, not %s", before[1], before[0]);
	for (int i = 0; i < OBJECTS; i++)
		if (pattern_bad(maps[i], SIZE, i) >= 0)
			return fail("content of the %s changed", names[i]);
	if (delshm_fini())
		return fail("something is left behind");
	if (child_finish(child))
		return fail("the child's mappings changed");
	pass();
	return 0;
}
