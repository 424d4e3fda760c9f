#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "files/locks.h"
#include "files/mqueue.h"
#include "image/stats.h"
#include "mem/huge.h"
#include "mem/numa.h"
#include "remote/call.h"
#include "restore/restore-ctx.h"
#include "restore/restore.h"
#include "restore/validate.h"
#include "action-script.h"
#include "util/log.h"

static int run_scripts(const struct restore *restore, const char *stage, pid_t root)
{
	return action_scripts_run(restore->options, stage, restore->dir->fd, root);
}

static pid_t root_pid(const struct restore *restore)
{
	return restore->model.tasks.data[0].pstree->pid;
}

/* --- read and check ------------------------------------------------------------------- */

static bool is_wanted(const struct model *model, pid_t pid)
{
	for (size_t i = 0; i < model->tasks.n; i++) {
		const PstreeEntry *pstree = model->tasks.data[i].pstree;

		if (pid == (pid_t)pstree->pgid || pid == (pid_t)pstree->sid)
			return true;
		for (size_t j = 0; j < pstree->n_threads; j++)
			if (pid == (pid_t)pstree->threads[j])
				return true;
	}
	return false;
}

static void count_threads(struct restore *restore)
{
	for (size_t i = 0; i < restore->model.tasks.n; i++)
		restore->max_threads = max_u64(restore->max_threads, restore->model.tasks.data[i].n_core);
}

/* A guard whose PID a task needs gives way to one that has another. */
static int move_guard(struct restore *restore)
{
	struct guard *in_the_way = NULL;
	int err = 0;

	while (!err && is_wanted(&restore->model, guard_pid(restore->guard))) {
		struct guard *previous = restore->guard;

		restore->guard = NULL;
		err = guard_start(&restore->guard);
		/* Only now, so that the new one cannot get the same PID. */
		guard_stop(in_the_way);
		in_the_way = previous;
	}
	guard_stop(in_the_way);
	return err;
}

static int read_images(struct restore *restore)
{
	int err = image_read(restore->dir, &restore->model);

	if (!err)
		err = move_guard(restore);
	if (!err)
		err = restore_validate(&restore->model, restore->options, restore->features);
	if (err)
		return err;
	numa_drop_impossible(&restore->model);
	count_threads(restore);
	return tree_plan_make(&restore->model, restore->options->shell_job, &restore->plan);
}

/* --- objects ------------------------------------------------------------------------------ */

/* Its number is beyond what a task has, and beyond the files lent to a task while it maps them. */
static int open_courier(struct restore *restore)
{
	int lent_end = restore->model.files.n + 3;

	return courier_open(max_u64(lent_end, files_numbers_end(&restore->model)), &restore->courier);
}

static int read_pagemaps(struct restore *restore)
{
	int err = 0;

	restore->mm = arena_array(restore->model.arena, struct mm_image, restore->model.tasks.n);
	for (size_t i = 0; !err && i < restore->model.tasks.n; i++) {
		struct mm_image *mm = &restore->mm[i];

		mm->task = &restore->model.tasks.data[i];
		mm->pagemap.pages_fd = -1;
		LOG_SCOPE("task", mm->task->pstree->pid);
		if (!mm->task->mm)
			continue;
		err = pagemap_read(restore->dir, IMAGE_PAGEMAP, mm->task->pstree->pid, restore->model.arena,
				   &mm->pagemap);
		if (!err)
			err = layout_check_vdso(mm->task->mm, &mm->pagemap);
	}
	return err;
}

static int place_scratch(struct restore *restore)
{
	struct vdso_layout vdso;
	uint64_t side_bytes, scratch_bytes = restore->max_threads * REMOTE_SLOT_BYTES;
	int err = layout_own_vdso(&vdso);

	if (err)
		return err;
	side_bytes = vdso_layout_end(&vdso) - vdso_layout_start(&vdso);
	err = layout_find_hole(&restore->model, scratch_bytes + side_bytes, &restore->scratch.v);
	restore->side = remote_addr_at(restore->scratch, scratch_bytes);
	return err;
}

/* Before anything is made: a task that finds no page when it touches one is killed. */
static int check_huge_pages(struct restore *restore)
{
	const struct task_image *tasks = restore->model.tasks.data;
	struct huge_needs needs = { 0 };
	int err = huge_need_objects(&needs, &restore->model, restore->dir, restore->options);

	for (size_t i = 0; i < restore->plan.nodes.n; i++) {
		const struct tree_node *node = restore->plan.nodes.data[i], *source = tree_node_source(node);

		if (node->task && node->task->mm)
			huge_need_private(&needs, &restore->mm[node->task - tasks],
					  source ? &restore->mm[source->task - tasks] : NULL);
	}
	err = err ?: huge_needs_check(&needs);
	huge_needs_free(&needs);
	return err;
}

static int make_objects(struct restore *restore)
{
	int err = open_courier(restore);

	/* What is in the way is found before anything is made. */
	if (!err)
		err = semsets_check(&restore->model) ?: msgqueues_check(&restore->model) ?: mqueues_check(&restore->model);
	if (!err)
		err = read_pagemaps(restore);
	if (!err)
		err = check_huge_pages(restore);
	if (!err)
		err = carried_make(&restore->model, restore->dir, restore->guard, &restore->carried);
	if (!err)
		err = shmem_make(&restore->model, restore->dir, restore->options, restore->guard, &restore->shmem);
	if (!err)
		err = semsets_make(&restore->model, restore->guard, &restore->semsets)
			      ?: msgqueues_make(&restore->model, restore->guard);
	if (!err)
		err = remap_make(&restore->model, restore->dir, restore->options, restore->shmem, restore->guard,
				 &restore->remaps);
	if (err)
		return err;
	restore->files = (struct files_restore){
		.model = &restore->model,
		.options = restore->options,
		.dir = restore->dir,
		.shmem = restore->shmem,
		.remaps = restore->remaps,
		.guard = restore->guard,
	};
	err = files_make(&restore->files);
	return err ? err : place_scratch(restore);
}

/* --- the end --------------------------------------------------------------------------------- */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* A file without a name in the directory of @path; with its name if the file system has no such files. */
static int make_pidfile(int dir, const char *path)
{
	int fd = openat(dir, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR))
		fd = openat(dir, base_name(path), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd;
}

/*
 * The guard knows the name and the inode before the one is given to the other:
 * making a file takes long enough to be killed in it.
 */
static int name_pidfile(struct restore *restore, int fd, int dir, const char *absolute, int *ret_slot)
{
	char self[64];
	struct stat st;

	if (fstat(fd, &st))
		return fail_errno("fstat of the pid file %s", absolute);
	*ret_slot = guard_name_add(restore->guard, absolute, &st, 0);
	if (*ret_slot < 0)
		return *ret_slot;
	if (st.st_nlink)
		return 0;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, self, dir, base_name(absolute), AT_SYMLINK_FOLLOW))
		return fail_errno("cannot create the pid file %s", absolute);
	return 0;
}

static int write_pidfile(struct restore *restore, int *ret_slot)
{
	const char *path = restore->options->pidfile;
	auto_free char *parent = NULL, *real = NULL, *absolute = NULL;
	auto_fd int dir = -1, fd = -1;

	*ret_slot = -1;
	if (!path)
		return 0;
	parent = xasprintf("%.*s", (int)(base_name(path) - path), path);
	real = realpath(parent[0] ? parent : ".", NULL);
	dir = real ? open(real, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	fd = dir >= 0 ? make_pidfile(dir, path) : -1;
	if (fd < 0)
		return fail_errno("cannot create the pid file %s", path);
	absolute = xasprintf("%s/%s", strcmp(real, "/") ? real : "", base_name(path));
	if (dprintf(fd, "%d", root_pid(restore)) < 0)
		return fail_errno("cannot write the pid file %s", path);
	return name_pidfile(restore, fd, dir, absolute, ret_slot);
}

static int write_stats(struct restore *restore)
{
	StatsEntry stats = STATS_ENTRY__INIT;
	RestoreStatsEntry entry = RESTORE_STATS_ENTRY__INIT;

	stats.restore = &entry;
	entry.pages_compared = restore->pages.compared;
	entry.pages_skipped_cow = restore->pages.skipped_cow;
	entry.has_pages_restored = true;
	entry.pages_restored = restore->pages.restored;
	entry.forking_time = restore->forking_us;
	entry.restore_time = restore->restore_us;
	return stats_write(restore->work_fd, &stats, restore->options);
}

/* What was made has all its holders. Before anyone watches it, for its times are set. */
static int settle_objects(struct restore *restore)
{
	int err = shmem_settle(restore->shmem);

	if (!err)
		err = remap_settle(restore->remaps);
	return err ? err : carried_settle(restore->carried);
}

/* Everything is in place: from the release on nothing can fail any more. */
static int finish(struct restore *restore)
{
	int err, pidfile_slot;

	err = write_pidfile(restore, &pidfile_slot);
	if (!err && run_scripts(restore, "pre-resume", root_pid(restore)))
		pr_warn("a pre-resume script failed");
	if (!err)
		err = tasks_adjust(restore) ?: tasks_release(restore);
	if (err) {
		tasks_unadjust(restore);
		return err;
	}
	carried_keep(restore->carried);
	if (pidfile_slot >= 0)
		guard_name_drop(restore->guard, pidfile_slot);
	/* Only now, for without its links the images could not be restored once more. */
	if (remap_finish(restore->remaps))
		pr_warn("not all link_remap files were removed");
	if (run_scripts(restore, "post-resume", root_pid(restore)))
		pr_warn("a post-resume script failed");
	return 0;
}

static int build(struct restore *restore)
{
	uint64_t start = stats_now_us();
	int err;

	pr_info("made the objects: %zu files", restore->model.files.n);
	err = tree_build(restore);
	restore->forking_us = stats_now_us() - start;
	if (!err) {
		pr_info("built %zu processes and their memory", restore->model.tasks.n);
		err = files_make_of_tasks(&restore->files);
	}
	if (!err)
		err = tasks_restore(restore);
	if (!err) {
		pr_info("gave them descriptors, threads and attributes");
		err = tasks_lock(restore);
	}
	if (!err)
		err = settle_objects(restore);
	if (!err)
		err = files_settle(&restore->files);
	if (!err && run_scripts(restore, "post-restore", root_pid(restore)))
		err = fail(ECANCELED, "a post-restore script failed");
	if (!err)
		err = tasks_settle(restore);
	if (!err)
		files_look_up_owners(&restore->model);
	if (!err)
		err = finish(restore);
	if (err)
		tree_kill(restore);
	restore->restore_us = stats_now_us() - start;
	return err;
}

static void restore_free(struct restore *restore)
{
	for (size_t i = 0; i < restore->plan.nodes.n; i++)
		if (restore->plan.nodes.data[i]->process)
			remote_process_free(restore->plan.nodes.data[i]->process);
	tree_plan_free(&restore->plan);
	files_restore_free(&restore->files);
	carried_free(restore->carried);
	remap_restore_free(restore->remaps);
	shmem_restore_free(restore->shmem);
	semsets_restore_free(restore->semsets);
	for (size_t i = 0; restore->mm && i < restore->model.tasks.n; i++)
		pagemap_close(&restore->mm[i].pagemap);
	close_fdp(&restore->courier.pidfd);
	model_free(&restore->model);
	guard_stop(restore->guard);
}

int restore_tree(const struct options *options, const struct kernel_features *features, struct image_dir *dir,
		 int work_fd, pid_t *ret_root)
{
	struct restore restore = {
		.options = options,
		.features = features,
		.dir = dir,
		.work_fd = work_fd,
		.courier.pidfd = -1,
	};
	int err;

	model_init(&restore.model);
	err = guard_start(&restore.guard);
	if (!err && run_scripts(&restore, "pre-restore", 0))
		err = fail(ECANCELED, "a pre-restore script failed");
	if (!err)
		err = read_images(&restore);
	if (!err)
		err = make_objects(&restore);
	if (!err)
		err = build(&restore);
	if (!err) {
		*ret_root = root_pid(&restore);
		if (write_stats(&restore))
			pr_warn("the statistics could not be written");
	}
	restore_free(&restore);
	return err;
}
