/*
 * Cgroups and security profiles (AppArmor, SELinux).
 *
 * Neither is saved: a restored task has those of criu. That is what a user
 * wants who runs criu inside the same container, and a hole in a fence
 * otherwise, so every one that differs from criu's is named.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "checkpoint/confinement.h"
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

void confinement_warn(const struct remote_tree *tree)
{
	warn_of(tree, "cgroup", warn_cgroup);
	warn_of(tree, "attr/current", warn_profile);
}
