#include <errno.h>

#include "checkpoint/survey.h"
#include "remote/watch.h"
#include "util/log.h"

/* What fails because a task closed, unmapped or ended something meanwhile may go well the next time. */
#define TRIES 5

static void survey_init(struct survey *survey, const struct options *options, const struct kernel_features *features)
{
	survey->options = *options;
	/* Reading them would only be for the images. */
	survey->options.validate_build_id = false;
	survey->outsiders = (outside_holders){ 0 };
	dump_init(&survey->dump, &survey->options, features, NULL, -1);
	survey->dump.inodes.passive = true;
	survey->dump.refusals.keep = true;
}

static int try_plan(struct survey *survey)
{
	struct dump *dump = &survey->dump;
	int err;

	log_hold_errors(true);
	err = plan_dump(dump);
	/* From here on nothing of the tasks' is held open. */
	files_dump_free(&dump->files);
	if (err == -EBUSY && dump->refusals.n)
		err = 0;
	return err;
}

/* A dump would fail as well, but for its tasks standing still. */
static void note_failure(struct survey *survey)
{
	refuse_failed(&survey->dump.refusals);
	pr_warn("the tree changes too fast, or can't be read: not everything could be looked at");
}

int survey_tree(const struct options *options, const struct kernel_features *features, struct survey *ret)
{
	int err;

	for (int n = 1;; n++) {
		survey_init(ret, options, features);
		err = watch_tree(options->tree, &ret->dump.refusals, &ret->dump.tree);
		if (err)
			return err;
		err = try_plan(ret);
		if (!err || n == TRIES)
			break;
		log_hold_errors(false);
		survey_free(ret);
	}
	if (err)
		note_failure(ret);
	log_hold_errors(false);
	return holders_find_outside(&ret->dump.inodes, &ret->dump.tree, HOLDERS_OF_SHARED, &ret->outsiders);
}

void survey_free(struct survey *survey)
{
	VEC_FREE(&survey->outsiders);
	dump_free(&survey->dump);
	watch_free(&survey->dump.tree);
}
