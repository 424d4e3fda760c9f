#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "checkpoint/dump-ctx.h"
#include "checkpoint/dump.h"
#include "checkpoint/retry.h"
#include "checkpoint/robust.h"
#include "checkpoint/semadj.h"
#include "checkpoint/survey.h"
#include "files/locks.h"
#include "image/stats.h"
#include "kernel/syscalls.h"
#include "mem/carried.h"
#include "mem/external.h"
#include "remote/keeper.h"
#include "remote/seize.h"
#include "task/task.h"
#include "action-script.h"
#include "util/interrupt.h"
#include "util/log.h"

static int run_scripts(const struct options *options, const struct image_dir *dir, const char *stage)
{
	return action_scripts_run(options, stage, dir->fd, options->tree);
}

/* --- write ---------------------------------------------------------------------- */

static int write_pages(struct dump *dump, struct page_pipeline *pipeline)
{
	int err = 0;

	for (size_t i = 0; !err && i < dump->tree.n; i++) {
		struct remote_process *process = dump->processes[i];

		LOG_SCOPE("task", process->pid);
		err = interrupt_pending();
		if (!err && process->state != REMOTE_ZOMBIE)
			err = pages_dump(process, &dump->vmas[i], process->pid, dump->features, pipeline, &dump->pages);
	}
	return err ? err : shmem_dump(&dump->inodes, &dump->model, pipeline, &dump->shmem);
}

static int write_memory(struct dump *dump)
{
	struct page_pipeline *pipeline;
	uint64_t start = stats_now_us();
	int err, finish_err;

	err = page_pipeline_start(dump->dir, &pipeline);
	if (err)
		return err;
	err = write_pages(dump, pipeline);
	dump->memdump_us = stats_now_us() - start;
	finish_err = page_pipeline_finish(pipeline);
	dump->memwrite_us = stats_now_us() - start;
	return err ? err : finish_err;
}

static int write_images(struct dump *dump)
{
	int err;

	err = write_memory(dump);
	if (!err) {
		pr_info("wrote %lu pages and %lu shared pages", dump->pages.written, dump->shmem.pages_written);
		err = files_dump(&dump->files);
	}
	if (!err)
		err = remap_dump(&dump->inodes, &dump->model, dump->dir);
	if (!err)
		err = carried_dump(&dump->inodes, &dump->model);
	if (!err)
		err = image_write(dump->dir, &dump->model);
	if (!err)
		err = image_prepare_commit(dump->dir, &dump->model);
	if (!err)
		pr_info("the images are on disk");
	return err;
}

/* --- commit ----------------------------------------------------------------------- */

/* The inventory did not get its name, or not for sure: the job goes on, and no image may look complete. */
static int take_back(struct dump *dump, int err)
{
	fail(-err, "cannot give the inventory its name: the tasks run on, the images are not valid");
	if (image_remove_inventory(dump->dir) || guard_commit_cancel(dump->guard))
		pr_warn("the failed commit could not be taken back entirely");
	return err;
}

/*
 * The decision is made by guard_commit_begin(), which takes what waits in terminals and queues: from then on, should we be
 * killed, the guard kills the tasks that are to die and renames the inventory. It holds on to us meanwhile, so that
 * they don't run on before; where it can't, because somebody else traces us, the tasks die as soon as they are tied to us.
 */
static int commit(struct dump *dump)
{
	int *pidfds = arena_array(dump->model.arena, int, dump->tree.n);
	bool kill = dump->options->final_state == FINAL_DEFAULT;
	struct guard_takings takings;
	size_t n = 0;
	int err;

	for (size_t i = 0; kill && i < dump->tree.n; i++)
		if (dump->processes[i]->state != REMOTE_ZOMBIE)
			pidfds[n++] = dump->processes[i]->pidfd;
	err = files_takings(&dump->files, guard_notes(dump->guard), &takings);
	if (err)
		return err;
	err = guard_commit_begin(dump->guard, dump->dir->fd, pidfds, n, image_commit, &takings);
	if (err) {
		guard_let_go(dump->guard);
		return err;
	}
	if (kill)
		seize_bind(&dump->tree);
	err = image_commit(dump->dir->fd);
	guard_let_go(dump->guard);
	if (err)
		return take_back(dump, err);
	if (!kill && guard_give_back(dump->guard))
		pr_warn("what waited in terminals and queues could not be put back");
	if (kill)
		files_silence(&dump->files);
	return 0;
}

static enum release release_for(const struct options *options)
{
	switch (options->final_state) {
	case FINAL_RUNNING:
		return RELEASE_RUN;
	case FINAL_STOPPED:
		return RELEASE_STOP;
	default:
		return RELEASE_KILL;
	}
}

static int write_stats(struct dump *dump)
{
	StatsEntry stats = STATS_ENTRY__INIT;
	DumpStatsEntry entry = DUMP_STATS_ENTRY__INIT;

	stats.dump = &entry;
	entry.freezing_time = dump->freezing_us;
	entry.frozen_time = dump->frozen_us;
	entry.memdump_time = dump->memdump_us;
	entry.memwrite_time = dump->memwrite_us;
	entry.pages_scanned = dump->pages.scanned;
	entry.pages_written = dump->pages.written;
	entry.has_shpages_scanned = entry.has_shpages_written = entry.has_shpages_skipped_parent = true;
	entry.shpages_scanned = dump->shmem.pages_scanned;
	entry.shpages_written = dump->shmem.pages_written;
	return stats_write(dump->work_fd, &stats, dump->options);
}

/* --- the whole ----------------------------------------------------------------------- */

static void sum_up_refusals(struct dump *dump)
{
	refusals_say_passing(&dump->refusals);
	pr_err("the dump was refused for %zu reason%s; nothing was changed", dump->refusals.n,
	       dump->refusals.n == 1 ? "" : "s");
}

/* A tree that could not be stopped runs again: what else is in the way shows from outside, or never. */
static void look_at_running_tree(struct dump *dump)
{
	struct survey survey;

	if (survey_tree(dump->options, dump->features, &survey))
		pr_warn("there may be more reasons");
	for (size_t i = 0; i < survey.dump.refusals.kept.n; i++)
		refuse(&dump->refusals, "%s", survey.dump.refusals.kept.data[i].text);
	survey_free(&survey);
	sum_up_refusals(dump);
}

/* Is there another try, or has all been said? */
static int conclude_look(struct dump *dump, int err)
{
	const struct refusals *refusals = &dump->refusals;
	const bool again = refusals->n == refusals->n_passing && retry_left(dump->tries);

	if (refusals->n && (!err || err == -ERESTART))
		err = -EBUSY;
	if (err == -EBUSY && refusals->n && again) {
		pr_warn("%s: it may pass, so there will be another try", refusals->passing.data[0].text);
		return -ERESTART;
	}
	if (refusals->n)
		sum_up_refusals(dump);
	return err;
}

/* What was refused so far is no reason not to look for more. */
static int look_at_tree(struct dump *dump)
{
	int err = plan_dump(dump), asked = 0;

	if (!err || (err == -EBUSY && dump->refusals.n)) {
		pr_info("planned: %zu files, %zu inodes", dump->model.files.n, dump->inodes.all.n);
		asked = dump_tasks(dump);
	}
	return conclude_look(dump, asked ?: err);
}

static int dump_stopped_tree(struct dump *dump)
{
	int err;

	dump->landlock = landlock_probe_new(&dump->tree.processes[0]->status);
	err = look_at_tree(dump);
	if (!err) {
		pr_info("read the tasks' attributes");
		/* From now on it is the guard that has to trace us. */
		keeper_rest(dump->tree.processes[0]->keeper);
		err = aio_wait(&dump->aio_rings);
	}
	if (!err)
		err = write_images(dump);
	if (!err && run_scripts(dump->options, dump->dir, "post-dump"))
		err = fail(ECANCELED, "a post-dump script failed: the tasks run on, the images are not valid");
	if (!err)
		err = interrupt_pending();
	if (!err)
		err = aio_recheck(&dump->aio_rings);
	if (!err)
		err = commit(dump);
	return err;
}

void dump_init(struct dump *dump, const struct options *options, const struct kernel_features *features,
	       struct image_dir *dir, int work_fd)
{
	*dump = (struct dump){
		.options = options,
		.features = features,
		.dir = dir,
		.work_fd = work_fd,
		.ids = ids_new(),
	};
	model_init(&dump->model);
}

void dump_free(struct dump *dump)
{
	for (size_t i = 0; dump->vmas && i < dump->model.tasks.n; i++)
		VEC_FREE(&dump->vmas[i]);
	files_dump_free(&dump->files);
	semsets_free(&dump->semsets);
	VEC_FREE(&dump->semadj_lists);
	VEC_FREE(&dump->awaited_queues);
	VEC_FREE(&dump->aio_rings);
	VEC_FREE(&dump->left_futexes);
	inodes_free(&dump->inodes);
	model_free(&dump->model);
	ids_free(dump->ids);
	landlock_probe_freep(&dump->landlock);
	refusals_free(&dump->refusals);
	guard_stop(dump->guard);
}

static int seize_and_dump(struct dump *dump)
{
	uint64_t start = stats_now_us();
	int err;

	err = seize_tree(dump->options->tree, dump->options->timeout_s, &dump->refusals, &dump->tree);
	if (dump->refusals.n)
		look_at_running_tree(dump);
	if (err)
		return err;
	dump->freezing_us = stats_now_us() - start;
	pr_info("stopped %zu processes", dump->tree.n);
	err = dump_stopped_tree(dump);
	if (err || dump->options->final_state == FINAL_RUNNING)
		remap_undo(&dump->inodes);
	if (!err && release_for(dump->options) == RELEASE_KILL) {
		locks_tell_waiters(&dump->files);
		robust_disarm(dump);
		semadj_disarm(dump);
	}
	seize_release(&dump->tree, err ? RELEASE_RUN : release_for(dump->options));
	robust_wake(dump);
	dump->frozen_us = stats_now_us() - start;
	/* What is committed stays so. */
	if (!err && write_stats(dump))
		pr_warn("the statistics could not be written");
	return err;
}

static int try_dump(const struct options *options, const struct kernel_features *features, struct image_dir *dir,
		    int work_fd, unsigned int tries)
{
	struct dump dump;
	int err;

	dump_init(&dump, options, features, dir, work_fd);
	dump.tries = tries;
	err = guard_start(&dump.guard);
	dump.inodes.guard = dump.guard;
	if (!err)
		err = image_remove_inventory(dir);
	if (!err)
		err = seize_and_dump(&dump);
	if (!err && release_for(options) == RELEASE_KILL) {
		files_dump_free(&dump.files);
		external_probe(&dump.inodes);
	}
	dump_free(&dump);
	return err;
}

/* The tree runs on between two tries. Its number may be another task's then: not if it still is the one of @root_pidfd. */
static int wait_for_next_try(const struct options *options, int root_pidfd, unsigned int tries)
{
	int err;

	if (!retry_left(tries))
		return fail(EAGAIN, "the tree does not come to rest: nothing was changed; try again");
	err = retry_wait(tries);
	if (!err && sys_pidfd_send_signal(root_pidfd, 0))
		err = fail(ESRCH, "task %d: it has ended meanwhile (option -t)", options->tree);
	return err;
}

static int try_until_done(const struct options *options, const struct kernel_features *features, struct image_dir *dir,
			  int work_fd)
{
	/* Where there is none, the first try will tell. */
	auto_fd int root_pidfd = sys_pidfd_open(options->tree, 0);
	unsigned int tries = 1;
	int err;

	while ((err = try_dump(options, features, dir, work_fd, tries)) == -ERESTART) {
		err = wait_for_next_try(options, root_pidfd, tries++);
		if (err)
			break;
	}
	return err;
}

int checkpoint_dump(const struct options *options, const struct kernel_features *features, struct image_dir *dir,
		    int work_fd)
{
	int err;

	if (run_scripts(options, dir, "pre-dump"))
		return fail(EPERM, "a pre-dump script failed: nothing was touched");
	err = try_until_done(options, features, dir, work_fd);
	if (!err)
		pr_info("dumped task %d and its descendants", options->tree);
	return err;
}
