/* criu convert: image directories for the other implementation. */
#include <signal.h>

#include "commands/command.h"
#include "image/convert.h"
#include "util/interrupt.h"
#include "util/log.h"

static int convert(struct image_dir *dir, struct model *model)
{
	struct refusals refusals = { 0 };
	struct convert_stats stats;
	int err = image_read(dir, model);

	if (err)
		return err;
	convert_check(model, &refusals);
	if (refusals.n)
		err = fail(ENOTSUP, "%s: cannot be converted for %zu reason%s; nothing was changed", dir->path,
			   refusals.n, refusals.n > 1 ? "s" : "");
	refusals_free(&refusals);
	if (err)
		return err;
	err = convert_warn_policies(dir, model) ?: convert_to_mainline(dir, model, &stats);
	if (!err)
		pr_msg("%s: %zu shared objects with %llu pages became ghost files", dir->path, stats.objects,
		       (unsigned long long)stats.pages);
	return err;
}

int command_convert(const struct options *options, const struct kernel_features *features)
{
	struct image_dir dir;
	struct model model;
	sigset_t signals;
	int err = image_dir_open(options->images_dir, &dir);

	if (err)
		return err;
	interrupt_signals(&signals);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	model_init(&model);
	err = convert(&dir, &model);
	model_free(&model);
	image_dir_close(&dir);
	return err;
}
