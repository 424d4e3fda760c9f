/*
 * Files of /proc that belong to a task: /proc/self/status, /proc/PID, /proc/net/tcp, which is one of them, too.
 *
 * The kernel keeps: task, path, position, flags; of files that show memory the address space at the time of opening. All but the
 * last can be seen from outside. Restore opens the path when all processes exist: then it leads to the task that was restored
 * with the old number, and to its address space. So the entry is that of a regular file (files-reg.c), only later.
 *
 * Lost: that the address space is one of before an execve(2).
 *
 * Refused: files of tasks that have ended or are outside the tree, since the number may be somebody else's by then; of threads other than
 * the first of a process, which do not exist yet when descriptors are made; and what is there once for each descriptor or mapping of a
 * task (fdinfo/3). Who opens may have more rights than the task had, but the kernel asks again at each read or write of what matters.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#include "files/files-internal.h"
#include "files/proc-task.h"
#include "kernel/path.h"
#include "kernel/proc-scan.h"

#define PROC_SUPER_MAGIC 0x9fa0

/* --- paths ------------------------------------------------------------------------ */

/* A whole component that is a number: behind it and its slash. */
static const char *parse_pid(const char *p, pid_t *ret)
{
	const char *end;
	uint64_t number;

	end = isdigit((unsigned char)*p) ? scan_number(p, 10, &number) : NULL;
	if (!end || (*end && *end != '/') || !number || number > INT32_MAX)
		return NULL;
	*ret = (pid_t)number;
	return end + (*end == '/');
}

bool proc_task_parse(const char *below, struct proc_task_file *ret)
{
	const char *rest = parse_pid(below, &ret->pid), *of_thread;

	if (!rest)
		return false;
	ret->tid = ret->pid;
	ret->rest = rest;
	if (strncmp(rest, "task/", strlen("task/")))
		return true;
	of_thread = parse_pid(rest + strlen("task/"), &ret->tid);
	if (of_thread)
		ret->rest = of_thread;
	return true;
}

static bool has_number(const char *path)
{
	for (const char *p = strchr(path, '/'); p; p = strchr(p + 1, '/'))
		if (isdigit((unsigned char)p[1]))
			return true;
	return false;
}

/* The shortest directory above it that is on a procfs is that one's root: its length, or 0. */
static size_t proc_root_bytes(const char *path)
{
	struct statfs fs;
	char root[4096];

	if (path[0] != '/' || strlen(path) >= sizeof(root) || !has_number(path))
		return 0;
	for (const char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		snprintf(root, sizeof(root), "%.*s", (int)(p - path), path);
		if (!statfs(root, &fs) && fs.f_type == PROC_SUPER_MAGIC)
			return p - path;
	}
	return 0;
}

static bool find_owner(const char *path, struct proc_task_file *ret)
{
	size_t root_bytes = proc_root_bytes(path);

	return root_bytes && proc_task_parse(path + root_bytes + 1, ret);
}

/* --- dump ------------------------------------------------------------------------ */

/* Its "self" tells by which numbers a procfs knows tasks. */
static bool has_our_numbers(const char *path)
{
	char link[4096 + 8], target[16], own[16];
	ssize_t n;

	snprintf(link, sizeof(link), "%.*s/self", (int)proc_root_bytes(path), path);
	n = readlink(link, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = '\0';
	snprintf(own, sizeof(own), "%d", getpid());
	return !strcmp(target, own);
}

/* Looking one up would mark the file that the task has as deleted. */
static bool is_of_network(const char *rest)
{
	return !strncmp(rest, "net/", strlen("net/"));
}

static bool is_of_one_descriptor(const char *rest)
{
	static const char *const dirs[] = { "fd/", "fdinfo/", "map_files/" };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (!strncmp(rest, dirs[i], strlen(dirs[i])))
			return true;
	return false;
}

static const char *obstacle(const struct files_dump *ctx, const struct reg_source *source,
			    const struct proc_task_file *file)
{
	if (!has_our_numbers(source->path))
		return "of a task in a procfs of another pid namespace than criu's";
	if (!is_of_network(file->rest) && remap_needed(source->inode, source->path))
		return "of a task that has ended";
	if (file->tid != file->pid)
		return "of a thread that is not the first of its process";
	if (!files_process(ctx, file->pid))
		return "of a task outside the tree, or of a thread that is not the first of its process";
	if (is_of_one_descriptor(file->rest))
		return "of a single descriptor or mapping of a task";
	return NULL;
}

bool proc_task_plan(struct files_dump *ctx, const struct reg_source *source, FileEntry *entry)
{
	struct proc_task_file file;
	const char *what;

	if (source->inode->fs_magic != PROC_SUPER_MAGIC || !find_owner(source->path, &file))
		return false;
	what = obstacle(ctx, source, &file);
	if (what)
		refuse_object(ctx->refusals, source->inode->id,
			      "%s: file of /proc %s: it could not be opened again on restore; close it before the dump",
			      source->path, what);
	/* Any look-up takes the old name of such a file for gone. */
	entry->reg->name =
		arena_printf(ctx->model->arena, "%.*s", (int)path_bare_len(source->path, NULL), source->path);
	return true;
}

/* --- restore --------------------------------------------------------------------- */

bool proc_task_owns(const struct model *model, const char *path)
{
	struct proc_task_file file;

	return find_owner(path, &file) && model_task(model, (uint32_t)file.pid);
}

/* The kernel sets the owner of such an inode when its path is looked up, not when the task's changes. */
void files_look_up_owners(const struct model *model)
{
	for (size_t i = 0; i < model->files.n; i++) {
		const RegFileEntry *reg = model->files.data[i]->reg;
		struct proc_task_file file;
		struct stat st;

		if (reg && !reg->ext && find_owner(reg->name, &file) && !is_of_network(file.rest) &&
		    lstat(reg->name, &st))
			pr_debug("%s: %s", reg->name, strerror(errno));
	}
}
