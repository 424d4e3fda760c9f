/* Files of /proc that belong to a task, as against those of the whole system. */
#ifndef CRIU_FILES_PROC_TASK_H
#define CRIU_FILES_PROC_TASK_H

#include "files/files-reg.h"

/** proc_task_plan - is it a file of a task's? Then @entry is complete, or it is refused. */
bool proc_task_plan(struct files_dump *ctx, const struct reg_source *source, FileEntry *entry);

/** proc_task_owns - is @path of an image a file of one of its tasks, to be opened when that exists? */
bool proc_task_owns(const struct model *model, const char *path);

/* Whose file it is, and which. */
struct proc_task_file {
	pid_t pid, tid;	  /* tid: pid, or that below task/ */
	const char *rest; /* below the task's directory: "fd/3"; empty: the directory itself */
};

/** proc_task_parse - @below: a path below the root of a procfs, "41/task/42/stat"; false: it is no task's (unit tests). */
bool proc_task_parse(const char *below, struct proc_task_file *ret);

#endif
