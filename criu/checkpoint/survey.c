#include <errno.h>
#include <string.h>

#include "checkpoint/retry.h"
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

static int try_survey(struct survey *survey, const struct options *options, const struct kernel_features *features)
{
	int err;

	log_hold_errors(false);
	survey_init(survey, options, features);
	err = watch_tree(options->tree, &survey->dump.refusals, &survey->dump.tree);
	return err ? err : try_plan(survey);
}

static bool same_refusals(const struct refusals *a, const struct refusals *b)
{
	if (a->kept.n != b->kept.n)
		return false;
	for (size_t i = 0; i < a->kept.n; i++)
		if (strcmp(a->kept.data[i].text, b->kept.data[i].text))
			return false;
	return true;
}

/* What a dump would wait for in vain, too, is seen at the last try. */
static bool is_sure(const struct refusals *before, const struct refusals *now)
{
	return !now->n || (same_refusals(before, now) && !refusals_may_pass(now));
}

/*
 * A thread that ends while it is looked at has odd namespaces, and the like: what is no longer there at the second look
 * would not have been there for a dump, either.
 */
static int try_until_sure(struct survey *survey, const struct options *options, const struct kernel_features *features)
{
	struct refusals before = { 0 };
	int err, asked = 0;

	for (int n = 1;; n++) {
		err = try_survey(survey, options, features);
		if (!survey->dump.tree.n || n == TRIES)
			break;
		if (!err && is_sure(&before, &survey->dump.refusals))
			break;
		if (refusals_may_pass(&survey->dump.refusals) && retry_left(n) && (asked = retry_wait(n)))
			break;
		refusals_free(&before);
		before = survey->dump.refusals;
		survey->dump.refusals = (struct refusals){ 0 };
		survey_free(survey);
	}
	refusals_free(&before);
	return asked ?: err;
}

int survey_tree(const struct options *options, const struct kernel_features *features, struct survey *ret)
{
	int err = try_until_sure(ret, options, features);

	/* Nobody there: that was no attempt of many. */
	if (err && !ret->dump.tree.n)
		return err;
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
