#include <errno.h>

#include "files/files.h"
#include "files/locks.h"
#include "files/tty.h"
#include "restore/validate.h"
#include "task/task.h"
#include "util/log.h"

static int validate_task(struct model *model, struct task_image *task, const struct options *options,
			 const struct kernel_features *features)
{
	LOG_SCOPE("task", task->pstree->pid);

	for (size_t i = 0; i < task->n_core; i++) {
		int err = task_validate(&(struct task_ctx){
			.model = model,
			.image = task,
			.core = task->core[i],
			.leader = i == 0,
			.features = features,
			.options = options,
		});

		if (err)
			return err;
	}
	return 0;
}

int restore_validate(struct model *model, const struct options *options, const struct kernel_features *features)
{
	int err = model->tasks.data[0].mm ? 0 : fail(EINVAL, "the root task of the image is dead");

	for (size_t i = 0; !err && i < model->tasks.n; i++)
		err = validate_task(model, &model->tasks.data[i], options, features);
	ttys_complete(model);
	err = err ?: files_validate(model);
	err = err ?: files_validate_options(model, options);
	return err ?: locks_validate(model, options);
}
