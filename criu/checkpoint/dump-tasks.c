#include <sys/syscall.h>

#include "checkpoint/dump-ctx.h"
#include "remote/call.h"
#include "task/task.h"
#include "util/interrupt.h"

static int dump_threads(struct dump *dump, struct remote_process *process, struct task_image *task)
{
	struct task_ctx *ctxs = xalloc(process->n_threads * sizeof(*ctxs));
	int err;

	for (size_t i = 0; i < process->n_threads; i++)
		ctxs[i] = (struct task_ctx){
			.thread = &process->threads[i],
			.model = &dump->model,
			.image = task,
			.core = task->core[i],
			.leader = i == 0,
			.features = dump->features,
			.options = dump->options,
		};
	err = task_dump(ctxs, process->n_threads);
	free(ctxs);
	return err;
}

/* The end of the heap to the byte: brk(0) answers it and changes nothing. */
static int dump_brk(struct remote_process *process, MmEntry *mm)
{
	long brk;
	int err = remote_call(process->driver, &brk, SYS_brk, 0);

	if (!err)
		mm->mm_brk = brk;
	return err;
}

static int dump_process(struct dump *dump, struct remote_process *process, struct task_image *task)
{
	int err, close_err;

	err = remote_open(process);
	if (!err)
		err = dump_brk(process, task->mm);
	if (!err)
		err = remote_drop_leftovers(process);
	if (!err)
		err = dump_threads(dump, process, task);
	/* Also after an error: nothing of ours stays in it. */
	close_err = remote_close(process);
	return err ? err : close_err;
}

int dump_tasks(struct dump *dump)
{
	int err = 0;

	for (size_t i = 0; !err && i < dump->tree.n; i++) {
		struct remote_process *process = dump->processes[i];
		struct task_image *task = &dump->model.tasks.data[i];

		LOG_SCOPE("task", process->pid);
		err = interrupt_pending();
		if (err)
			break;
		if (process->state == REMOTE_ZOMBIE)
			err = task_dump_zombie(process, &dump->model, task);
		else
			err = dump_process(dump, process, task);
	}
	return err;
}
