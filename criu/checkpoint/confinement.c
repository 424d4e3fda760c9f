/*
 * Cgroups and security profiles (AppArmor, SELinux).
 *
 * Neither is saved: a restored task has those of criu. That is what a user
 * wants who runs criu inside the same container, and a hole in a fence
 * otherwise, so every one that differs from criu's is named.
 *
 * A task in a frozen cgroup (version 2) can be stopped and looked at but runs no call before it is thawed: criu would
 * wait for that. Frozen is a cgroup that was told to be, in cgroup.freeze, or below one that was; if that one is not
 * in sight, cgroup.events tells once all of its tasks stand still. (Those of the old freezer can't even be stopped.)
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "checkpoint/confinement.h"
#include "kernel/proc.h"
#include "util/log.h"

/* Text of a small file of a task; empty if it can't be read, as without a security module. */
struct label {
	char text[4096];
};

static void read_label(pid_t pid, const char *name, struct label *ret)
{
	auto_fd int fd = proc_open(pid, name, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, ret->text, sizeof(ret->text) - 1);

	ret->text[n > 0 ? n : 0] = '\0';
}

/* The first line of @text that is not in @own: "4:memory:/user/42". */
static const char *first_new_line(const char *text, const char *own, int *ret_len)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		const char *found = memmem(own, strlen(own), text, len + (text[len] == '\n'));

		if (!found || (found != own && found[-1] != '\n')) {
			*ret_len = (int)len;
			return text;
		}
		text += len + (text[len] == '\n');
	}
	return NULL;
}

static void warn_cgroup(pid_t pid, const struct label *label, const struct label *own)
{
	int len;
	const char *line = first_new_line(label->text, own->text, &len);

	if (line)
		pr_warn("task %d: is in cgroup %.*s; restored, it will be in that of criu", pid, len, line);
}

static void warn_profile(pid_t pid, const struct label *label, const struct label *own)
{
	if (!strstr(label->text, "unconfined"))
		pr_warn("task %d: is confined by the security profile %.*s; restored, it will have that of criu", pid,
			(int)strcspn(label->text, "\n"), label->text);
}

/* Tasks of a job mostly have the same: each is compared with the one before. */
static void warn_of(const struct remote_tree *tree, const char *name,
		    void (*warn)(pid_t pid, const struct label *label, const struct label *own))
{
	struct label own, last, label;

	read_label(getpid(), name, &own);
	last = own;
	for (size_t i = 0; i < tree->n; i++) {
		if (tree->processes[i]->state == REMOTE_ZOMBIE)
			continue;
		read_label(tree->processes[i]->pid, name, &label);
		if (label.text[0] && strcmp(label.text, last.text) && strcmp(label.text, own.text))
			warn(tree->processes[i]->pid, &label, &own);
		last = label;
	}
}

/* --- frozen ---------------------------------------------------------------------------- */

/* Does a line of the file @dir/@name say @line? */
static bool file_says(const char *dir, const char *name, const char *line)
{
	auto_free char *path = xasprintf("%s/%s", dir, name);
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[256];
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	const char *found;

	text[n > 0 ? n : 0] = '\0';
	found = strstr(text, line);
	return found && (found == text || found[-1] == '\n') && found[strlen(line)] == '\n';
}

/* @dir: a directory of cgroups, of which the first @top bytes are the mount; is cut off at its end. */
static bool is_frozen(char *dir, size_t top)
{
	bool frozen = file_says(dir, "cgroup.events", "frozen 1");

	while (!frozen && strlen(dir) > top) {
		frozen = file_says(dir, "cgroup.freeze", "1");
		*strrchr(dir, '/') = '\0';
	}
	return frozen;
}

/* Where the cgroups of version 2 are mounted such that @path is among them: its directory. NULL if nowhere. */
static char *cgroup_dir(const proc_mounts *mounts, const char *path, size_t *ret_top)
{
	for (size_t i = 0; i < mounts->n; i++) {
		const struct proc_mount *mount = &mounts->data[i];
		size_t root = strcmp(mount->root, "/") ? strlen(mount->root) : 0;

		if (strcmp(mount->fstype, "cgroup2") || strncmp(path, mount->root, root) ||
		    (path[root] && path[root] != '/'))
			continue;
		*ret_top = strlen(mount->mountpoint);
		return xasprintf("%s%s", mount->mountpoint, path + root);
	}
	return NULL;
}

/* The path in the line of version 2, cut out of @label; NULL if there is none. */
static char *path_of_v2(struct label *label)
{
	char *path = strncmp(label->text, "0::", 3) ? strstr(label->text, "\n0::") : label->text;

	if (!path)
		return NULL;
	path = strchr(path, '/');
	if (path)
		path[strcspn(path, "\n")] = '\0';
	return path;
}

static bool check_frozen(pid_t pid, struct label *label, const proc_mounts *mounts, struct refusals *refusals)
{
	const char *path = path_of_v2(label);
	size_t top;
	auto_free char *dir = path ? cgroup_dir(mounts, path, &top) : NULL;

	if (!dir || !is_frozen(dir, top))
		return false;
	refuse(refusals,
	       "task %d: is in cgroup %s, which is frozen, so that nothing can be asked of it: thaw it first "
	       "(cgroup.freeze)",
	       pid, path);
	return true;
}

/* Also here each is compared with the one before. */
static int check_all_frozen(const struct remote_tree *tree, struct refusals *refusals)
{
	struct label last = { "" }, label;
	proc_mounts mounts = { 0 };
	int err = proc_read_mounts(getpid(), &mounts);
	bool frozen = false;

	for (size_t i = 0; !err && i < tree->n; i++) {
		if (tree->processes[i]->state == REMOTE_ZOMBIE)
			continue;
		read_label(tree->processes[i]->pid, "cgroup", &label);
		if (strcmp(label.text, last.text)) {
			last = label;
			frozen = check_frozen(tree->processes[i]->pid, &label, &mounts, refusals);
		}
		if (frozen)
			refusals_silence(refusals, tree->processes[i]->pid);
	}
	proc_mounts_free(&mounts);
	return err;
}

int confinement_plan(const struct remote_tree *tree, struct refusals *refusals)
{
	warn_of(tree, "cgroup", warn_cgroup);
	warn_of(tree, "attr/current", warn_profile);
	return check_all_frozen(tree, refusals);
}
