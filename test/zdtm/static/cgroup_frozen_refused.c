#include <mntent.h>
#include <signal.h>
#include <sys/stat.h>

#include "lock.h"
#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "A task in a frozen cgroup is refused: it would never answer. Thawed, it goes on";
const char *test_author = "The criu team";

static char outer[512], inner[600];

static int put(const char *dir, const char *name, const char *value)
{
	char path[700];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return write_value(path, value);
}

static void remove_groups(void)
{
	rmdir(inner);
	rmdir(outer);
}

static int make_groups(void)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	struct mntent *entry;

	while (mounts && (entry = getmntent(mounts)))
		if (!strcmp(entry->mnt_type, "cgroup2") && !outer[0])
			snprintf(outer, sizeof(outer), "%s/zdtm-frozen-%d", entry->mnt_dir, getpid());
	if (mounts)
		endmntent(mounts);
	snprintf(inner, sizeof(inner), "%s/inner", outer);
	/* Of a run that was killed, and had the same process number in its own namespace. */
	remove_groups();
	if (!outer[0] || mkdir(outer, 0700) || mkdir(inner, 0700)) {
		skip("no cgroup of version 2 can be made: %s", outer[0] ? strerror(errno) : "not mounted");
		rmdir(outer);
		return -1;
	}
	return 0;
}

/* Until all of its tasks stand still. */
static int await_frozen(void)
{
	char path[700], text[64];

	snprintf(path, sizeof(path), "%s/cgroup.events", inner);
	for (int ms = 0; ms < 10000; ms++, usleep(1000)) {
		FILE *events = fopen(path, "r");
		bool frozen = false;

		while (events && fgets(text, sizeof(text), events))
			frozen |= !strcmp(text, "frozen 1\n");
		if (events)
			fclose(events);
		if (frozen)
			return 0;
	}
	return fail("it does not freeze");
}

int main(int argc, char **argv)
{
	char number[16];
	pid_t pid;

	test_init(argc, argv);
	if (make_groups())
		return skipped_test();
	pid = child_start(NULL, NULL);
	snprintf(number, sizeof(number), "%d", pid);
	if (pid < 0 || put(inner, "cgroup.procs", number) || put(outer, "cgroup.freeze", "1") || await_frozen())
		return 1;

	test_daemon();
	test_waitsig();

	if (put(outer, "cgroup.freeze", "0") || child_finish(pid))
		return fail("the child");
	remove_groups();
	pass();
	return 0;
}
