#include "remote/rounds.h"
#include "util/log.h"

static int start(struct round_task *task, const struct round_calls *calls)
{
	int err = calls->queue(task->arg, task->batch, &task->queued);

	if (!err && task->queued)
		err = batch_start(task->batch);
	if (err)
		task->queued = false;
	return err;
}

static int finish(struct round_task *task, const struct round_calls *calls)
{
	int err = task->queued ? batch_wait(task->batch) : 0;

	return err || !task->queued ? err : calls->collect(task->arg, task->batch);
}

static int run_one_round(struct round_task *tasks, size_t n, const struct round_calls *calls, bool *ret_any)
{
	size_t started = 0;
	int err = 0;

	*ret_any = false;
	for (; started < n && !err; started++) {
		LOG_SCOPE("task", tasks[started].process->pid);
		err = start(&tasks[started], calls);
		*ret_any |= tasks[started].queued;
	}
	for (size_t i = 0; i < started; i++) {
		int finish_err;

		LOG_SCOPE("task", tasks[i].process->pid);
		finish_err = finish(&tasks[i], calls);
		err = err ? err : finish_err;
	}
	return err;
}

int rounds_run(struct round_task *tasks, size_t n, const struct round_calls *calls)
{
	bool more = n;
	int err = 0;

	for (size_t i = 0; i < n; i++)
		tasks[i].batch = NULL;
	for (size_t i = 0; i < n && !err; i++)
		err = batch_new(tasks[i].process->driver, &tasks[i].batch);
	while (more && !err)
		err = run_one_round(tasks, n, calls, &more);
	for (size_t i = 0; i < n; i++)
		batch_freep(&tasks[i].batch);
	return err;
}
