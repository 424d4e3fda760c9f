#include "checkpoint/dump-ctx.h"
#include "checkpoint/semadj.h"
#include "files/mqueue.h"
#include "files/tty.h"
#include "mem/mm-lock.h"
#include "mem/numa.h"
#include "remote/call.h"
#include "remote/leftover.h"
#include "task/task.h"
#include "util/interrupt.h"

/* So many processes are opened at once: enough for their calls to overlap. */
#define PROCESSES_AT_A_TIME 16

struct group {
	struct dump *dump;
	size_t first, end;		  /* positions in the model */
	bool silent[PROCESSES_AT_A_TIME]; /* refused for what it is: can't be asked anything */
};

static bool is_alive(const struct group *group, size_t index)
{
	return group->dump->processes[index]->state != REMOTE_ZOMBIE;
}

static bool answers(const struct group *group, size_t index)
{
	return is_alive(group, index) && !group->silent[index - group->first];
}

static int open_process(struct dump *dump, size_t index)
{
	struct remote_process *process = dump->processes[index];
	int err = remote_open(process);

	if (!err)
		err = aio_ask(&dump->aio_rings, process);
	if (!err)
		err = mm_lock_dump(process, dump->model.tasks.data[index].mm);
	return err ? err : remote_drop_leftovers(process);
}

static int open_processes(struct group *group)
{
	struct dump *dump = group->dump;
	int err = 0;

	for (size_t i = group->first; !err && i < group->end; i++) {
		LOG_SCOPE("task", dump->processes[i]->pid);
		group->silent[i - group->first] = refusals_is_silent(&dump->refusals, dump->processes[i]->pid);
		if (!answers(group, i))
			continue;
		err = open_process(dump, i);
		group->silent[i - group->first] = err;
		err = refuse_if_refusal(&dump->refusals, err);
	}
	return err;
}

/* Also after an error: nothing of ours stays in them. */
static int close_processes(const struct group *group)
{
	int err = 0;

	for (size_t i = group->first; i < group->end; i++) {
		int close_err = is_alive(group, i) ? remote_close(group->dump->processes[i]) : 0;

		err = err ? err : close_err;
	}
	return err;
}

static int dump_threads(const struct group *group)
{
	struct dump *dump = group->dump;
	VEC(struct task_ctx) ctxs = { 0 };
	int err;

	for (size_t i = group->first; i < group->end; i++) {
		for (size_t j = 0; answers(group, i) && j < dump->processes[i]->n_threads; j++)
			VEC_PUSH(&ctxs, ((struct task_ctx){
						.thread = &dump->processes[i]->threads[j],
						.model = &dump->model,
						.image = &dump->model.tasks.data[i],
						.core = dump->model.tasks.data[i].core[j],
						.leader = j == 0,
						.features = dump->features,
						.options = dump->options,
						.landlock = dump->landlock,
						.refusals = &dump->refusals,
					}));
	}
	err = task_dump(ctxs.data, ctxs.n);
	VEC_FREE(&ctxs);
	return err;
}

/* What is asked with many calls. */
static int ask_processes(const struct group *group)
{
	struct remote_process *processes[PROCESSES_AT_A_TIME];
	struct numa_task tasks[PROCESSES_AT_A_TIME];
	struct dump *dump = group->dump;
	size_t n = 0;
	int err;

	for (size_t i = group->first; i < group->end; i++) {
		if (!answers(group, i))
			continue;
		processes[n] = dump->processes[i];
		tasks[n++] = (struct numa_task){ dump->processes[i], &dump->vmas[i] };
	}
	err = numa_dump_vmas(tasks, n, dump->model.arena);
	return err ? err : files_ask(&dump->files, processes, n);
}

/* One after the other: the semaphores are everybody's. */
static int ask_adjustments(const struct group *group)
{
	int err = 0;

	for (size_t i = group->first; !err && i < group->end; i++) {
		LOG_SCOPE("task", group->dump->processes[i]->pid);
		if (answers(group, i))
			err = semadj_ask(group->dump, group->dump->processes[i]);
	}
	return err;
}

/* A task without a terminal whose session has one: it was forked before, or has given it up. */
static void note_terminals(const struct group *group)
{
	struct model *model = &group->dump->model;

	for (size_t i = group->first; i < group->end; i++) {
		const struct proc_stat *stat = &group->dump->processes[i]->stat;
		TaskCoreEntry *tc = model->tasks.data[i].core[0]->tc;

		if (!answers(group, i) || stat->tty_nr || stat->sid == group->dump->processes[i]->pid ||
		    !tty_of_session(model, stat->sid))
			continue;
		if (!tc->extra)
			tc->extra = model_new(model, TaskExtraEntry, task_extra_entry__init);
		tc->extra->has_no_terminal = tc->extra->no_terminal = true;
	}
}

static int dump_zombies(const struct group *group)
{
	struct dump *dump = group->dump;
	int err = 0;

	for (size_t i = group->first; !err && i < group->end; i++)
		if (!is_alive(group, i))
			err = task_dump_zombie(dump->processes[i], &dump->model, &dump->model.tasks.data[i]);
	return err;
}

/* What can't be saved in one task is no reason not to look at the others. */
static int dump_group(struct group *group)
{
	int err = open_processes(group), close_err;

	if (!err)
		err = refuse_if_refusal(&group->dump->refusals, ask_processes(group));
	if (!err)
		err = dump_threads(group);
	if (!err)
		err = ask_adjustments(group);
	if (!err)
		note_terminals(group);
	close_err = close_processes(group);
	err = err ? err : close_err;
	return err ? err : dump_zombies(group);
}

int dump_tasks(struct dump *dump)
{
	int err = semadj_plan(dump);

	for (size_t i = 0; !err && i < dump->tree.n; i += PROCESSES_AT_A_TIME) {
		struct group group = { .dump = dump, .first = i };

		group.end = min_u64(i + PROCESSES_AT_A_TIME, dump->tree.n);
		err = interrupt_pending();
		err = err ? err : dump_group(&group);
	}
	if (!err)
		mqueues_check_told(&dump->files);
	if (!err && dump->refusals.n)
		err = -EBUSY;
	if (err)
		return err;
	semsets_dump(&dump->semsets, &dump->model);
	return msgqueues_dump(&dump->awaited_queues, &dump->model);
}
