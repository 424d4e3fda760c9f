#include <linux/capability.h>
#include <sys/syscall.h>

#include "zdtmtst.h"
#include "huge.h"
#include "kids.h"
#include "sysvshm.h"

const char *test_doc = "System V segments of huge pages: removed and not, of another creator, shared with a child";

#define SIZE  (2 * HUGE + 5000) /* three huge pages */
#define WHOLE (3 * HUGE)
#define KEY   0x7a0ff

static char *kept, *removed;

static int child_check(void *arg)
{
	(void)arg;
	if (!huge_mapped(kept) || !huge_mapped(removed) || pattern_bad(removed + HUGE, HUGE, 20) >= 0)
		return fail("the child's segment is another");
	pattern_fill(kept + HUGE, HUGE, 21);
	return 0;
}

/* Another user than root, who may make such segments all the same. */
static int get_as(uid_t uid)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];
	int id, i;

	if (seteuid(uid) || syscall(SYS_capget, &header, caps))
		return -1;
	for (i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		caps[i].effective = caps[i].permitted;
	if (syscall(SYS_capset, &header, caps))
		return -1;
	id = shmget(KEY, SIZE, IPC_CREAT | IPC_EXCL | SHM_HUGETLB | HUGE_2MB | 0604);
	return seteuid(0) ? -1 : id;
}

int main(int argc, char **argv)
{
	int id, gone, i;
	struct shmid_ds before;
	pid_t child;

	test_init(argc, argv);

	id = get_as(1001);
	gone = shmget(IPC_PRIVATE, SIZE, IPC_CREAT | SHM_HUGETLB | HUGE_2MB | 0600);
	kept = shmat(id, NULL, 0);
	removed = shmat(gone, NULL, 0);
	if (id < 0 || gone < 0 || kept == NO_SEGMENT || removed == NO_SEGMENT || shmctl(gone, IPC_RMID, NULL))
		return pr_perror("segments");
	pattern_fill(kept, HUGE, 1);
	pattern_fill(removed, HUGE, 2);
	/* Behind its end, but in its last page. */
	pattern_fill(removed + WHOLE - PG, PG, 3);
	child = kid_start(NULL, child_check, NULL);
	if (child < 0 || shmctl(id, IPC_STAT, &before))
		return 1;

	test_daemon();
	test_waitsig();

	if (segment_changed(id, &before))
		return fail("the segment has changed");
	if (!huge_mapped(kept) || !huge_mapped(removed))
		return fail("the pages are not huge");
	if (pattern_bad(kept, HUGE, 1) >= 0 || pattern_bad(removed, HUGE, 2) >= 0 ||
	    pattern_bad(removed + WHOLE - PG, PG, 3) >= 0)
		return fail("content changed");
	pattern_fill(removed + HUGE, HUGE, 20);
	if (kid_finish(child) || pattern_bad(kept + HUGE, HUGE, 21) >= 0)
		return fail("it is not shared with the child any more");
	for (i = 0; i < (int)PG; i++)
		if (kept[2 * HUGE + i])
			return fail("the third page is not zero");
	if (shmctl(id, IPC_RMID, NULL))
		return fail("remove: %m");

	pass();
	return 0;
}
